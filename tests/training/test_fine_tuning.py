"""Runs that begin with the weights of another one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan.cli.parser import main
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.fine_tuning import fine_tune, settings_of
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.refusals import Refusal, assert_all_refused
from tests.toys import TOY_LABELS, completed, phases_image, small_config, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig


@pytest.fixture(scope="module")
def other_images() -> TrainingImages:
    return TrainingImages.isotropic(phases_image(40, 48, seed=9))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return set(one) == set(other) and all(
        torch.equal(value, other[name]) for name, value in one.items()
    )


def test_all_networks_go_on(
    toy_run: Path, toy_config: RunConfig, other_images: TrainingImages, tmp_path: Path
) -> None:
    """Raw and averaged generator and the critics, from the checkpoint."""
    state = RunFolder.open(toy_run).load_checkpoint()["game"]
    trainer = fine_tune(toy_run, toy_config, other_images, tmp_path / "run")
    game = trainer.gan
    assert same(game.generator.state_dict(), state["generator"])
    assert same(game.averaged.network.state_dict(), state["averaged"]["network"])
    assert same(game.critics.state_dict(), state["critics"])
    assert not same(state["generator"], state["averaged"]["network"])
    assert trainer.step == 0
    reports = train(trainer)
    assert reports[-1].step == toy_config.training.steps
    assert RunFolder.open(tmp_path / "run").images().name == other_images.name


def test_a_generator_alone_is_enough(
    toy_run: Path, toy_config: RunConfig, other_images: TrainingImages, tmp_path: Path
) -> None:
    """Its averaged weights begin both; the critics begin anew."""
    path = Path(shutil.copy(toy_run / "generator.safetensors", tmp_path / "one.st"))
    trainer = fine_tune(path, toy_config, other_images, tmp_path / "run")
    weights = load_generator(toy_run).network.state_dict()
    assert same(trainer.gan.generator.state_dict(), weights)
    assert same(trainer.gan.averaged.network.state_dict(), weights)


def test_runs_know_their_ancestors(
    toy_run: Path, toy_config: RunConfig, other_images: TrainingImages, tmp_path: Path
) -> None:
    """Also resumed ones; the same settings with other images are another run."""
    parent = load_generator(toy_run)
    (first,) = parent.lineage
    path = tmp_path / "run"
    train(fine_tune(toy_run, toy_config, other_images, path))
    *before, own = load_generator(path).lineage
    assert before == [first] != [own]
    train(Trainer.resume(path, steps=6))
    assert load_generator(path).lineage == (first, own)
    unrelated = Trainer(toy_config, other_images)
    assert unrelated.lineage == (own,)
    # A generator of an earlier release is known by its weights.
    replace(parent, lineage=()).save(tmp_path / "old.st")
    trainer = fine_tune(tmp_path / "old.st", toy_config, other_images, tmp_path / "b")
    assert trainer.lineage == (parent.weights_digest(), own)


def test_critics_that_do_not_fit_begin_anew(
    toy_run: Path,
    toy_config: RunConfig,
    other_images: TrainingImages,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = toy_config.changed(critic_widths=(8, 8))
    fine_tune(toy_run, config, other_images, tmp_path / "run")
    assert "critics are newly initialised" in caplog.text


@pytest.mark.parametrize("part", ["", "generator.safetensors"])
def test_another_architecture_is_refused(
    toy_run: Path,
    toy_config: RunConfig,
    other_images: TrainingImages,
    tmp_path: Path,
    part: str,
) -> None:
    """Its weights have the same shapes, and another meaning."""
    config = toy_config.changed(architecture="slicegan-aa", latent_size=5)
    with pytest.raises(ValueError, match="expected the architecture 'slicegan-aa'"):
        fine_tune(toy_run / part, config, other_images, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_are_those_of_the_run(toy_run: Path, tmp_path: Path) -> None:
    assert settings_of(toy_run) == completed(small_config())
    path = Path(shutil.copy(toy_run / "generator.safetensors", tmp_path / "one.st"))
    alone, whole = settings_of(path).architecture, small_config().architecture
    for name in (
        "patch_size",
        "latent_size",
        "latent_channels",
        "generator_widths",
        "generator_negative_slope",
    ):
        assert getattr(alone, name) == getattr(whole, name)


def test_noise_in_each_voxel_is_that_of_the_run(
    other_images: TrainingImages, tmp_path: Path
) -> None:
    """Whatever the new images, which are smooth here, would need alone."""
    config = small_config().changed(
        architecture="slicegan-aa", latent_size=5, noise=True, voxel_noise="auto"
    )
    labels = np.array(TOY_LABELS, np.uint8)
    speckle = labels[np.random.default_rng(0).integers(0, 2, (48, 48))]
    source = TrainingImages.isotropic(Micrograph.from_array(speckle, "phases"))
    train(Trainer.start(config.changed(steps=1), source, tmp_path / "source"))
    for number, part in enumerate(("", "generator.safetensors")):
        run = tmp_path / str(number)
        trainer = fine_tune(tmp_path / "source" / part, config, other_images, run)
        assert trainer.gan.generator.spec.voxel_noise
        assert RunFolder.open(run).config().architecture.voxel_noise == "on"


def test_command_line(
    toy_run: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The settings of the other run, changed by flags; an estimate is printed."""
    out = tmp_path / "out"
    words = [str(image), "--from", str(toy_run), "--out", str(out), "--steps", "2"]
    assert main(["train", *words]) == 0
    config = RunFolder.open(out).config()
    assert config == completed(small_config()).changed(steps=2)
    assert " for 2 steps of " in capsys.readouterr().out


def refused(folder: Path, **changes: Any) -> object:
    source = fine_tune_source(folder)
    images = TrainingImages.isotropic(phases_image(40, 48))
    try:
        return fine_tune(
            source, small_config().changed(**changes), images, folder / "x"
        )
    finally:
        assert not (folder / "x").exists()


def fine_tune_source(folder: Path) -> Path:
    """A generator of the toy architecture."""
    images = TrainingImages.isotropic(phases_image(40, 48))
    config = small_config().changed(steps=1)
    train(Trainer.start(config, images, folder / "source"))
    return folder / "source"


REFUSALS: list[Refusal] = [
    ("widths", lambda f: refused(f, generator_widths=(8, 6)), "expected 4 x 8"),
    ("latents", lambda f: refused(f, latent_channels=5), "expected 5 x 6"),
    (
        "normalisation",
        lambda f: refused(f, normalisation="pixel"),
        "expected no weights",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)
