"""Mean and covariance of rows of numbers in one pass, and principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ROWS_AT_ONCE = 64


class Moments:
    """Exact streaming mean and covariance.

    Rows are summed in blocks of a fixed number of them in double precision, so that the
    result does not depend on how they come: bit by bit. The memory is that of the
    covariance.

    Parameters
    ----------
    width
        Numbers in a row.
    """

    def __init__(self, width: int) -> None:
        self.n = 0
        self._sum = np.zeros(width)
        self._products = np.zeros((width, width))
        self._waiting = np.zeros((0, width))
        self._shift: Numbers | None = None

    def add(self, rows: NDArray[Any]) -> None:
        """Count rows [n, width]."""
        self._waiting = np.concatenate([self._waiting, np.asarray(rows, np.float64)])
        while len(self._waiting) >= ROWS_AT_ONCE:
            self._count(self._waiting[:ROWS_AT_ONCE])
            self._waiting = self._waiting[ROWS_AT_ONCE:]

    def _count(self, rows: Numbers) -> None:
        if self._shift is None:
            # Near the mean, so that little is lost when it is subtracted again.
            self._shift = rows.mean(axis=0)
        rows = rows - self._shift
        self.n += len(rows)
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


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components.

    Attributes
    ----------
    vectors
        [k, D], of length 1 and at right angles, by falling variance. The largest
        number of each is positive.
    variances
        Variance along each, [k].
    total
        Variance along all axes together.
    """

    vectors: Numbers
    variances: Numbers
    total: float

    @property
    def shares(self) -> Numbers:
        """Share of each in the variance, [k]."""
        return self.variances / max(self.total, np.finfo(float).tiny)


def principal_components(covariance: Numbers, k: int) -> Components:
    """First components of a covariance [D, D]: its eigenvectors."""
    variances, columns = np.linalg.eigh(covariance)
    order = np.argsort(variances)[::-1][:k]
    vectors = columns.T[order]
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return Components(
        vectors * signs[:, None],
        np.maximum(variances[order], 0),
        float(np.trace(covariance)),
    )


def random_share(covariance: Numbers, n: int = 8, seed: int = 0) -> float:
    """Mean share of the variance along random directions, for comparison."""
    vectors = np.random.default_rng(seed).standard_normal((n, len(covariance)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    along = np.einsum("ij,jk,ik->i", vectors, covariance, vectors)
    return float(along.mean() / max(np.trace(covariance), np.finfo(float).tiny))
