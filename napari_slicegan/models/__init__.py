"""Generators and critics, built by name from frozen specs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import torch

from napari_slicegan.models.network import (
    GeneratorNetwork,
    NetworkSpec,
    Output,
    output_of,
)
from napari_slicegan.models.slicegan import GeneratorSpec, PlaneCritic, VolumeGenerator
from napari_slicegan.models.table import ARCHITECTURES, CriticSpec

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

__all__ = [
    "ARCHITECTURES",
    "GeneratorNetwork",
    "GeneratorSpec",
    "NetworkSpec",
    "Output",
    "PlaneCritic",
    "VolumeGenerator",
    "build_critic",
    "build_generator",
    "check_training_size",
    "generator_spec",
    "output_of",
    "training_size",
    "volume_spec",
]


def generator_spec(config: RunConfig, channels: int, output: Output) -> Any:
    """Spec of the generator that the settings describe.

    Parameters
    ----------
    channels
        Output channels.
    output
        Output layer, see `output_layer`.

    Raises
    ------
    ValueError
        If a setting does not suit the architecture.
    """
    settings = config.architecture
    return ARCHITECTURES[settings.architecture].spec_of(settings, channels, output)


def volume_spec(config: RunConfig, channels: int, output: Output) -> GeneratorSpec:
    """`generator_spec` of an architecture that generates volumes.

    Raises
    ------
    ValueError
        If the architecture generates something else.
    """
    spec = generator_spec(config, channels, output)
    if not isinstance(spec, GeneratorSpec):
        raise ValueError(
            f"The architecture '{config.architecture.architecture}' generates "
            f"{config.architecture.task}, not volumes; choose 'slicegan', "
            "'slicegan-rc' or 'slicegan-aa' for volumes."
        )
    return spec


@overload
def build_generator(
    spec: GeneratorSpec, rng: torch.Generator | None = None
) -> VolumeGenerator: ...


@overload
def build_generator(
    spec: NetworkSpec, rng: torch.Generator | None = None
) -> GeneratorNetwork: ...


def build_generator(
    spec: NetworkSpec, rng: torch.Generator | None = None
) -> GeneratorNetwork:
    """Generator of a spec, with weights drawn from ``rng`` if given.

    Raises
    ------
    ValueError
        If the kernels violate uniform information density, the volume never grows, or
        the settings do not match.
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
        Source of the weights. A resampled head and dropout keep drawing their noise
        from it, so checkpoints must include its state.
    """
    architecture = ARCHITECTURES[config.architecture.architecture]
    # The critic does not depend on the output layer.
    spec = generator_spec(config, channels, "unit")
    critic = architecture.build_critic(
        CriticSpec(spec, config.architecture, outputs, heads, rng)
    )
    architecture.draw(critic, rng)
    return critic


def training_size(spec: NetworkSpec) -> int:
    """Voxels or pixels per axis of a training sample."""
    with torch.device("meta"):
        network: GeneratorNetwork = build_generator(spec)
    return network.training_size


def check_training_size(spec: NetworkSpec, patch_size: int) -> None:
    """Refuse a generator whose training samples differ in size from the patch.

    Raises
    ------
    ValueError
        States both sizes and the settings to change.
    """
    only = ARCHITECTURES[spec.architecture].size
    if only is not None and only != patch_size:
        raise ValueError(
            f"The architecture '{spec.architecture}' generates images of {only} "
            f"pixels, got a patch of {patch_size}; set 'Patch size' to {only} or "
            "choose another architecture."
        )
    size = training_size(spec)
    if size == patch_size:
        return
    made, advice = f"{size} pixels", f"set 'Patch size' to {size}"
    if isinstance(spec, GeneratorSpec):
        made = f"{size} voxels per axis from a latent size of {spec.latent_size}"
        with torch.device("meta"):
            rule = build_generator(spec).size_rule
        latent_size = rule.latent_size(patch_size)
        if rule.output_size(latent_size) == patch_size:
            advice = f"set 'Latent size' to {latent_size} or 'Patch size' to {size}"
    raise ValueError(
        f"The generator makes {made}, but the patch has {patch_size} pixels; {advice}, "
        "or change 'Generator widths'."
    )
