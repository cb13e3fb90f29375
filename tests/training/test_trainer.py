"""The training loop: limits, stop, pause and reports."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.trainer import FEW_VOLUMES, MANY_VOLUMES, Trainer
from tests.toys import finish_of, train

StartToy = Callable[..., Trainer]


def test_steps_end_a_run(start_toy: StartToy) -> None:
    trainer = start_toy(steps=3)
    assert finish_of(trainer) is FinishReason.STEPS
    assert trainer.step == 3


def test_reports(start_toy: StartToy) -> None:
    trainer = start_toy(steps=4, monitor_interval=3)
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


def test_previews_of_all_architectures_are_of_one_size(start_toy: StartToy) -> None:
    """With filters 8 (5 - 3 + 1) = 24 voxels, too."""
    trainer = start_toy(steps=1, architecture="slicegan-aa", latent_size=5, noise=True)
    assert trainer.preview().values.shape == (24, 24, 24)


def test_stop_from_the_loop(start_toy: StartToy) -> None:
    """The step during which it was requested is the last one, and it is saved."""
    trainer = start_toy(steps=100)
    train(trainer, stop_at=2)
    assert trainer.step == 2
    assert trainer.folder is not None
    assert trainer.folder.load_checkpoint()["step"] == 2


def test_checkpoints_during_a_run_take_few_volumes(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the end takes many, also right after another."""
    seen: list[int] = []
    make = Trainer.trained_generator

    def noted(trainer: Trainer, n_volumes: int = MANY_VOLUMES, **others: bool) -> Any:
        seen.append(n_volumes)
        return make(trainer, n_volumes, **others)

    monkeypatch.setattr(Trainer, "trained_generator", noted)
    train(start_toy(steps=9, checkpoint_minutes=1e-9), stop_at=2)
    assert seen == [FEW_VOLUMES, FEW_VOLUMES, MANY_VOLUMES]


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


def test_pause_and_unpause_from_another_thread(
    start_toy: StartToy, in_thread: Callable[[Trainer], Any]
) -> None:
    """The run is saved before the pause is reported."""
    trainer = start_toy(steps=10**6)
    reported: list[tuple[bool, int, int]] = []

    def note(is_paused: bool) -> None:
        assert trainer.folder is not None
        saved = trainer.folder.load_checkpoint()["step"]
        reported.append((is_paused, trainer.step, saved))

    trainer.on_pause = note
    in_thread(trainer)
    wait_for(lambda: trainer.step >= 1)
    trainer.pause()
    assert trainer.is_paused
    wait_for(lambda: len(reported) == 1)
    step, elapsed_s = trainer.step, trainer.elapsed_s
    time.sleep(0.3)
    assert (trainer.step, trainer.elapsed_s) == (step, elapsed_s)
    assert trainer.unsaved_s == 0
    trainer.unpause()
    assert not trainer.is_paused
    wait_for(lambda: trainer.step > step)
    assert reported == [(True, step, step), (False, step, step)]


def test_losses_that_are_not_finite_end_a_run_that_is_to_pause(
    start_toy: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be found only when it is saved, as on a GPU; it does not wait then."""
    trainer = start_toy(steps=10)
    trainer.losses.every = 100
    finite = [torch.tensor(True), torch.tensor(False)]
    monkeypatch.setattr(trainer.gan, "is_finite", lambda: finite.pop(0))
    steps = trainer.run()
    next(steps)
    next(steps)
    trainer.pause()
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value is FinishReason.DIVERGED


def test_a_second_run_of_a_trainer_is_refused(start_toy: StartToy) -> None:
    trainer = start_toy(steps=2)
    train(trainer)
    with pytest.raises(RuntimeError, match=r"has not run yet.*Trainer.resume"):
        trainer.run()


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


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"patch_size": 64}, "at least 64 x 64"),
    ({"generator_widths": (6, 6, 6)}, r"makes 32 voxels.*patch has 16"),
    ({"generator_kernels": ((4, 2, 1),) * 3}, r"padding must be at least"),
    ({"critic_widths": (6,) * 5}, "halves its images 5 times"),
    ({"device": "cuda:99"}, "no device 'cuda:99'"),
]


def test_refusals_come_before_anything_is_written(
    start_toy: StartToy, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for changes, words in REFUSED:
        with subtests.test(changes=changes, words=words):
            with pytest.raises(ValueError, match=words):
                start_toy(**changes)
            assert list(tmp_path.iterdir()) == []
