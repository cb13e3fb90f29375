"""Sampling of volumes: the whole of small ones, planes and blocks of large ones.

A `StoredVolume`, and any volume of more than `WHOLE_VOXELS`, is sampled by evenly
spaced planes along each axis, and by evenly spaced blocks for the metrics that need
3-D. One plane or block is read at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.metrics.reference import IN_3D, SEEN_ALONG, Orientation
from napari_slicegan.metrics.stored_volume import (
    PLANES_PER_AXIS,
    AnyVolume,
    is_sampled,
    plane,
    plane_indices,
    spread,
)

BLOCK_EDGE, MAX_BLOCKS = 128, 8


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a volume that is read when it is measured.

    Attributes
    ----------
    read
        Reads its values.
    axes
        Array axes that run along each direction.
    size
        Number of voxels.
    """

    read: Callable[[], NDArray[Any]]
    axes: Orientation
    size: int


def sections_of(volume: AnyVolume) -> list[Part]:
    """Planes along all axes; the whole of a volume that is small enough."""
    shape = volume.values.shape[:3]
    if not is_sampled(volume):
        return [Part(partial(_block, volume, ()), IN_3D, math.prod(shape))]
    return [
        Part(
            partial(plane, volume, axis, index),
            SEEN_ALONG[axis],
            math.prod(shape) // shape[AXES.index(axis)],
        )
        for axis in AXES
        for index in plane_indices(volume, axis)
    ]


def blocks_of(volume: AnyVolume, edges: tuple[int, ...] = ()) -> list[Part]:
    """Blocks of these edges; by default the whole of a small volume.

    Of a small volume one block at its origin, of others blocks spread evenly.
    """
    whole = volume.values.shape[:3]
    if not is_sampled(volume):
        places = [(0, 0, 0)]
        edges = edges or whole
    else:
        edges = edges or tuple(min(n, BLOCK_EDGE) for n in whole)
        grid = [n // edge for n, edge in zip(whole, edges, strict=True)]
        every = list(np.ndindex(*grid))
        places = [every[i] for i in spread(len(every), min(len(every), MAX_BLOCKS))]
    return [
        Part(partial(_block, volume, _box(place, edges)), IN_3D, math.prod(edges))
        for place in places
    ]


def described(volume: AnyVolume) -> str:
    """Size of the volume, and how it is sampled."""
    size = " x ".join(map(str, volume.values.shape[:3]))
    if not is_sampled(volume):
        return size
    return (
        f"{size} (sampled: {PLANES_PER_AXIS} planes along each axis; 3-D metrics: "
        f"up to {MAX_BLOCKS} blocks)"
    )


def _box(place: tuple[int, ...], edges: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(
        slice(number * edge, (number + 1) * edge)
        for number, edge in zip(place, edges, strict=True)
    )


def _block(volume: AnyVolume, box: tuple[slice, ...]) -> NDArray[Any]:
    return np.asarray(volume.values[box] if box else volume.values)
