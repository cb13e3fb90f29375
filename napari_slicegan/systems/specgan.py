"""The networks of SpecGAN (Donahue et al. 2019), with wide kernels.

The generator starts and the critic ends with a fully connected layer. Normalisation is
optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from napari_slicegan.models.network import output_layer
from napari_slicegan.models.table import Architecture
from napari_slicegan.systems.dcgan import (
    ImageCritic,
    ImageGenerator,
    ImageSpec,
    SameConvolution,
    SameTransposedConvolution,
    first_edge,
    halving_critic,
    image_spec,
    init_glorot_uniform,
    normalised,
)
from napari_slicegan.systems.realness_networks import init_normal

if TYPE_CHECKING:
    import torch

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
            nn.Unflatten(1, (inputs, edge, edge)),
            normalised(spec.normalisation, nn.BatchNorm2d(inputs)),
            nn.ReLU(),
        )
    }
    for number, width in enumerate(spec.widths[1:], start=2):
        blocks[f"block{number}"] = nn.Sequential(
            _doubling(spec, inputs, width),
            normalised(spec.normalisation, nn.BatchNorm2d(width)),
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

    def halving(number: int, inputs: int, width: int) -> Sequence[nn.Module]:
        kind = critic.settings.critic_normalisation if number else "none"
        return [
            SameConvolution(inputs, width, spec.kernel, 2, same=spec.same),
            normalised(kind, nn.BatchNorm2d(width)),
            nn.LeakyReLU(SLOPE),
        ]

    made = halving_critic(critic, halving)
    made.initialisation = spec.initialisation
    return made


def init_specgan(network: nn.Module, rng: torch.Generator) -> None:
    """Weights as in the original, or by the law of DCGAN, as in a port to PyTorch."""
    spec = getattr(network, "spec", network)
    draw = init_normal if spec.initialisation == "dcgan" else init_glorot_uniform
    draw(network, rng)


def _doubling(spec: ImageSpec, inputs: int, outputs: int) -> nn.Module:
    return SameTransposedConvolution(
        inputs, outputs, spec.kernel, 2, bias=True, same=spec.same
    )


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
        prior=settings.latent_distribution,
        same=settings.image_padding,
        initialisation=settings.initialisation,
    )


SPECGAN = Architecture(
    ImageSpec,
    _specgan_spec,
    build_specgan,
    build_specgan_critic,
    init_specgan,
)
