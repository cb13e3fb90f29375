"""Connectivity: Euler number, components, clusters, and the widths of passages.

Voxels of a phase are connected through their faces (in 2-D, pixels through their
edges). The complement of a phase is then connected through corners as well: the Euler
number density of one of two phases with face connectivity is, in 3-D, that of the other
one with corner connectivity.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.lines import check_distance, check_indicator
from napari_slicegan.metrics.stored_volume import PLANES_PER_AXIS, spread
from napari_slicegan.metrics.transport import spanning_components

# The radii of `opening_radius` are halved to this, in voxels.
RADIUS_STEP = 0.05


def euler_density(indicator: NDArray[np.bool_]) -> float:
    """Euler number of a phase per voxel: components - tunnels + cavities.

    Counts of the cells of the complex whose vertices are the voxels of the phase:
    chi = vertices - edges + squares - cubes. A cell counts in each of the 2 x 2 (x 2)
    neighbourhoods of the array that it belongs to, by an equal part, so that the border
    adds nothing (Ohser and Schladitz, 3D Images of Materials Structures, 2009, section
    5.2).

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.

    Returns
    -------
    1 / voxels; negative for a connected network. NaN for arrays of one voxel's width.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    if min(indicator.shape) < 2:
        return float("nan")
    every = range(indicator.ndim)
    number = 0.0
    for size in range(indicator.ndim + 1):
        for axes in itertools.combinations(every, size):
            cells = indicator
            for axis in axes:
                first, second = _neighbours(cells, axis)
                cells = first & second
            number += (-1) ** size * _sum(cells, [a for a in every if a not in axes])
    return float(number / math.prod(length - 1 for length in indicator.shape))


def _sum(cells: NDArray[np.bool_], axes: list[int]) -> float:
    """Sum of the cells; half of those in the first and last plane of these axes."""
    total: NDArray[Any] = cells
    for axis in reversed(range(cells.ndim)):
        total = total @ _weights(total.shape[axis], halved=axis in axes)
    return float(total)


def _weights(length: int, *, halved: bool) -> NDArray[np.float64]:
    """Weights of the cells along an axis; the first and last halved or not."""
    weights = np.ones(length)
    if halved:
        weights[[0, -1]] = 0.5
    return weights


def _neighbours(
    values: NDArray[Any], axis: int, distance: int = 1
) -> tuple[NDArray[Any], NDArray[Any]]:
    """All pairs of values at a distance along an axis."""
    moved = np.moveaxis(values, axis, 0)
    pair = moved[: len(moved) - distance], moved[distance:]
    return np.moveaxis(pair[0], 0, axis), np.moveaxis(pair[1], 0, axis)


def component_density(indicator: NDArray[np.bool_]) -> float:
    """Number of connected components of a phase per voxel.

    A component counts where its bounding box begins. Those in the first plane of any
    axis begin outside of the array, or may do so, and are left out.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.

    Returns
    -------
    1 / voxels.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    components, n_components = scipy.ndimage.label(indicator)
    first = [np.take(components, 0, axis).ravel() for axis in range(indicator.ndim)]
    outside = np.unique(np.concatenate(first))
    inner = np.prod([length - 1 for length in indicator.shape])
    return float((n_components - np.count_nonzero(outside)) / max(1, inner))


def two_point_cluster(
    indicator: NDArray[np.bool_], max_distance: int, axis: int
) -> NDArray[np.float64]:
    """Probability that two voxels at distance r lie in the same component of a phase.

    C2(r); Torquato, Random Heterogeneous Materials (2002), section 2.7. Components are
    those of the array.

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
    check_distance(max_distance, indicator.shape[axis])
    components, _ = scipy.ndimage.label(indicator)
    curve = []
    for distance in range(max_distance + 1):
        first, second = _neighbours(components, axis, distance)
        curve.append(((first == second) & (first > 0)).mean())
    return np.array(curve, dtype=np.float64)


def section_euler(
    indicator: NDArray[np.bool_], max_distance: int, axis: int
) -> NDArray[np.float64]:
    """Euler number density of the sections along an axis, eroded by r.

    Erosion separates what narrow necks connect and removes what is small: the curve
    holds the widths (Minkowski functions of parallel sets; Arns, Knackstedt and Mecke,
    Colloids and Surfaces A 241, 351, 2004). The erosion of its complement is the
    dilation of a phase: minus its curve is that of the dilated phase with corners
    connected.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]``, or ``[Z, Y, X]`` of which the planes that contain the axis are
        measured, at most 16 of each direction; True in the phase.
    max_distance
        Largest r in pixels.
    axis
        Index of an array axis.

    Returns
    -------
    ``[max_distance + 1]``, 1 / pixels, for r = 0, 1, ...: of the pixels further than r
    from other phases. What lies outside of the array does not erode.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    planes = [indicator]
    if indicator.ndim == 3:
        planes = [
            np.take(indicator, place, normal)
            for normal in range(3)
            if normal != axis
            for place in spread(
                indicator.shape[normal], min(PLANES_PER_AXIS, indicator.shape[normal])
            )
        ]
    curves = [_eroded_euler(plane, max_distance) for plane in planes]
    return np.asarray(np.mean(curves, axis=0))


def _eroded_euler(plane: NDArray[np.bool_], max_distance: int) -> NDArray[np.float64]:
    """`euler_density` of a plane eroded by r = 0, 1, ..., max_distance.

    An erosion leaves a cell if it leaves all its vertices, so one count of the cells by
    the number of radii that leave them serves every r.
    """
    if min(plane.shape) < 2:
        return np.full(max_distance + 1, np.nan)
    # The distances exceed r = 0, 1, ..., ceil(distance) - 1.
    n_radii = np.ceil(_distance(plane)).clip(max=max_distance + 1).astype(np.int64)
    counts = np.zeros(max_distance + 2)
    for axes in ((), (0,), (1,), (0, 1)):
        cells = n_radii
        for axis in axes:
            cells = np.minimum(*_neighbours(cells, axis))
        rows, columns = (
            _weights(length, halved=axis not in axes)
            for axis, length in enumerate(cells.shape)
        )
        counts += (-1) ** len(axes) * np.bincount(
            cells.ravel(), np.outer(rows, columns).ravel(), len(counts)
        )
    # [max_distance + 2] cells by number of radii -> [max_distance + 1] left by each r
    left = np.cumsum(counts[:0:-1])[::-1]
    return np.asarray(left / math.prod(length - 1 for length in plane.shape))


def percolation_radius(indicator: NDArray[np.bool_], axis: int) -> float:
    """Radius of the largest sphere whose centre can pass a phase along an axis.

    The narrowest place of the widest way between the two end faces: the critical radius
    of mercury intrusion and of the permeability (Katz and Thompson, Physical Review B
    34, 8179, 1986).

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    axis
        Index of the array axis along which the sphere moves.

    Returns
    -------
    Voxels, from the centre of a voxel to the centre of the nearest one of other phases;
    0 if the phase does not percolate; the length of the diagonal without other phases.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    distance = _distance(indicator)
    radii = np.unique(np.rint(distance**2).astype(np.int64))
    radii = radii[radii > 0]

    def is_blocked(square: int) -> bool:
        _, spans = spanning_components(distance**2 > square - 0.5, axis)
        return not spans.any()

    # The larger spheres are blocked, from the first one on.
    n_passing = bisect_left(radii, True, key=is_blocked)
    return float(np.sqrt(radii[n_passing - 1])) if n_passing else 0.0


def opening_radius(indicator: NDArray[np.bool_]) -> float:
    """Radius of the spheres that fill half of a phase.

    Median of the granulometry: half of the phase lies in spheres of this radius that
    fit into it. `percolation_radius` over it, squared, is the constrictivity of Holzer
    et al., Journal of Materials Science 48, 2934 (2013).

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.

    Returns
    -------
    Voxels, to 0.05; NaN if the phase does not occur.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    size = np.count_nonzero(indicator)
    if not size:
        return float("nan")
    distance = _distance(indicator)

    def holds_less(step: int) -> bool:
        radius = 1 + step * RADIUS_STEP
        centres = distance >= radius
        if not centres.any():
            return True
        opened = scipy.ndimage.distance_transform_edt(~centres) < radius
        return bool(2 * np.count_nonzero(opened & indicator) < size)

    steps = range(int((distance.max() - 1) / RADIUS_STEP) + 1)
    n_holding = bisect_left(steps, True, key=holds_less)
    return 1 + max(0, n_holding - 1) * RADIUS_STEP


def _distance(indicator: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each voxel of a phase to the nearest voxel of another one."""
    if indicator.all():
        return np.full(indicator.shape, np.linalg.norm(indicator.shape))
    return np.asarray(scipy.ndimage.distance_transform_edt(indicator))
