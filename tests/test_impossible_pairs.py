"""Parts that cannot work together are refused before anything is trained or written."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan.config.presets import preset
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models import output_of
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config, toy_set
from tests.refusals import Refusal, assert_all_refused
from tests.toys import phases_image, train

CROPS = TrainingImages.isotropic(phases_image(48, 48))
VIEWS = TrainingImages.anisotropic(*(phases_image(48, 48, seed=n) for n in range(3)))


def start(folder: Path, name: str, data: Any, **changes: Any) -> Trainer:
    """A run in a new folder, which must not be made."""
    config = preset(name).changed(device="cpu", **changes)
    try:
        return Trainer.start(config, data, folder / "run")
    finally:
        assert not (folder / "run").exists()


def colours() -> ImageSet:
    values = np.random.default_rng(0).integers(0, 255, (4, 128, 128, 3))
    return ImageSet(values.astype(np.uint8), "photographs")


SIZES: list[Refusal] = [
    (
        "spectrogram with three channels",
        lambda f: start(f, "specgan", colours()),
        r"got an array of the shape \(4, 128, 128, 3\)",
    ),
    (
        "dense head for another size",
        lambda f: start(f, "oasis-28", toy_set(), patch_size=64),
        "generates images of 28 pixels, got .*64",
    ),
    (
        "widths that make other sizes",
        lambda f: start(f, "specgan", toy_set(), patch_size=28, scaling="min-max"),
        "double its images 5 times makes multiples of 32 pixels, got a patch of 28",
    ),
    (
        "faces of another size",
        lambda f: start(f, "realness-dcgan", toy_set(64), patch_size=64),
        "6 generator widths makes 256 pixels, got a patch of 64",
    ),
    (
        "critic that cannot halve",
        lambda f: start(f, "oasis-28", toy_set(), critic_widths=(2, 2, 2)),
        "halves its images 3 times .*, got 28 pixels",
    ),
    (
        "set of another size",
        lambda f: start(f, "oasis-28", ImageSet(ellipses(4, 64), "large")),
        "large: expected images of 28 x 28 pixels, got 64 x 64",
    ),
]
DATA: list[Refusal] = [
    (
        "volumes of a set",
        lambda f: start(f, "slicegan-fast", toy_set()),
        "makes volumes from micrographs, got a set of images",
    ),
    (
        "volumes of points",
        lambda f: start(f, "slicegan-fast", nine_gaussians()),
        "makes volumes from micrographs, got points",
    ),
    (
        "images of points",
        lambda f: start(f, "oasis-28", nine_gaussians()),
        "makes images, got points",
    ),
    (
        "points of micrographs",
        lambda f: start(f, "realness-toy", CROPS),
        "makes points, got micrographs",
    ),
    (
        "images of three directions",
        lambda f: start(f, "oasis-28", VIEWS),
        "one viewing direction, got three",
    ),
    (
        "rows of crops",
        lambda f: start(f, "oasis-28", CROPS, scaling="rows"),
        "Random crops have no rows .*, got 'Scaling'",
    ),
    (
        "rolled crops",
        lambda f: start(f, "oasis-28", CROPS, roll=3),
        "not rolled, got 'Roll' 3",
    ),
    (
        "epochs of crops",
        lambda f: start(f, "oasis-28", CROPS, epochs=2),
        "no epochs, .*, got 'Epochs' 2",
    ),
    (
        "epochs of volumes",
        lambda f: start(f, "slicegan-fast", VIEWS, epochs=2, patch_size=32),
        "no epochs, .*, got 'Epochs' 2",
    ),
    (
        "epochs of points",
        lambda f: start(f, "realness-toy", nine_gaussians(), epochs=2),
        "no epochs, .*, got 'Epochs' 2",
    ),
]
SETTINGS: list[Refusal] = [
    (
        "norm of volumes in a generator of images",
        lambda f: start(f, "oasis-28", toy_set(), normalisation="pixel"),
        "'Normalisation' .*, got pixel",
    ),
    (
        "axes of images",
        lambda f: start(f, "oasis-28", toy_set(), update_per_axis=True),
        "no axes .*, got 'Update per axis'",
    ),
    (
        "values that no generator makes",
        lambda _: output_of((0.0, 255.0)),
        r"from 0 to 1 or from -1 to 1, got the range \(0\.0, 255\.0\)",
    ),
]


def test_refused(tmp_path: Path) -> None:
    assert_all_refused([*SIZES, *DATA, *SETTINGS], tmp_path)


def test_gray_images_end_in_tanh_and_phases_in_softmax() -> None:
    """Whatever the objective: the range of the data decides, so that both agree."""
    for objective in ("bce", "wgan-gp"):
        config = small_image_config(objective=objective)
        assert Trainer(config, toy_set()).gan.generator.value_range == (-1, 1)
        assert Trainer(config, CROPS).gan.generator.value_range == "simplex"


def test_epochs_of_the_preset_do_not_keep_crops_from_being_learned() -> None:
    config = preset("oasis-28").changed(device="cpu", threads=1, steps=1)
    assert config.training.epochs == 10
    trainer = Trainer(config, CROPS)
    assert trainer.clock.training.steps == 1
    assert len(train(trainer)) == 1


@pytest.mark.parametrize(
    ("objective", "weight", "warned"),
    [("wgan-gp", 10.0, 1), ("wgan-gp", 0.0, 0), ("bce", 10.0, 0)],
)
def test_a_penalty_on_a_critic_that_mixes_images_is_warned_of(
    caplog: pytest.LogCaptureFixture, objective: str, weight: float, warned: int
) -> None:
    """Once, not in every step."""
    config = preset("specgan").changed(
        critic_normalisation="batch",
        objective=objective,
        penalty_weight=weight,
        critic_steps=2,
        generator_widths=(4, 4, 2, 2, 2),
        critic_widths=(2, 2, 2, 2, 2),
        generator_batch_size=2,
        critic_batch_size=2,
        evaluation_images=16,
        steps=2,
        scaling="min-max",
        log_offset=None,
        device="cpu",
        threads=1,
    )
    with caplog.at_level(logging.WARNING):
        train(Trainer(config, ImageSet(ellipses(16, 128), "large")))
    found = [r for r in caplog.records if "batch normalisation" in r.message]
    assert len(found) == warned
