"""How well generated points cover a mixture of Gaussians of equal width."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

N_SIGMAS = 4.0
"""Standard deviations from a mean within which a point is of high quality."""
MORE_THAN = 100
"""A mode is recovered by more points of high quality than this."""


def high_quality_share(
    points: NDArray[Any], means: NDArray[Any], sigma: float
) -> float:
    """Share of points within ``N_SIGMAS`` standard deviations of the nearest mean.

    Parameters
    ----------
    points
        ``[n, d]``.
    means
        ``[n_modes, d]``.
    sigma
        Standard deviation of each mode along each axis.

    Returns
    -------
    Between 0 and 1. Of the mixture itself in two dimensions 1 - exp(-8) = 0.9997.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """
    return float((_mode_of(points, means, sigma) >= 0).mean())


def recovered_modes(
    points: NDArray[Any], means: NDArray[Any], sigma: float, more_than: int = MORE_THAN
) -> int:
    """Number of modes with more than ``more_than`` points of high quality.

    Parameters
    ----------
    points, means, sigma
        See `high_quality_share`.

    Raises
    ------
    ValueError
        If the arrays do not fit together.
    """
    modes = _mode_of(points, means, sigma)
    counts = np.bincount(modes[modes >= 0], minlength=len(means))
    return int((counts > more_than).sum())


def _mode_of(
    points: NDArray[Any], means: NDArray[Any], sigma: float
) -> NDArray[np.int64]:
    """Nearest mode of each point, ``[n]``; -1 where none is near enough."""
    if points.ndim != 2 or means.ndim != 2 or points.shape[1] != means.shape[1]:
        raise ValueError(
            "Points and means must be tables with a column for each coordinate; got "
            f"the shapes {points.shape} and {means.shape}."
        )
    if not len(points) or not len(means):
        raise ValueError(
            f"Expected at least one point and one mean; got {len(points)} and "
            f"{len(means)}."
        )
    # [n, 1, d] - [n_modes, d] -> [n, n_modes]
    distances = np.linalg.norm(points[:, np.newaxis] - means, axis=2)
    nearest = distances.argmin(axis=1)
    near = distances.min(axis=1) <= N_SIGMAS * sigma
    return np.where(near, nearest, -1)
