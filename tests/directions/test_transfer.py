"""Directions of one generator in another that was fine-tuned from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import sample_data
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.directions import (
    Gauge,
    Sweeping,
    fit_directions,
    guided_directions,
    measure_effects,
)
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.fine_tuning import fine_tune, settings_of
from napari_slicegan.training.run_folder import RunFolder
from tests.toys import train

STEPS = 60
FRACTION = ["phase_fraction"]


def blobs(fraction: float, seed: int) -> Micrograph:
    """Another material: a thresholded random field, finer than the sandstone."""
    noise = np.random.default_rng(seed).standard_normal((160, 160))
    field = gaussian_filter(noise, 4, mode="wrap")
    values = np.where(field > np.quantile(field, 1 - fraction), 255, 0)
    return Micrograph.from_array(values.astype(np.uint8), "phases", None, "blobs")


@pytest.mark.slow
def test_directions_transfer_to_a_fine_tuned_generator(tmp_path: Path) -> None:
    source = sample_data.path("varied_sandstone")
    images = TrainingImages.isotropic(
        *(blobs(f, n) for n, f in enumerate((0.2, 0.3, 0.4, 0.5, 0.6)))
    )
    config = settings_of(source).changed(
        steps=STEPS, minutes=None, monitor_interval=1000, threads=1
    )
    train(fine_tune(source, config, images, tmp_path / "run"))
    old, new = load_generator(source), RunFolder.open(tmp_path / "run").generator()
    found = fit_directions(old, "block2", n_components=1, n_samples=300)
    found = found.with_(*guided_directions(old, FRACTION, None, 150, block="block2"))
    found.check(new)
    assert not found.is_of(new)
    measured = measure_effects(
        new, found, Gauge(new, FRACTION), Sweeping(seeds=(0, 1), n_random=0)
    )
    for direction in measured:
        (effect,) = direction.effects
        assert abs(effect.spearman) >= 0.9
    again = fit_directions(new, "block2", n_components=1, n_samples=300)
    old_one, new_one = found.directions[0], again.directions[0]
    assert abs(old_one.cosine(new_one, "block2")) >= 0.8
