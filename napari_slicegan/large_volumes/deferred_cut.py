"""Cuts of an array that are made all at once, when the values are wanted.

Viewers cut the canvas's rows and columns out of all planes first and choose the plane
afterwards. Of an array whose values are computed where it is read, the first cut alone
would be far too much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.large_volumes.endless import completed_key, positions


class Readable(Protocol):
    """What can be cut: whole numbers and slices give its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Values."""


class DeferredCut:
    """A part of an array; cutting it gives a smaller part, and reads nothing.

    ``numpy.asarray`` reads it.

    Parameters
    ----------
    source
        The array.
    places
        Along each of its axes the positions, or the only one, which is then no axis of
        the part. All of it, if they are left out.
    """

    def __init__(
        self, source: Readable, places: Sequence[range | int] | None = None
    ) -> None:
        self.source = source
        self._places = list(map(range, source.shape)) if places is None else [*places]
        self.dtype = source.dtype
        ranges = [place for place in self._places if isinstance(place, range)]
        self.shape = tuple(map(len, ranges))
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> DeferredCut:
        """A part, by whole numbers and slices."""
        keys = iter(completed_key(key, self.ndim))
        places: list[range | int] = []
        for place in self._places:
            if isinstance(place, int):
                places.append(place)
                continue
            one = next(keys)
            if isinstance(one, slice):
                places.append(place[one])
            else:
                places.append(place[positions(one, len(place))[0]])
        return DeferredCut(self.source, places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The values, read anew."""
        key = tuple(
            slice_of(place) if isinstance(place, range) else place
            for place in self._places
        )
        return np.asarray(self.source[key], dtype)


def slice_of(places: range) -> slice:
    """Slice of an array that takes these positions."""
    stop = places.stop if places.stop >= 0 else None
    return slice(places.start, stop, places.step)
