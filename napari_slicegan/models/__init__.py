"""Networks built from frozen specs; one line in a table for each architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import torch

from napari_slicegan.models.network import GeneratorNetwork, Output, output_of
from napari_slicegan.models.slicegan import GeneratorSpec, PlaneCritic, VolumeGenerator
from napari_slicegan.models.table import ARCHITECTURES, CriticOrder

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

__all__ = [
    "ARCHITECTURES",
    "GeneratorNetwork",
    "GeneratorSpec",
    "Output",
    "PlaneCritic",
    "VolumeGenerator",
    "build_critic",
    "build_generator",
    "build_size",
    "check_training_size",
    "generator_spec",
    "output_of",
    "volume_spec",
]


def generator_spec(config: RunConfig, channels: int, output: Output) -> Any:
    """Spec of the generator that a run's settings ask for.

    Parameters
    ----------
    channels
        Channels of what it makes.
    output
        "phases", "unit" or "signed".

    Raises
    ------
    ValueError
        If a setting does not suit the architecture.
    """
    settings = config.architecture
    return ARCHITECTURES[settings.architecture].spec_of(settings, channels, output)


def volume_spec(config: RunConfig, channels: int, output: Output) -> GeneratorSpec:
    """As `generator_spec`, for architectures of volumes only.

    Raises
    ------
    ValueError
        If the architecture makes images.
    """
    spec = generator_spec(config, channels, output)
    if not isinstance(spec, GeneratorSpec):
        raise ValueError(
            f"The architecture '{config.architecture.architecture}' makes images, not "
            "volumes; choose 'slicegan' or 'slicegan-rc' for volumes."
        )
    return spec


@overload
def build_generator(
    spec: GeneratorSpec, rng: torch.Generator | None = None
) -> VolumeGenerator: ...


@overload
def build_generator(
    spec: Any, rng: torch.Generator | None = None
) -> GeneratorNetwork: ...


def build_generator(spec: Any, rng: torch.Generator | None = None) -> GeneratorNetwork:
    """Generator of a spec; its weights are drawn from ``rng`` where given.

    Raises
    ------
    ValueError
        If the layers starve the border, leave a checkerboard, never grow, or do not
        fit together; the sentence says what to change.
    """
    architecture = ARCHITECTURES[spec.architecture]
    network = architecture.build(spec)
    if rng is not None:
        architecture.draw(network, rng)
    return network


def build_critic(
    config: RunConfig,
    channels: int,
    outputs: int,
    rng: torch.Generator,
    heads: int = 1,
) -> Any:
    """Critic of 2-D images, [N, C, P, P] -> [N, outputs].

    Parameters
    ----------
    rng
        Source of the weights. A resampled head and dropout go on to draw their noise
        from it, so that it belongs to the state of the run.
    """
    architecture = ARCHITECTURES[config.architecture.architecture]
    # The output does not change the critic.
    spec = generator_spec(config, channels, "unit")
    order = CriticOrder(spec, config.architecture, outputs, heads, rng)
    critic = architecture.build_critic(order)
    architecture.draw(critic, rng)
    return critic


def check_training_size(spec: Any, patch_size: int) -> None:
    """Refuse a generator whose training samples are not as large as the patch.

    Raises
    ------
    ValueError
        States both sizes and the settings to change.
    """
    only = ARCHITECTURES[spec.architecture].size
    if only is not None and only != patch_size:
        raise ValueError(
            f"The architecture '{spec.architecture}' makes images of {only} pixels, "
            f"got a patch of {patch_size}; set 'Patch size' to {only} or choose "
            "another architecture."
        )
    made = build_size(spec)
    if made != patch_size:
        raise ValueError(
            f"The generator makes {made} voxels per axis from a latent size of "
            f"{spec.latent_size}, but the patch has {patch_size} pixels; set 'Patch "
            f"size' to {made}, or change 'Latent size' or 'Generator widths'."
        )


def build_size(spec: Any) -> int:
    """Voxels or pixels per axis of the samples that the generator is trained with."""
    with torch.device("meta"):
        network: GeneratorNetwork = build_generator(spec)
    return network.training_size
