"""Interface between phases."""

from __future__ import annotations

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
    # Plane by plane: no copy of the volume.
    pairs = zip(planes[1:], planes[:-1], strict=True)
    differing = sum(np.count_nonzero(one != other) for one, other in pairs)
    return float(differing / planes[1:].size)
