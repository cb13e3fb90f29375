from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.interfaces import (
    interface_density,
    interface_density_along,
    specific_surface,
)


def test_plates() -> None:
    plates = np.tile(np.arange(40) // 5 % 2, (8, 9, 1))
    # along x: 7 interfaces among 39 pairs; none along the plates
    assert interface_density(plates) == pytest.approx((0, 0, 7 / 39))
    assert interface_density(plates[0]) == pytest.approx((0, 7 / 39))


def test_checkerboard() -> None:
    board = np.indices((4, 5, 6)).sum(0) % 2 * 255
    assert interface_density(board) == (1, 1, 1)


def test_independent_voxels_of_three_phases() -> None:
    labels = np.random.default_rng(0).choice((0, 5, 9), (60, 60, 60), p=(0.5, 0.3, 0.2))
    # 1 - 0.5^2 - 0.3^2 - 0.2^2 = 0.62, in a section too
    assert interface_density(labels) == pytest.approx((0.62, 0.62, 0.62), abs=0.005)
    assert interface_density(labels[7]) == pytest.approx((0.62, 0.62), abs=0.03)


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
