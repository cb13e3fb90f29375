"""What decides about a streamed volume: noted when it is begun, compared afterwards."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_slicegan.config import AXES
from napari_slicegan.generation import VolumePlan
from napari_slicegan.volume_files.block_tree import BlockTree, levels_for
from napari_slicegan.volume_files.ome_zarr import ImageFacts

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.trained_generator import TrainedGenerator

FORMAT = 1
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def tree_of(plan: VolumePlan, levels: int | None) -> BlockTree:
    """The blocks of a plan: its tiles, and those of so many levels.

    Parameters
    ----------
    levels
        None is as many as it takes until one block is enough.
    """
    z, y, x = (min(plan.tile_edge, n + n % 2) for n in plan.size)
    edges = (z, y, x)
    return BlockTree(plan.size, edges, levels or levels_for(plan.size, edges))


def image_facts(plan: VolumePlan, name: str) -> ImageFacts:
    """What the values of a plan's volume are."""
    trained = plan.trained
    kind, dtype = trained.transform.kind, value_type(trained)
    return ImageFacts(name, kind, dtype, trained.voxel_size_nm)


def value_type(trained: TrainedGenerator) -> np.dtype[Any]:
    """Type of the values that a generator's volumes hold."""
    transform = trained.transform
    one = transform.inverse(torch.zeros(transform.channels, 1, 1, 1), 0)
    return np.asarray(one).dtype


def with_even_tiles(plan: VolumePlan) -> VolumePlan:
    """The plan, with tiles that can be halved."""
    if plan.tile_edge % 2:
        plan = copy.copy(plan)
        plan.tile_latents += 1
    return plan


def settings_of(plan: VolumePlan, levels: int) -> dict[str, Any]:
    """All that decides about the voxels and where they are kept."""
    if plan.edits:
        raise ValueError(
            "Expected a plan without edits to stream a volume, got one with edits; "
            "leave them out or generate the volume in memory."
        )
    trained, transform = plan.trained, plan.trained.transform
    periods = zip(AXES, plan.field.periods, strict=True)
    return {
        "format": FORMAT,
        "generator": trained.fingerprint(),
        "name": trained.name,
        "size": list(plan.size),
        "seed": plan.field.seed,
        "periodic": "".join(axis for axis, period in periods if period),
        "precision": str(plan.precision).removeprefix("torch."),
        "truncation": plan.truncation,
        "tile_latents": plan.tile_latents,
        "levels": levels,
        "kind": transform.kind,
        "labels": list(trained.labels),
        "voxel_size_nm": trained.voxel_size_nm,
    }


def plan_of(trained: TrainedGenerator, settings: Mapping[str, Any]) -> VolumePlan:
    """The plan that settings were noted of."""
    z, y, x = settings["size"]
    return VolumePlan(
        trained,
        (z, y, x),
        settings["seed"],
        settings["periodic"],
        settings["tile_latents"],
        PRECISIONS[settings["precision"]],
        truncation=settings["truncation"],
    )


def check_same(path: Path, settings: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse to go on with a volume that was begun with other settings."""
    different = [name for name, value in settings.items() if own.get(name) != value]
    if different:
        name = different[0]
        raise ValueError(
            f"Expected the settings that {path.name} was begun with "
            f"({name.replace('_', ' ')}: {own.get(name)}), got others "
            f"({settings[name]}); choose another name or delete the folder."
        )
