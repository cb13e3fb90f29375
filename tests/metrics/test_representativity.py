"""Predicted scatter against scatter that is counted, or known by formula."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.metrics.representativity import WANTED, representativity
from tests.reports import field


def mosaic(edge: int, cell: int, seed: int, rank: int = 2) -> NDArray[np.bool_]:
    """Independent cells, 30 % of them filled, at a random offset."""
    rng = np.random.default_rng(seed)
    cells = rng.random((edge // cell + 2,) * rank) < 0.3
    for axis in range(rank):
        cells = np.repeat(cells, cell, axis=axis)
    start = rng.integers(cell, size=rank)
    return np.array(cells[tuple(slice(s, s + edge) for s in start)])


def test_a_mosaic_has_the_integral_range_of_its_cells() -> None:
    # The covariance of cells of edge a integrates to phi (1 - phi) a^rank.
    cell = 5
    for rank, edge in ((2, 200), (3, 60)):
        mosaics = [mosaic(edge, cell, seed, rank) for seed in range(12)]
        found = [representativity([one], True) for one in mosaics]
        ranges = [one.integral_range for one in found if one is not None]
        assert np.mean(ranges) == pytest.approx(cell**rank, rel=0.2)


def test_sections_and_volume_have_the_same_range() -> None:
    """Section of a mosaic of balls would be isotropic; a smooth field is."""
    volume = field(100, 100, 100, seed=1) > 0.5
    sections = [volume[index] for index in range(0, 100, 10)]
    from_volume = representativity([volume], True)
    from_sections = representativity(sections, True)
    assert from_volume is not None
    assert from_sections is not None
    assert from_volume.volume_edge is not None
    assert from_sections.volume_edge == pytest.approx(from_volume.volume_edge, rel=0.15)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    images = [field(96, 96, seed=seed, sigma=3) > 0.5 for seed in range(150)]
    truth = np.mean(images)
    found = [representativity([image], True) for image in images]
    inside = [abs(one.fraction - truth) <= one.half_width for one in found if one]
    # Each image holds about 130 independent samples, too few to know A well: the
    # interval of 95 % holds the truth somewhat less often.
    assert 0.85 <= np.mean(inside) <= 1
    counted = np.std([image.mean() for image in images])
    predicted = np.mean([one.half_width for one in found if one]) / 1.96
    assert predicted == pytest.approx(counted, rel=0.25)


def test_a_window_of_the_required_size_is_enough() -> None:
    small = representativity([mosaic(150, 5, 0)], True)
    assert small is not None
    assert not small.is_enough
    large = representativity([mosaic(int(small.image_edge * 1.1), 5, 1)], True)
    assert large is not None
    assert large.relative == pytest.approx(WANTED, rel=0.25)


def test_a_single_phase_gives_no_result() -> None:
    assert representativity([np.ones((20, 20), bool)], True) is None
