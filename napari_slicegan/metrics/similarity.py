"""Similarity of two aligned images, pixel by pixel.

Both numbers compare images that show the same thing at the same place, such as brains
or parts. Two pieces of one random material are not similar in this sense.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

SIGMA = 1.5
RADIUS = 5
K1, K2 = 0.01, 0.03


def structural_similarity(
    first: NDArray[Any], second: NDArray[Any], value_range: float
) -> float:
    """Mean structural similarity, SSIM; Wang et al. 2004, eq. 13.

    Local means, variances and the covariance are weighted by a Gaussian of sigma 1.5
    cut off at 5 pixels; places nearer to the border are left out.

    Parameters
    ----------
    first, second
        Gray values of equal shape, ``[Y, X]`` or ``[Z, Y, X]``.
    value_range
        Largest minus smallest possible value: 2 for values from -1 to 1.

    Returns
    -------
    At most 1, which identical images have; near 0 for unrelated textures.

    Raises
    ------
    ValueError
        If the shapes differ, an edge is shorter than 11 pixels, or the range is not
        positive.
    """
    _check_pair(first, second)
    if min(first.shape) <= 2 * RADIUS:
        raise ValueError(
            f"Structural similarity needs at least {2 * RADIUS + 1} pixels along each "
            f"axis; got the shape {first.shape}. Use larger images."
        )
    if not value_range > 0:
        raise ValueError(f"The range of values must be above 0; got {value_range}.")
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    mean_x, mean_y = _local_mean(x), _local_mean(y)
    variance_x = _local_mean(x * x) - mean_x**2
    variance_y = _local_mean(y * y) - mean_y**2
    covariance = _local_mean(x * y) - mean_x * mean_y
    c1, c2 = (K1 * value_range) ** 2, (K2 * value_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    inner = (slice(RADIUS, -RADIUS),) * x.ndim
    return float((luminance * structure)[inner].mean())


def luminance_overlap(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean of (2 x y + c) / (x^2 + y^2 + c) over all pixels, c = 0.0001.

    This is what is left of structural similarity if its window is a single pixel, where
    variances and covariance are 0. It has been published as such, for values from -1 to
    1, but tells of no structure: it is 1 wherever both images show background.

    Parameters
    ----------
    first, second
        Gray values of equal shape, from -1 to 1.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    _check_pair(first, second)
    x, y = np.asarray(first, np.float64), np.asarray(second, np.float64)
    c1 = K1**2
    return float(((2 * x * y + c1) / (x**2 + y**2 + c1)).mean())


def _local_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(gaussian_filter(values, SIGMA, radius=RADIUS))


def _check_pair(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape or not first.size:
        raise ValueError(
            "Two images are compared pixel by pixel, so they must have the same shape; "
            f"got {first.shape} and {second.shape}."
        )
