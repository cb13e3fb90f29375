"""How the features of all blocks vary together."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.directions.features import MAX_WIDTH, Features, Rows, spans
from napari_slicegan.directions.moments import Moments, Numbers
from napari_slicegan.edits import LATENT
from napari_slicegan.generation import scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

Bases = Mapping[str, NDArray[np.float32]]

PASSES = 2
OVERSAMPLING = 10


class Joint:
    """Covariance of the features of all blocks, and of further numbers of a sample.

    Parameters
    ----------
    features
        Where they come from.
    bases
        Of blocks that are too wide, the axes [D, m] onto which they are projected.
    extras
        Names of the further numbers.
    """

    def __init__(
        self, features: Features, bases: Bases, extras: Sequence[str] = ()
    ) -> None:
        self._features, self._bases = features, bases
        self._slices: dict[str, slice] = {}
        stop = 0
        for name in (*features.names, *extras):
            basis = bases.get(name)
            width = features.widths.get(name, 1) if basis is None else basis.shape[1]
            self._slices[name] = slice(stop, stop + width)
            stop += width
        self._moments = Moments(stop)

    def add(self, rows: Rows, extras: NDArray[np.float64] | None = None) -> None:
        """Count samples: their features, and the further numbers [n, n_extras]."""
        parts: list[NDArray[Any]] = [
            rows[name] @ self._bases[name] if name in self._bases else rows[name]
            for name in self._features.names
        ]
        if extras is not None:
            parts.append(extras)
        self._moments.add(np.concatenate(parts, axis=1, dtype=np.float64))

    def finish(self) -> None:
        """Work out the covariance of what was counted."""
        _, self._covariance = self._moments.result()

    @property
    def n(self) -> int:
        """Number of samples."""
        return self._moments.n

    def between(self, one: str, other: str) -> Numbers:
        """Covariance of two blocks or further numbers, [D_one, D_other]."""
        return self._covariance[self._slices[one], self._slices[other]]

    def offsets(
        self, block: str, weights: Numbers, latent: Numbers | None = None
    ) -> dict[str, Numbers]:
        """Change of every block for one standard deviation of a coordinate.

        Least squares of each block's features on the coordinate ``weights . features of
        the block`` (or on a further number), whose standard deviation is one. For the
        latents the direction alone is taken from it: their step has the length of one
        standard deviation of a pooled latent.

        Parameters
        ----------
        block
            Block of the coordinate, ``"latent"``, or name of a further number.
        weights
            [D_block], on the block's own axes.
        latent
            Direction in the latents, where it is known better.
        """
        steps = {
            name: self.between(name, block) @ weights for name in self._features.names
        }
        along = steps[LATENT] if latent is None else latent
        length = float(np.linalg.norm(along))
        steps[LATENT] = along * (self._features.latent_sigma / max(length, 1e-30))
        for name, basis in self._bases.items():
            steps[name] = basis.astype(np.float64) @ steps[name]
        shapes = self._features.shapes
        return {name: step.reshape(shapes[name]) for name, step in steps.items()}


def bases_in_steps(
    features: Features, n_samples: int, n_axes: int, batch: int
) -> Generator[float, None, dict[str, NDArray[np.float32]]]:
    """Axes [D, m] of blocks that are too wide for a covariance; others have none.

    Randomised subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4),
    over samples that are drawn anew in every pass: the memory is that of the axes.
    """
    wide = [name for name, width in features.widths.items() if width > MAX_WIDTH]
    bases = {}
    rng = np.random.default_rng(0)
    for number, name in enumerate(wide):
        shape = (features.widths[name], n_axes + OVERSAMPLING)
        basis = rng.standard_normal(shape).astype(np.float32)
        for round_ in range(PASSES):
            steps = _times_covariance(features, name, basis, n_samples, batch)
            start = (number + round_ / PASSES) / len(wide)
            made = yield from scaled(steps, start, start + 1 / PASSES / len(wide))
            basis = np.linalg.qr(made)[0].astype(np.float32)
        bases[name] = basis
    return bases


def _times_covariance(
    features: Features,
    name: str,
    basis: NDArray[np.float32],
    n_samples: int,
    batch: int,
) -> Generator[float, None, Numbers]:
    """A block's covariance times its axes, but for a factor; yields the share."""
    total = np.zeros(basis.shape)
    mean = np.zeros(len(basis))
    for first, last in spans(n_samples, batch):
        rows = features.rows(features.latents(first, last))[name]
        total += rows.T @ (rows @ basis)
        mean += rows.sum(axis=0)
        yield last / n_samples
    return np.asarray(total - np.outer(mean, mean @ basis) / n_samples)
