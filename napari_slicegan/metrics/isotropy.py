"""Test of isotropy along the array axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.interfaces import interface_density_along
from napari_slicegan.metrics.stored_volume import disjoint_boxes

# Pieces per axis, and the shortest edge of one in voxels.
PIECES, SMALLEST = {2: 4, 3: 3}, 16
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Isotropy:
    """Interface density along each array axis, relative to the mean of the axes.

    Attributes
    ----------
    departures
        One per array axis: 0.1 means 10 % more interfaces per length than the mean of
        the axes. Gray values and colours: of the squared differences of neighbours.
    margin
        99 % bound of the departures of isotropic materials of this size.
    """

    departures: tuple[float, ...]
    margin: float

    @property
    def largest(self) -> float:
        """Largest departure by magnitude."""
        return max(self.departures, key=abs)

    @property
    def is_isotropic(self) -> bool:
        """Whether no axis departs by more than the margin."""
        return abs(self.largest) <= self.margin


def isotropy(samples: Sequence[NDArray[Any]], channels: int = 0) -> Isotropy | None:
    """Compare the axes; the scatter between disjoint pieces gives the margin.

    Labels are compared by their interface density, gray values and colours by the mean
    squared difference of neighbours (the variogram at one voxel).

    Parameters
    ----------
    samples
        Images ``[Y, X]`` or volumes ``[Z, Y, X]``, all of them with the same axes.
    channels
        Number of values per voxel of gray values or colours; 0 for labels. Colours have
        a further axis.

    Returns
    -------
    None if there are too few pieces, or nothing varies.
    """
    rank = samples[0].ndim - (channels > 1)
    pieces = [piece for sample in samples for piece in _pieces(sample, rank)]
    variation = np.array(
        [
            [_variation(piece, axis, channels) for axis in range(rank)]
            for piece in pieces
        ]
    )
    mean = variation.mean(axis=1, keepdims=True)
    if len(pieces) < 4 or not (mean > 0).all():
        return None
    departures = variation / mean - 1
    error = departures.std(axis=0, ddof=1).max() / np.sqrt(len(pieces))
    # One of `rank` axes exceeds it by chance in 1 % of cases (Bonferroni).
    limit = scipy.stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / rank, len(pieces) - 1)
    return Isotropy(
        tuple(float(value) for value in departures.mean(axis=0)),
        float(limit * error),
    )


def _variation(values: NDArray[Any], axis: int, channels: int) -> float:
    if not channels:
        return interface_density_along(values, axis)
    return float((np.diff(values.astype(np.float64), axis=axis) ** 2).mean())


def _pieces(values: NDArray[Any], rank: int) -> list[NDArray[Any]]:
    """Disjoint pieces of equal shape."""
    shape = values.shape[:rank]
    counts = [min(PIECES[rank], max(1, n // SMALLEST)) for n in shape]
    edges = tuple(n // count for n, count in zip(shape, counts, strict=True))
    return [values[box] for box in disjoint_boxes(shape, edges)]
