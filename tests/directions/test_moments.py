"""Streaming mean, covariance and components against those of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.directions.components import (
    Moments,
    principal_components,
    random_share,
)


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float64]:
    """Rows far from zero, of very different spreads: 5, 4, 3, ... times a rotation."""
    rng = np.random.default_rng(0)
    turned, _ = np.linalg.qr(rng.standard_normal((12, 12)))
    spread = np.linspace(5, 0.5, 12)
    return np.asarray(100 + (rng.standard_normal((531, 12)) * spread) @ turned)


def streamed(rows: NDArray[np.float64], batch: int) -> Moments:
    moments = Moments(rows.shape[1])
    for first in range(0, len(rows), batch):
        moments.add(rows[first : first + batch])
    return moments


def test_mean_and_covariance(rows: NDArray[np.float64]) -> None:
    mean, covariance = streamed(rows, 7).result()
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(rows.T), rtol=1e-9, atol=1e-9)


def test_batches_give_the_same_bits(
    rows: NDArray[np.float64], subtests: pytest.Subtests
) -> None:
    for batch in [1, 100]:
        with subtests.test(batch=batch):
            for one, other in zip(
                streamed(rows, 7).result(), streamed(rows, batch).result(), strict=True
            ):
                np.testing.assert_array_equal(one, other)


def test_components_are_those_of_the_whole_matrix(rows: NDArray[np.float64]) -> None:
    """Singular values and right singular vectors of the centred rows, ordered."""
    found, along = principal_components(streamed(rows, 7).result()[1], 12)
    _, values, vectors = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(along, values**2 / (len(rows) - 1), rtol=1e-5)
    cosines = np.abs((found * vectors).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-5)
    np.testing.assert_allclose(found @ found.T, np.eye(12), atol=1e-12)
    largest = np.abs(found).argmax(axis=1)
    assert (found[np.arange(12), largest] > 0).all()


def test_random_directions_hold_less_than_the_first_component(
    rows: NDArray[np.float64],
) -> None:
    """About one part in twelve."""
    covariance = np.cov(rows.T)
    (_,), (largest,) = principal_components(covariance, 1)
    share = random_share(covariance)
    assert share < 0.6 * largest / np.trace(covariance)
    assert share == pytest.approx(1 / 12, abs=0.05)


def test_one_row_has_no_covariance() -> None:
    moments = Moments(3)
    moments.add(np.ones((1, 3)))
    with pytest.raises(ValueError, match="at least two samples, got 1"):
        moments.result()
