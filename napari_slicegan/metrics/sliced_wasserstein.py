"""Sliced Wasserstein distance between two sets of images, scale by scale.

Definition: Karras et al. 2018, Progressive growing of GANs, section 5. The images
become a Laplacian pyramid; from each of its levels small patches are taken, and the
distance of the two sets of patches is that of their projections on random lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

SMALLEST_EDGE = 16
PATCH = 7
PATCHES_PER_IMAGE = 128
N_DIRECTIONS = 512
# Lines at a time; bounds the memory of the projections.
DIRECTIONS_AT_ONCE = 32
# Distances are reported in thousandths, as usual.
UNIT = 1e3
BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16


class RealPatches:
    """Real images, measured once for comparison with many other sets.

    The random patches and lines are always the same. Holds 256 kB for each image and
    scale.

    Parameters
    ----------
    real
        ``[N, C, Y, X]``, at least 16 pixels per edge. Channels may be gray values,
        colours or phases.

    Raises
    ------
    ValueError
        If the images are too small.
    """

    def __init__(self, real: NDArray[Any]) -> None:
        _check_sets(real, real)
        self._real = real
        rng = np.random.default_rng(0)
        self._levels = []
        for level in laplacian_pyramid(real):
            places, vectors, lines = _drawn(level, rng)
            ordered = list(ordered_projections(vectors, lines))
            self._levels.append((places, lines, ordered))

    def distances(self, generated: NDArray[Any]) -> NDArray[np.float64]:
        """Distances of another set of the same shape, for each scale.

        They fall as the sets grow, so compare only results of equal N. Image i is cut
        at the same places in both sets.

        Returns
        -------
        ``[n_levels]``, times 1,000: the full size first, then halves of it down to 16
        pixels.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        _check_sets(self._real, generated)
        found = []
        for level, real in zip(laplacian_pyramid(generated), self._levels, strict=True):
            places, lines, ordered = real
            vectors = _descriptors(level, *places)
            made = ordered_projections(vectors, lines)
            found.append(UNIT * mean_shift(ordered, made, len(lines)))
        return np.array(found)

    def distance(self, generated: NDArray[Any]) -> float:
        """Mean of `distances` over the scales, the usual single number."""
        return float(self.distances(generated).mean())


def _check_sets(real: NDArray[Any], generated: NDArray[Any]) -> None:
    if real.shape != generated.shape or real.ndim != 4 or not len(real):
        raise ValueError(
            "Both sets must be arrays of images, channels, rows and columns of the "
            f"same shape; got {real.shape} and {generated.shape}."
        )
    if min(real.shape[2:]) < SMALLEST_EDGE:
        raise ValueError(
            f"The images must be at least {SMALLEST_EDGE} x {SMALLEST_EDGE} pixels; "
            f"got {real.shape[2]} x {real.shape[3]}. Use larger crops."
        )


def laplacian_pyramid(images: NDArray[Any]) -> list[NDArray[np.float32]]:
    """Images as differences of scales, finest first; the last level is the rest.

    Parameters
    ----------
    images
        ``[N, C, Y, X]``.
    """
    level = np.asarray(images, np.float32)
    pyramid = []
    while min(level.shape[2:]) // 2 >= SMALLEST_EDGE:
        smaller = _blurred(level, BINOMIAL)[:, :, ::2, ::2]
        pyramid.append(level - _doubled(smaller, level.shape[2:]))
        level = smaller
    return [*pyramid, level]


def random_directions(
    n: int, dimensions: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Independent directions of length 1, ``[n, dimensions]``."""
    vectors = rng.standard_normal((n, dimensions))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def ordered_projections(
    points: Floats, directions: NDArray[np.float64]
) -> Iterator[Floats]:
    """Sorted projections ``[<= 32, n]`` of points ``[n, d]`` onto some lines each."""
    parts = math.ceil(len(directions) / DIRECTIONS_AT_ONCE)
    for part in np.array_split(directions.astype(points.dtype), parts):
        yield np.sort(part @ points.T, axis=1)


def mean_shift(first: Iterable[Floats], second: Iterable[Floats], n: int) -> float:
    """Mean Wasserstein distance along n lines, from `ordered_projections`.

    On a line the optimal transport joins points in order.
    """
    total = 0.0
    for one, other in zip(first, second, strict=True):
        total += np.abs(one - other).mean(axis=1, dtype=np.float64).sum()
    return float(total / n)


Places = tuple[NDArray[np.int64], NDArray[np.int64]]


def _drawn(
    level: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Places, NDArray[np.float32], NDArray[np.float64]]:
    """Random places of patches in a level [N, C, Y, X], the patches, and lines."""
    shape = (len(level), PATCHES_PER_IMAGE)
    rows, columns = (
        rng.integers(edge - PATCH + 1, size=shape) for edge in level.shape[2:]
    )
    vectors = _descriptors(level, rows, columns)
    lines = random_directions(N_DIRECTIONS, vectors.shape[1], rng)
    return (rows, columns), vectors, lines


def _descriptors(
    level: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Patches as vectors, ``[N * patches, C * 49]``, each channel standardised."""
    windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), (2, 3))
    images = np.arange(len(level))[:, np.newaxis]
    # [N, patches, C, 7, 7]
    patches = windows[images, :, rows, columns]
    mean = patches.mean(axis=(0, 1, 3, 4), keepdims=True, dtype=np.float64)
    spread = patches.std(axis=(0, 1, 3, 4), keepdims=True, dtype=np.float64)
    # A channel without any contrast stays 0 instead of 0 / 0.
    scaled = (patches - mean) / np.where(spread > 0, spread, 1)
    vectors = scaled.reshape(-1, math.prod(patches.shape[2:]))
    return np.asarray(vectors, np.float32)


def _doubled(images: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Images of the given rows and columns, zeros between the pixels, blurred."""
    spread = np.zeros((*images.shape[:2], *size), np.float32)
    spread[:, :, ::2, ::2] = images
    # Three quarters of the pixels are zeros: twice the weight along each axis.
    return _blurred(spread, 2 * BINOMIAL)


def _blurred(
    images: NDArray[np.float32], weights: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Filtered along rows and columns; the images continue as in a mirror."""
    for axis in (2, 3):
        images = scipy.ndimage.convolve1d(images, weights, axis=axis, mode="mirror")
    return images
