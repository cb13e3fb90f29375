from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.fractions import histogram_distance

RNG = np.random.default_rng(0)


def test_shift_and_spread() -> None:
    values = RNG.integers(0, 200, (40, 50)).astype(np.uint8)
    assert histogram_distance(values, values) == 0
    # every value moves by 5
    assert histogram_distance(values, values + np.uint8(5)) == pytest.approx(5)
    # half of the values 0 and half 10, against all 5: each moves by 5
    assert histogram_distance(np.array([0, 10]), np.full((3, 3), 5)) == pytest.approx(5)


def test_against_sorted_values() -> None:
    first, second = RNG.normal(0, 1, 1000), RNG.gamma(2, 1, 1000)
    # in one dimension the best transport joins the sorted values
    slow = np.abs(np.sort(first) - np.sort(second)).mean()
    assert histogram_distance(first, second) == pytest.approx(slow)
