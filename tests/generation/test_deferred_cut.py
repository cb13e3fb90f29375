"""Cuts that are read at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.generation.lazy import DeferredCut

SHAPE = (9, 7, 8)


class Watched:
    """An array that notes how much of it is read."""

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.arange(9 * 7 * 8).reshape(SHAPE)
        self.shape: tuple[int, ...] = SHAPE
        self.dtype = self.values.dtype
        self.read = 0

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = self.values[key]
        self.read += part.size
        return part


CUTS: list[tuple[Any, ...]] = [
    (np.s_[2],),
    (np.s_[:, 1:5, 2:6], np.s_[4]),
    (np.s_[::-1], np.s_[2:5, ..., -1]),
    (np.s_[..., ::3], np.s_[:, 3], np.s_[1:4]),
    (np.s_[::-2, 2], np.s_[-1, 1:3]),
    (np.s_[3:3], np.s_[:, 1]),
    (np.s_[1], np.s_[2], np.s_[3]),
    (),
]


def test_cuts_one_after_the_other_are_read_once() -> None:
    for cuts in CUTS:
        source = Watched()
        part, expected = DeferredCut(source), source.values
        for cut in cuts:
            part, expected = part[cut], expected[cut]
        assert source.read == 0
        assert part.shape == expected.shape
        assert (part.ndim, part.size) == (expected.ndim, expected.size)
        np.testing.assert_array_equal(np.asarray(part), expected)
        assert source.read == expected.size


def test_beyond_the_end() -> None:
    with pytest.raises(IndexError, match="below 9, got 9"):
        DeferredCut(Watched())[9]
