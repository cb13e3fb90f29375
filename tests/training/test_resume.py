"""A resumed run is the run that was not interrupted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import finish_of, smooth_field, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

StartToy = Callable[..., Trainer]

# Different objectives, optimiser states, planes and penalties.
VARIANTS: dict[str, dict[str, Any]] = {
    "r3gan": {
        "objective": "r3gan",
        "penalty_interval": 4,
        "monitor_interval": 2,
        "straight_through": True,
        "pattern_weight": 0.1,
    },
    "wgan-gp": {
        "objective": "wgan-gp",
        "critic_steps": 2,
        "share_batch": False,
        "critic_heads": False,
        "normalisation": "pixel",
        "betas": (0.5, 0.9),
    },
    "gray": {"objective": "r3gan", "pattern_weight": 0.1},
    "last weights": {"ema_decay": 0, "lr_decay_start": 1},
}
# What depends on the clock.
TIMES = ("/elapsed_s", "/best_at_s")


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    """Everything in the last checkpoint but the clock."""
    state = tensors(RunFolder.open(folder).load_checkpoint())
    return {name: value for name, value in state.items() if name not in TIMES}


@pytest.mark.parametrize(
    ("variant", "isotropic"),
    [("r3gan", True), ("wgan-gp", False), ("last weights", True), ("gray", True)],
)
def test_three_and_three_steps_are_six(
    toy_config: RunConfig,
    toy_images: TrainingImages,
    toy_views: TrainingImages,
    tmp_path: Path,
    variant: str,
    isotropic: bool,
) -> None:
    """Weights, averages, Adam's moments, random numbers: bit by bit."""
    config = toy_config.changed(steps=6, **VARIANTS[variant])
    images = toy_images if isotropic else toy_views
    if variant == "gray":
        images = TrainingImages.isotropic(
            Micrograph.from_array(smooth_field(40, 48), "grayscale")
        )
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    reports = train(Trainer.start(config, images, whole))
    train(Trainer.start(config, images, parts), stop_at=3)
    resumed = train(Trainer.resume(parts))
    assert [report.step for report in resumed] == [4, 5, 6]
    expected, found = final_state(whole), final_state(parts)
    assert set(expected) == set(found)
    assert len(expected) > 50
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    for a, b in zip(reports[3:], resumed, strict=True):
        assert a.critic_loss == b.critic_loss
        assert a.generator_loss == b.generator_loss
        assert a.images_seen == b.images_seen
        assert a.quality == b.quality


def test_a_resumed_run_takes_another_weight_of_patterns(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    config = toy_config.changed(steps=6, **VARIANTS["r3gan"])
    train(Trainer.start(config, toy_images, tmp_path), stop_at=3)
    before = final_state(tmp_path)["/game/patterns/steps"]
    resumed = Trainer.resume(tmp_path, pattern_weight=0.5)
    assert resumed.config.objective.pattern_weight == 0.5
    assert [report.step for report in train(resumed)] == [4, 5, 6]
    assert final_state(tmp_path)["/game/patterns/steps"] == before + 3


def test_runs_of_two_threads_are_repeatable(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """Bit by bit, as those of one thread; another number of threads sums otherwise."""
    states = []
    try:
        for name in ("one", "another"):
            config = toy_config.changed(threads=2, steps=6)
            train(Trainer.start(config, toy_images, tmp_path / name))
            assert torch.get_num_threads() == 2
            states.append(final_state(tmp_path / name))
    finally:
        torch.set_num_threads(1)
    expected, found = states
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def losses(folder: Path) -> list[tuple[str, ...]]:
    """The history without the clock."""
    return [
        tuple(value for key, value in row.items() if key != "elapsed_s")
        for row in RunFolder.open(folder).history()
    ]


def test_history_of_a_resumed_run_is_whole(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """Each step once, with the losses of the reports, measured every two steps."""
    config = toy_config.changed(steps=6, monitor_interval=2)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    reports = train(Trainer.start(config, toy_images, whole))
    train(Trainer.start(config, toy_images, parts), stop_at=3)
    train(Trainer.resume(parts))
    assert losses(whole) == losses(parts)
    rows = RunFolder.open(whole).history()
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    for row, report in zip(rows, reports, strict=True):
        assert float(row["critic_loss"]) == report.critic_loss
        assert float(row["generator_loss"]) == report.generator_loss
        assert float(row["penalty_loss"]) == report.penalty
        measured = report.quality
        expected = str(measured.correlation_distance) if measured else ""
        assert row["correlation_distance"] == expected
    elapsed = [float(row["elapsed_s"]) for row in rows]
    assert elapsed == sorted(elapsed)


def test_steps_after_the_checkpoint_are_done_again(
    start_toy: StartToy, tmp_path: Path
) -> None:
    """The history ran ahead of the newest whole checkpoint; no step comes twice."""
    train(start_toy(steps=6, checkpoint_minutes=1e-6, keep_checkpoints=10))
    folder = RunFolder(tmp_path / "run")
    expected = losses(folder.path)
    for path in folder.checkpoints()[:2]:  # those of steps 6 and 5
        path.write_bytes(path.read_bytes()[:1000])
    resumed = train(Trainer.resume(folder.path))
    assert [report.step for report in resumed] == [5, 6]
    assert losses(folder.path) == expected


def test_falling_back_is_logged(
    start_toy: StartToy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(start_toy(steps=2, checkpoint_minutes=1e-6))
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints()[0].write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        trainer = Trainer.resume(folder.path)
    assert trainer.step == 1
    (message,) = caplog.messages
    assert "checkpoint-0000002.pt is damaged" in message
    assert "before it" in message


def test_a_cut_history_does_not_stop_a_resume(
    start_toy: StartToy, tmp_path: Path
) -> None:
    """Wherever the file ends, whole rows stay and the run is resumed."""
    train(start_toy(steps=5), stop_at=3)
    path = tmp_path / "run" / "history.csv"
    text = path.read_bytes()
    for end in (0, 1, len(text) // 2, len(text) - 20, len(text) - 1):
        path.write_bytes(text[:end])
        Trainer.resume(tmp_path / "run")
        rows = RunFolder(tmp_path / "run").history()
        assert len(rows) == max(text[:end].count(b"\n") - 1, 0)
    train(Trainer.resume(tmp_path / "run"))
    steps = [row["step"] for row in RunFolder(tmp_path / "run").history()]
    assert steps[-2:] == ["4", "5"]
    assert len(set(steps)) == len(steps)


def test_new_limits(start_toy: StartToy, tmp_path: Path) -> None:
    """A finished run is finished; with more steps it continues and stores them."""
    train(start_toy(steps=2))
    finished = Trainer.resume(tmp_path / "run")
    assert finish_of(finished) is FinishReason.STEPS
    assert finished.step == 2
    longer = Trainer.resume(tmp_path / "run", steps=4, keep_checkpoints=5)
    assert [report.step for report in train(longer)] == [3, 4]
    config = RunFolder(tmp_path / "run").config()
    assert (config.training.steps, config.training.keep_checkpoints) == (4, 5)


def test_elapsed_time_goes_on(start_toy: StartToy, tmp_path: Path) -> None:
    trainer = start_toy(steps=4)
    train(trainer, stop_at=2)
    resumed = Trainer.resume(tmp_path / "run")
    assert resumed.elapsed_s == trainer.elapsed_s > 0
    assert resumed.images_seen == trainer.images_seen == 48
    report = train(resumed)[0]
    assert report.elapsed_s > trainer.elapsed_s
    assert report.images_seen == 72


def test_a_run_that_was_killed_before_its_first_save_is_resumed(
    start_toy: StartToy, toy_run: Path, tmp_path: Path
) -> None:
    """From its first step, to the weights of a run that was not killed."""
    trainer = start_toy(seed=0)
    assert trainer.folder is not None
    # As when it dies between the table and the checkpoint.
    trainer.folder.append_history([{"step": 1, "critic_loss": 0.5}])
    assert trainer.folder.checkpoints() == []
    train(Trainer.resume(tmp_path / "run"))
    expected, found = final_state(toy_run), final_state(tmp_path / "run")
    assert losses(toy_run) == losses(tmp_path / "run")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_fine_tuned_run_that_was_killed_at_once_keeps_its_weights(
    toy_run: Path, toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """They are saved before the first step."""
    config = toy_config.changed(seed=5)
    for name in ("whole", "killed"):
        trainer = fine_tune(toy_run, config, toy_images, tmp_path / name)
        if name == "whole":
            train(trainer)
    train(Trainer.resume(tmp_path / "killed"))
    expected, found = final_state(tmp_path / "whole"), final_state(tmp_path / "killed")
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


@pytest.mark.parametrize(
    ("name", "value", "title"),
    [
        ("generator_widths", (8, 8), "'Generator widths' (generator_widths)"),
        # Random numbers continue from the checkpoint.
        ("seed", 5, "'Seed' (seed)"),
    ],
)
def test_settings_that_a_run_is_made_of_cannot_be_changed(
    start_toy: StartToy, tmp_path: Path, name: str, value: Any, title: str
) -> None:
    train(start_toy(steps=2))
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(ValueError, match="cannot be changed when a run is") as caught:
        Trainer.resume(tmp_path / "run", steps=4, **{name: value})
    text = str(caught.value)
    assert text.startswith(title)
    # What may be changed, and what to do.
    assert "'Minutes', 'Steps' and 'Device'; start a new run" in text
    assert (tmp_path / "run" / "config.json").read_bytes() == before


def test_settings_may_be_given_again_as_they_are(
    start_toy: StartToy, tmp_path: Path
) -> None:
    train(start_toy(steps=2))
    resumed = Trainer.resume(tmp_path / "run", patch_size=16, seed=0, steps=3)
    assert resumed.config.training.steps == 3


def test_refused_changes_leave_the_run_alone(
    start_toy: StartToy, tmp_path: Path
) -> None:
    train(start_toy(steps=2))
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(ValueError, match="'Minutes'"):
        Trainer.resume(tmp_path / "run", minutes=-1)
    with pytest.raises(ValueError, match="No setting is called 'laps'"):
        Trainer.resume(tmp_path / "run", laps=3)
    assert (tmp_path / "run" / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("lookahead", None, "got none"),
        # One group of weights, where the settings ask for two.
        ("generator_optimiser", {"state": {}, "param_groups": []}, "does not fit"),
    ],
)
def test_checkpoint_of_another_version(
    start_toy: StartToy, tmp_path: Path, name: str, value: Any, found: str
) -> None:
    """One sentence, and the run is left as it was."""
    train(start_toy(steps=2))
    (path,) = RunFolder.open(tmp_path / "run").checkpoints()
    state = torch.load(path)
    if value is None:
        del state["game"][name]
    else:
        state["game"][name] = value
    torch.save(state, path)
    before = {file: file.read_bytes() for file in (tmp_path / "run").glob("*.*")}
    with pytest.raises(ValueError, match="of another version") as caught:
        Trainer.resume(tmp_path / "run", steps=4)
    assert f"'{name.replace('_', ' ')}'" in str(caught.value)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)
    after = {file: file.read_bytes() for file in (tmp_path / "run").glob("*.*")}
    assert after == before
