"""Pore size: how far the voxels of a phase are from its surface."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.lines import check_indicator

# Edge of the blocks that are measured at a time; bounds the memory.
BLOCK_EDGE = 128


def pore_size_function(
    indicator: NDArray[np.bool_], max_distance: int
) -> NDArray[np.float64]:
    """Fraction of a phase that lies further than r from all other phases.

    F(r) = P(distance of a point of the phase to its surface > r), the complementary
    cumulative pore-size distribution; Torquato, Random Heterogeneous Materials (2002),
    section 2.6. For voxels nearer to the border than to another phase, only a lower
    bound of the distance is known; the Kaplan-Meier estimator includes them without
    bias (Baddeley and Gill, Annals of Statistics 25, 263, 1997).

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase. A section has a function of
        its own: it does not show what lies above and below.
    max_distance
        Largest r in voxels.

    Returns
    -------
    ``[max_distance + 1]`` for r = 0, 1, ...; the first value is 1. NaN if the phase
    does not occur. The sum over r is about the mean distance.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    ended, seen = _lifetimes(indicator, max_distance)
    if not seen.sum():
        return np.full(max_distance + 1, np.nan)
    at_risk = seen[::-1].cumsum()[::-1]
    survival = np.cumprod(1 - ended / np.maximum(at_risk, 1))
    return np.asarray(survival[np.arange(max_distance + 1) ** 2])


def _lifetimes(
    indicator: NDArray[np.bool_], max_distance: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Voxels whose distance is known, and all, by the distance they are seen for.

    By squared distance, which is a whole number; longer ones count as the last.
    """
    n_bins = (max_distance + 1) ** 2 + 1
    ended, seen = np.zeros(n_bins), np.zeros(n_bins)
    for distance, border in _block_distances(indicator, max_distance):
        known = distance <= border
        square = np.where(known, distance, border)
        square = np.minimum(square, n_bins - 1)
        seen += np.bincount(square, minlength=n_bins)
        ended += np.bincount(square[known], minlength=n_bins)[:n_bins]
    return ended, seen


def _block_distances(
    indicator: NDArray[np.bool_], reach: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Squared distances of the phase's voxels to other phases and to the border."""
    starts = [range(0, n, BLOCK_EDGE) for n in indicator.shape]
    for corner in itertools.product(*starts):
        core = [
            slice(c, min(c + BLOCK_EDGE, n))
            for c, n in zip(corner, indicator.shape, strict=True)
        ]
        wide = [slice(max(0, s.start - reach - 1), s.stop + reach + 1) for s in core]
        around = indicator[tuple(wide)]
        inner = tuple(
            slice(s.start - w.start, s.stop - w.start)
            for s, w in zip(core, wide, strict=True)
        )
        phase = around[inner]
        if not phase.any():
            continue
        border = _border_distance(indicator.shape, core)[phase]
        if around.all():
            distance = np.full(border.shape, (reach + 1) ** 2)
        else:
            distance = scipy.ndimage.distance_transform_edt(around)[inner][phase]
            distance = np.rint(distance**2).astype(np.int64)
        yield distance, border


def _border_distance(shape: tuple[int, ...], core: list[slice]) -> NDArray[np.int64]:
    """Squared distance of the voxels of a block to the nearest place outside."""
    edges = []
    for n, part in zip(shape, core, strict=True):
        index = np.arange(part.start, part.stop)
        edges.append(np.minimum(index + 1, n - index))
    nearest = edges[0]
    for edge in edges[1:]:
        nearest = np.minimum(nearest[..., np.newaxis], edge)
    return np.asarray(nearest.astype(np.int64) ** 2)
