"""Interface density, specific surface and triple-phase boundary."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_slicegan.metrics.interfaces import (
    interface_density,
    interface_density_along,
    specific_surface,
    triple_edges,
    triple_phase_boundary,
)


def test_plates() -> None:
    plates = np.tile(np.arange(40) // 5 % 2, (8, 9, 1))
    # along x: 7 interfaces among 39 pairs; none along the plates
    assert interface_density(plates) == pytest.approx((0, 0, 7 / 39))
    assert interface_density(plates[0]) == pytest.approx((0, 7 / 39))


def test_ball() -> None:
    grid = np.indices((50, 50, 50)) - 24.5
    ball = (grid**2).sum(0) < 20**2
    # Each line that meets the ball crosses its surface twice: 2 pi R^2 faces
    expected = 2 * np.pi * 20**2 / (49 * 50 * 50)
    assert interface_density(ball) == pytest.approx((expected,) * 3, rel=0.01)


def test_against_single_pairs() -> None:
    labels = np.random.default_rng(1).integers(0, 3, (4, 5, 6))
    differing = [
        labels[z, y, x] != labels[z, y + 1, x]
        for z in range(4)
        for y in range(4)
        for x in range(6)
    ]
    assert interface_density_along(labels, 1) == pytest.approx(np.mean(differing))


def test_single_plane_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least two voxels .* \(1, 4, 4\)"):
        interface_density(np.zeros((1, 4, 4)))
    with pytest.raises(ValueError, match=r"at least two voxels .* \(1, 4, 4\)"):
        triple_phase_boundary(np.zeros((1, 4, 4), int))


def test_specific_surface_of_a_ball_is_known() -> None:
    grid = np.indices((64, 64, 64)) - 31.5
    ball = (grid**2).sum(0) < 25**2
    # 4 pi R^2; of 64^3 voxels 63 * 64^2 have a neighbour along an axis, 63^2 * 64 one
    # along a diagonal
    pairs = np.mean([64 / 63, (64 / 63) ** 2])
    expected = 4 * np.pi * 25**2 / 64**3 * pairs
    assert specific_surface(ball) == pytest.approx(expected, rel=0.01)


def test_a_section_tells_the_surface_of_a_disc() -> None:
    grid = np.indices((200, 200)) - 99.5
    disc = (grid**2).sum(0) < 80**2
    # 4 / pi * L_A with L_A = 2 pi R / area
    assert specific_surface(disc) == pytest.approx(8 * 80 / 200**2, rel=0.01)


def test_a_tilted_plane_is_measured_in_every_direction() -> None:
    """Random directions of planes: one interface of area 1 per area."""
    rng = np.random.default_rng(0)
    grid = np.indices((40, 40, 40)) - 19.5
    found = []
    for normal in rng.standard_normal((60, 3)):
        normal /= np.linalg.norm(normal)
        # layers of thickness 8: a surface of 1 / 8 per volume
        phase = np.floor(np.tensordot(normal, grid, 1) / 8 + rng.random()) % 2 == 0
        found.append(specific_surface(phase))
    assert np.mean(found) == pytest.approx(1 / 8, rel=0.03)
    # a single direction is off by at most the unevenness of four directions in a plane
    assert np.ptp(found) < 0.3 / 8


def test_sections_of_a_volume_have_its_surface_on_average() -> None:
    labels = np.random.default_rng(3).integers(0, 3, (20, 20, 20))
    sections = [
        specific_surface(plane)
        for axis in range(3)
        for plane in np.moveaxis(labels, axis, 0)
    ]
    assert specific_surface(labels) == pytest.approx(np.mean(sections), rel=1e-3)


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
