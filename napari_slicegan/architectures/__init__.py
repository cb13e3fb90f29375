"""Networks built from frozen specs; one line in a table for each architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_slicegan.architectures.blocks import initialise
from napari_slicegan.architectures.resampled_head import ResampledHead
from napari_slicegan.architectures.sizes import default_layers
from napari_slicegan.architectures.slicegan import (
    GeneratorSpec,
    Output,
    PlaneCritic,
    VolumeGenerator,
    build_slicegan,
    build_slicegan_rc,
)

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

ARCHITECTURES: Mapping[str, Callable[[GeneratorSpec], VolumeGenerator]] = {
    "slicegan": build_slicegan,
    "slicegan-rc": build_slicegan_rc,
}


__all__ = [
    "ARCHITECTURES",
    "GeneratorSpec",
    "Output",
    "PlaneCritic",
    "VolumeGenerator",
    "build_critic",
    "build_generator",
    "build_size",
    "check_training_size",
    "generator_spec",
    "parameter_count",
]


def generator_spec(config: RunConfig, channels: int, output: Output) -> GeneratorSpec:
    """Spec of the generator that a run's settings ask for.

    Parameters
    ----------
    channels
        Channels of the volume.
    output
        "phases" or "unit".
    """
    settings = config.architecture
    layers = settings.generator_layers
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


def build_generator(
    spec: GeneratorSpec, rng: torch.Generator | None = None
) -> VolumeGenerator:
    """Generator of a spec; its weights are drawn from ``rng`` where given.

    Raises
    ------
    ValueError
        If the layers starve the border, leave a checkerboard, never grow, or do not
        fit together; the sentence says what to change.
    """
    network = ARCHITECTURES[spec.architecture](spec)
    if rng is not None:
        initialise(network, rng)
    return network


def build_critic(
    config: RunConfig,
    channels: int,
    outputs: int,
    rng: torch.Generator,
    heads: int = 1,
) -> PlaneCritic:
    """Critic of 2-D images, [N, C, P, P] -> [N, outputs].

    Parameters
    ----------
    rng
        Source of the weights. A resampled head goes on to draw its noise from it, so
        that it belongs to the state of the run.
    """
    settings = config.architecture
    critic = PlaneCritic(
        channels,
        settings.critic_widths,
        settings.patch_size,
        outputs,
        settings.critic_slope,
        heads,
        ResampledHead(rng) if settings.resampled_head else None,
    )
    initialise(critic, rng)
    return critic


def check_training_size(spec: GeneratorSpec, patch_size: int) -> None:
    """Refuse a generator whose training volume is not as large as the patch.

    Raises
    ------
    ValueError
        States both sizes and the settings to change.
    """
    made = build_size(spec)
    if made != patch_size:
        raise ValueError(
            f"The generator makes {made} voxels per axis from a latent size of "
            f"{spec.latent_size}, but the patch has {patch_size} pixels; set 'Patch "
            f"size' to {made}, or change 'Latent size' or 'Generator widths'."
        )


def build_size(spec: GeneratorSpec) -> int:
    """Voxels per axis of the volumes that the generator is trained with."""
    with torch.device("meta"):
        return build_generator(spec).size_rule.output_size(spec.latent_size)


def parameter_count(network: nn.Module) -> int:
    """Number of weights of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
