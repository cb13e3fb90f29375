"""Training on every kind of image, isotropic or not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.trainer import Trainer
from tests.toys import smooth_field, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig


@pytest.mark.parametrize(
    ("kind", "channels", "objective", "architecture"),
    [
        ("grayscale", 1, "wgan-gp", "slicegan"),
        ("colour", 3, "r3gan", "slicegan-rc"),
    ],
)
def test_gray_and_colour_train(
    toy_config: RunConfig, kind: Any, channels: int, objective: str, architecture: str
) -> None:
    """Three steps without a folder; the preview has the values of the micrograph."""
    field = smooth_field(40, 48, channels)
    values = (90 + 60 * field / np.abs(field).max()).astype(np.uint8)
    image = Micrograph.from_array(values if channels == 3 else values[..., 0], kind)
    config = toy_config.changed(
        objective=objective,
        architecture=architecture,
        steps=3,
        monitor_interval=3,
    )
    trainer = Trainer(config, TrainingImages.isotropic(image))
    report = train(trainer)[-1]
    assert math.isfinite(report.critic_loss + report.generator_loss)
    assert report.preview is not None
    assert report.preview.kind == kind
    made = report.preview.values
    assert made.dtype == np.uint8
    assert made.shape == (24, 24, 24, 3)[: 2 + (channels == 3) + 1]
    # Not one constant value, as from a softmax over one channel.
    assert made.std() > 0.1
    assert report.quality is not None
    assert math.isfinite(report.quality.correlation_distance)


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [("phases", "slicegan"), ("grayscale", "slicegan-rc")],
)
def test_by_default_the_architecture_suits_the_images(
    toy_config: RunConfig, kind: Any, architecture: str, tmp_path: Path
) -> None:
    """Also in the generator that a run leaves."""
    assert toy_config.architecture.architecture == "auto"
    field = smooth_field(40, 48, 3)
    values = (90 + 60 * field / np.abs(field).max()).astype(np.uint8)
    if kind == "phases":
        values = (values[..., 0] > 90).astype(np.uint8)
    elif kind == "grayscale":
        values = values[..., 0]
    image = Micrograph.from_array(values, kind)
    config = toy_config.changed(steps=1)
    train(Trainer.start(config, TrainingImages.isotropic(image), tmp_path / "run"))
    spec = load_generator(tmp_path / "run" / "generator.safetensors").network.spec
    assert spec.architecture == architecture


def test_anisotropic_runs_keep_all_three_critics(
    toy_config: RunConfig, toy_views: TrainingImages, tmp_path: Path
) -> None:
    """In the checkpoint, all of them trained, none like another, plain keys."""
    trainer = Trainer.start(toy_config, toy_views, tmp_path / "run")
    initial = [p.detach().clone() for p in trainer.gan.critics.parameters()]
    train(trainer, stop_at=2)
    assert trainer.folder is not None
    critics = trainer.folder.load_checkpoint()["game"]["critics"]
    layers = {key.split(".", 1)[1] for key in critics}
    assert set(critics) == {f"{n}.{layer}" for n in range(3) for layer in layers}
    assert not any("module." in key for key in critics)
    for layer in layers:
        weights = [critics[f"{n}.{layer}"] for n in range(3)]
        assert not torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[1], weights[2])
    for before, after in zip(initial, critics.values(), strict=True):
        assert not torch.equal(before, after)


def test_anisotropic_crops_come_from_their_own_image(toy_config: RunConfig) -> None:
    """The three images differ in their phase fractions."""
    images = []
    for number in range(3):
        values = np.zeros((40, 48), np.uint8)
        values[:, : 12 * (number + 1)] = 1
        images.append(Micrograph.from_array(values, "phases"))
    views = TrainingImages.anisotropic(z=images[0], y=images[1], x=images[2])
    trainer = Trainer(toy_config, views)
    rng = torch.Generator().manual_seed(0)
    for number, sampler in enumerate(trainer.samplers):
        crops = sampler.sample(200, rng)
        # Columns of a crop of 16 start anywhere from 0 to 32.
        edge = 12 * (number + 1)
        starts = np.arange(33)
        share = np.clip(edge - starts, 0, 16).mean() / 16
        assert crops[:, 1].mean().item() == pytest.approx(share, abs=0.1)


SYMMETRIES: list[tuple[str, bool, bool]] = [
    ("auto", True, True),
    ("auto", False, False),
    ("rotations", False, True),
]


def test_symmetries(toy_config: RunConfig, subtests: pytest.Subtests) -> None:
    """By itself only an isotropic material is turned: stripes along x stay so."""
    for symmetries, isotropic, turned in SYMMETRIES:
        with subtests.test(symmetries=symmetries, isotropic=isotropic, turned=turned):
            values = np.zeros((40, 48), np.uint8)
            values[::2] = 1
            image = Micrograph.from_array(values, "phases")
            images = (
                TrainingImages.isotropic(image)
                if isotropic
                else TrainingImages.anisotropic(image, image, image)
            )
            trainer = Trainer(toy_config.changed(augmentation=symmetries), images)
            crops = trainer.samplers[0].sample(50, torch.Generator().manual_seed(0))
            lies = (crops[:, 1] == crops[:, 1, :, :1]).flatten(1).all(dim=1)
            assert bool(lies.all()) != turned


def test_three_phases(toy_config: RunConfig) -> None:
    """Labels of any value, in any amount, come back in the preview."""
    field = smooth_field(40, 48)
    values = np.select([field < -0.05, field > 0.05], [3, 250], 90).astype(np.uint8)
    images = TrainingImages.isotropic(Micrograph.from_array(values, "phases"))
    trainer = Trainer(toy_config.changed(steps=2), images)
    train(trainer)
    preview = trainer.preview()
    assert preview.labels == (3, 90, 250)
    assert set(np.unique(preview.values)) <= {3, 90, 250}
