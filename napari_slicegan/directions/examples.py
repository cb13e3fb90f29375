"""Examples of directions: noted once, made again bit for bit."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.directions.direction import Direction, Example
from napari_slicegan.generation import Size, generate
from napari_slicegan.regions import region_from_state

if TYPE_CHECKING:
    from napari_slicegan.regions import Region
    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.volume import Volume


def with_example(
    trained: TrainedGenerator,
    direction: Direction,
    strength: float,
    size: Size,
    seed: int = 0,
    first: str | None = None,
    last: str | None = None,
    region: Region | None = None,
    periodic: str = "",
    truncation: float = 1.0,
) -> Direction:
    """The direction with a note of all that makes one volume, and its digest.

    Parameters
    ----------
    strength, first, last, region
        As of `Direction.edit`.
    size, seed, periodic, truncation
        As of `napari_slicegan.generation.VolumePlan`.
    """
    start = direction.block if first is None else first
    example = Example(
        seed=seed,
        size=size,
        strength=strength,
        first=start,
        last=start if last is None else last,
        region=None if region is None else region.state(),
        periodic=periodic,
        truncation=truncation,
        digest="",
    )
    noted = replace(direction, example=example)
    made = reproduce(trained, noted)
    return replace(noted, example=replace(example, digest=digest(made.values)))


def reproduce(trained: TrainedGenerator, direction: Direction) -> Volume:
    """Make the volume of a direction's example again.

    Raises
    ------
    ValueError
        If the direction has no example.
    """
    example = direction.example
    if example is None:
        raise ValueError(
            f"Expected a direction with an example, got '{direction.name}' without; "
            "note one with it first."
        )
    region = None if example.region is None else region_from_state(example.region)
    edit = direction.edit(example.strength, example.first, example.last, region)
    return generate(
        trained,
        example.size,
        example.seed,
        example.periodic,
        edits=[edit],
        truncation=example.truncation,
    )


def digest(values: NDArray[Any]) -> str:
    """SHA-256 of values, with their shape and type."""
    head = f"{values.dtype.str} {values.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()
