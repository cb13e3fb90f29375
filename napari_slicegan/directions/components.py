"""Principal components of block features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.generation.edits import block_names
from napari_slicegan.models.latent import LatentField
from napari_slicegan.models.network import LATENT
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slicegan.models.generator_file import TrainedNetwork

Numbers = NDArray[np.float64]
ROWS_AT_ONCE = 64


class Moments:
    """Exact streaming mean and covariance of rows of `width` numbers.

    Rows are summed in blocks of a fixed number of them in double precision, so that the
    result is bit-identical for any batch size. The memory is that of the covariance.
    """

    def __init__(self, width: int) -> None:
        self.n = 0
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))
        self._waiting = np.zeros((0, width))
        self._shift: Numbers | None = None

    def add(self, rows: NDArray[Any]) -> None:
        """Count rows [n, width]."""
        self.n += len(rows)
        self._waiting = np.concatenate([self._waiting, np.asarray(rows, np.float64)])
        while len(self._waiting) >= ROWS_AT_ONCE:
            self._count(self._waiting[:ROWS_AT_ONCE])
            self._waiting = self._waiting[ROWS_AT_ONCE:]

    def _count(self, rows: Numbers) -> None:
        if self._shift is None:
            # Near the mean, so that little is lost when it is subtracted again.
            self._shift = rows.mean(axis=0)
        rows = rows - self._shift
        self._sum += rows.sum(axis=0)
        self._products += rows.T @ rows

    def result(self) -> tuple[Numbers, Numbers]:
        """Mean [width] and covariance [width, width], of n - 1 degrees of freedom.

        Raises
        ------
        ValueError
            If there are fewer than two rows.
        """
        if len(self._waiting):
            self._count(self._waiting)
            self._waiting = self._waiting[:0]
        if self._shift is None or self.n < 2:
            raise ValueError(
                f"A covariance needs at least two samples, got {self.n}; draw more "
                "of them."
            )
        mean = self._sum / self.n
        covariance = self._products - self.n * np.outer(mean, mean)
        return self._shift + mean, covariance / (self.n - 1)


def principal_components(covariance: Numbers, k: int) -> tuple[Numbers, Numbers]:
    """First k eigenvectors [k, D] of a covariance [D, D], and the variances along them.

    By falling variance; the largest number of each vector is positive.
    """
    variances, columns = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1][:k]
    vectors = columns.T[order]
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return vectors * signs[:, None], np.maximum(variances[order], 0)


def random_share(covariance: Numbers, n: int = 8, seed: int = 0) -> float:
    """Mean fraction of the variance along random directions, for comparison."""
    vectors = np.random.default_rng(seed).standard_normal((n, len(covariance)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    along = np.einsum("ij,jk,ik->i", vectors, covariance, vectors)
    return float(along.mean() / max(np.trace(covariance), np.finfo(float).tiny))


MAX_WIDTH = 4096
"""Blocks of more features are projected onto their main axes first."""

Rows = dict[str, NDArray[np.float32]]


class Features:
    """Pooled features of the samples of a generator.

    An edit of a whole volume is the same at every position, so the output of a block is
    averaged over its positions: C numbers for each sample. The fully connected first
    block of a generator of images is not pooled. Sample i depends on the seed and i
    only.
    """

    def __init__(self, trained: TrainedNetwork, seed: int) -> None:
        self.network = trained.network
        self.names = block_names(self.network)
        self._field = LatentField(
            seed, self.network.training_latents[0], self.network.prior
        )
        # Shapes in which an offset is added, by block; [C] is the same everywhere.
        self.shapes: dict[str, tuple[int, ...]] = {LATENT: (self.network.latent_width,)}
        with torch.no_grad():
            for name, made in self.network.stages(self.latents(0, 1)):
                if name in self.names:
                    shape = tuple(made.shape[1:])
                    self.shapes[name] = shape if self._is_dense(name) else shape[:1]
        self.widths = {name: math.prod(shape) for name, shape in self.shapes.items()}

    def latents(self, first: int, last: int) -> Tensor:
        """Latents of samples first to last - 1, [n, *training_latents]."""
        shape = self.network.training_latents
        device = next(self.network.parameters()).device
        if len(shape) == 1:
            numbers = self._field.region((0, 1), (0, 1), (first, last))
            return torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
        _, z, y, x = shape
        # Samples are boxes of one field, one behind the other along z.
        boxes = self._field.region((first * z, last * z), (0, y), (0, x))
        parts = np.stack(np.split(boxes, last - first, axis=1))
        return torch.from_numpy(parts).to(device)

    @torch.no_grad()
    def rows(self, latents: Tensor, to_the_end: bool = True) -> tuple[Rows, Tensor]:
        """Features by block, [n, C] or [n, C Y X], and the last output, [n, C, ...].

        The blocks after the last editable one are run only if ``to_the_end``.
        """
        rows = {LATENT: _pooled(self.network.prepare_latents(latents))}
        made = latents
        for name, made in self.network.stages(latents):
            if name in self.names:
                dense = self._is_dense(name)
                rows[name] = _pooled(made.flatten(1) if dense else made)
            if name == self.names[-1] and not to_the_end:
                break
        return rows, made

    def _is_dense(self, name: str) -> bool:
        """Whether a block is fully connected, so that its positions differ."""
        return self.network.starts_dense and name == self.names[1]

    @property
    def latent_sigma(self) -> float:
        """Standard deviation of a pooled latent along any direction of length 1.

        A uniform distribution from -1 to 1 has the variance 1/3; the mean of n
        positions has 1/n of it.
        """
        positions = math.prod(self.network.training_latents[1:])
        variance = 1.0 if self.network.prior == "normal" else 1 / 3
        return math.sqrt(variance / positions)


def spans(n_samples: int, batch: int) -> Iterator[tuple[int, int]]:
    """First sample and sample after the last of each batch."""
    for first in range(0, n_samples, batch):
        yield first, min(first + batch, n_samples)


def _pooled(made: Tensor) -> NDArray[np.float32]:
    """Mean over positions, [n, C, ...] -> [n, C]."""
    rows = made.flatten(2).mean(2) if made.ndim > 2 else made
    return np.asarray(rows.cpu().numpy(), np.float32)


Bases = Mapping[str, NDArray[np.float32]]

PASSES = 2
OVERSAMPLING = 10


class Joint:
    """Covariance of the features of all blocks, and of further numbers of a sample.

    Blocks in ``bases`` are projected onto these axes [D, m]; ``extras`` names the
    further numbers. All samples must be added before the covariance is read.
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

    @cached_property
    def _covariance(self) -> Numbers:
        return self._moments.result()[1]

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
        the block`` (or on a further number), whose standard deviation is one; weights
        [D_block]. Of the latents only the direction is fitted (or given as ``latent``):
        their step has the length of one standard deviation of a pooled latent.
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


def wide_bases(
    features: Features,
    n_samples: int,
    n_axes: int,
    batch: int,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float32]]:
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
            start = (number + round_ / PASSES) / len(wide)
            part = subrange(progress, start, start + 1 / PASSES / len(wide))
            made = _times_covariance(features, name, basis, n_samples, batch, part)
            basis = np.linalg.qr(made)[0].astype(np.float32)
        bases[name] = basis
    return bases


def _times_covariance(
    features: Features,
    name: str,
    basis: NDArray[np.float32],
    n_samples: int,
    batch: int,
    progress: Progress,
) -> Numbers:
    """A block's covariance times its axes, up to a factor."""
    total = np.zeros(basis.shape)
    mean = np.zeros(len(basis))
    for first, last in spans(n_samples, batch):
        latents = features.latents(first, last)
        rows = features.rows(latents, to_the_end=False)[0][name]
        total += rows.T @ (rows @ basis)
        mean += rows.sum(axis=0)
        progress(last / n_samples)
    return np.asarray(total - np.outer(mean, mean @ basis) / n_samples)
