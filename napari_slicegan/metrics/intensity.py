"""Distributions of gray values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance


def histogram_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Wasserstein distance between the distributions of two sets of values.

    Parameters
    ----------
    first, second
        Gray values, of any shape and size.

    Returns
    -------
    Mean shift, in gray values, that turns one histogram into the other.
    """
    values, counts = np.unique(first, return_counts=True)
    other_values, other_counts = np.unique(second, return_counts=True)
    return float(wasserstein_distance(values, other_values, counts, other_counts))
