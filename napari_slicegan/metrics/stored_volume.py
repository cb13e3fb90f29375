"""Volumes in files or larger than memory, read in parts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.volumes.ome_zarr import open_levels
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.config import Kind

# A volume in memory of more voxels is measured in parts too.
WHOLE_VOXELS = 2**25
PLANES_PER_AXIS = 16


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
        As of a `Volume`. The labels of phases must be given: finding them would mean
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
    def open(cls, path: Path) -> StoredVolume:
        """The finest level of a volume that was streamed onto the disk.

        Raises
        ------
        ValueError
            If it is none of this program's or not finished, or zarr is not installed.
        """
        levels, own = open_levels(path)
        if not own["complete"]:
            raise ValueError(
                f"Expected a finished volume, got the unfinished {path.name}; repeat "
                "the command that writes it to resume it."
            )
        labels = tuple(own["labels"])
        return cls(levels[0], own["kind"], own["voxel_size_nm"], labels)

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
    place: tuple[Any, ...] = (*[slice(None)] * AXES.index(axis), index)
    return np.asarray(volume.values[place])


def plane_indices(volume: AnyVolume, axis: Axis) -> list[int]:
    """Positions of planes spread evenly along an axis."""
    length = volume.values.shape[AXES.index(axis)]
    return [int(index) for index in spread(length, min(PLANES_PER_AXIS, length))]


def spread(length: int, count: int) -> NDArray[np.intp]:
    """Positions in the middle of `count` equal parts."""
    return ((np.arange(count) + 0.5) * length / count).astype(np.intp)
