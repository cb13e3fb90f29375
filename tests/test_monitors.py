"""How good a run is while it trains."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from napari_slicegan.micrograph import Micrograph
from napari_slicegan.monitors import Quality, QualityMonitor
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.volume import Volume
from tests.toys import phases_image, smooth_field


def volume_of(size: int, threshold: float, seed: int = 5) -> Volume:
    values = np.where(smooth_field(size, size, size, seed=seed) > threshold, 207, 7)
    return Volume(values.astype(np.uint8), "phases", 5.0, (7, 207))


def test_a_volume_like_the_image_is_near_the_noise_floor() -> None:
    """The same random field in 3-D; with fewer pores it is far away."""
    monitor = QualityMonitor(TrainingImages.isotropic(phases_image(160, 160)))
    fraction = float((phases_image(160, 160).values == 207).mean())
    field = smooth_field(64, 64, 64, seed=5)
    good = monitor.measure(volume_of(64, float(np.quantile(field, 1 - fraction))))
    bad = monitor.measure(volume_of(64, float(np.quantile(field, 0.9))))
    assert good.fraction_distance < 0.01
    assert bad.fraction_distance == pytest.approx(abs(fraction - 0.1), abs=0.01)
    assert good.correlation_distance < 2 * good.correlation_floor
    assert bad.correlation_distance > 5 * good.correlation_distance
    assert (good.fraction_floor, good.correlation_floor) == (
        bad.fraction_floor,
        bad.correlation_floor,
    )


def test_rough_volumes_are_told() -> None:
    """Half the voxels along each axis double the face density: a difference of 1."""
    image = np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((8, 8), int))
    monitor = QualityMonitor(
        TrainingImages.isotropic(Micrograph.from_array(image, "phases"))
    )
    coarse = np.kron(np.indices((8, 8, 8)).sum(axis=0) % 2, np.ones((4, 4, 4), int))
    # Faces: 15 in 127 pairs of pixels, 7 in 31 pairs of voxels.
    expected = (7 / 31) / (15 / 127) - 1
    quality = monitor.measure(Volume(coarse.astype(np.uint8), "phases"))
    assert quality.roughness == pytest.approx(expected)


def test_gray_values_have_no_faces() -> None:
    gray = (100 + 900 * smooth_field(80, 80)).astype(np.float32)
    monitor = QualityMonitor(
        TrainingImages.isotropic(Micrograph.from_array(gray, "grayscale"))
    )
    volume = (100 + 900 * smooth_field(40, 40, 40)).astype(np.float32)
    quality = monitor.measure(Volume(volume, "grayscale"))
    assert math.isnan(quality.roughness)
    assert math.isfinite(quality.correlation_distance + quality.fraction_distance)


def test_columns_of_the_history() -> None:
    """The same columns, measured or not."""
    names = [field.name for field in fields(Quality)]
    quality = Quality(*map(float, range(len(names))))
    assert Quality.columns(quality) == dict(zip(names, range(len(names)), strict=True))
    assert Quality.columns(None) == dict.fromkeys(names, "")
