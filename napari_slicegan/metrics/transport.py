"""Percolation of a phase, and diffusion by taufactor (the extra `metrics`)."""

from __future__ import annotations

import importlib
import importlib.util
import math

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


def effective_diffusivity(phase: NDArray[np.bool_], axis: int) -> float:
    """D_eff / D_0 of a phase along an axis; 0 if it does not percolate.

    Steady diffusion between the end faces, D_eff / D_0 = phase fraction / tortuosity
    factor; Cooper et al., SoftwareX 5, 203 (2016).

    Parameters
    ----------
    phase
        Bool ``[Z, Y, X]``, True where the material conducts. Of ``[Y, X]``, flow in
        the plane.
    axis
        Index of the array axis along which the flow is.

    Raises
    ------
    ValueError
        If taufactor, which solves for it, is not installed.
    """
    if not has_taufactor():
        raise ValueError(
            "Expected taufactor, which computes the effective diffusivity, got an "
            "environment without it; run pip install 'napari-slicegan[metrics]'."
        )
    if percolating_fraction(phase, axis) == 0:
        return 0.0
    taufactor = importlib.import_module("taufactor")
    # taufactor's flow is along the first of three axes.
    along = np.moveaxis(phase, axis, 0).astype(np.uint8)
    along = np.ascontiguousarray(along.reshape(*along.shape, *[1] * (3 - along.ndim)))
    solver = taufactor.Solver(along, device="cpu")
    solver.solve(verbose=False)
    return float(solver.D_eff[0])


def tortuosity_factor(fraction: float, diffusivity: float) -> float:
    """Phase fraction / (D_eff / D_0); infinite where nothing flows."""
    return fraction / diffusivity if diffusivity > 0 else math.inf


def has_taufactor() -> bool:
    """Whether the effective diffusivity can be measured."""
    return importlib.util.find_spec("taufactor") is not None
