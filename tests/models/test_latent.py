"""Latent fields: numbers that depend on seed and position, on nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import kstest, pearsonr

from napari_slicegan.models.latent import LatentField

FIELD = LatentField(seed=3, channels=5)
# Crosses the origin on every axis.
WHOLE = FIELD.region((-3, 4), (-2, 3), (-4, 5))


def test_golden_values() -> None:
    """Volumes of an earlier version can be made again: these numbers never change."""
    expected = [1.5084634, -1.4107343, -0.29806182, 0.837929, 0.70016944]
    found = FIELD.region((0, 1), (0, 1), (0, 1)).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    expected = [-0.2526583, 0.6878278, -0.300315, 1.2674675, 0.2371437]
    found = FIELD.region((2, 3), (-1, 0), (-4, -3)).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_regions_agree_where_they_overlap() -> None:
    """Cut anywhere, also at the origin, the pieces are those of the whole."""
    for axis in [0, 1, 2]:
        spans = [(-3, 4), (-2, 3), (-4, 5)]
        first, last = spans[axis]
        for start, stop in itertools.combinations(range(first, last + 1), 2):
            part = list(spans)
            part[axis] = (start, stop)
            index = [slice(None)] * 4
            index[axis + 1] = slice(start - first, stop - first)
            np.testing.assert_array_equal(FIELD.region(*part), WHOLE[tuple(index)])


def test_every_position_has_numbers_of_its_own() -> None:
    """Also left of the origin no number comes twice."""
    assert len(np.unique(WHOLE)) == WHOLE.size


def test_far_positions_differ_from_near_ones() -> None:
    far = FIELD.region((0, 1), (0, 1), (2**40, 2**40 + 4))
    near = FIELD.region((0, 1), (0, 1), (0, 4))
    assert not np.isin(far, near).any()


def test_shape_and_type() -> None:
    for channels in [1, 3, 4, 9]:
        found = LatentField(0, channels).region((0, 2), (5, 8), (-1, 3))
        assert found.shape == (channels, 2, 3, 4)
        assert found.dtype == np.float32
        assert found.flags.c_contiguous


def test_the_seed_changes_every_number() -> None:
    box = ((0, 3), (0, 3), (0, 3))
    assert not (LatentField(3, 5).region(*box) == LatentField(4, 5).region(*box)).any()
    np.testing.assert_array_equal(
        LatentField(2**63 - 1, 5).region(*box), LatentField(2**63 - 1, 5).region(*box)
    )


def test_period_repeats_that_axis_alone() -> None:
    for axis in [0, 1, 2]:
        periods: list[int | None] = [None, None, None]
        periods[axis] = 3
        field = LatentField(8, 4, periods=(periods[0], periods[1], periods[2]))
        box = field.region((-6, 6), (-6, 6), (-6, 6))
        for other in range(3):
            same = np.roll(box, 3, axis=other + 1) == box
            assert same.all() if other == axis else not same.any()
        # Within the period the numbers are those of the endless field.
        endless = LatentField(8, 4).region((0, 3), (0, 3), (0, 3))
        np.testing.assert_array_equal(field.region((0, 3), (0, 3), (0, 3)), endless)


def test_normal_law() -> None:
    """Mean 0 and variance 1, in the tails too (Kolmogorov-Smirnov)."""
    values = LatentField(1, 16).region((0, 20), (0, 20), (0, 20)).ravel()
    # 128,000 numbers: a shift or a scale off by 1 % gives p < 1e-2.
    assert kstest(values, "norm").pvalue > 0.05
    assert np.isfinite(values).all()


def test_uniform_law() -> None:
    field = LatentField(1, 16, prior="uniform")
    values = field.region((0, 20), (0, 20), (0, 20)).ravel()
    assert kstest(values, "uniform", args=(-1, 2)).pvalue > 0.05
    assert np.abs(values).max() <= 1


def test_neighbours_are_independent() -> None:
    """Correlation of neighbours; its standard deviation here is 1 / sqrt(60,000)."""
    for axis in [0, 1, 2, 3]:
        values = LatentField(1, 8).region((0, 20), (0, 20), (0, 20))
        left = np.delete(values, -1, axis).ravel()
        right = np.delete(values, 0, axis).ravel()
        assert abs(pearsonr(left, right).statistic) < 4 / np.sqrt(left.size)


def test_seeds_that_are_no_keys_are_refused() -> None:
    for seed in (-1, 2**128):
        with pytest.raises(ValueError, match=r"from 0 to 2\^128 - 1, got"):
            LatentField(seed, 1)
