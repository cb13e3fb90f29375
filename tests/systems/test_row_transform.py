"""Rows standardised and put back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data.transforms import transform_from_state
from napari_slicegan.systems.row_transform import RowStandardise
from tests.refusals import Refusal, assert_all_refused


def rows_of_noise(n: int = 200) -> NDArray[np.float64]:
    """Gaussian rows, each with a mean and a deviation of its own, [n, 6, 50]."""
    rng = np.random.default_rng(0)
    level = np.arange(6.0)[:, np.newaxis]
    return 10 * level + (level + 1) * rng.standard_normal((n, 6, 50))


def test_moments_are_those_of_the_rows() -> None:
    values = rows_of_noise()
    fitted = RowStandardise.fit(values)
    np.testing.assert_allclose(fitted.mean, values.mean(axis=(0, 2)))
    np.testing.assert_allclose(fitted.std, values.std(axis=(0, 2)))


def test_the_inverse_puts_rows_back() -> None:
    """Where a value is nearer than three deviations; 0.27 % of a Gaussian is not."""
    values = rows_of_noise()
    fitted = RowStandardise.fit(values)
    made = fitted.forward(values)
    assert made.shape == (200, 1, 6, 50)
    clipped = np.abs(made[:, 0].numpy()) == 1
    assert clipped.mean() == pytest.approx(0.0027, abs=0.0005)
    back = fitted.inverse(made, 1)
    np.testing.assert_allclose(back[~clipped], values[~clipped], atol=1e-4)
    # All rows alike: nothing is left of level and spread.
    np.testing.assert_allclose(made.mean(dim=(0, 1, 3)), 0, atol=0.01)
    np.testing.assert_allclose(made.std(dim=(0, 1, 3)), 1 / 3, atol=0.01)


def test_columns_are_rows_of_the_transposed_image() -> None:
    values = rows_of_noise()
    of_rows = RowStandardise.fit(values).forward(values)
    turned = values.swapaxes(1, 2)
    of_columns = RowStandardise.fit(turned, "columns").forward(turned)
    np.testing.assert_array_equal(of_rows.swapaxes(2, 3), of_columns)


def test_a_constant_row_becomes_0_and_comes_back() -> None:
    values = rows_of_noise()
    values[:, 2] = 0.1
    fitted = RowStandardise.fit(values)
    made = fitted.forward(values)
    assert made.isfinite().all()
    assert (made[:, :, 2] == 0).all()
    np.testing.assert_allclose(fitted.inverse(made, 1)[:, 2], 0.1)


def test_logarithms_are_undone() -> None:
    values = np.exp(rows_of_noise() / 10).astype(np.float32)
    fitted = RowStandardise.fit(values, log_offset=1e-6)
    np.testing.assert_allclose(
        fitted.mean, np.log(values.astype(float) + 1e-6).mean(axis=(0, 2))
    )
    made = fitted.forward(values)
    kept = np.abs(made[:, 0].numpy()) < 1
    back = fitted.inverse(made, 1)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back[kept], values[kept], rtol=1e-4)


def test_whole_numbers_stay_in_their_type() -> None:
    values = np.random.default_rng(0).integers(0, 256, (20, 4, 30)).astype(np.uint8)
    fitted = RowStandardise.fit(values)
    back = fitted.inverse(fitted.forward(values), 1)
    np.testing.assert_array_equal(back, values)


def test_the_state_survives_json_bit_by_bit() -> None:
    values = rows_of_noise()
    fitted = RowStandardise.fit(values)
    again = transform_from_state(json.loads(json.dumps(fitted.state())))
    assert again.state() == fitted.state()
    np.testing.assert_array_equal(again.forward(values), fitted.forward(values))


def fit(values: Any, **settings: Any) -> RowStandardise:
    return RowStandardise.fit(values, **settings)


CASES: list[Refusal] = [
    ("colour", lambda _: fit(np.ones((2, 4, 4, 3))), "got an array of the shape"),
    (
        "logarithm of a negative number",
        lambda _: fit(rows_of_noise(), log_offset=1e-6),
        "needs values above",
    ),
]


def test_refused(tmp_path: Any) -> None:
    assert_all_refused(CASES, tmp_path)
