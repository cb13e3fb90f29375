"""Phase fractions of planes, and distributions of gray values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray


def slice_fractions(labels: NDArray[Any], value: int, axis: int) -> NDArray[np.float64]:
    """Area fraction of one label in each plane normal to an axis.

    Returns
    -------
    ``[labels.shape[axis]]``. Its standard deviation is the uncertainty of the
    fraction measured on a single plane.
    """
    planes = np.moveaxis(labels, axis, 0)
    counts = [np.count_nonzero(plane == value) for plane in planes]
    return np.array(counts, dtype=np.float64) / (labels.size // len(planes))


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histogram of gray values.

    Attributes
    ----------
    values
        The distinct gray values, in ascending order, [N].
    counts
        Number of times that each of them occurs, [N].
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Histogram:
        """Histogram of gray values of any shape."""
        return cls(*np.unique(values, return_counts=True))

    def distance(self, other: Histogram) -> float:
        """Wasserstein distance: mean shift of gray values between the two."""
        return float(
            scipy.stats.wasserstein_distance(
                self.values, other.values, self.counts, other.counts
            )
        )
