"""Similarity of registered images."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_slicegan.metrics.similarity import luminance_overlap, structural_similarity

RNG = np.random.default_rng(0)


def texture(*shape: int) -> NDArray[np.float64]:
    """Smooth random values, about from -1 to 1."""
    field = gaussian_filter(RNG.standard_normal(shape), 1.5)
    return np.asarray(np.clip(field / field.std() / 2, -1, 1))


def noisy_disc(seed: int) -> NDArray[np.float64]:
    """A disc of noise on black, 64 x 64, from -1 to 1."""
    rows, columns = np.indices((64, 64)) - 31.5
    noise = np.random.default_rng(seed).uniform(-1, 1, (64, 64))
    return np.where(rows**2 + columns**2 < 20**2, noise, -1)


def test_one_window_is_the_formula() -> None:
    """Wang et al. 2004, eq. 13, on 11 x 11 pixels: a single position of the window."""
    first = texture(11, 11)
    second = 0.5 * first + 0.3 * texture(11, 11)
    steps = np.arange(-5, 6)
    line = np.exp(-(steps**2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    mean_1, mean_2 = (weights * first).sum(), (weights * second).sum()
    variance_1 = (weights * (first - mean_1) ** 2).sum()
    variance_2 = (weights * (second - mean_2) ** 2).sum()
    covariance = (weights * (first - mean_1) * (second - mean_2)).sum()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * covariance + c2) / (variance_1 + variance_2 + c2)
    found = structural_similarity(first, second, 2)
    assert found == pytest.approx(luminance * structure, abs=1e-12)


def test_bytes_are_not_multiplied_as_bytes() -> None:
    """200 x 200 does not fit in a byte."""
    first = RNG.integers(0, 256, (30, 30), dtype=np.uint8)
    second = RNG.integers(0, 256, (30, 30), dtype=np.uint8)
    found = structural_similarity(first, second, 255)
    as_float = structural_similarity(first.astype(float), second.astype(float), 255)
    assert found == as_float
    assert structural_similarity(first / 255, second / 255, 1) == pytest.approx(found)


def test_identity_symmetry_and_order() -> None:
    first, second = texture(50, 50), texture(50, 50)
    assert structural_similarity(first, first, 2) == pytest.approx(1, abs=1e-12)
    assert luminance_overlap(first, first) == pytest.approx(1, abs=1e-12)
    for measure in (lambda a, b: structural_similarity(a, b, 2), luminance_overlap):
        assert measure(first, second) == pytest.approx(measure(second, first))
    near = structural_similarity(first, first + 0.1 * second, 2)
    assert 1 > near > structural_similarity(first, first + 0.5 * second, 2) > 0.1


def test_luminance_overlap_is_its_formula() -> None:
    """(2 x y + c) / (x^2 + y^2 + c) with c = 0.0001, pixel by pixel."""
    first, second = np.array([[1.0, 0.5]]), np.array([[-1.0, 0.25]])
    expected = (-1.9999 / 2.0001 + 0.2501 / 0.3126) / 2
    assert luminance_overlap(first, second) == pytest.approx(expected)


def test_luminance_overlap_takes_background_for_likeness() -> None:
    """Unrelated discs on black: 1 on the black, two thirds of the image."""
    first, second = noisy_disc(1), noisy_disc(2)
    background = (first == -1).mean()
    found = luminance_overlap(first, second)
    assert found > 0.6
    assert found == pytest.approx(background, abs=0.05)
    # Of the part that is not black it says nothing.
    inside = first != -1
    assert abs(luminance_overlap(first[inside], second[inside])) < 0.1


def test_refused() -> None:
    rows: list[tuple[tuple[int, ...], tuple[int, ...], float, str]] = [
        ((20, 20), (20, 21), 1.0, r"same shape; got \(20, 20\) and \(20, 21\)"),
        ((20, 10), (20, 10), 1.0, r"at least 11 pixels along each.*\(20, 10\)"),
        ((20, 20), (20, 20), 0.0, r"above 0; got 0\.0"),
    ]
    for first, second, value_range, words in rows:
        with pytest.raises(ValueError, match=words):
            structural_similarity(np.zeros(first), np.zeros(second), value_range)
    # Also where numpy would repeat one of them.
    with pytest.raises(ValueError, match=r"same shape; got \(4, 4\) and \(1, 4\)"):
        luminance_overlap(np.zeros((4, 4)), np.zeros((1, 4)))
