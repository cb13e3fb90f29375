"""Effective diffusivity of a phase, by taufactor (the extra `metrics`)."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.generation import generate
from napari_slicegan.metrics.connectivity import percolating_share

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.trained_generator import TrainedGenerator

EDGE = 128
N_VOLUMES = 2

Diffusivity = dict["Axis", float]


def effective_diffusivity(phase: NDArray[np.bool_]) -> Diffusivity:
    """D_eff / D_0 along each axis; 0 where the phase does not percolate.

    Parameters
    ----------
    phase
        Bool ``[Z, Y, X]``, True where the material conducts.
    """
    import taufactor

    found: Diffusivity = {}
    for number, axis in enumerate(AXES):
        found[axis] = 0.0
        if percolating_share(phase, number) > 0:
            # taufactor's flow is along the first axis.
            along = np.moveaxis(phase, number, 0).astype(np.uint8)
            solver = taufactor.Solver(np.ascontiguousarray(along), device="cpu")
            solver.solve(verbose=False)
            found[axis] = float(solver.D_eff[0])
    return found


def generated_diffusivity(trained: TrainedGenerator, label: int) -> Diffusivity:
    """Mean over fresh volumes of 128 voxels per axis."""
    return _mean(
        [
            effective_diffusivity(generate(trained, (EDGE,) * 3, seed).values == label)
            for seed in range(N_VOLUMES)
        ]
    )


def real_diffusivity(values: NDArray[np.generic], label: int) -> Diffusivity:
    """Mean over two opposite corners, 128 voxels per axis, of a larger volume."""
    first, last = (slice(None, EDGE),) * 3, (slice(-EDGE, None),) * 3
    blocks = [values[first], values[last]]
    return _mean([effective_diffusivity(block == label) for block in blocks])


def _mean(found: list[Diffusivity]) -> Diffusivity:
    return {axis: fmean(one[axis] for one in found) for axis in AXES}
