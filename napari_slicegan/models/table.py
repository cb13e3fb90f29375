"""The architectures by name; a new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_slicegan.config.registry import Table
from napari_slicegan.models.blocks import ResampledHead, initialise
from napari_slicegan.models.sizes import default_layers
from napari_slicegan.models.slicegan import (
    GeneratorSpec,
    PlaneCritic,
    build_slicegan,
    build_slicegan_rc,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.network import GeneratorNetwork, Output

SpecOf = Callable[["ArchitectureSettings", int, "Output"], Any]


@dataclass(frozen=True)
class CriticOrder:
    """What a critic is built for.

    Attributes
    ----------
    spec
        The generator it plays against.
    settings
        Widths and slope.
    outputs
        Scores for each image.
    heads
        Last layers, one for each axis, or 1.
    rng
        Source of noise in the critic.
    """

    spec: Any
    settings: ArchitectureSettings
    outputs: int
    heads: int
    rng: torch.Generator

    @property
    def resampling(self) -> ResampledHead | None:
        """Noise of the scores, where the settings ask for it."""
        return ResampledHead(self.rng) if self.settings.feature_resampling else None


@dataclass(frozen=True)
class Architecture:
    """How the networks of a kind are made.

    Attributes
    ----------
    spec, spec_of
        Class of the generator's spec, and how the settings become one.
    build, build_critic
        Networks without drawn weights.
    draw
        Law of the first weights.
    size
        The only patch size there is, if so.
    """

    spec: type[Any]
    spec_of: SpecOf
    build: Callable[[Any], GeneratorNetwork]
    build_critic: Callable[[CriticOrder], nn.Module]
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
    )


def _suitable_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> GeneratorSpec:
    """With an architecture that suits what is made.

    Each place modulo two has its own weights in a transposed convolution. Where the
    most probable phase is taken, their small differences vanish; in gray values they
    stay, as a checkerboard.
    """
    suitable = "slicegan" if output == "phases" else "slicegan-rc"
    return replace(_volume_spec(settings, channels, output), architecture=suitable)


def _plane_critic(order: CriticOrder) -> PlaneCritic:
    return PlaneCritic(
        order.spec.channels,
        order.settings.critic_widths,
        order.settings.patch_size,
        order.outputs,
        order.settings.critic_negative_slope,
        order.heads,
        order.resampling,
    )


def _slicegan(build: Callable[[GeneratorSpec], GeneratorNetwork]) -> Architecture:
    return Architecture(GeneratorSpec, _volume_spec, build, _plane_critic, initialise)


ARCHITECTURES: Mapping[str, Architecture] = Table(
    "architecture",
    {
        "auto": replace(_slicegan(build_slicegan), spec_of=_suitable_spec),
        "slicegan": _slicegan(build_slicegan),
        "slicegan-rc": _slicegan(build_slicegan_rc),
    },
)
