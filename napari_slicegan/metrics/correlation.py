"""Two-point correlations.

All estimates are unbiased: products are summed over the pairs of voxels that lie in the
image, without periodic continuation, and divided by the number of these pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.lines import check_distance, check_indicator, line_blocks

# Voxels of a zero-padded slab of the radial correlation; single precision (an error of
# 1e-7 in S2) halves its time.
SLAB_VOXELS = 2**22


def two_point_correlation(
    indicator: NDArray[np.bool_], max_distance: int, axis: int
) -> NDArray[np.float64]:
    """Probability that two voxels at distance r along an axis both lie in a phase.

    S2(r) = P(x in phase and x + r in phase); Torquato, Random Heterogeneous Materials
    (2002), eq. 2.18.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    max_distance
        Largest r in voxels, smaller than the array along `axis`.
    axis
        Index of the array axis along which the voxels are apart.

    Returns
    -------
    ``[max_distance + 1]`` for r = 0, 1, ...; the first value is the phase fraction.

    Raises
    ------
    ValueError
        If the array is not an indicator or too small.
    """
    check_indicator(indicator)
    # Sums of products of zeros and ones are whole numbers.
    sums = np.rint(_lag_sums(indicator, max_distance, axis))
    return sums / _pair_counts(indicator, max_distance, axis)


def autocovariance(
    values: NDArray[Any], max_distance: int, axis: int
) -> NDArray[np.float64]:
    """Covariance of the values of two voxels at distance r along an axis.

    Parameters
    ----------
    values
        Gray values ``[Y, X]`` or ``[Z, Y, X]``.
    max_distance, axis
        As in `two_point_correlation`.

    Returns
    -------
    ``[max_distance + 1]``, in squared gray values; the first value is the variance.
    """
    mean = float(values.mean(dtype=np.float64))
    sums = _lag_sums(values, max_distance, axis, mean)
    return sums / _pair_counts(values, max_distance, axis)


def nugget(values: NDArray[Any]) -> float:
    """Share of the variogram at distance 2 that is left at distance 0.

    By linear extrapolation, mean of the last two axes. Along a smooth interface the
    variogram, the mean square of differences, grows in proportion to the distance: 0.
    Where neighbours are independent it is constant: 1. (The nugget effect of
    geostatistics, Matheron 1963.)

    Parameters
    ----------
    values
        Gray values, or True in a phase; each axis has at least 3 positions.
    """
    # Those of a plane: the planes of a stack may be far apart.
    axes = range(values.ndim)[-2:]
    near, far = (
        float(np.mean([_mean_square(values, axis, r) for axis in axes])) for r in (1, 2)
    )
    return (2 * near - far) / far if far else 0.0


def _mean_square(values: NDArray[Any], axis: int, distance: int) -> float:
    """Mean square of the differences at a distance along an axis."""
    moved = np.moveaxis(values, axis, 0)
    if values.dtype == bool:
        return float((moved[distance:] != moved[:-distance]).mean())
    differences = np.subtract(moved[distance:], moved[:-distance], dtype=np.float32)
    return float(np.square(differences).mean(dtype=np.float64))


def _lag_sums(
    values: NDArray[Any], max_distance: int, axis: int, mean: float = 0.0
) -> NDArray[np.float64]:
    """Sums of (v(x) - mean) (v(x + r) - mean) over the pairs, for every r."""
    length = values.shape[axis]
    check_distance(max_distance, length)
    # Zeros behind each line keep pairs from wrapping around its end.
    padded = scipy.fft.next_fast_len(length + max_distance, real=True)
    power = np.zeros(padded // 2 + 1)
    for lines in line_blocks(values, axis):
        spectrum = scipy.fft.rfft(lines.astype(np.float64) - mean, padded, axis=-1)
        power += (spectrum.real**2 + spectrum.imag**2).sum(axis=0)
    # The transform is linear: one inverse for the sum over all lines.
    sums: NDArray[np.float64] = scipy.fft.irfft(power, padded)[: max_distance + 1]
    return sums


def _pair_counts(
    values: NDArray[Any], max_distance: int, axis: int
) -> NDArray[np.int64]:
    """Pairs of voxels at distance r = 0 ... max_distance along an axis."""
    length = values.shape[axis]
    per_line = length - np.arange(max_distance + 1, dtype=np.int64)
    return np.asarray(values.size // length * per_line)


def radial_two_point_correlation(
    indicator: NDArray[np.bool_], max_distance: int
) -> NDArray[np.float64]:
    """Two-point correlation averaged over all directions.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    max_distance
        Largest r in voxels, smaller than the array along every axis.

    Returns
    -------
    ``[max_distance + 1]``; value r covers the pairs whose distance rounds to r. A 2-D
    section and the volume agree if the material is isotropic.

    Raises
    ------
    ValueError
        If the array is not an indicator or too small.
    """
    check_indicator(indicator)
    return radial_product(indicator, max_distance)


def radial_product(values: NDArray[Any], max_distance: int) -> NDArray[np.float64]:
    """Mean product of two voxels at a distance, averaged over all directions.

    Parameters
    ----------
    values
        Small numbers ``[Y, X]`` or ``[Z, Y, X]``: the sums are of single precision.
    max_distance
        See `radial_two_point_correlation`, which this is for zeros and ones.
    """
    check_distance(max_distance, min(values.shape))
    sums = sum(
        _displacement_sums(slab, reach, max_distance)
        for slab, reach in _slabs(values, max_distance)
    )
    radius, pairs = _displacements(values.shape, max_distance)
    # Opposite displacements are the same pairs: the plane d = 0 across the first axis
    # holds both of them, the rest of the half space one.
    weight = np.full(radius.shape, 2.0)
    weight[0] = 1
    near = radius <= max_distance
    total = np.bincount(radius[near], (weight * sums)[near])
    n_pairs = np.bincount(radius[near], (weight * pairs)[near])
    return np.asarray(total / n_pairs, dtype=np.float64)


def _slabs(
    values: NDArray[Any], max_distance: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Slabs across the first axis, each with itself and what lies within reach."""
    area = math.prod(length + max_distance for length in values.shape[1:])
    depth = max(max_distance + 1, SLAB_VOXELS // area - max_distance)
    for start in range(0, len(values), depth):
        stop = start + depth
        yield values[start:stop], values[start : stop + max_distance]


def _displacement_sums(
    slab: NDArray[Any], reach: NDArray[Any], max_distance: int
) -> NDArray[np.float64]:
    """Sums of the products of x in slab and x + d in reach.

    Returns
    -------
    ``[m + 1, 2 m + 1(, 2 m + 1)]`` for d from 0 to m along the first axis and -m to m
    along the others, m being `max_distance`.
    """
    padded = [scipy.fft.next_fast_len(n + max_distance, real=True) for n in slab.shape]
    product = np.conj(scipy.fft.rfftn(slab.astype(np.float32), padded))
    product *= scipy.fft.rfftn(reach.astype(np.float32), padded)
    sums = scipy.fft.irfftn(product, padded)
    across = np.arange(-max_distance, max_distance + 1)
    wanted = [np.arange(max_distance + 1), *[across] * (slab.ndim - 1)]
    return np.asarray(sums[np.ix_(*wanted)])


def _displacements(
    shape: tuple[int, ...], max_distance: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Rounded length, and number of pairs, of every displacement in the half space."""
    across = np.arange(-max_distance, max_distance + 1)
    lags = [np.arange(max_distance + 1), *[across] * (len(shape) - 1)]
    squares: Any = 0
    pairs: Any = 1
    for grid, length in zip(np.ix_(*lags), shape, strict=True):
        squares = squares + grid**2
        pairs = pairs * (length - np.abs(grid))
    return np.rint(np.sqrt(squares)).astype(np.intp), pairs


def diagonal_excess(
    indicator: NDArray[np.bool_], max_distance: int
) -> NDArray[np.float64]:
    """Two-point correlation along the diagonals minus that along the axes.

    Isotropy at 45 degrees: zero, but for the pixels, where the material is isotropic.
    Critics see planes across the axes only.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase. Of a volume, all diagonals
        of the planes across its axes.
    max_distance
        Largest r in voxels, smaller than the array along every axis.

    Returns
    -------
    ``[max_distance + 1]`` for r = 0, 1, ...; along the diagonals, a cubic spline lies
    between the pairs at distances of sqrt(2), 2 sqrt(2), ...

    Raises
    ------
    ValueError
        If the array is not an indicator or too small.
    """
    along = [
        two_point_correlation(indicator, max_distance, axis)
        for axis in range(indicator.ndim)
    ]
    steps = range(math.ceil(max_distance / math.sqrt(2)) + 2)
    steps = steps[: min(indicator.shape)]
    pairs = list(itertools.combinations(range(indicator.ndim), 2))
    across = [[_diagonal(indicator, pair, step) for step in steps] for pair in pairs]
    if len(steps) == 1:
        return np.zeros(1)
    spline = scipy.interpolate.CubicSpline(
        np.array(steps) * math.sqrt(2), np.mean(across, axis=0)
    )
    distances = np.arange(max_distance + 1)
    return np.asarray(spline(distances) - np.mean(along, axis=0))


def _diagonal(indicator: NDArray[np.bool_], axes: tuple[int, int], step: int) -> float:
    """Fraction of the pairs (step, step) and (step, -step) apart, both in the phase."""
    moved = np.moveaxis(indicator, axes, (0, 1))
    rows, columns = moved.shape[0] - step, moved.shape[1] - step
    falling = moved[:rows, :columns] & moved[step:, step:]
    rising = moved[step:, :columns] & moved[:rows, step:]
    return float(falling.mean() + rising.mean()) / 2
