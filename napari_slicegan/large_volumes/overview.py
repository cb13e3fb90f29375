"""What was looked at of an endless volume, coarser: levels of a picture for viewers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.large_volumes.deferred_cut import DeferredCut, slice_of
from napari_slicegan.large_volumes.endless import completed_key, positions

if TYPE_CHECKING:
    from napari_slicegan.large_volumes.boxes import Span, Spans
    from napari_slicegan.large_volumes.endless import EndlessVolume

    Ask = Callable[[list[Spans]], object]

# The coarsest level is shown as a whole, also in 3-D.
LARGEST_LEVEL = 256
MOST_VOXELS = 2**28
"""More are never shown at once."""


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
        factor = self._factor
        axes = [
            range(r.start * factor, r.stop * factor, r.step * factor)
            for r in self._ranges(key)
        ]
        voxels = np.full(
            (*map(len, axes), *self.shape[3:]), self.empty, dtype=self.dtype
        )
        for piece, values in self._volume.kept():
            inside = [_within(*pair) for pair in zip(axes, piece, strict=True)]
            if all(first < last for first, last in inside):
                to = tuple(slice(first, last) for first, last in inside)
                of = tuple(
                    slice_of(range(r.start - start, r.stop - start, r.step))
                    for r, (start, _) in zip(
                        (axis[i] for axis, i in zip(axes, to, strict=True)),
                        piece,
                        strict=True,
                    )
                )
                voxels[to] = values[of]
        chosen = [slice(None) if isinstance(k, slice) else 0 for k in spatial]
        return voxels[(*chosen, *rest)]

    def _ranges(self, key: Any) -> list[range]:
        """Positions along z, y, x; refuses more than can be shown at once."""
        spatial = completed_key(key, self.ndim)[:3]
        ranges = [positions(k, n) for k, n in zip(spatial, self.shape[:3], strict=True)]
        if math.prod(map(len, ranges)) > MOST_VOXELS:
            shape = " x ".join(str(len(each)) for each in ranges)
            raise ValueError(
                f"Expected at most {MOST_VOXELS:,} voxels of an endless volume to be "
                f"shown at once, got {shape}; show it in 2-D, or unlock its level."
            )
        return ranges


class FinestLevel(Overview):
    """What is kept of an endless volume; what is missing of a read part is asked for.

    Reading it is as fast as reading any other array: nothing is generated.

    Parameters
    ----------
    volume
        The endless volume.
    ask
        Called with the missing pieces of what is read, possibly none. When some of
        them are made, the part is to be read again.
    """

    def __init__(self, volume: EndlessVolume, ask: Ask) -> None:
        super().__init__(volume, 1)
        self._ask = ask

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Voxels of whole numbers and slices, as of an array."""
        self._ranges(key)
        # First: a piece that is made meanwhile is in the picture.
        missing = self._volume.missing(key)
        voxels = super().__getitem__(key)
        self._ask(missing)
        return voxels


def _within(places: range, span: Span) -> Span:
    """First and last (exclusive) of the places that lie in a span of voxels."""
    if places.step < 0:
        first, last = _within(places[::-1], span)
        return len(places) - last, len(places) - first
    return bisect_left(places, span[0]), bisect_left(places, span[1])


def viewer_levels(volume: EndlessVolume, ask: Ask | None = None) -> list[DeferredCut]:
    """The volume and its overviews, each half as large, for a multiscale viewer.

    Parameters
    ----------
    ask
        As of `FinestLevel`; without it the finest level generates what is read.
    """
    first = volume if ask is None else FinestLevel(volume, ask)
    levels: list[EndlessVolume | Overview] = [first]
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
