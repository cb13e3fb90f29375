from __future__ import annotations

import numpy as np
import pytest

from napari_slicegan.metrics.comparison import compare
from napari_slicegan.volumes.volume import Volume

RNG = np.random.default_rng(2)


def test_noise_floor_of_independent_pixels() -> None:
    images = list(np.random.default_rng(0).random((60, 40, 40)) < 0.3)
    volume = Volume(np.random.default_rng(1).random((20, 20, 20)) < 0.3, "phases")
    row = compare(images, volume, 16, ["phase_fraction"]).row("phase_fraction", 1)
    # 240 crops of 20 x 20: sd sqrt(0.3 * 0.7 / 400) = 0.0229 each, the mean of the
    # others hardly any; mean of |normal| = sqrt(2 / pi) sd = 0.0183
    assert row.noise_floor == pytest.approx(0.0183, rel=0.1)


def test_noise_floor_of_quarters() -> None:
    image = RNG.random((60, 70)) < 0.4
    volume = Volume(RNG.random((30, 30, 30)) < 0.4, "phases")
    quarters = [image[i : i + 30, j : j + 35] for i in (0, 30) for j in (0, 35)]
    curves = np.array(
        [
            [
                ((q[: 30 - r] & q[r:]).mean() + (q[:, : 35 - r] & q[:, r:]).mean()) / 2
                for r in range(10)
            ]
            for q in quarters
        ]
    )
    slow = [
        np.abs(curves[i] - np.delete(curves, i, axis=0).mean(axis=0)).mean()
        for i in range(4)
    ]
    row = compare([image], volume, 10).row("two_point_correlation", 1, "x")
    assert row.noise_floor == pytest.approx(np.mean(slow))


def test_colours_are_compared_by_channel() -> None:
    """Uniform from 0 to 199: a standard deviation of 200 / sqrt(12) = 57.7."""
    values = np.random.default_rng(0).integers(0, 200, (20, 24, 28, 3), dtype=np.uint8)
    shifted = values + np.array([0, 10, 20], dtype=np.uint8)
    comparison = compare(Volume(values, "colour"), Volume(shifted, "colour"), 8)
    for channel, shift in (("red", 0), ("green", 10), ("blue", 20)):
        row = comparison.row("histogram", channel)
        assert row.distance == pytest.approx(shift / 57.7, rel=0.01, abs=1e-9)
    row = comparison.row("normalised_autocovariance", "blue", "z")
    assert row.distance == pytest.approx(0, abs=1e-6)


def test_several_images_are_pooled_by_size() -> None:
    dark, bright = np.zeros((20, 30)), np.full((20, 10), 8.0)
    volume = Volume(np.full((10, 10, 10), 2.0), "grayscale")
    row = compare([dark, bright], volume, 8).row("histogram", "gray")
    # three quarters 0, one quarter 8: mean 2, and to 2 it is 3/4 * 2 + 1/4 * 6 = 3;
    # the variance is 3/4 * 4 + 1/4 * 36 = 12
    assert (row.real, row.distance) == pytest.approx((2, 3 / 12**0.5))
    phases = Volume(np.zeros((10, 10, 10), np.uint8), "phases", labels=(0, 1))
    two = [np.zeros((20, 30), np.uint8), np.ones((20, 10), np.uint8)]
    assert compare(two, phases, 8).row("phase_fraction", 1).real == 0.25
