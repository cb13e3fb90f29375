from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.metrics import pore_size
from napari_slicegan.metrics.pore_size import pore_size_function


def test_a_ball_has_the_known_function() -> None:
    grid = np.indices((64, 64, 64)) - 31.5
    ball = (grid**2).sum(0) < 28**2
    found = pore_size_function(ball, 24)
    # (1 - r / R)^3; centres of voxels lie up to half a voxel behind the surface
    r = np.arange(25)
    assert (found >= (1 - r / 28) ** 3 - 0.002).all()
    assert (found <= (1 - np.maximum(r - 0.5, 0) / 28) ** 3 + 0.002).all()


def test_layers_have_the_known_function() -> None:
    layers = np.broadcast_to(np.arange(605)[:, None, None] % 12 < 8, (605, 20, 20))
    # 8 voxels at distances 1 2 3 4 4 3 2 1: a quarter ends at each
    assert pore_size_function(np.array(layers), 5) == pytest.approx(
        [1, 0.75, 0.5, 0.25, 0, 0], abs=0.02
    )


def test_against_all_pairs() -> None:
    """Periodic truth from brute force: the border leaves no bias."""
    rng = np.random.default_rng(0)
    phase = rng.random((14, 14)) < 0.85
    tiled = np.tile(phase, (3, 3))
    others = np.argwhere(~tiled)
    inner = np.argwhere(phase) + 14
    squares = ((inner[:, None] - others) ** 2).sum(-1).min(1)
    truth = [(squares > r * r).mean() for r in range(4)]
    shifts = [np.roll(tiled, (a, b), (0, 1))[:40, :40] for a in (0, 5) for b in (0, 9)]
    found = np.mean([pore_size_function(each, 3) for each in shifts], axis=0)
    assert found == pytest.approx(truth, abs=0.03)


def test_a_small_window_tells_the_same_as_a_large_one() -> None:
    """Half of the pores' voxels are nearer to the border than to a wall."""
    layers = np.arange(2000) % 41 < 40
    phase = np.broadcast_to(layers, (60, 2000)).copy()
    whole = pore_size_function(phase, 10)
    windows = [phase[:, start : start + 40] for start in range(0, 1960, 7)]
    curves = [pore_size_function(window, 10) for window in windows]
    assert np.mean(curves, axis=0) == pytest.approx(whole, abs=0.03)


@pytest.fixture
def phase() -> NDArray[np.bool_]:
    return np.random.default_rng(4).random((30, 25, 40)) < 0.97


def test_blocks_give_what_the_whole_gives(
    phase: NDArray[np.bool_], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pore_size_function(phase, 6)
    monkeypatch.setattr(pore_size, "BLOCK_EDGE", 8)
    np.testing.assert_allclose(pore_size_function(phase, 6), whole)


def test_nothing_and_everything() -> None:
    nothing = np.zeros((8, 8), bool)
    assert np.isnan(pore_size_function(nothing, 3)).all()
    # the walls are out of sight
    assert pore_size_function(~nothing, 3) == pytest.approx([1, 1, 1, 1])
