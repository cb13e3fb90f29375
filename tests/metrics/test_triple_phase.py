from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_slicegan.metrics.interfaces import triple_edges, triple_phase_boundary


def test_three_sectors_meet_in_one_line_along_each_axis() -> None:
    quarter = np.array([[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 3, 3], [3, 3, 3, 3]])
    for axis in range(3):
        volume = np.stack([quarter] * 5, axis=axis)
        edges = [triple_edges(volume, other) for other in range(3)]
        # five voxels long along its axis
        assert edges == [5 if other == axis else 0 for other in range(3)]
        # one point among 3 x 3 corners, in one of three kinds of sections: 2 P_A
        assert triple_phase_boundary(volume) == pytest.approx(2 / 9 / 3)
    assert triple_phase_boundary(quarter) == pytest.approx(2 / 9)


def test_two_phases_have_none() -> None:
    labels = np.random.default_rng(0).integers(0, 2, (9, 9, 9))
    assert triple_phase_boundary(labels) == 0


def test_independent_voxels_by_counting_all_cases() -> None:
    shares = {0: 0.5, 4: 0.3, 9: 0.2}
    rng = np.random.default_rng(1)
    labels = rng.choice([*shares], (70, 70, 70), p=[*shares.values()])
    corners = itertools.product(shares, repeat=4)
    expected = sum(
        np.prod([shares[label] for label in four])
        for four in corners
        if len(set(four)) >= 3
    )
    assert triple_phase_boundary(labels) == pytest.approx(2 * expected, rel=0.01)
    section = rng.choice([*shares], (700, 700), p=[*shares.values()])
    assert triple_phase_boundary(section) == pytest.approx(2 * expected, rel=0.01)


def test_against_taufactor(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = pytest.importorskip("taufactor.metrics")
    labels = np.random.default_rng(2).integers(0, 3, (9, 8, 7))
    oracle = float(metrics.triple_phase_boundary(labels))  # per candidate edge
    candidates = 7 * 8 * 7 + 9 * 7 * 6 + 8 * 8 * 6
    ours = sum(triple_edges(labels, axis) for axis in range(3))
    assert ours == pytest.approx(oracle * candidates, rel=1e-5)


def test_a_tilted_ring() -> None:
    """A ball cut in halves: they meet with the outside in a ring."""
    grid = np.indices((80, 80, 80)) - 39.3
    ball = (grid**2).sum(0) < 30**2
    upper = grid.sum(0) > 0.1
    labels = np.where(ball, np.where(upper, 2, 1), 0)
    length = triple_phase_boundary(labels) * 80**3
    # 2 pi R, and up to 20 % more for the steps
    assert 1 <= length / (2 * np.pi * 30) <= 1.2


def test_sections_of_a_volume_have_its_boundary_on_average() -> None:
    labels = np.random.default_rng(3).integers(0, 4, (20, 20, 20))
    sections = [
        triple_phase_boundary(plane)
        for axis in range(3)
        for plane in np.moveaxis(labels, axis, 0)
    ]
    assert triple_phase_boundary(labels) == pytest.approx(np.mean(sections))


def test_a_single_plane_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two voxels .* \(1, 4, 4\)"):
        triple_phase_boundary(np.zeros((1, 4, 4), int))
