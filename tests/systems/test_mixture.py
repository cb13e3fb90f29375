"""Coverage of a mixture of Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.systems.gaussian_mixture import mixture_coverage

MEANS = np.array([(x, y) for x in (-2.0, 0.0, 2.0) for y in (-2.0, 0.0, 2.0)])
SIGMA = 0.05


def points_at(mean: int, n: int) -> NDArray[np.float64]:
    return np.tile(MEANS[mean], (n, 1))


def test_a_mode_needs_more_than_a_hundred_points() -> None:
    far = np.full((500, 2), 1.0)
    enough = np.concatenate([points_at(4, 101), far])
    too_few = np.concatenate([points_at(4, 100), far])
    assert mixture_coverage(enough, MEANS, SIGMA) == (101 / 601, 1)
    assert mixture_coverage(too_few, MEANS, SIGMA) == (100 / 600, 0)
    assert mixture_coverage(too_few, MEANS, SIGMA, more_than=99)[1] == 1


def test_points_count_for_the_nearest_mode() -> None:
    """Three modes with 150 points each, one with 50."""
    parts = [points_at(0, 150), points_at(3, 150), points_at(8, 150), points_at(5, 50)]
    assert mixture_coverage(np.concatenate(parts), MEANS, SIGMA) == (1, 3)


def test_quality_ends_at_four_sigma() -> None:
    """4 x 0.05 = 0.2, in every direction."""
    for distance, fraction in [(0.199, 1), (0.201, 0)]:
        angles = np.linspace(0, 2 * np.pi, 17)
        circle = distance * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert mixture_coverage(MEANS[4] + circle, MEANS, SIGMA)[0] == fraction


def test_any_number_of_dimensions() -> None:
    means = np.array([[0.0], [10.0]])
    points = np.array([[0.1], [9.9], [5.0], [10.3]])
    assert mixture_coverage(points, means, 0.1, more_than=1) == (0.75, 1)


def test_points_that_are_not_finite_are_of_no_quality() -> None:
    """A diverged generator."""
    points = np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, 0.0]])
    assert mixture_coverage(points, MEANS, SIGMA)[0] == pytest.approx(1 / 3)


def test_refused() -> None:
    for points, means, words in [
        ((5, 3), (9, 2), r"column for each coordinate.*\(5, 3\) and \(9, 2\)"),
        ((5,), (9, 2), r"column for each coordinate.*\(5,\) and \(9, 2\)"),
        ((0, 2), (9, 2), r"at least one point and one mean; got 0 and 9"),
    ]:
        with pytest.raises(ValueError, match=words):
            mixture_coverage(np.zeros(points), np.zeros(means), SIGMA)
