from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.surface import face_density, face_density_along


def test_plates() -> None:
    plates = np.tile(np.arange(40) // 5 % 2, (8, 9, 1))
    # along x: 7 interfaces among 39 pairs; none along the plates
    assert face_density(plates) == pytest.approx((0, 0, 7 / 39))
    assert face_density(plates[0]) == pytest.approx((0, 7 / 39))


def test_checkerboard() -> None:
    board = np.indices((4, 5, 6)).sum(0) % 2 * 255
    assert face_density(board) == (1, 1, 1)


def test_independent_voxels_of_three_phases() -> None:
    labels = np.random.default_rng(0).choice((0, 5, 9), (60, 60, 60), p=(0.5, 0.3, 0.2))
    # 1 - 0.5^2 - 0.3^2 - 0.2^2 = 0.62, in a section too
    assert face_density(labels) == pytest.approx((0.62, 0.62, 0.62), abs=0.005)
    assert face_density(labels[7]) == pytest.approx((0.62, 0.62), abs=0.03)


def test_ball() -> None:
    grid = np.indices((50, 50, 50)) - 24.5
    ball = (grid**2).sum(0) < 20**2
    # Each line that meets the ball crosses its surface twice: 2 pi R^2 faces
    expected = 2 * np.pi * 20**2 / (49 * 50 * 50)
    assert face_density(ball) == pytest.approx((expected,) * 3, rel=0.01)


def test_against_single_pairs() -> None:
    labels = np.random.default_rng(1).integers(0, 3, (4, 5, 6))
    differing = [
        labels[z, y, x] != labels[z, y + 1, x]
        for z in range(4)
        for y in range(4)
        for x in range(6)
    ]
    assert face_density_along(labels, 1) == pytest.approx(np.mean(differing))


def test_single_plane_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two voxels .* \(1, 4, 4\)"):
        face_density(np.zeros((1, 4, 4)))
