"""Thresholds and filters, against known answers and scikit-image."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.filters import threshold_multiotsu, threshold_otsu

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.segmentation import denoise, otsu_thresholds, segment


def bands(*levels: float, noise: float, seed: int = 0) -> NDArray[np.uint8]:
    """Horizontal bands of equal height, one for each gray level, with noise."""
    rng = np.random.default_rng(seed)
    clean = np.repeat(levels, 20)[:, np.newaxis].repeat(90, axis=1)
    return np.clip(clean + rng.normal(0, noise, clean.shape), 0, 255).astype(np.uint8)


def band_index(n: int) -> NDArray[np.intp]:
    return np.repeat(np.arange(n), 20)[:, np.newaxis].repeat(90, axis=1)


def between_variance(values: NDArray[Any], thresholds: tuple[float, ...]) -> float:
    """Otsu's criterion straight from its definition, without a histogram."""
    classes = np.digitize(values, thresholds, right=True)
    parts = [values[classes == k] for k in range(len(thresholds) + 1)]
    if any(part.size == 0 for part in parts):
        return -np.inf
    mean = values.mean()
    return float(np.sum([part.size * (part.mean() - mean) ** 2 for part in parts]))


def test_otsu_threshold_agrees_with_scikit_image() -> None:
    values = bands(70, 160, noise=25)
    expected = threshold_otsu(values)  # type: ignore[no-untyped-call]
    assert otsu_thresholds(values, 2) == pytest.approx((expected,))


def test_multi_otsu_agrees_with_scikit_image() -> None:
    values = bands(40, 90, 150, 210, noise=18)
    expected = threshold_multiotsu(values, 4)  # type: ignore[no-untyped-call]
    assert otsu_thresholds(values, 4) == pytest.approx(tuple(expected))


def test_otsu_is_the_best_of_all_thresholds(subtests: pytest.Subtests) -> None:
    for n_phases in [2, 4]:
        with subtests.test(n_phases=n_phases):
            rng = np.random.default_rng(n_phases)
            values = rng.integers(0, 14, 300)
            tried = itertools.combinations(range(13), n_phases - 1)
            best = max(between_variance(values, cuts) for cuts in tried)
            found = between_variance(values, otsu_thresholds(values, n_phases))
            assert found == pytest.approx(best)


def test_sixteen_phases_are_found() -> None:
    # Levels 0, 16, ..., 240 with noise well below half their distance.
    values = bands(*np.arange(16) * 16 + 7.0, noise=1.5)
    settings = MicrographSettings(segmentation="multi-otsu", n_phases=16)
    np.testing.assert_array_equal(segment(values, settings, "a"), band_index(16))


def test_any_depth_gives_the_same_phases(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[str, Any]] = [
        ("u1", "otsu"),
        ("i4", "multi-otsu"),
        ("f8", "otsu"),
    ]
    for dtype, method in cases:
        with subtests.test(dtype):
            values = bands(30, 110, noise=8)
            scale = {"u1": 1, "i4": 1_000_003, "f8": 1e-9}[dtype]
            settings = MicrographSettings(segmentation=method, n_phases=2)
            phases = segment(
                (values.astype(float) * scale).astype(dtype), settings, "a"
            )
            assert phases.dtype == np.uint8
            np.testing.assert_array_equal(phases, band_index(2))


def test_given_thresholds_leave_the_border_value_below() -> None:
    values = np.array([[0, 10, 11], [20, 21, 255]], dtype=np.uint8)
    settings = MicrographSettings(segmentation="thresholds", thresholds=(10, 20))
    expected = [[0, 0, 1], [1, 2, 2]]
    np.testing.assert_array_equal(segment(values, settings, "a"), expected)


def test_local_threshold_sees_through_uneven_light() -> None:
    # Stripes of contrast 30 on a ramp from 0 to 150: no single threshold finds them.
    stripes = (np.arange(120) // 6 % 2)[np.newaxis].repeat(120, axis=0)
    ramp = np.linspace(0, 150, 120)[np.newaxis].repeat(120, axis=0)
    values = (30 * stripes + ramp).astype(np.uint8)
    local = MicrographSettings(segmentation="local", local_window=25)
    inner = np.s_[:, 15:-15]
    found = segment(values, local, "a")[inner]
    assert (found == stripes[inner]).mean() > 0.97
    one = segment(values, MicrographSettings(segmentation="otsu"), "a")[inner]
    assert (one == stripes[inner]).mean() < 0.7


def test_planes_of_a_volume_are_thresholded_one_by_one() -> None:
    planes = [bands(60, 120, noise=5, seed=seed) for seed in range(3)]
    settings = MicrographSettings(segmentation="local", local_window=31)
    whole = segment(np.stack(planes), settings, "a")
    for plane, phases in zip(planes, whole, strict=True):
        np.testing.assert_array_equal(segment(plane, settings, "a"), phases)


def test_median_removes_single_pixels_and_keeps_edges() -> None:
    clean = band_index(2).astype(np.uint16) * 1000
    noisy = clean.copy()
    noisy[5::10, 5::10] = 60000
    filtered = denoise(noisy, "median", 1)
    assert filtered.dtype == np.uint16
    np.testing.assert_array_equal(filtered, clean)


def test_gaussian_has_the_width_asked_for() -> None:
    # A point spreads to a Gaussian; its second moment per axis is sigma^2 = 4.
    values = np.zeros((41, 41))
    values[20, 20] = 1
    smooth = denoise(values, "gaussian", 2)
    offset = np.arange(41) - 20
    assert smooth.sum() == pytest.approx(1)
    assert (smooth.sum(axis=0) * offset**2).sum() == pytest.approx(4, rel=0.02)


def test_denoising_keeps_type_and_range() -> None:
    values = bands(60, 200, noise=30)
    smooth = denoise(values, "gaussian", 1.5)
    assert smooth.dtype == np.uint8
    # Mean is kept to within rounding; the spread inside a band shrinks.
    assert smooth.mean() == pytest.approx(values.mean(), abs=0.6)
    assert smooth[3:15].std() < values[3:15].std() / 2


def test_filters_work_in_three_dimensions() -> None:
    volume = np.zeros((9, 9, 9), dtype=np.uint8)
    volume[4, 4, 4] = 200
    assert denoise(volume, "median", 1).max() == 0
    spread = denoise(volume.astype(float), "gaussian", 1)
    assert spread[3, 4, 4] == pytest.approx(spread[4, 4, 3])
    assert spread[3, 4, 4] > 0
