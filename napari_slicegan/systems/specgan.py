"""The networks of SpecGAN (Donahue et al. 2019), with wide kernels.

The generator starts and the critic ends with a fully connected layer. Normalisation is
optional.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from napari_slicegan.models.network import output_layer
from napari_slicegan.models.table import Architecture
from napari_slicegan.systems.dcgan import (
    FeatureMaps,
    ImageCritic,
    ImageGenerator,
    ImageSpec,
    SameConvolution,
    SameTransposedConvolution,
    critic_edge,
    dense_head,
    first_edge,
    image_spec,
    init_glorot_uniform,
)

if TYPE_CHECKING:
    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.network import Output
    from napari_slicegan.models.table import CriticSpec

SLOPE = 0.2


def build_specgan(spec: ImageSpec) -> ImageGenerator:
    """Generator: a dense layer (4 x 4 pixels for images of 128), then doublings."""
    inputs = spec.widths[0]
    edge = first_edge(spec.size, len(spec.widths))
    blocks: dict[str, nn.Module] = {
        "block1": nn.Sequential(
            nn.Linear(spec.latent_channels, inputs * edge**2),
            FeatureMaps(inputs, edge),
            _norm(spec.normalisation, inputs),
            nn.ReLU(),
        )
    }
    for number, width in enumerate(spec.widths[1:], start=2):
        blocks[f"block{number}"] = nn.Sequential(
            _doubling(spec, inputs, width),
            _norm(spec.normalisation, width),
            nn.ReLU(),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Sequential(
        _doubling(spec, inputs, spec.channels), output_layer(spec.output)
    )
    return ImageGenerator(spec, **blocks)


def build_specgan_critic(critic: CriticSpec) -> ImageCritic:
    """Critic: halvings, then a dense layer; the first layer is never normalised."""
    spec: ImageSpec = critic.generator
    widths = critic.settings.critic_widths
    normalisation = critic.settings.critic_normalisation
    edge = critic_edge(spec.size, len(widths))
    layers: list[nn.Module] = []
    channels = spec.channels
    for number, width in enumerate(widths):
        layers += [
            SameConvolution(channels, width, spec.kernel, 2, same=spec.same),
            _norm(normalisation if number else "none", width),
            nn.LeakyReLU(SLOPE),
        ]
        channels = width
    head = dense_head(channels * edge**2, critic.outputs, critic.resampling)
    return ImageCritic(layers, head, critic.outputs)


def _doubling(spec: ImageSpec, inputs: int, outputs: int) -> nn.Module:
    return SameTransposedConvolution(
        inputs, outputs, spec.kernel, 2, bias=True, same=spec.same
    )


def _norm(normalisation: str, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if normalisation == "batch" else nn.Identity()


def _specgan_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> ImageSpec:
    if settings.image_kernel % 2 == 0:
        raise ValueError(
            f"'Image kernel size' must be odd, got "
            f"{settings.image_kernel}; use {settings.image_kernel + 1}."
        )
    return replace(
        image_spec(settings, channels, output),
        kernel=settings.image_kernel,
        prior="uniform",
        same=settings.image_padding,
    )


SPECGAN = Architecture(
    ImageSpec,
    _specgan_spec,
    build_specgan,
    build_specgan_critic,
    init_glorot_uniform,
)
