"""Arrays seen as bundles of parallel lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Voxels that are held in floating point at a time.
BLOCK_VOXELS = 2**20


def line_blocks(values: NDArray[Any], axis: int) -> Iterator[NDArray[Any]]:
    """Lines along an axis, ``[n_lines, length]``, in blocks of bounded size."""
    lines = np.moveaxis(values, axis, -1)
    if lines.ndim == 1:
        lines = lines[np.newaxis]
    length = lines.shape[-1]
    rows = max(1, BLOCK_VOXELS // (lines.size // len(lines)))
    for start in range(0, len(lines), rows):
        yield lines[start : start + rows].reshape(-1, length)


def check_indicator(indicator: NDArray[Any]) -> None:
    """Refuse anything but a non-empty bool array.

    Raises
    ------
    ValueError
        Labels taken for an indicator would be counted with their values as weights.
    """
    if indicator.dtype != bool or indicator.size == 0:
        raise ValueError(
            "An indicator must be a bool array with at least one voxel; got "
            f"{indicator.dtype} of shape {indicator.shape}. Pass 'labels == phase'."
        )


def check_distance(max_distance: int, length: int) -> None:
    """Refuse distances that no pair of voxels along a line of `length` has.

    Raises
    ------
    ValueError
        If there is no such pair.
    """
    if not 0 <= max_distance < length:
        raise ValueError(
            f"The largest distance must be from 0 to {length - 1} voxels along an axis "
            f"of {length}; got {max_distance}. Lower it or use a larger image."
        )
