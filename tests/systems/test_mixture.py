from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.systems.gaussian_mixture import high_quality_share, recovered_modes

MEANS = np.array([(x, y) for x in (-2.0, 0.0, 2.0) for y in (-2.0, 0.0, 2.0)])
SIGMA = 0.05


def points_at(mean: int, n: int) -> NDArray[np.float64]:
    return np.tile(MEANS[mean], (n, 1))


def test_the_mixture_itself() -> None:
    """Chi squared with two degrees of freedom: P(r < 4 sigma) = 1 - exp(-8)."""
    rng = np.random.default_rng(0)
    noise = SIGMA * rng.standard_normal((90_000, 2))
    points = MEANS[rng.integers(9, size=90_000)] + noise
    share = high_quality_share(points, MEANS, SIGMA)
    # Four standard deviations of a share of 90,000 points are 0.00025.
    assert share == pytest.approx(1 - math.exp(-8), abs=0.00025)
    assert recovered_modes(points, MEANS, SIGMA) == 9


def test_a_mode_needs_more_than_a_hundred_points() -> None:
    far = np.full((500, 2), 1.0)
    enough = np.concatenate([points_at(4, 101), far])
    too_few = np.concatenate([points_at(4, 100), far])
    assert recovered_modes(enough, MEANS, SIGMA) == 1
    assert recovered_modes(too_few, MEANS, SIGMA) == 0
    assert recovered_modes(too_few, MEANS, SIGMA, more_than=99) == 1
    assert high_quality_share(enough, MEANS, SIGMA) == pytest.approx(101 / 601)


def test_points_count_for_the_nearest_mode() -> None:
    """Three modes with 150 points each, one with 50."""
    parts = [points_at(0, 150), points_at(3, 150), points_at(8, 150), points_at(5, 50)]
    points = np.concatenate(parts)
    assert recovered_modes(points, MEANS, SIGMA) == 3
    assert high_quality_share(points, MEANS, SIGMA) == 1


def test_quality_ends_at_four_sigma() -> None:
    """4 x 0.05 = 0.2, in every direction."""
    for distance, share in [(0.199, 1), (0.201, 0)]:
        angles = np.linspace(0, 2 * np.pi, 17)
        circle = distance * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert high_quality_share(MEANS[4] + circle, MEANS, SIGMA) == share


def test_any_number_of_dimensions() -> None:
    means = np.array([[0.0], [10.0]])
    points = np.array([[0.1], [9.9], [5.0], [10.3]])
    assert high_quality_share(points, means, 0.1) == 0.75
    assert recovered_modes(points, means, 0.1, more_than=1) == 1


def test_points_that_are_not_finite_are_of_no_quality() -> None:
    """A diverged generator."""
    points = np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, 0.0]])
    assert high_quality_share(points, MEANS, SIGMA) == pytest.approx(1 / 3)


def test_refused() -> None:
    for points, means, words in [
        ((5, 3), (9, 2), r"column for each coordinate.*\(5, 3\) and \(9, 2\)"),
        ((5,), (9, 2), r"column for each coordinate.*\(5,\) and \(9, 2\)"),
        ((0, 2), (9, 2), r"at least one point and one mean; got 0 and 9"),
    ]:
        with pytest.raises(ValueError, match=words):
            high_quality_share(np.zeros(points), np.zeros(means), SIGMA)
        with pytest.raises(ValueError, match=words):
            recovered_modes(np.zeros(points), np.zeros(means), SIGMA)
