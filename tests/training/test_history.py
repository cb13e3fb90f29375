"""Steps never wait for the device; their losses are read some at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from napari_slicegan.models import generator_spec
from napari_slicegan.models.cost import META
from napari_slicegan.runtime import distributed
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.history import LossHistory, StepLosses
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import small_image_config
from tests.toys import TOY_PATCH, finish_of, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

StartToy = Callable[..., Trainer]


def step_on_meta(config: RunConfig, output: Any, isotropic: bool, edge: int) -> Tensor:
    """A step on torch's device without values: reading one raises an error."""
    channels = 2 if output == "phases" else 1
    game = AdversarialStep(
        config, generator_spec(config, channels, output), isotropic, META
    )

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.empty(n, channels, edge, edge, device=META)

    game.step(real, progress=0)
    return game.step(real, progress=0.5)


ASKED: list[tuple[str, bool]] = [("wgan-gp", False), ("realness", True)]


def test_a_step_asks_the_device_for_nothing(
    toy_config: RunConfig, subtests: pytest.Subtests
) -> None:
    for objective, isotropic in ASKED:
        with subtests.test(objective=objective, isotropic=isotropic):
            config = toy_config.changed(objective=objective, feature_resampling=True)
            losses = step_on_meta(config, "phases", isotropic, TOY_PATCH)
            assert losses.device == META
            assert losses.shape == (3,)


OF_IMAGES: list[dict[str, Any]] = [
    {"architecture": "specgan", "patch_size": 16, "generator_widths": (4, 4)},
    {"architecture": "dcgan-relu", "patch_size": 16, "generator_widths": (4, 4)},
]


def test_neither_does_a_step_of_images(subtests: pytest.Subtests) -> None:
    """With dropout, biases, spectral norm."""
    for changes in OF_IMAGES:
        with subtests.test(changes=changes):
            config = small_image_config(**changes)
            edge = config.architecture.patch_size
            assert (
                step_on_meta(config, "signed", isotropic=True, edge=edge).device == META
            )


def test_a_run_reads_once_in_ten_steps(
    toy_config: RunConfig, toy_images: TrainingImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first step, then after each ten; the trainer asks for nothing else."""
    asked: list[int] = []
    tolist = Tensor.tolist

    def counted(tensor: Tensor) -> Any:
        if tensor.device != META:
            return tolist(tensor)
        asked.append(trainer.step)
        return [1.0] * tensor.numel()

    monkeypatch.setattr(Tensor, "tolist", counted)
    monkeypatch.setattr(distributed, "choose_device", lambda setting: META)
    trainer = Trainer(toy_config.changed(steps=11), toy_images)
    assert len(train(trainer)) == 11
    assert asked == [1, 11]


def test_seldom_read_runs_are_the_same(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """Weights and history bit by bit, whatever the steps between two readings."""
    found = []
    for every in (1, 10):
        path = tmp_path / str(every)
        trainer = Trainer.start(toy_config.changed(steps=14), toy_images, path)
        trainer.losses.every = every
        reports = train(trainer)
        folder = RunFolder.open(path)
        rows = [{**row, "elapsed_s": ""} for row in folder.history()]
        found.append((rows, tensors(folder.load_checkpoint()["game"]), reports))
    (rows, expected, _), (same, weights, reports) = found
    assert rows == same
    assert [row["step"] for row in rows] == [str(n) for n in range(1, 15)]
    assert set(expected) == set(weights)
    for name, value in expected.items():
        assert torch.equal(value, weights[name]), name
    # Between two readings a report shows the losses read last.
    read_at = [1] * 10 + [11] * 4
    reported = [report.critic_loss for report in reports]
    assert reported == [float(rows[step - 1]["critic_loss"]) for step in read_at]


def poisoned(start_toy: StartToy, step: int, **changes: Any) -> Trainer:
    """Reads every ten steps; a weight is not a number after the given step."""
    trainer = start_toy(**changes)
    trainer.losses.every = 10

    def poison(*_: object) -> None:
        if trainer.step == step - 1:
            with torch.no_grad():
                next(trainer.gan.generator.parameters())[0] = math.nan

    trainer.gan.generator_optimiser.register_step_post_hook(poison)
    return trainer


def test_a_run_that_diverges_ends_at_the_next_reading(start_toy: StartToy) -> None:
    trainer = poisoned(start_toy, step=4, steps=100)
    assert finish_of(trainer) is FinishReason.DIVERGED
    assert trainer.step == 11


def test_a_checkpoint_comes_after_a_reading(start_toy: StartToy) -> None:
    """Each step is due for one, and step 4 is bad."""
    trainer = poisoned(start_toy, step=4, steps=100, checkpoint_minutes=1e-9)
    assert finish_of(trainer) is FinishReason.DIVERGED
    assert trainer.step == 4
    folder = trainer.folder
    assert folder is not None
    assert folder.load_checkpoint()["step"] == 3
    assert [row["step"] for row in folder.history()] == ["1", "2", "3"]


def test_the_last_save_comes_after_a_reading(start_toy: StartToy) -> None:
    trainer = poisoned(start_toy, step=4, steps=6)
    assert finish_of(trainer) is FinishReason.DIVERGED
    assert trainer.step == 6
    assert trainer.folder is not None
    assert trainer.folder.checkpoints() == []


@pytest.mark.parametrize("bad_step", [3, 100])
def test_closing_the_loop_between_two_readings(
    start_toy: StartToy, bad_step: int
) -> None:
    """What is good is saved with all its losses; what is not, is not."""
    trainer = poisoned(start_toy, bad_step, steps=100)
    steps = trainer.run()
    for _ in range(5):
        next(steps)
    steps.close()
    assert trainer.folder is not None
    saved = bad_step == 100
    assert len(trainer.folder.checkpoints()) == saved
    assert len(trainer.folder.history()) == 5 * saved


def test_losses_belong_to_their_steps() -> None:
    history = LossHistory(torch.device("meta"))
    for step in (1, 2, 3):
        history.add(torch.tensor([step, 10.0 * step, 100.0 * step]))
        history.add_row(step, 0.5 * step, ["quality"], None)
    history.read(lambda: torch.tensor(True))
    assert history.last == StepLosses(3, 30, 300)
    rows = history.take_rows()
    assert rows[1] == {
        "step": 2,
        "elapsed_s": 1.0,
        "critic_loss": 2.0,
        "generator_loss": 20.0,
        "penalty_loss": 200.0,
        "quality": "",
    }
    assert history.take_rows() == []
