from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_slicegan.metrics import correlation, lines
from napari_slicegan.metrics.correlation import (
    autocovariance,
    diagonal_excess,
    nugget,
    radial_two_point_correlation,
    two_point_correlation,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(0)


def overlapping_discs(shape: tuple[int, int], radius: int, density: float) -> Any:
    """Boolean model with periodic borders, True outside the discs."""
    germs = np.random.default_rng(1).random(shape) < density
    covered = np.zeros(shape, dtype=bool)
    span = range(-radius, radius + 1)
    offsets = [(i, j) for i in span for j in span if i * i + j * j <= radius**2]
    for offset in offsets:
        covered |= np.roll(germs, offset, (0, 1))
    return ~covered, set(offsets)


def mean_product(values: NDArray[Any], r: int, axis: int) -> float:
    """Slow reference: mean over the pairs, by shifted copies."""
    moved = np.moveaxis(values, axis, 0).astype(float)
    return float((moved[: len(moved) - r] * moved[r:]).mean())


def test_overlapping_discs() -> None:
    density, radius = 0.004, 6
    outside, disc = overlapping_discs((1200, 1200), radius, density)
    s2 = two_point_correlation(outside, 20, axis=0)
    for r in (0, 1, 3, 6, 12, 20):
        # Boolean model: both points free if no germ lies in the union of two discs,
        # (1 - density)^|union|; Torquato (2002), section 5.1
        union = len(disc | {(i + r, j) for i, j in disc})
        assert s2[r] == pytest.approx((1 - density) ** union, abs=0.006)


def test_against_shifted_copies() -> None:
    rows: list[tuple[int, ...]] = [(13, 17), (12, 1, 9)]
    for shape in rows:
        indicator = RNG.random(shape) < 0.4
        for axis, length in enumerate(shape):
            s2 = two_point_correlation(indicator, length - 1, axis)
            slow = [mean_product(indicator, r, axis) for r in range(length)]
            np.testing.assert_allclose(s2, slow, rtol=0, atol=1e-14)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    indicator = RNG.random((20, 21, 22)) < 0.4
    whole = [two_point_correlation(indicator, 9, axis) for axis in range(3)]
    radial = radial_two_point_correlation(indicator, 5)
    monkeypatch.setattr(lines, "BLOCK_VOXELS", 500)
    monkeypatch.setattr(correlation, "SLAB_VOXELS", 1)
    parts = [two_point_correlation(indicator, 9, axis) for axis in range(3)]
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_allclose(
        radial_two_point_correlation(indicator, 5), radial, atol=1e-7
    )


def test_radial_against_all_pairs() -> None:
    shapes: list[tuple[int, ...]] = [(9, 12), (6, 7, 9)]
    for shape in shapes:
        indicator = RNG.random(shape) < 0.4
        places = np.argwhere(np.ones(shape, dtype=bool))
        apart = places[:, np.newaxis] - places[np.newaxis]
        radius = np.rint(np.sqrt((apart**2).sum(-1))).astype(int)
        flat = indicator.ravel()
        both = flat[:, np.newaxis] & flat[np.newaxis]
        slow = [both[radius == r].mean() for r in range(6)]
        found = radial_two_point_correlation(indicator, 5)
        np.testing.assert_allclose(found, slow, atol=1e-6)


def test_radial_of_a_ball() -> None:
    grid = np.indices((60, 60, 60)) - 29.5
    ball = (grid**2).sum(0) < 20**2
    s2 = radial_two_point_correlation(ball, 12)
    # Covariogram of a ball, V (1 - 3 r / 4 R + r^3 / 16 R^3); the share of pairs with a
    # displacement of length r in the box is 1 - 3/2 r/60 + 2/pi (r/60)^2 - ...
    r, edge, volume = 12, 60, 4 / 3 * np.pi * 20**3
    covariogram = volume * (1 - 3 * r / 80 + r**3 / (16 * 20**3))
    u = r / edge
    pairs = edge**3 * (1 - 3 / 2 * u + 2 / np.pi * u**2 - u**3 / (4 * np.pi))
    assert s2[12] == pytest.approx(covariogram / pairs, rel=0.01)


def test_nugget_is_the_part_without_correlation() -> None:
    """None of smooth phases, all of independent pixels, or the share of added noise."""
    bands = np.zeros((60, 60), bool)
    bands[np.arange(60) // 10 % 2 == 1] = True
    assert nugget(bands) == pytest.approx(0, abs=0.03)
    rng = np.random.default_rng(0)
    assert nugget(rng.random((200, 200)) < 0.6) == pytest.approx(1, abs=0.03)
    # Steps of variance 1 add up along the axis; the noise adds 2 at any distance.
    walk = rng.normal(size=200_000).cumsum()
    assert nugget(walk + rng.normal(size=walk.size)) == pytest.approx(0.5, abs=0.02)
    assert nugget(np.full((8, 8), 3.0)) == 0
    # Planes of a stack may be far apart.
    assert nugget(np.stack([bands, ~bands])) == pytest.approx(0, abs=0.03)


def test_autocovariance_of_a_wave() -> None:
    waves = np.tile(5 + 3 * np.sin(2 * np.pi * np.arange(1600) / 16), (4, 1))
    # 3^2 / 2 * cos(2 pi r / 16), whatever the mean
    expected = 4.5 * np.cos(2 * np.pi * np.arange(20) / 16)
    np.testing.assert_allclose(autocovariance(waves, 19, 1), expected, atol=0.02)


def test_wrong_input() -> None:
    rows: list[tuple[Any, int, str]] = [
        (np.ones((4, 5), dtype=np.uint8), 2, "bool array .* got uint8"),
        (np.ones((0, 5), dtype=bool), 2, "at least one voxel"),
        (
            np.ones((4, 5), dtype=bool),
            4,
            "from 0 to 3 voxels along an axis of 4; got 4",
        ),
    ]
    for indicator, max_distance, message in rows:
        with pytest.raises(ValueError, match=message):
            two_point_correlation(indicator, max_distance, 0)
        with pytest.raises(ValueError, match=message):
            radial_two_point_correlation(indicator, max_distance)


def test_diagonals_of_an_isotropic_material() -> None:
    discs, _ = overlapping_discs((1200, 1200), 6, 0.004)
    assert np.abs(diagonal_excess(discs, 20)).max() < 0.01


def test_diagonals_of_squares() -> None:
    """Squares of 8 pixels at a pitch of 16 in every plane of a volume."""
    open_ = np.arange(160) % 16 < 8
    squares = open_[:, None] & open_
    excess = diagonal_excess(squares, 12)
    assert excess[0] == pytest.approx(0)
    # Shifted by (8, 8), which is 11.3 pixels, no squares overlap; by (0, 11), 3 of 16
    # columns do, in every second row. At 11 the spline lies near its zero.
    assert excess[11] == pytest.approx(-3 / 16 / 2, abs=0.01)
    columns = np.broadcast_to(squares, (40, 160, 160))
    # In the two planes along the columns, a diagonal runs through them like an axis.
    along = [two_point_correlation(columns, 12, axis)[11] for axis in range(3)]
    of_rows = np.interp(11 / 2**0.5, range(13), two_point_correlation(columns, 12, 1))
    expected = 2 / 3 * of_rows - np.mean(along)
    assert diagonal_excess(columns, 12)[11] == pytest.approx(expected, abs=0.01)
