"""Interface between phases."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def face_density(labels: NDArray[Any]) -> tuple[float, ...]:
    """Share of neighbouring voxel pairs that differ, for each array axis.

    The same number for a 2-D section and for the volume, which makes them directly
    comparable.

    Parameters
    ----------
    labels
        Labels or an indicator, ``[Y, X]`` or ``[Z, Y, X]``.

    Returns
    -------
    One value per array axis, between 0 and 1. Divided by the voxel size it is the
    number of interfaces that a line along the axis crosses per length.

    Raises
    ------
    ValueError
        If an axis has a single voxel.
    """
    return tuple(face_density_along(labels, axis) for axis in range(labels.ndim))


def face_density_along(labels: NDArray[Any], axis: int) -> float:
    """`face_density` of one array axis.

    Raises
    ------
    ValueError
        If the axis has a single voxel.
    """
    if labels.shape[axis] < 2 or labels.size == 0:
        raise ValueError(
            "Face density needs at least two voxels along each axis; got the shape "
            f"{labels.shape}. Use a larger image or volume."
        )
    planes = np.moveaxis(labels, axis, 0)
    return _differing_share(planes[1:], planes[:-1])


def specific_surface(labels: NDArray[Any]) -> float:
    """Interface area per volume, from a 2-D section or from the volume itself.

    S_V = 4 / pi * L_A, L_A being the interface length per area of a section
    (Underwood, Quantitative Stereology, 1970, eq. 2.7; isotropic materials). L_A is
    pi / 2 times the mean number of interfaces that lines in the section cross per
    length (Crofton), counted along rows, columns and both diagonals. A volume is
    measured by the sections along all of its axes: the same estimator, so that both
    have the same expectation at any resolution.

    Parameters
    ----------
    labels
        Labels or an indicator, ``[Y, X]`` or ``[Z, Y, X]``.

    Returns
    -------
    Area per volume in 1 / voxel.

    Raises
    ------
    ValueError
        If an axis has a single voxel.
    """
    along_axes = face_density(labels)
    sections = []
    for first, second in itertools.combinations(range(labels.ndim), 2):
        diagonals = [
            _diagonal_changes(labels, first, second, sign) / math.sqrt(2)
            for sign in (1, -1)
        ]
        sections.append((along_axes[first] + along_axes[second] + sum(diagonals)) / 4)
    # S_V = 4 / pi * (pi / 2 * crossings per length).
    return float(2 * sum(sections) / len(sections))


def _diagonal_changes(
    labels: NDArray[Any], first: int, second: int, sign: int
) -> float:
    """Share of pairs that differ, one step apart along both axes."""
    planes = np.moveaxis(labels, (first, second), (0, 1))
    here, there = planes[:-1, :-1], planes[1:, 1:]
    if sign < 0:
        here, there = planes[:-1, 1:], planes[1:, :-1]
    return _differing_share(here, there)


def _differing_share(here: NDArray[Any], there: NDArray[Any]) -> float:
    """Share of voxels that differ. Plane by plane: no copy of the volume."""
    pairs = zip(here, there, strict=True)
    differing = sum(np.count_nonzero(one != other) for one, other in pairs)
    return float(differing / here.size)
