from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_slicegan.metrics import lines
from napari_slicegan.metrics.lines import chord_lengths, lineal_path, mean_chord_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(0)


def slow_chords(indicator: NDArray[np.bool_], axis: int) -> list[int]:
    """Reference: each line on its own."""
    found = []
    for line in np.moveaxis(indicator, axis, -1).reshape(-1, indicator.shape[axis]):
        runs = [(value, len(list(run))) for value, run in groupby(line.tolist())]
        found += [length for value, length in runs[1:-1] if value]
    return sorted(found)


def test_stripes() -> None:
    stripes = np.tile(np.arange(2, 66) % 8 < 3, (5, 6, 1))
    # 64 long, 3 of 8 True; one stripe is cut by both borders: 7 remain in each of the
    # 30 lines
    lengths = chord_lengths(stripes, 2)
    assert set(lengths) == {3}
    assert len(lengths) == 30 * 7
    assert mean_chord_length(stripes, 2) == pytest.approx(3)
    assert chord_lengths(stripes, 0).size == 0
    assert np.isnan(mean_chord_length(stripes, 0))


def test_ball() -> None:
    grid = np.indices((60, 60, 60)) - 29.5
    ball = (grid**2).sum(0) < 25**2
    # mean chord of parallel lines through a ball: volume / shadow = 4/3 R = 33.33
    for axis in range(3):
        assert chord_lengths(ball, axis).mean() == pytest.approx(33.33, rel=0.01)


def test_mean_chord_length_does_not_depend_on_the_length_of_the_lines() -> None:
    # Independent voxels, phi = 0.7: mean run 1 / (1 - 0.7) = 3.333. Of the chords that
    # lie inside lines of 16 voxels the long ones are missing.
    short, long = RNG.random((60_000, 16)) < 0.7, RNG.random((600, 1600)) < 0.7
    assert chord_lengths(short, 1).mean() < 2.8
    assert mean_chord_length(short, 1) == pytest.approx(3.333, rel=0.03)
    assert mean_chord_length(long, 1) == pytest.approx(3.333, rel=0.01)


def test_lineal_path_of_independent_voxels() -> None:
    indicator = RNG.random((100, 100, 100)) < 0.6
    # phi^(r + 1)
    expected = 0.6 ** np.arange(1, 12)
    np.testing.assert_allclose(lineal_path(indicator, 10, 1), expected, atol=0.002)


@pytest.mark.parametrize("shape", [(6, 7, 30)])
def test_against_single_lines(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_VOXELS", 100)
    indicator = RNG.random(shape) < 0.7
    for axis, length in enumerate(shape):
        found = sorted(chord_lengths(indicator, axis).tolist())
        assert found == slow_chords(indicator, axis)
        moved = np.moveaxis(indicator, axis, 0)
        slow = [
            np.mean([moved[s : s + r + 1].all(0) for s in range(length - r)])
            for r in range(length)
        ]
        np.testing.assert_allclose(lineal_path(indicator, length - 1, axis), slow)


def test_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="bool array"):
        lineal_path(np.ones((3, 3)), 1, 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bool array"):
        chord_lengths(np.ones((3, 3)), 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="from 0 to 2 voxels"):
        lineal_path(np.ones((3, 3), dtype=bool), 3, 0)
