"""Absolute permeability of a phase: slow (Stokes) flow through its voxels.

Finite volumes on the staggered grid of Harlow and Welch, Physics of Fluids 8, 2182
(1965), as in Bentz and Martys, *A Stokes permeability solver for three-dimensional
porous media*, NISTIR 7416 (2007): velocities on the faces between two open voxels,
pressures in the voxels' centres, no slip on the faces of solid voxels. The drag of
walls is corrected for narrow channels: throats of few voxels would conduct too well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.metrics.lines import check_indicator
from napari_slicegan.metrics.transport import preconditioner, spanning_components
from napari_slicegan.runtime.progress import subrange

if TYPE_CHECKING:
    from napari_slicegan.runtime.progress import Progress

Scalar = TypeVar("Scalar", bound=np.generic)
DARCY_M2 = 9.869233e-13
"""One darcy in m^2."""
# Conductance of momentum to a wall half a voxel away.
TO_WALL = 2.0
# The iteration ends when a step changes the flux by less than this fraction.
TOLERANCE = 2e-4
# Relative residuals of the velocities, and of the preconditioner of the pressures.
VELOCITY_TOLERANCE, PRESSURE_TOLERANCE = 1e-3, 0.1
MAX_STEPS = 500


def permeability(
    pores: NDArray[np.bool_], axis: int, progress: Progress | None = None
) -> float:
    """Absolute permeability of a phase along an axis; 0 if it does not percolate.

    Stokes flow from one end face to the other under a pressure difference, the material
    continued by its mirror images on all sides: no flow leaves by the other faces,
    which exert no drag, and it enters and leaves normal to the end faces. The mean
    velocity is permeability times pressure gradient over viscosity (Darcy).

    The pressures are found by conjugate gradients on the Schur complement; Verfürth,
    IMA Journal of Numerical Analysis 4, 441 (1984). Its preconditioner adds, after
    Cahouet and Chabard, International Journal for Numerical Methods in Fluids 8, 869
    (1988), a Darcy flow to the identity, with the local drag as conductance. The
    dissipated power gives the flux: its error is quadratic in that of the pressures.

    Parameters
    ----------
    pores
        Bool ``[Z, Y, X]``, True where the fluid is; ``[Y, X]`` continues without end
        along z.
    axis
        Index of the array axis along which the flow is.
    progress
        Called with the finished fraction after each step; may raise `Cancelled`.

    Returns
    -------
    In voxel^2; infinite if there is no solid. Exact between plane walls; within about
    10 % in tubes and packings of spheres of a few voxels.

    Raises
    ------
    ValueError
        If the array is not an indicator, or the solution does not converge.
    """
    check_indicator(pores)
    if pores.ndim == 2:
        pores, axis = pores[np.newaxis], axis + 1
    components, spans = spanning_components(pores, axis)
    is_open = np.moveaxis(spans[components], axis, 0)
    if not is_open.any():
        return 0.0
    if is_open.all():
        return math.inf
    flow = StokesFlow.through(np.ascontiguousarray(is_open))
    return float(flow.power(progress) * len(is_open) / is_open[0].size)


@dataclass(frozen=True)
class _Velocities:
    """Velocities along one array axis.

    Attributes
    ----------
    number
        Number of the velocity on each face, -1 where it is 0; one face more than
        voxels along the axis.
    pairs, weights
        Neighbouring velocities ``[2, N]``, and the conductances of momentum between
        them, ``[N]``.
    drag
        Conductance from each velocity to walls.
    """

    number: NDArray[np.int32]
    pairs: NDArray[np.int32]
    weights: NDArray[np.float64]
    drag: NDArray[np.float64]

    @classmethod
    def along(cls, axis: int, is_open: NDArray[np.bool_]) -> _Velocities:
        """Those along an axis of the array, whose first axis is that of the flow."""
        border = [(int(n == axis), int(n == axis)) for n in range(3)]
        # A face at an end lies between a voxel and its mirror image.
        padded = np.pad(is_open, border, mode="edge" if axis == 0 else "constant")
        low, high = _neighbours(padded, axis)
        n_open = low.astype(np.int8) + high
        flows = n_open == 2
        number = np.full(flows.shape, -1, dtype=np.int32)
        number[flows] = np.arange(np.count_nonzero(flows), dtype=np.int32)
        # Half of the control volume of a face at an end lies in the mirror image.
        share = np.ones((len(flows), 1, 1))
        if axis == 0:
            share[[0, -1]] = 0.5
        drag = np.zeros(flows.shape)
        pairs, weights = [], []
        for along in range(3):
            own, other = _neighbours(n_open, along)
            weight = np.broadcast_to(1.0 if along == 0 else share, own.shape)
            drag_own, drag_other = _neighbours(drag, along)
            # Where one voxel of the neighbouring face is open, that face is the wall.
            to_wall = _neighbours(_wall_conductances(flows, along), along)
            drag_own += weight * np.where(other == 0, to_wall[0], other == 1)
            drag_other += weight * np.where(own == 0, to_wall[1], own == 1)
            both = (own == 2) & (other == 2)
            first, second = _neighbours(number, along)
            pairs.append(np.stack([first[both], second[both]]))
            weights.append(weight[both])
        if axis != 0:
            # Odd in the mirror: 0 on the end faces, half a voxel away.
            drag[[0, -1]] += TO_WALL
        return cls(
            number, np.concatenate(pairs, axis=1), np.concatenate(weights), drag[flows]
        )


@dataclass(frozen=True)
class StokesFlow:
    """Stokes equations: ``viscous @ u - divergence.T @ p = force, divergence @ u = 0``.

    Attributes
    ----------
    viscous
        Matrix of the viscous forces; symmetric and positive definite.
    divergence
        Outflow of each open voxel by the velocities.
    force
        Pressure difference 1, which acts on the inlet.
    """

    viscous: scipy.sparse.csr_array
    divergence: scipy.sparse.csr_array
    force: NDArray[np.float64]

    @classmethod
    def through(cls, is_open: NDArray[np.bool_]) -> StokesFlow:
        """Flow along the first axis of the array."""
        parts = [_Velocities.along(axis, is_open) for axis in range(3)]
        matrices, outflows = [], []
        for axis, part in enumerate(parts):
            size = len(part.drag)
            own = np.arange(size, dtype=np.int32)
            first, second = part.pairs
            diagonal = part.drag + sum(
                np.bincount(end, part.weights, size) for end in part.pairs
            )
            values = np.concatenate([-part.weights, -part.weights, diagonal])
            rows = np.concatenate([first, second, own])
            columns = np.concatenate([second, first, own])
            shape = (size, size)
            matrices.append(scipy.sparse.csr_array((values, (rows, columns)), shape))
            low, high = (side[is_open] for side in _neighbours(part.number, axis))
            faces = np.concatenate([low, high])
            voxels = np.tile(np.arange(len(low), dtype=np.int32), 2)
            signs = np.repeat([-1.0, 1.0], len(low))
            known = faces >= 0
            entries = (signs[known], (voxels[known], faces[known]))
            outflows.append(scipy.sparse.csr_array(entries, (len(low), size)))
        inlet = parts[0].number[0]
        force = np.zeros(sum(len(part.drag) for part in parts))
        force[inlet[inlet >= 0]] = 1.0
        return cls(
            scipy.sparse.block_diag(matrices, format="csr"),
            scipy.sparse.hstack(outflows, format="csr"),
            force,
        )

    def power(self, progress: Progress | None) -> float:
        """Dissipated power: with a pressure difference of 1 it is the flux."""
        report = subrange(progress)
        gradient = self.divergence.T.tocsr()
        jacobi = scipy.sparse.diags_array(1 / self.viscous.diagonal())

        def velocities(force: NDArray[np.float64]) -> NDArray[np.float64]:
            return _solved(self.viscous, force, VELOCITY_TOLERANCE, jacobi)

        # Velocity of each face under a unit force, as if no other fluid pushed.
        mobility = velocities(np.ones(len(self.force)))
        weighted = scipy.sparse.diags_array(mobility) @ gradient
        darcy = (self.divergence @ weighted).tocsr()
        inverse = preconditioner(darcy)

        def preconditioned(residual: NDArray[np.float64]) -> NDArray[np.float64]:
            return residual + _solved(darcy, residual, PRESSURE_TOLERANCE, inverse)

        entering = -(self.divergence @ (mobility * self.force))
        pressure = _solved(darcy, entering, VELOCITY_TOLERANCE, inverse)
        velocity = velocities(self.force + gradient @ pressure)
        residual = -(self.divergence @ velocity)
        step = change = preconditioned(residual)
        for _ in range(MAX_STEPS):
            answer = velocities(gradient @ step)
            outflow = self.divergence @ answer
            gain = float(residual @ change)
            length = gain / float(step @ outflow) if gain > 0 else 0.0
            pressure += length * step
            velocity += length * answer
            total = self.force + gradient @ pressure
            power = float(2 * total @ velocity - velocity @ (self.viscous @ velocity))
            # The power falls by this in the step.
            fall = length * gain / power
            if fall < TOLERANCE:
                return power
            report(min(1.0, math.log(min(fall, 1.0)) / math.log(TOLERANCE)))
            before, residual = residual, residual - length * outflow
            change = preconditioned(residual)
            # Polak and Ribière: the preconditioner is not the same in each step.
            step = change + float(change @ (residual - before)) / gain * step
        raise ValueError(
            f"The flow did not converge in {MAX_STEPS} steps; measure smaller blocks."
        )


def _solved(
    matrix: scipy.sparse.csr_array,
    right: NDArray[np.float64],
    tolerance: float,
    inverse: object,
) -> NDArray[np.float64]:
    """Solution by conjugate gradients with an approximate inverse."""
    found, _ = scipy.sparse.linalg.cg(matrix, right, rtol=tolerance, M=inverse)
    return np.asarray(found)


def _wall_conductances(flows: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Conductance of momentum from each face to walls at the ends of its run.

    Between walls N voxels apart, Poiseuille flow under the force f drags N f / 2 on
    either wall, and the mean velocity over the voxel at the wall is (3 N - 2) f / 12.
    Their ratio, 2 for far walls, makes the flux exact in narrow channels, too.

    Parameters
    ----------
    flows
        Faces with a velocity, of one component.
    axis
        Array axis along which the walls are sought; the material is mirrored at its
        ends, except for those of the first axis.
    """
    lines = np.moveaxis(flows, axis, -1)
    starts = lines.copy()
    starts[..., 1:] &= ~lines[..., :-1]
    runs = np.cumsum(starts.ravel(), dtype=np.int32).reshape(lines.shape)
    lengths = np.bincount(runs[lines], minlength=int(runs.max()) + 1)
    if axis != 0:
        # The mirror image continues a run.
        images = np.zeros_like(lengths)
        for end in (0, -1):
            mirrored = runs[..., end][lines[..., end]]
            images[mirrored] += lengths[mirrored]
        lengths += images
    n = np.maximum(lengths, 1)[runs]
    return np.moveaxis(6 * n / (3 * n - 2), -1, axis)


def _neighbours(
    values: NDArray[Scalar], axis: int
) -> tuple[NDArray[Scalar], NDArray[Scalar]]:
    """Views of all values but the last along an axis, and of all but the first."""
    before = (*[slice(None)] * axis, slice(None, -1))
    after = (*[slice(None)] * axis, slice(1, None))
    return values[before], values[after]
