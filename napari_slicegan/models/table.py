"""Table of architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_slicegan.config.registry import Table
from napari_slicegan.models.blocks import ResampledHead, init_uniform_fan_in
from napari_slicegan.models.sizes import default_layers
from napari_slicegan.models.slicegan import (
    GeneratorSpec,
    PlaneCritic,
    build_slicegan,
    build_slicegan_aa,
    build_slicegan_rc,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.network import GeneratorNetwork, Output

SpecOf = Callable[["ArchitectureSettings", int, "Output"], Any]


@dataclass(frozen=True)
class CriticSpec:
    """Arguments of `Architecture.build_critic`.

    Attributes
    ----------
    generator
        Spec of the generator; gives channels and size of the images.
    settings
        Widths and slope.
    outputs
        Scores per image.
    heads
        Output layers: one for each axis, or 1.
    rng
        Source of the noise in the critic.
    """

    generator: Any
    settings: ArchitectureSettings
    outputs: int
    heads: int
    rng: torch.Generator

    @property
    def resampling(self) -> ResampledHead | None:
        """Feature resampling, if the settings enable it."""
        return ResampledHead(self.rng) if self.settings.feature_resampling else None


@dataclass(frozen=True)
class Architecture:
    """A generator with its critic.

    Attributes
    ----------
    spec
        Frozen dataclass of the generator's parameters. It is stored in the generator
        file and must have the field ``architecture``, the key of `ARCHITECTURES`.
    spec_of
        Spec from settings, output channels and output layer.
    build, build_critic
        Networks with uninitialised weights.
    draw
        Initialises the weights of either network.
    size
        The only supported patch size, if there is one.
    """

    spec: type[Any]
    spec_of: SpecOf
    build: Callable[[Any], GeneratorNetwork]
    build_critic: Callable[[CriticSpec], nn.Module]
    draw: Callable[[nn.Module, torch.Generator], None]
    size: int | None = None


def _volume_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> GeneratorSpec:
    layers = settings.generator_kernels
    return GeneratorSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        latent_channels=settings.latent_channels,
        latent_size=settings.latent_size,
        widths=settings.generator_widths,
        layers=layers or default_layers(len(settings.generator_widths) + 1),
        normalisation=settings.normalisation,
        noise=settings.noise,
        voxel_noise=settings.noise and settings.voxel_noise == "on",
        fields=settings.fields_per_phase if output == "phases" else 1,
        stretch=_three(settings.voxel_stretch),
        negative_slope=settings.generator_negative_slope,
    )


def _three(stretch: Sequence[int]) -> tuple[int, int, int]:
    """Factors along z, y, x; 1 as long as the images have not chosen them."""
    z, y, x = stretch or (1, 1, 1)
    return z, y, x


def _suitable_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> GeneratorSpec:
    """Spec of "auto": transposed convolutions for phases, else a resize-convolution.

    In a transposed convolution even and odd positions have their own weights. The small
    differences vanish in the most probable phase but show as a checkerboard in gray
    values.
    """
    suitable = "slicegan" if output == "phases" else "slicegan-rc"
    return replace(_volume_spec(settings, channels, output), architecture=suitable)


def _plane_critic(critic: CriticSpec) -> PlaneCritic:
    return PlaneCritic(
        critic.generator.channels,
        critic.settings.critic_widths,
        critic.settings.patch_size,
        critic.outputs,
        critic.settings.critic_negative_slope,
        critic.heads,
        critic.resampling,
    )


def _slicegan(build: Callable[[GeneratorSpec], GeneratorNetwork]) -> Architecture:
    return Architecture(
        GeneratorSpec, _volume_spec, build, _plane_critic, init_uniform_fan_in
    )


ARCHITECTURES: Mapping[str, Architecture] = Table(
    "architecture",
    {
        "auto": replace(_slicegan(build_slicegan), spec_of=_suitable_spec),
        "slicegan": _slicegan(build_slicegan),
        "slicegan-rc": _slicegan(build_slicegan_rc),
        "slicegan-aa": _slicegan(build_slicegan_aa),
    },
)
"""By name; further ones are added with `napari_slicegan.config.add_architecture`."""
