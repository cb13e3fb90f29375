"""What was looked at of an endless volume, coarser: levels of a picture for viewers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.large_volumes.deferred_cut import DeferredCut
from napari_slicegan.large_volumes.endless import completed_key, positions

if TYPE_CHECKING:
    from napari_slicegan.large_volumes.endless import EndlessVolume

LARGEST_LEVEL = 512


class Overview:
    """Every n-th voxel of what an endless volume has kept; empty where it has nothing.

    Reading it generates nothing, so that a viewer is at liberty to show all of it.

    Parameters
    ----------
    volume
        The endless volume.
    factor
        Voxels per voxel of the overview, along each axis.

    Attributes
    ----------
    empty
        Stands for voxels that were not generated: no label of a phase, else 0.
    """

    def __init__(self, volume: EndlessVolume, factor: int) -> None:
        self._volume, self._factor = volume, factor
        self.dtype, self.ndim = volume.dtype, volume.ndim
        z, y, x = (-(-n // factor) for n in volume.plan.size)
        self.shape: tuple[int, ...] = (z, y, x, *volume.shape[3:])
        self.size = math.prod(self.shape)
        self.empty = empty_value(volume)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Voxels of whole numbers and slices, as of an array."""
        keys = completed_key(key, self.ndim)
        spatial, rest = keys[:3], keys[3:]
        axes = [
            np.asarray(positions(k, n)) * self._factor
            for k, n in zip(spatial, self.shape[:3], strict=True)
        ]
        voxels = np.full(
            (*map(len, axes), *self.shape[3:]), self.empty, dtype=self.dtype
        )
        for piece, values in self._volume.kept():
            inside = [
                np.flatnonzero((axis >= first) & (axis < last))
                for axis, (first, last) in zip(axes, piece, strict=True)
            ]
            if all(map(len, inside)):
                of = [
                    axis[i] - first
                    for axis, i, (first, _) in zip(axes, inside, piece, strict=True)
                ]
                voxels[np.ix_(*inside)] = values[np.ix_(*of)]
        chosen = [slice(None) if isinstance(k, slice) else 0 for k in spatial]
        return voxels[(*chosen, *rest)]


def viewer_levels(volume: EndlessVolume) -> list[DeferredCut]:
    """The volume and its overviews, each half as large, for a multiscale viewer."""
    levels: list[EndlessVolume | Overview] = [volume]
    factor = 2
    while max(levels[-1].shape[:3]) > LARGEST_LEVEL:
        levels.append(Overview(volume, factor))
        factor *= 2
    return [DeferredCut(level) for level in levels]


def empty_value(volume: EndlessVolume) -> int:
    """A value of the volume's type that is no label of its phases; else 0."""
    labels = volume.plan.trained.labels
    if volume.dtype.kind not in "iu":
        return 0
    return next(n for n in range(np.iinfo(volume.dtype).max) if n not in labels)
