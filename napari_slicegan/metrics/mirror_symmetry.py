"""Whether images look the same in a mirror, by moments up to the third order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.data.training_images import TrainingImages

Values = NDArray[np.float32]

BLOCKS = 4
"""Blocks along the shorter side of a large image; they count as independent."""
SMALLEST_BLOCK = 32
LARGEST_IMAGE = 1024
MAX_PLANES = 3
DISTANCES = (1, 2, 4, 8, 16)
SLOPES = ((1, 1), (1, 2), (2, 1))
"""Rows and columns of the steps along oblique lines."""
PROBABILITY = 0.01
"""With which images of a symmetric material are found to be asymmetric by chance."""


def are_mirror_symmetric(images: TrainingImages) -> bool:
    """Whether mirrored images are as probable as the images, in each view.

    Crops may then be mirrored in training, which multiplies the data by four. Found are
    structures that are tilted, and those that have one steep and one gentle side. The
    mean of each moment of `antisymmetric_moments` must be 0 within its standard error
    over blocks of the images (Student's t test with Bonferroni's correction).
    """
    labels = images.labels if images.kind == "phases" else (None,)
    # The indicators of two phases are each other's complement.
    parts = labels[1:] if len(labels) == 2 else labels
    probability = PROBABILITY / (len(images.views) * len(parts))
    for axis, of_axis in images.views.items():
        planes = [plane for image in of_axis for plane in _few(image.planes(axis))]
        for part in parts:
            found = [
                antisymmetric_moments(_standardised(plane, part)) for plane in planes
            ]
            if _differ_from_zero(np.concatenate(found), probability):
                return False
    return True


def antisymmetric_moments(values: Values) -> NDArray[np.float64]:
    """Moments of an image that change their sign in a mirror, block by block.

    They are 0 for a material that is symmetric in rows and in columns: products of two
    pixels along oblique lines less those along the mirrored lines, and third powers of
    the slope along rows and along columns at several scales.

    Parameters
    ----------
    values
        [Y, X], with mean 0 and variance 1.

    Returns
    -------
    ``[blocks, moments]``
    """
    edge = max(min(values.shape) // BLOCKS, SMALLEST_BLOCK)
    rows, columns = (max(n // edge, 1) for n in values.shape)
    return np.array(
        [
            [
                block.mean()
                for part in np.array_split(one, rows, axis=0)
                for block in np.array_split(part, columns, axis=1)
            ]
            for one in _antisymmetric(values)
        ]
    ).T


def _antisymmetric(values: Values) -> Iterator[Values]:
    """Maps whose means are the moments."""
    for r, (down, right) in itertools.product(DISTANCES, SLOPES):
        if max(r * down, r * right) * 2 <= min(values.shape):
            mirrored = _oblique(values[:, ::-1], r * down, r * right)[:, ::-1]
            yield _oblique(values, r * down, r * right) - mirrored
    for sigma, axis in itertools.product(DISTANCES[:-1], (0, 1)):
        slope = scipy.ndimage.gaussian_filter(values, sigma, (1 - axis, axis))
        scale = slope.std()
        yield (slope / scale if scale else slope) ** 3


def _oblique(values: Values, down: int, right: int) -> Values:
    """Products of pixels and those that many rows below and columns to the right."""
    return values[:-down, :-right] * values[down:, right:]


def _differ_from_zero(moments: NDArray[np.float64], probability: float) -> bool:
    """Whether the mean of any moment, of [blocks, moments], differs from 0."""
    blocks, count = moments.shape
    if blocks < 2:
        return False
    error = moments.std(axis=0, ddof=1) / np.sqrt(blocks)
    limit = -scipy.special.stdtrit(blocks - 1, probability / count / 2)
    return bool((np.abs(moments.mean(axis=0)) > limit * error).any())


def _standardised(plane: NDArray[Any], label: int | None) -> Values:
    """A phase, or gray values, with mean 0 and variance 1."""
    plane = plane[:LARGEST_IMAGE, :LARGEST_IMAGE]
    values = plane if label is None else plane == label
    if values.ndim > 2:
        values = values.mean(axis=-1)
    centred = np.subtract(values, values.mean(), dtype=np.float32)
    return np.asarray(centred / (centred.std() or 1), np.float32)


def _few(planes: NDArray[Any]) -> NDArray[Any]:
    return planes[:: max(1, -(-len(planes) // MAX_PLANES))]
