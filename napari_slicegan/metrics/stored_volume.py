"""Volumes in files or larger than memory, read and measured in parts.

A `StoredVolume`, and any volume of more than `WHOLE_VOXELS`, is sampled by evenly
spaced planes along each axis, and by evenly spaced blocks for the metrics that need
3-D. One plane or block is read at a time; those of a `StoredVolume` are kept for the
other metrics as long as they take little memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.volumes.ome_zarr import damage_explained, open_levels
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

# A volume in memory of more voxels is measured in parts too.
WHOLE_VOXELS = 2**25
PLANES_PER_AXIS = 16
KEPT_BYTES = 2**28
"""Most memory for cached parts of a stored volume. None is evicted: the metrics read
all parts in turn, so the least recently used one would be needed next."""
BLOCK_EDGE, MAX_BLOCKS = 128, 8

Orientation: TypeAlias = Mapping[Axis, tuple[int, ...]]
"""Array axes that run along each direction."""
IN_3D: Orientation = {"z": (0,), "y": (1,), "x": (2,)}
SEEN_ALONG: dict[Axis, Orientation] = {
    "z": {"y": (0,), "x": (1,)},
    "y": {"z": (0,), "x": (1,)},
    "x": {"z": (0,), "y": (1,)},
}


class StoredArray(Protocol):
    """Array that is read by slicing: memmap, zarr, dask, HDF5."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(Z, Y, X)``, of colour ``(Z, Y, X, 3)``."""

    def __getitem__(self, place: Any, /) -> Any:
        """Part of the values."""


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """A volume that is read in parts; accepted by the metrics like a `Volume`.

    Attributes
    ----------
    values
        ``[Z, Y, X]``, of colour ``[Z, Y, X, 3]``; never read as a whole.
    kind, voxel_size_nm, labels
        See `Volume`. The labels of phases must be given: finding them would mean
        to read all values.

    Raises
    ------
    ValueError
        If the shape does not suit the kind, or phases come without labels.
    """

    values: StoredArray
    kind: Kind
    voxel_size_nm: float | None = None
    labels: tuple[int, ...] = ()
    _kept: dict[str, NDArray[Any]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        if len(shape) != (4 if self.kind == "colour" else 3) or not all(shape):
            raise ValueError(
                f"A stored volume of the kind '{self.kind}' must be [Z, Y, X] (colour: "
                f"[Z, Y, X, 3]); got the shape {shape}. Give another array or kind."
            )
        if (self.kind == "phases") != bool(self.labels):
            raise ValueError(
                "A stored volume of phases, and no other one, comes with its labels; "
                f"got {self.labels} for the kind '{self.kind}'. Correct them."
            )

    @classmethod
    def open(cls, path: str | Path) -> StoredVolume:
        """The finest level of a volume that was streamed onto the disk.

        Raises
        ------
        ValueError
            If it is none of this program's or not finished, or zarr is not installed.
        """
        path = Path(path)
        levels, own = open_levels(path)
        with damage_explained(path):
            is_complete, labels = own["complete"], tuple(own["labels"])
            size = own["voxel_size_nm"]
        if not is_complete:
            raise ValueError(
                f"Expected a finished volume, got the unfinished {path.name}; repeat "
                "the command that writes it to resume it."
            )
        return cls(levels[0], own["kind"], size, labels)

    def read(self, place: tuple[Any, ...]) -> NDArray[Any]:
        """Part of the values, at most once from the disk if it can be kept."""
        key = repr(place)
        if key in self._kept:
            return self._kept[key]
        part = np.asarray(self.values[place])
        if sum(one.nbytes for one in self._kept.values()) + part.nbytes <= KEPT_BYTES:
            self._kept[key] = part
        return part

    def planes(self, axis: Axis) -> NDArray[Any]:
        """Planes seen along an axis, spread evenly: ``[N, rows, columns(, 3)]``."""
        return np.stack(
            [plane(self, axis, index) for index in plane_indices(self, axis)]
        )


AnyVolume: TypeAlias = Volume | StoredVolume


def is_sampled(volume: AnyVolume) -> bool:
    """Whether only parts of it are measured."""
    if isinstance(volume, StoredVolume):
        return True
    return math.prod(volume.values.shape[:3]) > WHOLE_VOXELS


def plane(volume: AnyVolume, axis: Axis, index: int) -> NDArray[Any]:
    """One plane seen along an axis, ``[rows, columns(, 3)]``, read alone."""
    return _block(volume, (*[slice(None)] * AXES.index(axis), index))


def plane_indices(volume: AnyVolume, axis: Axis) -> list[int]:
    """Positions of planes spread evenly along an axis."""
    length = volume.values.shape[AXES.index(axis)]
    return [int(index) for index in spread(length, min(PLANES_PER_AXIS, length))]


def spread(length: int, count: int) -> NDArray[np.intp]:
    """Positions in the middle of `count` equal parts."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a volume: reads its values on demand; its orientation and voxels."""

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
    """Disjoint blocks of these edges, spread evenly; by default the whole.

    Without edges, blocks of `BLOCK_EDGE` stand for a volume of many voxels.
    """
    whole = volume.values.shape[:3]
    most = BLOCK_EDGE if is_sampled(volume) else max(whole)
    edges = edges or tuple(min(n, most) for n in whole)
    boxes = disjoint_boxes(whole, edges, MAX_BLOCKS)
    return [
        Part(partial(_block, volume, box), IN_3D, math.prod(edges)) for box in boxes
    ]


def disjoint_boxes(
    shape: tuple[int, ...], edges: tuple[int, ...], most: int | None = None
) -> list[tuple[slice, ...]]:
    """Disjoint boxes of these edges in an array, at most so many, spread evenly."""
    grid = [n // edge for n, edge in zip(shape, edges, strict=True)]
    places = list(np.ndindex(*grid))
    picked = spread(len(places), min(len(places), most or len(places)))
    return [
        tuple(
            slice(number * edge, (number + 1) * edge)
            for number, edge in zip(places[index], edges, strict=True)
        )
        for index in picked
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


def _block(volume: AnyVolume, box: tuple[slice | int, ...]) -> NDArray[Any]:
    if isinstance(volume, StoredVolume):
        return volume.read(box)
    return np.asarray(volume.values[box] if box else volume.values)
