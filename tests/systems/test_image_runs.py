"""Runs whose generator makes images."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_slicegan.cli import parser as cli
from napari_slicegan.config.presets import preset
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.samples import generate_images
from napari_slicegan.models import build_generator, generator_spec
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.image_task import ImageQuality
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.estimates import estimate
from napari_slicegan.training.fine_tuning import settings_of
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import ellipses, small_image_config, toy_set
from tests.toys import finish_of, parameter_count, phases_image, train
from tests.training.test_resume import final_state

CLIPPED = {"objective": "wgan", "critic_optimiser": "rmsprop", "critic_steps": 2}
VARIANTS: dict[str, dict[str, Any]] = {
    "bce": {},
    "averaged realness": {
        "objective": "realness",
        "feature_resampling": True,
        "ema_decay": 0.9,
        "monitor_interval": 2,
    },
    "wgan": CLIPPED,
    "sgd": {"critic_optimiser": "sgd", "share_batch": False},
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_three_and_three_steps_are_six(tmp_path: Path, variant: str) -> None:
    """Weights, moments, dropout, statistics, random numbers: bit by bit."""
    config = small_image_config(**VARIANTS[variant])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    torch.manual_seed(1)
    reports = train(Trainer.start(config, toy_set(), whole))
    train(Trainer.start(config, toy_set(), parts), stop_at=3)
    torch.manual_seed(2)
    resumed = train(Trainer.resume(parts))
    expected, found = final_state(whole), final_state(parts)
    assert set(expected) == set(found)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    for a, b in zip(reports[3:], resumed, strict=True):
        assert a.critic_loss == b.critic_loss
        assert a.generator_loss == b.generator_loss
        assert a.quality == b.quality


def test_a_run_resumes_after_ten_epochs(tmp_path: Path) -> None:
    """Bit by bit like an uninterrupted one, with a sheet for each epoch."""
    config = small_image_config(epochs=10, steps=1000, generator_batch_size=20)
    config = config.changed(critic_batch_size=20, share_batch=True)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(Trainer.start(config.changed(epochs=11), toy_set(), whole))
    trainer = Trainer.start(config, toy_set(), parts)
    assert finish_of(trainer) is FinishReason.STEPS
    # 40 images in batches of 20.
    assert trainer.step == 20
    train(Trainer.resume(parts, epochs=11))
    expected, found = final_state(whole), final_state(parts)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    names = sorted(path.name for path in (parts / "sheets").iterdir())
    assert names == [f"{epoch:04d}.png" for epoch in range(12)]


def test_other_settings_under_the_same_name_are_refused(tmp_path: Path) -> None:
    config = small_image_config(steps=1)
    train(Trainer.start(config, toy_set(), tmp_path / "run"))
    with pytest.raises(ValueError, match="resume the run in it"):
        Trainer.start(config, toy_set(), tmp_path / "run")
    with pytest.raises(ValueError, match=r"'Objective'.* cannot be changed"):
        Trainer.resume(tmp_path / "run", objective="lsgan")


def test_sheets_show_the_same_noise(tmp_path: Path) -> None:
    """With a learning rate near 0 nothing moves, so only the noise could differ."""
    config = small_image_config(steps=10, generator_lr=1e-30, ema_decay=0.999)
    config = config.changed(normalisation="none")
    train(Trainer.start(config, toy_set(), tmp_path / "run"))
    files = sorted((tmp_path / "run" / "sheets").iterdir())
    first, *others = [read_image(file).values for file in files]
    assert len(others) == 2
    # 4 x 4 images of 28 pixels, enlarged three times, with a line of 2 between.
    assert first.shape == (4 * (3 * 28 + 2),) * 2
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_checkpoint_has_twelve_bytes_for_each_weight(tmp_path: Path) -> None:
    """Weights and Adam's two moments; averaged weights only where there are some."""
    config = preset("oasis-28").changed(steps=1, epochs=None, device="cpu", threads=1)
    trainer = Trainer.start(config, toy_set(), tmp_path / "run")
    train(trainer)
    (checkpoint,) = RunFolder.open(tmp_path / "run").checkpoints()
    weights = parameter_count(trainer.gan.generator)
    weights += parameter_count(trainer.gan.critics)
    assert checkpoint.stat().st_size == pytest.approx(12 * weights, rel=0.05)


def test_images_of_a_run(tmp_path: Path) -> None:
    """Image i depends on the seed and on i only; values are those of the data."""
    train(Trainer.start(small_image_config(), toy_set(), tmp_path / "run"))
    trained = load_any_generator(tmp_path / "run")
    images = generate_images(trained, 70, seed=3).values
    assert images.shape == (70, 28, 28)
    assert images.dtype == np.uint8
    assert images.min() >= 20
    assert images.max() <= 230
    np.testing.assert_array_equal(images[:5], generate_images(trained, 5, 3).values)
    assert (images != generate_images(trained, 70, seed=4).values).any()
    with pytest.raises(ValueError, match="got one of images"):
        load_generator(tmp_path / "run")


def test_crops_of_micrographs(tmp_path: Path, toy_images: TrainingImages) -> None:
    """Phases end in softmax, gray values in tanh; there are no epochs."""
    config = small_image_config(steps=2)
    micrograph = phases_image(40, 48)
    images = TrainingImages.isotropic(micrograph)
    trainer = Trainer.start(config, images, tmp_path / "a")
    assert trainer.gan.generator.value_range == "simplex"
    train(trainer)
    made = generate_images(load_any_generator(tmp_path / "a"), 4).values
    assert set(np.unique(made)) <= {7, 207}
    gray = micrograph.with_values(micrograph.values, "grayscale")
    other = Trainer(config, TrainingImages.isotropic(gray))
    assert other.gan.generator.value_range == (-1, 1)
    with pytest.raises(ValueError, match="no epochs"):
        Trainer(config.changed(epochs=2), toy_images)


def test_what_does_not_fit_is_refused(toy_views: TrainingImages) -> None:
    with pytest.raises(ValueError, match="makes volumes from micrographs"):
        Trainer(preset("slicegan-fast"), toy_set())
    with pytest.raises(ValueError, match="one viewing direction, got three"):
        Trainer(small_image_config(), toy_views)
    with pytest.raises(ValueError, match="expected images of 64 x 64 pixels"):
        Trainer(preset("oasis-64"), toy_set())
    with pytest.raises(ValueError, match="no axes"):
        Trainer(small_image_config(update_per_axis=True), toy_set())
    with pytest.raises(ValueError, match="Micrographs have no epochs"):
        Trainer(preset("slicegan-fast").changed(epochs=1), toy_views)


def test_more_images_than_fit_in_memory_are_refused(tmp_path: Path) -> None:
    trainer = Trainer.start(small_image_config(), toy_set(), tmp_path / "run")
    trainer.save()
    trained = load_any_generator(tmp_path / "run")
    with pytest.raises(ValueError, match=r"The samples: .*; lower their number"):
        generate_images(trained, 10**12)


def test_aligned_images_have_a_similarity(tmp_path: Path) -> None:
    for aligned in (True, False):
        config = small_image_config(steps=1, monitor_interval=1, aligned=aligned)
        (report,) = train(Trainer.start(config, toy_set(), tmp_path / str(aligned)))
        assert isinstance(report.quality, ImageQuality)
        assert report.quality.swd > report.quality.swd_floor > 0
        assert math.isfinite(report.quality.ssim) == aligned
        # On the terminal beside the distance.
        assert ("SSIM" in report.quality.sentence()) == aligned
    (row,) = RunFolder.open(tmp_path / "True").history()
    assert float(row["swd"]) > 0


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A volume is cut, trained on, resumed, and images are drawn."""
    tifffile.imwrite(tmp_path / "brain.tif", ellipses(40))
    run = tmp_path / "run"
    small = "--generator-widths 8 6 4 --critic-widths 4 6 --judged-images 16"
    words = f"train {tmp_path}/brain.tif --preset oasis-28 --cut-axis z --out {run}"
    assert cli.main(f"{words} {small} --epochs 1 --device cpu".split()) == 0
    assert f"slicegan sample {run}" in capsys.readouterr().out
    assert cli.main(f"resume {run} --epochs 2".split()) == 0
    assert len(list((run / "sheets").iterdir())) == 3
    sheet = tmp_path / "sheet.png"
    assert cli.main(f"sample {run} --count 20 --sheet {sheet}".split()) == 0
    assert tifffile.imread(run / "samples-seed0.tif").shape == (20, 28, 28)
    with Image.open(sheet) as picture:
        assert picture.size == (344, 344)
    assert cli.main(f"sample {tmp_path} --count 20".split()) == 2
    assert cli.main(f"sample {run} --out {tmp_path}/x.png".split()) == 2
    assert cli.main(f"generate {run}".split()) == 2
    assert cli.main(f"info {run}".split()) == 0
    assert "dcgan-28" in capsys.readouterr().out


def small_words(folder: Path, *words: str) -> list[str]:
    """A command that trains small networks on ellipses for an epoch of two steps."""
    if not (folder / "brain.tif").exists():
        tifffile.imwrite(folder / "brain.tif", ellipses(40))
    small = "--width-multiplier 0.03 --batch-size 20 --evaluation-images 16"
    return [
        *("train", str(folder / "brain.tif"), "--preset", "oasis-28"),
        *("--out", str(folder / "run"), "--device", "cpu", *small.split()),
        *(words or ("--cut-axis", "z", "--epochs", "1")),
    ]


def test_the_same_command_resumes_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It trains as long again; other settings or data need another folder."""
    words, run = small_words(tmp_path), RunFolder(tmp_path / "run")
    for call in (1, 2, 3):
        assert cli.main(words) == 0
        assert run.saved_steps()[0] == 2 * call
        assert run.config().training.epochs == call
    assert "holds this run: it has ended" in capsys.readouterr().out
    names = [path.name for path in sorted((run.path / "sheets").iterdir())]
    assert names == ["0000.png", "0001.png", "0002.png", "0003.png"]
    assert cli.main([*words, "--objective", "lsgan"]) == 2
    assert "'Objective'" in capsys.readouterr().err
    tifffile.imwrite(tmp_path / "brain.tif", ellipses(40, seed=1))
    assert cli.main(words) == 2
    assert "training data" in capsys.readouterr().err
    assert cli.main([*words, "--new"]) == 0
    assert len(list(tmp_path.glob("run-*"))) == 1
    assert run.saved_steps()[0] == 6


def test_a_run_starts_from_a_generator_of_images_alone(tmp_path: Path) -> None:
    """Its networks as in the file, the rest of the preset that is most alike."""
    assert cli.main(small_words(tmp_path)) == 0
    file = str(shutil.copy(tmp_path / "run" / "generator.safetensors", tmp_path))
    words = ["train", f"{tmp_path}/brain.tif", "--from", file, "--device", "cpu"]
    words += ["--out", f"{tmp_path}/tuned", "--epochs", "1", "--cut-axis", "z"]
    assert cli.main([*words, "--critic-widths", "4", "6", "--batch-size", "20"]) == 0
    config = RunFolder.open(tmp_path / "tuned").config()
    assert config.preset == "oasis-28"
    assert config.architecture.generator_widths == (8, 4, 2)
    first, _ = load_any_generator(tmp_path / "tuned").lineage
    assert load_any_generator(file).lineage == (first,)
    # Of two presets of one architecture the one whose networks are as wide.
    narrow = preset("specgan-small")
    spec = generator_spec(narrow, 1, "signed")
    trained = load_any_generator(file)
    replace(trained, network=build_generator(spec)).save(tmp_path / "narrow.st")
    assert settings_of(tmp_path / "narrow.st") == narrow


def test_spent_minutes_do_not_end_more_epochs(tmp_path: Path) -> None:
    """A time limit that is reached is dropped, one with time left is kept."""
    run = tmp_path / "run"
    config = small_image_config(minutes=1e-6, epochs=1, steps=1000)
    assert finish_of(Trainer.start(config, toy_set(), run)) is FinishReason.MINUTES
    trainer = Trainer.resume(run, epochs=2)
    assert finish_of(trainer) is FinishReason.STEPS
    assert RunFolder.open(run).config().training.minutes is None
    config = small_image_config(minutes=60, epochs=1, steps=1000)
    train(Trainer.start(config, toy_set(), tmp_path / "other"))
    trainer = Trainer.resume(tmp_path / "other", epochs=2)
    assert trainer.config.training.minutes == 60


def test_a_volume_is_not_cut_into_crops_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = small_words(tmp_path, "--steps", "1")
    assert cli.main(words) == 2
    assert "brain.tif: expected an image, got a volume" in capsys.readouterr().err
    assert cli.main([*words, "--cut-axis", "none"]) == 0


def test_a_critic_that_mixes_images_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not for every step that is timed for the estimate."""
    config = preset("oasis-28").changed(
        **{"architecture": "specgan", "patch_size": 32, "objective": "wgan-gp"},
        **{"generator_widths": (4, 4), "critic_widths": (4, 4), "steps": 2},
        **{"critic_normalisation": "batch", "penalty_weight": 10.0, "epochs": None},
        **{"evaluation_images": 16, "device": "cpu", "threads": 1},
    )
    images = ImageSet(ellipses(40, 32), "ellipses")
    trainer = Trainer.start(config, images, tmp_path / "run")
    estimate(trainer.config, trainer.task)
    reports = train(trainer)
    assert [w for w in caplog.messages if "per image" in w] == [reports[0].warning]


def test_epochs_of_one_step_are_measured_by_time(tmp_path: Path) -> None:
    """At the start, and half a minute later; with 'monitor_minutes' at this pace."""
    config = small_image_config(generator_batch_size=40, critic_batch_size=40)
    trainer = Trainer.start(config, toy_set(), tmp_path / "run")
    assert trainer.clock.epoch_steps == 1
    train(trainer)
    run = RunFolder.open(tmp_path / "run")
    assert [path.name for path in (run.path / "sheets").iterdir()] == ["0000.png"]
    assert not any(row["swd"] for row in run.history())
    resumed = Trainer.resume(tmp_path / "run", steps=8, monitor_minutes=1e-9)
    assert all(report.quality for report in train(resumed))
    assert len(list((run.path / "sheets").iterdir())) == 3


@pytest.mark.slow
def test_two_minutes_halve_the_distance(tmp_path: Path) -> None:
    """256 ellipses of 28 pixels with the published settings."""
    config = preset("oasis-28").changed(
        minutes=2, epochs=None, device="cpu", threads=1, aligned=False
    )
    images = toy_set(256)
    trainer = Trainer.start(config, images, tmp_path / "run")
    before = cast("ImageQuality", trainer.monitor.measure(trainer.preview())).swd
    reports = train(trainer)
    seen = [report.quality for report in reports]
    measured = [quality for quality in seen if isinstance(quality, ImageQuality)]
    losses = [report.critic_loss for report in reports]
    assert measured[-1].swd <= before / 2
    assert 0 < min(losses)
    assert max(losses[len(losses) // 10 :]) < 2 * math.log(2) + 0.5
