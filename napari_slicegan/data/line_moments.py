"""Mean and deviation of the rows or columns of grayscale images. Loads no torch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Line = Literal["rows", "columns"]
Moments = tuple[NDArray[np.float64], NDArray[np.float64]]


def line_moments(units: NDArray[np.float64], line: Line) -> Moments:
    """Mean and standard deviation of each line over a set of images.

    Parameters
    ----------
    units
        ``[N, Y, X]``.

    Returns
    -------
    ``[Y]`` each for rows, ``[X]`` for columns. The deviation of a line that never
    changes is exactly 0.
    """
    others = (0, 2) if line == "rows" else (0, 1)
    mean, std = units.mean(axis=others), units.std(axis=others)
    # The rounding error of a constant.
    std[std <= 1e-12 * np.maximum(1, np.abs(mean))] = 0
    return mean, std


def along(line: Line, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Moments in a shape that broadcasts over an image: rows [Y, 1], columns [1, X]."""
    index = (slice(None), np.newaxis) if line == "rows" else (np.newaxis,)
    return moments[index]


def levelled(values: NDArray[Any], line: Line) -> NDArray[Any]:
    """Gray values whose lines all have the same mean and the same contrast.

    Removes artefacts along lines: curtaining of a milled face, charging, a drifting
    beam. Each line is standardised by its own moments, as in SpecGAN (Donahue et al.
    2019), and scaled to those of the whole image. Structures so coarse that a line
    crosses only a few of them lose contrast as well.

    Parameters
    ----------
    values
        ``[Y, X]``, or ``[Z, Y, X]``, whose planes are levelled separately.

    Returns
    -------
    Same shape and type.
    """
    planes = values if values.ndim > 2 else values[np.newaxis]
    made = np.empty_like(planes)
    for number, plane in enumerate(planes):
        plane = plane.astype(np.float64)
        mean, std = line_moments(plane[np.newaxis], line)
        scale = np.sqrt(np.square(std).mean()) / np.where(std == 0, 1, std)
        level = (plane - along(line, mean)) * along(line, scale) + mean.mean()
        if values.dtype.kind in "iu":
            limits = np.iinfo(values.dtype)
            level = np.clip(np.rint(level), limits.min, limits.max)
        made[number] = level
    return made.reshape(values.shape)
