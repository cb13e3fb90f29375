"""Phase fractions and gray-value histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.metrics.representativity import slice_fractions
from napari_slicegan.metrics.rows import Histogram


def test_slices_of_a_block_in_a_box() -> None:
    labels = np.zeros((4, 5, 10), dtype=np.uint8)
    labels[:2, :, :4] = 7
    # 20 of 50 voxels in the planes z < 2, 8 of 40 in each y, 10 of 20 where x < 4
    np.testing.assert_allclose(slice_fractions(labels, 7, 0), [0.4, 0.4, 0, 0])
    np.testing.assert_allclose(slice_fractions(labels, 7, 1), [0.2] * 5)
    np.testing.assert_allclose(slice_fractions(labels, 7, 2), [0.5] * 4 + [0] * 6)


RNG = np.random.default_rng(0)


def histogram_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    return Histogram.of(first).distance(Histogram.of(second))


def test_histogram_distance() -> None:
    values = RNG.integers(0, 200, (40, 50)).astype(np.uint8)
    assert histogram_distance(values, values) == 0
    # every value moves by 5
    assert histogram_distance(values, values + np.uint8(5)) == pytest.approx(5)
    # half of the values 0 and half 10, against all 5: each moves by 5
    assert histogram_distance(np.array([0, 10]), np.full((3, 3), 5)) == pytest.approx(5)
    first, second = RNG.normal(0, 1, 1000), RNG.gamma(2, 1, 1000)
    # in one dimension the best transport joins the sorted values
    slow = np.abs(np.sort(first) - np.sort(second)).mean()
    assert histogram_distance(first, second) == pytest.approx(slow)
