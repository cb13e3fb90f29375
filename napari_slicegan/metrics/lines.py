"""Lines through images and volumes: lineal path and chord lengths."""

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


def lineal_path(
    indicator: NDArray[np.bool_], max_distance: int, axis: int
) -> NDArray[np.float64]:
    """Probability that a segment between two voxels lies in a phase as a whole.

    L(r) = P(x, x + 1, ..., x + r in phase); Torquato, Random Heterogeneous Materials
    (2002), section 2.4. Segments that leave the image are not counted.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    max_distance
        Largest r in voxels, smaller than the array along `axis`.
    axis
        Index of the array axis along which the segments lie.

    Returns
    -------
    ``[max_distance + 1]`` for r = 0, 1, ...; L(0) is the phase fraction and L(1) equals
    the two-point correlation at 1.

    Raises
    ------
    ValueError
        If the array is not an indicator or too small.
    """
    check_indicator(indicator)
    length = indicator.shape[axis]
    check_distance(max_distance, length)
    counts = np.zeros(length + 1, dtype=np.int64)
    for run_lengths, _ in _runs(indicator, axis):
        counts += np.bincount(run_lengths, minlength=length + 1)
    distances = np.arange(max_distance + 1)
    # A run of n voxels has room for n - r segments.
    room = np.maximum(np.arange(length + 1) - distances[:, np.newaxis], 0)
    positions = indicator.size // length * (length - distances)
    return np.asarray(room @ counts / positions, dtype=np.float64)


def chord_lengths(indicator: NDArray[np.bool_], axis: int) -> NDArray[np.int64]:
    """Lengths of the runs of a phase along an axis, in voxels.

    Runs that touch the border are dropped: their true length is unknown. This affects
    long chords more than short ones; `mean_chord_length` corrects for it.

    Parameters
    ----------
    indicator
        Bool ``[Y, X]`` or ``[Z, Y, X]``, True in the phase.
    axis
        Index of the array axis along which the chords lie.

    Returns
    -------
    ``[n_chords]``, empty if there is no chord.

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    check_indicator(indicator)
    return np.concatenate([lengths[inner] for lengths, inner in _runs(indicator, axis)])


def mean_chord_length(indicator: NDArray[np.bool_], axis: int) -> float:
    """Mean chord length in voxels, NaN if there is no chord.

    A line of n voxels has n - 1 - l places for a chord of length l that stays clear of
    the border. Weights of 1 / (n - 1 - l) make short and long lines agree; Miles and
    Lantuejoul's correction, Serra, Image Analysis and Mathematical Morphology (1982).

    Raises
    ------
    ValueError
        If the array is not an indicator.
    """
    lengths = chord_lengths(indicator, axis)
    if not lengths.size:
        return float("nan")
    weights = 1 / (indicator.shape[axis] - 1 - lengths)
    return float(np.average(lengths, weights=weights))


def _runs(
    indicator: NDArray[np.bool_], axis: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Lengths of runs, and whether they end before the border, block by block."""
    for lines in line_blocks(indicator, axis):
        n_lines, length = lines.shape
        framed = np.zeros((n_lines, length + 2), dtype=bool)
        framed[:, 1:-1] = lines
        # Between two zeros the changes come in pairs: a start and an end.
        changes = np.flatnonzero(framed[:, 1:] != framed[:, :-1]).reshape(-1, 2)
        starts, ends = (changes % (length + 1)).T
        yield ends - starts, (starts > 0) & (ends < length)
