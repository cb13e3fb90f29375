"""Pixel-by-pixel similarity of two registered images.

Both measures compare images of the same object at the same place, such as brain scans.
Two samples of one random material are not similar in this sense.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import skimage
from numpy.typing import NDArray

SIGMA, RADIUS = 1.5, 5
"""Standard deviation and radius of the Gaussian window, 11 pixels wide."""
K1 = 0.01


def structural_similarity(
    first: NDArray[Any], second: NDArray[Any], value_range: float
) -> float:
    """Mean structural similarity, SSIM; Wang et al. 2004, eq. 13.

    With the settings of the paper: a Gaussian window of sigma 1.5 truncated at 5
    pixels, population covariances; pixels within 5 of the border are left out.

    Parameters
    ----------
    first, second
        Gray values of equal shape, ``[Y, X]`` or ``[Z, Y, X]``.
    value_range
        Largest minus smallest possible value: 2 for values from -1 to 1.

    Returns
    -------
    At most 1, for identical images; near 0 for unrelated textures.

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
        raise ValueError(
            f"The range of values must be above 0; got {value_range}. Pass the "
            "difference of the largest and the smallest possible value."
        )
    found = skimage.metrics.structural_similarity(  # type: ignore[no-untyped-call]
        np.asarray(first, np.float64),
        np.asarray(second, np.float64),
        data_range=value_range,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
    )
    return float(found)


def luminance_overlap(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Mean of (2 x y + c) / (x^2 + y^2 + c) over all pixels, c = 0.0001.

    The luminance term of SSIM with a window of a single pixel, where variances and the
    covariance vanish. It has been published as SSIM, for values from -1 to 1, but is
    blind to structure: it is 1 wherever both images show background.

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
    return float(((2 * x * y + K1**2) / (x**2 + y**2 + K1**2)).mean())


def _check_pair(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.shape != second.shape or not first.size:
        raise ValueError(
            "Registered images must have the same shape; got "
            f"{first.shape} and {second.shape}. Crop both to the same region."
        )
