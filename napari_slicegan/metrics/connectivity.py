"""Percolation of a phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicegan.metrics.lines import check_indicator


def percolating_fraction(indicator: NDArray[np.bool_], axis: int) -> float:
    """Volume fraction of a phase in components that touch both end faces of an axis.

    Voxels are connected through their faces (in 2-D, pixels through their edges).

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    axis
        Index of the array axis whose first and last plane must be connected.

    Returns
    -------
    Between 0 and 1; 0 if the phase does not occur.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    components, n_components = ndimage.label(indicator)
    first, last = (np.take(components, end, axis=axis) for end in (0, -1))
    through = np.zeros(n_components + 1, dtype=bool)
    through[np.intersect1d(first, last)] = True
    through[0] = False  # label 0: the other phases
    total = np.count_nonzero(indicator)
    return float(np.count_nonzero(through[components]) / total) if total else 0.0
