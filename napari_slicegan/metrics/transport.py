"""Percolation of a phase, and steady diffusion and conduction through a material."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.lines import check_indicator
from napari_slicegan.runtime.progress import subrange

if TYPE_CHECKING:
    from napari_slicegan.runtime.progress import Progress

# Conductance from a voxel's centre to the end face, half a voxel away.
FACE = 2.0
TOLERANCE = 1e-4
# Of rounding errors; lower contrasts are solved less precisely.
SMALLEST_CONTRAST = 1e-8
MAX_ITERATIONS = 20_000
LEAST_CONDUCTIVE, MOST_CONDUCTIVE = 1e-100, 1e100


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
    components, spans = spanning_components(indicator, axis)
    total = np.count_nonzero(indicator)
    return float(np.count_nonzero(spans[components]) / total) if total else 0.0


def spanning_components(
    indicator: NDArray[np.bool_], axis: int
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Components of a phase, and which of them touch both end faces of an axis."""
    check_indicator(indicator)
    components, n_components = scipy.ndimage.label(indicator)
    first, last = (np.take(components, end, axis=axis) for end in (0, -1))
    spans = np.zeros(n_components + 1, dtype=bool)
    spans[np.intersect1d(first, last)] = True
    spans[0] = False  # label 0: the other phases
    return components, spans


def effective_diffusivity(
    phase: NDArray[np.bool_], axis: int, progress: Progress | None = None
) -> float:
    """D_eff / D_0 of a phase along an axis; 0 if it does not percolate.

    Steady diffusion between the end faces, one half voxel outside of the array, with
    D_eff / D_0 = phase fraction / tortuosity factor; Cooper et al., SoftwareX 5, 203
    (2016). Finite volumes with one unknown per voxel that conducts, solved by conjugate
    gradients. The dissipated energy gives the flux: its error is quadratic in that of
    the concentrations.

    Parameters
    ----------
    phase
        Bool ``[Z, Y, X]``, True where the material conducts. Of ``[Y, X]``, flow in
        the plane.
    axis
        Index of the array axis along which the flow is.
    progress
        Called after each iteration, always with 0; may raise `Cancelled`.

    Returns
    -------
    Between 0 and 1, within about 0.2 %.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(phase)
    return _conduct(phase.astype(np.float64), axis, progress)


def effective_conductivity(
    labels: NDArray[Any],
    conductivities: Mapping[int, float],
    axis: int,
    progress: Progress | None = None,
) -> float:
    """Effective conductivity of a composite along an axis.

    As `effective_diffusivity`, with a conductivity for each phase. Between two voxels
    the harmonic mean of theirs conducts, which is exact for layers; Patankar,
    *Numerical Heat Transfer and Fluid Flow* (1980), section 4.2-3.

    Parameters
    ----------
    labels
        Phases, integer ``[Z, Y, X]`` or ``[Y, X]``.
    conductivities
        Conductivity of each label, 0 or more, in any unit.
    axis
        Index of the array axis along which the flow is.
    progress
        Called after each iteration, always with 0; may raise `Cancelled`.

    Returns
    -------
    In the same unit; 0 if no path conducts.

    Raises
    ------
    ValueError
        If a label has no conductivity, or one that is negative or not finite.
    """
    check_conductivities(conductivities.values())
    values = np.full(labels.shape, np.nan)
    for label, conductivity in conductivities.items():
        values[labels == label] = conductivity
    missing = np.unique(labels[np.isnan(values)])
    if missing.size:
        raise ValueError(
            "Expected a conductivity for each phase, got none for "
            f"{', '.join(map(str, missing.tolist()))}; give one for each label."
        )
    return _conduct(values, axis, progress)


def check_conductivities(conductivities: Iterable[float]) -> None:
    """Refuse those that are negative, or whose products are 0 or not finite.

    Raises
    ------
    ValueError
        Names the first one.
    """
    for one in conductivities:
        if one != 0 and not LEAST_CONDUCTIVE <= one <= MOST_CONDUCTIVE:
            raise ValueError(
                f"Expected conductivities of at most {MOST_CONDUCTIVE:g} and of 0 or "
                f"at least {LEAST_CONDUCTIVE:g}, got {one:g}; correct it."
            )


def _conduct(
    values: NDArray[np.float64], axis: int, progress: Progress | None
) -> float:
    """Effective conductivity of a map of conductivities along an axis."""
    number = _numbered(values > 0, axis)
    conductivity = values[number >= 0]
    if not conductivity.size:
        return 0.0
    along = np.moveaxis(number, axis, 0)
    length, area = len(along), along[0].size
    first, second = _pairs(number)
    one, other = conductivity[first], conductivity[second]
    conductance = 2 * one * other / (one + other)
    ends = [plane[plane >= 0] for plane in (along[0], along[-1])]
    inlet, outlet = ((end, FACE * conductivity[end]) for end in ends)
    size = len(conductivity)
    both = np.concatenate([first, second])
    sums = np.bincount(both, np.tile(conductance, 2), size)
    diagonal = sums.astype(np.float64)
    for end, weight in (inlet, outlet):
        diagonal[end] += weight
    matrix = _laplacian(first, second, conductance, diagonal)
    sources = np.zeros(size)
    sources[inlet[0]] = inlet[1]
    falling = 1 - (np.arange(length) + 0.5) / length
    # Numbers follow the order of the array as given, not that of the moved axes.
    guess = falling[np.nonzero(number >= 0)[axis]]
    report = subrange(progress)
    # The flux may be that of the phase that conducts least.
    contrast = float(conductivity.min() / conductivity.max())
    found, _ = scipy.sparse.linalg.cg(
        matrix,
        sources,
        x0=guess,
        rtol=TOLERANCE * max(contrast, SMALLEST_CONTRAST),
        maxiter=MAX_ITERATIONS,
        M=preconditioner(matrix),
        callback=lambda _: report(0.0),
    )
    flux = (conductance * np.square(found[first] - found[second])).sum()
    flux += (inlet[1] * np.square(1 - found[inlet[0]])).sum()
    flux += (outlet[1] * np.square(found[outlet[0]])).sum()
    return float(flux * length / area)


def _numbered(phase: NDArray[np.bool_], axis: int) -> NDArray[np.int32]:
    """Numbers 0, 1, ... of the voxels that connect both faces of an axis; else -1."""
    components, spans = spanning_components(phase, axis)
    conducts = spans[components]
    number = np.full(phase.shape, -1, dtype=np.int32)
    number[conducts] = np.arange(np.count_nonzero(conducts), dtype=np.int32)
    return number


def _pairs(number: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Numbers of all pairs of neighbours that conduct."""
    pairs = []
    for axis in range(number.ndim):
        along = np.moveaxis(number, axis, 0)
        pair = np.stack([along[:-1].ravel(), along[1:].ravel()])
        pairs.append(pair[:, (pair >= 0).all(axis=0)])
    first, second = np.concatenate(pairs, axis=1)
    return first, second


def _laplacian(
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    conductance: NDArray[np.float64],
    diagonal: NDArray[np.float64],
) -> scipy.sparse.csr_array:
    """Matrix of the fluxes between neighbours; symmetric and positive definite."""
    own = np.arange(len(diagonal), dtype=np.int32)
    values = np.concatenate([-conductance, -conductance, diagonal])
    rows = np.concatenate([first, second, own])
    columns = np.concatenate([second, first, own])
    return scipy.sparse.coo_array((values, (rows, columns))).tocsr()


def preconditioner(
    matrix: scipy.sparse.csr_array,
) -> scipy.sparse.linalg.LinearOperator:
    """Algebraic multigrid where pyamg is installed, else the diagonal."""
    if importlib.util.find_spec("pyamg") is not None:
        pyamg = importlib.import_module("pyamg")
        return pyamg.smoothed_aggregation_solver(matrix).aspreconditioner()
    diagonal = matrix.diagonal()
    return scipy.sparse.linalg.LinearOperator(
        matrix.shape, matvec=lambda vector: vector / diagonal
    )


def tortuosity_factor(fraction: float, diffusivity: float) -> float:
    """Phase fraction / (D_eff / D_0); infinite where nothing flows.

    As TauFactor defines it; Cooper et al., SoftwareX 5, 203 (2016). No unit.
    """
    return fraction / diffusivity if diffusivity > 0 else math.inf
