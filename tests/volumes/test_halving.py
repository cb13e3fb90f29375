"""Levels of half the size."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.volumes.block_tree import halved_phases, halved_values
from tests.toys import smooth_field

RNG = np.random.default_rng(0)
SHAPES = [(4, 6, 8), (5, 6, 7), (1, 2, 9), (1, 1, 1)]


def cells(values: NDArray[Any]) -> Any:
    """Place and the eight voxels of each cell; the last voxel again past the border."""
    z, y, x = values.shape[:3]
    for place in np.ndindex(-(-z // 2), -(-y // 2), -(-x // 2)):
        near = [
            values[min(2 * place[0] + i, z - 1)][min(2 * place[1] + j, y - 1)][
                min(2 * place[2] + k, x - 1)
            ]
            for i, j, k in np.ndindex(2, 2, 2)
        ]
        yield place, near


def test_phases_by_majority() -> None:
    """Counter keeps the order of first occurrence among equally common labels."""
    for shape in SHAPES:
        labels = RNG.choice(np.array([0, 3, 200], np.uint8), shape)
        halved = halved_phases(labels)
        assert halved.dtype == np.uint8
        for place, near in cells(labels):
            assert halved[place] == Counter(map(int, near)).most_common(1)[0][0]


def test_values_by_their_mean() -> None:
    for shape, channels in zip(SHAPES, ((), (3,), (3,), ()), strict=True):
        values = RNG.random((*shape, *channels)).astype(np.float32)
        halved = halved_values(values)
        assert halved.dtype == np.float32
        for place, near in cells(values):
            np.testing.assert_allclose(halved[place], np.mean(near, axis=0), rtol=1e-6)


def test_integers_are_rounded() -> None:
    values = np.array([0, 1, 1, 1, 1, 1, 1, 1], np.uint8).reshape(2, 2, 2)
    assert halved_values(values).item() == 1
    assert halved_values(255 - values).item() == 254


def test_phase_fractions_stay() -> None:
    """No label wins all ties: of half and half stays half, down to the third level."""
    labels = (smooth_field(64, 64, 64) > 0).astype(np.uint8)
    noise = RNG.integers(0, 2, labels.shape, np.uint8)
    for values in (labels, noise):
        level = values
        for _ in range(3):
            level = halved_phases(level)
        # 512 voxels are left; of noise their fraction spreads by 0.022.
        assert abs(level.mean() - values.mean()) < 0.07
