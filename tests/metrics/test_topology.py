"""Euler number, components, clusters and widths of shapes with known values."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import euler_number

from napari_slicegan.metrics.correlation import two_point_correlation
from napari_slicegan.metrics.topology import (
    component_density,
    euler_density,
    opening_radius,
    percolation_radius,
    section_euler,
    two_point_cluster,
)

GRID = np.indices((40, 40, 40)) - 19.6
RADIUS = np.sqrt((GRID**2).sum(axis=0))
BALL = RADIUS < 12
RING = np.hypot(np.hypot(GRID[1], GRID[2]) - 12, GRID[0]) < 4


SHAPES: list[tuple[NDArray[np.bool_], int]] = [
    (BALL, 1),
    (RING, 0),  # one component, one tunnel
    (BALL & (RADIUS > 6), 2),  # one component, one cavity
    (RING | (RADIUS < 3), 1),  # two components, one tunnel
    (RING[20], 0),  # an annulus
    (BALL[:, 5:35:2, 20], 1),
]


def test_euler_number_of_shapes(subtests: pytest.Subtests) -> None:
    for shape, number in SHAPES:
        with subtests.test(number=number, shape=shape.shape):
            found = euler_density(shape) * np.prod(
                [length - 1 for length in shape.shape]
            )
            assert found == pytest.approx(number, abs=1e-6)


def test_euler_number_of_noise(subtests: pytest.Subtests) -> None:
    """Each cell of n independent voxels exists with the probability p^n."""
    for shape in [(60, 70, 80), (500, 600)]:
        for p in [0.1, 0.5, 0.9]:
            with subtests.test(shape=shape, p=p):
                noise = np.random.default_rng(1).random(shape) < p
                expected = (
                    p - 3 * p**2 + 3 * p**4 - p**8
                    if len(shape) == 3
                    else p - 2 * p**2 + p**4
                )
                assert euler_density(noise) == pytest.approx(expected, abs=0.004)


def test_euler_number_agrees_with_scikit_image() -> None:
    noise = np.zeros((14, 15, 16), dtype=bool)
    noise[1:-1, 1:-1, 1:-1] = np.random.default_rng(2).random((12, 13, 14)) < 0.3
    # Face connectivity of the phase, and corner connectivity by its complement.
    for connectivity, phase in ((1, noise), (3, ~noise)):
        found = euler_density(phase) * 13 * 14 * 15
        expected = euler_number(noise, connectivity)  # type: ignore[no-untyped-call]
        assert found == pytest.approx(expected, abs=1e-6)


def test_components_count_where_they_begin() -> None:
    """Cubes at a pitch of 8; those in the first planes belong to what is before."""
    edges = np.arange(64) % 8 < 4
    cubes = edges[:, None, None] & edges[:, None] & edges
    assert component_density(np.roll(cubes, 2, (0, 1, 2))) == 8**3 / 63**3
    assert component_density(cubes) == 7**3 / 63**3
    assert component_density(~cubes) == 0
    assert component_density(np.zeros((3, 4), dtype=bool)) == 0


def test_clusters_of_layers_end() -> None:
    layers = np.broadcast_to((np.arange(32) % 8 < 4)[:, None], (32, 20))
    along, across = (two_point_cluster(layers, 8, axis) for axis in (1, 0))
    assert along == pytest.approx([0.5] * 9)
    # Pairs of one layer only: (4 - r) of the 32 - r in each of the 4 layers.
    expected = [4 * max(0, 4 - r) / (32 - r) for r in range(9)]
    assert across == pytest.approx(expected)
    assert two_point_correlation(layers, 8, 0)[8] == pytest.approx(0.5)


def test_erosion_opens_necks_and_dilation_closes_gaps() -> None:
    """Squares in rows, joined by necks of one pixel; the rows are 4 pixels apart."""
    place = np.arange(160) % 16
    square = (place < 12)[:, None] & (place < 9)
    neck = (place == 5)[:, None] & np.ones(160, dtype=bool)
    eroded = section_euler(square | neck, 6, 0) * 16**2
    # A chain has as many necks as squares; squares of 9 are gone at r = 6.
    assert eroded == pytest.approx([0, 1, 1, 1, 1, 1, 0], abs=0.15)
    dilated = -section_euler(~(square | neck), 6, 0) * 16**2
    # From r = 2 on the rows touch, but for holes where four squares meet, whose
    # middles are sqrt(2^2 + 4^2) = 4.5 pixels from the corners.
    assert dilated == pytest.approx([0, 0, -1, -1, -1, 0, 0], abs=0.15)


def test_one_count_of_cells_serves_all_erosions() -> None:
    noise = np.random.default_rng(4).random((60, 47))
    phase = gaussian_filter(noise, 3) > 0.5
    distance = distance_transform_edt(phase)
    assert distance.max() > 4
    expected = [euler_density(distance > r) for r in range(13)]
    assert section_euler(phase, 12, 0) == pytest.approx(expected)


def test_sections_of_a_volume_contain_the_axis() -> None:
    volume = np.random.default_rng(3).random((30, 20, 25)) < 0.4
    planes = [
        *(volume[:, y] for y in ((np.arange(16) + 0.5) * 20 / 16).astype(int)),
        *(volume[:, :, x] for x in ((np.arange(16) + 0.5) * 25 / 16).astype(int)),
    ]
    expected = np.mean([section_euler(plane, 4, 0) for plane in planes], axis=0)
    assert section_euler(volume, 4, 0) == pytest.approx(expected)


def test_the_narrowest_place_of_the_widest_way() -> None:
    wide = np.zeros((24, 30, 30), dtype=bool)
    wide[:, 3:14, 3:14] = True  # 11 wide: 6 voxels from the middle to the wall
    wide[10:13] = False
    wide[:, 6:11, 6:11] = True  # a neck of 5: 3 voxels
    narrow = np.zeros_like(wide)
    narrow[:, 20:23, 20:23] = True  # 3 wide throughout: 2 voxels
    assert percolation_radius(wide | narrow, 0) == 3
    assert percolation_radius(narrow, 0) == 2
    assert percolation_radius(wide | narrow, 1) == 0
    assert opening_radius(wide) == pytest.approx(6, abs=0.2)


def test_a_ball_is_filled_by_itself(subtests: pytest.Subtests) -> None:
    for radius in [4, 8, 12]:
        with subtests.test(radius=radius):
            # Its surface is a staircase: the smaller spheres reach into the corners.
            assert -0.8 < opening_radius(radius > RADIUS) - radius < 0.2


def test_limits_of_the_radii() -> None:
    nothing, everything = np.zeros((5, 6, 7), bool), np.ones((5, 6, 7), bool)
    assert percolation_radius(nothing, 1) == 0
    assert percolation_radius(everything, 1) == pytest.approx(110**0.5)
    assert np.isnan(opening_radius(nothing))
