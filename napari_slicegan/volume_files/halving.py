"""Volumes of half the size, for pyramids: phases by majority, values by their mean."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray


def halved_phases(labels: NDArray[Any]) -> NDArray[Any]:
    """The commonest label of each 2 x 2 x 2 voxels, [Z, Y, X].

    Where labels are equally common, the one that occurs first in the order z, y, x:
    a fixed winner, such as the lowest, would change the phase fractions.

    Returns
    -------
    ndarray
        [ceil(Z / 2), ceil(Y / 2), ceil(X / 2)] of the same type. A last voxel without
        a neighbour counts twice.
    """
    eight = _eight(labels)
    best = eight[0].copy()
    most = _votes(eight, best)
    for candidate in eight[1:]:
        votes = _votes(eight, candidate)
        np.copyto(best, candidate, where=votes > most)
        np.maximum(most, votes, out=most)
    return best


def halved_values(values: NDArray[Any]) -> NDArray[Any]:
    """Mean of each 2 x 2 x 2 voxels, [Z, Y, X] or [Z, Y, X, 3]; shape as for phases.

    Integers are rounded, halves to the even number.
    """
    eight = _eight(values)
    mean = eight[0].astype(np.float64)
    for one in eight[1:]:
        mean += one
    mean /= 8
    if values.dtype.kind in "iu":
        np.rint(mean, out=mean)
    return mean.astype(values.dtype)


def _votes(eight: list[NDArray[Any]], candidate: NDArray[Any]) -> NDArray[np.uint8]:
    """How many of the eight are equal to a candidate."""
    votes = np.zeros(candidate.shape, np.uint8)
    for one in eight:
        votes += one == candidate
    return votes


def _eight(values: NDArray[Any]) -> list[NDArray[Any]]:
    """The eight voxels of each cell, in the order z, y, x."""
    odd = [(0, n % 2) for n in values.shape[:3]]
    if any(more for _, more in odd):
        rest = [(0, 0)] * (values.ndim - 3)
        values = np.pad(values, [*odd, *rest], mode="edge")
    # Copies: comparing every other voxel in place takes several times as long.
    return [
        np.ascontiguousarray(values[z::2, y::2, x::2])
        for z, y, x in itertools.product(range(2), repeat=3)
    ]
