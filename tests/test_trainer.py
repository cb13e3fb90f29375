"""The training loop: limits, stop and pause, and what it tells."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from napari_slicegan import trainer as trainer_module
from napari_slicegan.monitors import Quality
from napari_slicegan.step_report import FinishReason, StepReport
from napari_slicegan.trainer import Trainer
from tests.toys import finish_of, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.volume import Volume

StartToy = Callable[..., Trainer]


@pytest.fixture
def ten_second_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by ten seconds whenever it is read."""
    clock = itertools.count(0, 10)
    fake = SimpleNamespace(perf_counter=lambda: float(next(clock)))
    monkeypatch.setattr(trainer_module, "time", fake)


class FixedQuality:
    """Stands for the monitor; gives one distance after another."""

    def __init__(self, *distances: float) -> None:
        self.distances = iter(distances)

    def measure(self, volume: Volume) -> Quality:
        return Quality(0.0, next(self.distances), 0.0, 0.0, 0.0)


def test_steps_end_a_run(start_toy: StartToy) -> None:
    trainer = start_toy(steps=3)
    assert finish_of(trainer) is FinishReason.STEPS
    assert trainer.step == 3


@pytest.mark.usefixtures("ten_second_steps")
def test_minutes_end_a_run(start_toy: StartToy) -> None:
    """Half a minute is three steps of ten seconds."""
    trainer = start_toy(steps=100, minutes=0.5)
    assert finish_of(trainer) is FinishReason.MINUTES
    assert (trainer.step, trainer.elapsed_s) == (3, 30)


@pytest.mark.usefixtures("ten_second_steps")
def test_settled_quality_ends_a_run(start_toy: StartToy) -> None:
    """Best after 20 s; more than 30 s later, at 60 s, it has settled."""
    trainer = start_toy(steps=100, settle_minutes=0.5, monitor_every=1)
    trainer.monitor = FixedQuality(0.5, 0.2, 0.3, 0.2, math.nan, 0.4)  # type: ignore[assignment]
    assert finish_of(trainer) is FinishReason.SETTLED
    assert (trainer.elapsed_s, trainer.best_at_s, trainer.best_distance) == (
        60,
        20,
        0.2,
    )


@pytest.mark.usefixtures("ten_second_steps")
def test_whichever_limit_comes_first(start_toy: StartToy) -> None:
    trainer = start_toy(steps=2, minutes=0.5, settle_minutes=10)
    assert finish_of(trainer) is FinishReason.STEPS


@pytest.mark.usefixtures("ten_second_steps")
def test_progress_and_remaining_time(start_toy: StartToy) -> None:
    """4 of 10 steps, and 40 s of 50: the time decides, 10 s are left."""
    trainer = start_toy(steps=10, minutes=50 / 60)
    report = next(itertools.islice(trainer.run(), 3, None))
    assert report.elapsed_s == 40
    assert report.progress == pytest.approx(0.8)
    assert report.remaining_s == pytest.approx(10)
    assert report.steps_per_s == pytest.approx(0.1)


def test_reports(start_toy: StartToy) -> None:
    trainer = start_toy(steps=4, monitor_every=3)
    reports = train(trainer)
    assert [report.step for report in reports] == [1, 2, 3, 4]
    assert [report.progress for report in reports] == [0.25, 0.5, 0.75, 1]
    # Critic and generator step see 3 and 5 planes of 3 axes, with a crop for each.
    assert [report.images_seen for report in reports] == [24, 48, 72, 96]
    assert [report.quality is not None for report in reports] == [0, 0, 1, 0]
    assert [report.preview is not None for report in reports] == [0, 0, 1, 0]
    for report in reports:
        assert math.isfinite(report.critic_loss + report.generator_loss)
        assert report.elapsed_s > 0
        # Resident memory of a process with torch: more than 50 MB, less than 50 GB.
        assert 5e7 < report.memory_bytes < 5e10
    assert reports[-1].remaining_s == 0


def test_preview_is_always_of_the_same_latents(start_toy: StartToy) -> None:
    """24 = 8 (4 - 1) voxels, no smaller than the patch; it follows the training."""
    trainer = start_toy(steps=1)
    first, second = trainer.preview(), trainer.preview()
    assert first.values.shape == (24, 24, 24)
    assert first.voxel_size_nm == 5
    assert first.labels == (7, 207)
    np.testing.assert_array_equal(first.values, second.values)
    train(trainer)
    assert (trainer.preview().values != first.values).any()


def test_stop_from_the_loop(start_toy: StartToy) -> None:
    """The step after which it was asked is the last, and it is saved."""
    trainer = start_toy(steps=100)
    train(trainer, stop_at=2)
    assert trainer.step == 2
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 2


def test_stop_before_the_first_step(start_toy: StartToy) -> None:
    trainer = start_toy()
    trainer.stop()
    assert finish_of(trainer) is FinishReason.STOPPED
    assert trainer.step == 0
    assert trainer.folder is not None
    assert trainer.folder.checkpoints() == []


@pytest.fixture
def in_thread() -> Iterator[Callable[[Trainer], tuple[threading.Thread, list[Any]]]]:
    """Run a trainer in a thread; gives the thread and a list for the reason."""
    started: list[tuple[Trainer, threading.Thread]] = []

    def start(trainer: Trainer) -> tuple[threading.Thread, list[Any]]:
        reasons: list[Any] = []
        thread = threading.Thread(target=lambda: reasons.append(finish_of(trainer)))
        thread.start()
        started.append((trainer, thread))
        return thread, reasons

    yield start
    for trainer, thread in started:
        trainer.stop()
        thread.join(20)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait up to 20 s."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_pause_and_proceed_from_another_thread(
    start_toy: StartToy, in_thread: Callable[[Trainer], Any]
) -> None:
    trainer = start_toy(steps=10**6)
    in_thread(trainer)
    wait_for(lambda: trainer.step >= 1)
    trainer.pause()
    assert trainer.is_paused
    time.sleep(0.3)  # lets the step that is under way come to its end
    step = trainer.step
    time.sleep(0.3)
    assert trainer.step == step
    trainer.proceed()
    assert not trainer.is_paused
    wait_for(lambda: trainer.step > step)


@pytest.mark.parametrize("paused", [False, True])
def test_stop_from_another_thread(
    start_toy: StartToy, in_thread: Callable[[Trainer], Any], paused: bool
) -> None:
    trainer = start_toy(steps=10**6)
    thread, reasons = in_thread(trainer)
    wait_for(lambda: trainer.step >= 1)
    if paused:
        trainer.pause()
    trainer.stop()
    thread.join(20)
    assert reasons == [FinishReason.STOPPED]
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == trainer.step


def test_closing_the_loop_saves(start_toy: StartToy) -> None:
    """A consumer that goes away after two steps loses nothing."""
    trainer = start_toy(steps=100)
    steps = trainer.run()
    next(steps)
    next(steps)
    steps.close()
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 2
    assert len(trainer.folder.history()) == 2


@pytest.mark.usefixtures("ten_second_steps")
def test_checkpoint_interval(start_toy: StartToy) -> None:
    """More than 25 s apart: after steps 3, 6 and 9, and at the end; two are kept."""
    trainer = start_toy(steps=10, checkpoint_minutes=25 / 60, keep_checkpoints=2)
    folder = trainer.folder
    assert folder is not None
    seen = set()
    for _ in trainer.run():
        seen |= {path.name for path in folder.checkpoints()}
    names = [f"checkpoint-{step:07d}.pt" for step in (3, 6, 9)]
    assert sorted(seen) == names
    left = [path.name for path in folder.checkpoints()]
    assert left == ["checkpoint-0000010.pt", "checkpoint-0000009.pt"]


def poison(trainer: Trainer) -> None:
    with torch.no_grad():
        next(trainer.game.generator.parameters())[0] = math.nan


def before_step(trainer: Trainer) -> None:
    """Weights break between two steps: the next losses are not finite."""
    for report in trainer.run():
        if report.step == 3:
            poison(trainer)


def within_step(trainer: Trainer) -> None:
    """A step with finite losses breaks the weights."""
    trainer.game.generator_optimiser.register_step_post_hook(
        lambda *_: poison(trainer) if trainer.step == 3 else None
    )
    train(trainer)


@pytest.mark.parametrize("breaks", [before_step, within_step])
def test_diverged_runs_keep_the_last_good_checkpoint(
    start_toy: StartToy, breaks: Callable[[Trainer], None]
) -> None:
    """Step 3 was good and is saved; step 4 is not, neither are its losses."""
    trainer = start_toy(steps=100, checkpoint_minutes=1e-6)
    breaks(trainer)
    assert trainer.step == 4
    folder = trainer.folder
    assert folder is not None
    state = folder.load_checkpoint()
    assert state["step"] == 3
    assert all(
        torch.isfinite(value).all()
        for name, value in tensors(state["game"]).items()
        if "streams" not in name
    )
    for parameter in folder.generator().network.parameters():
        assert torch.isfinite(parameter).all()
    assert [row["step"] for row in folder.history()] == ["1", "2", "3"]


def test_diverged_runs_say_what_to_change(start_toy: StartToy) -> None:
    trainer = start_toy()
    poison(trainer)
    reports: list[StepReport] = []
    assert finish_of(trainer) is FinishReason.DIVERGED
    assert reports == []
    assert "learning rates" in FinishReason.DIVERGED.value
    assert "'Penalty weight'" in FinishReason.DIVERGED.value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch_size": 64}, "at least 64 x 64"),
        ({"patch_size": 32}, r"makes 16 voxels.*patch has 32"),
        ({"generator_widths": (6, 6, 6)}, r"makes 32 voxels.*patch has 16"),
        ({"generator_layers": ((4, 2, 1),) * 3}, r"padding must be at least"),
        ({"critic_widths": (6,) * 5}, "halves its images 5 times"),
        ({"device": "cuda:99"}, "no device 'cuda:99'"),
    ],
)
def test_refusals_come_before_anything_is_written(
    start_toy: StartToy, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        start_toy(**changes)
    assert list(tmp_path.iterdir()) == []
