"""Training workers: reports, stops, and released memory and threads."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.jobs import PreparedRun, WorkFailed, start_run
from napari_slicegan._qt.worker import (
    INTERVAL_MS,
    GenerationWorker,
    TrainingWorker,
    task_worker,
    training_worker,
)
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.run_folder import RunFolder
from tests._qt.worker_log import Log

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt
LONG = 60_000


MakeWorker = Callable[..., tuple[TrainingWorker, Log]]


@pytest.fixture
def make_worker(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> Iterator[MakeWorker]:
    made: list[TrainingWorker] = []

    def make(**changes: Any) -> tuple[TrainingWorker, Log]:
        config = toy_config.changed(**changes)
        worker = training_worker(start_run, tmp_path, "run", config, toy_images)
        made.append(worker)
        return worker, Log(worker)

    yield make
    for worker in made:
        worker.quit()
        assert worker.wait(60)


def test_all_steps_are_reported_in_order_on_the_main_thread(
    qtbot: QtBot, make_worker: MakeWorker, tmp_path: Path
) -> None:
    before = {*threading.enumerate()}
    worker, log = make_worker(steps=30)
    messages: list[object] = []
    worker.yielded.connect(messages.append)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    assert log.steps == list(range(1, 31))
    assert log.results == [FinishReason.STEPS]
    assert log.threads == {threading.main_thread()}
    # The prepared run, one message per 0.1 s, and the last steps.
    assert len(messages) <= 3 + log.reports[-1].elapsed_s / 0.1
    # The folder is written before the end is reported.
    assert RunFolder.open(next(tmp_path.glob("run-*"))).history()[-1]["step"] == "30"
    assert worker.wait(10)
    assert worker.is_over
    started = {*threading.enumerate()} - before
    qtbot.waitUntil(lambda: not any(each.is_alive() for each in started), timeout=LONG)


def test_stop_ends_after_the_step_and_saves_it(
    qtbot: QtBot, make_worker: MakeWorker, tmp_path: Path
) -> None:
    worker, log = make_worker(steps=100_000)
    worker.start()
    qtbot.waitUntil(lambda: len(log.reports) > 3, timeout=LONG)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.quit()
    assert log.results == [FinishReason.STOPPED]
    newest = RunFolder.open(next(tmp_path.glob("run-*"))).checkpoints()[0]
    assert newest.name == f"checkpoint-{log.steps[-1]:07d}.pt"


def test_stop_before_the_start_trains_no_step(
    qtbot: QtBot, make_worker: MakeWorker
) -> None:
    worker, log = make_worker(steps=100_000)
    worker.quit()
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    assert log.results == [FinishReason.STOPPED]
    assert log.steps == []


def test_a_pause_waits_and_is_no_training_time(
    qtbot: QtBot, make_worker: MakeWorker
) -> None:
    worker, log = make_worker(steps=100_000)
    worker.start()
    qtbot.waitUntil(lambda: len(log.reports) > 1, timeout=LONG)
    with qtbot.waitSignal(worker.paused, timeout=LONG):
        worker.pause()
    qtbot.waitUntil(lambda: log.said == ["paused"], timeout=LONG)
    assert worker.is_paused
    assert log.trainer is not None
    trainer = log.trainer()
    assert trainer is not None
    # All steps are reported, and no more are made.
    at_pause = trainer.step
    assert log.steps[-1] == at_pause
    pause_s = 1.5
    qtbot.wait(round(1000 * pause_s))
    assert trainer.step == at_pause
    del trainer
    with qtbot.waitSignal(worker.resumed, timeout=LONG):
        worker.resume()
    qtbot.waitUntil(lambda: log.steps[-1] > at_pause, timeout=LONG)
    before, after = log.reports[at_pause - 1 : at_pause + 1]
    assert (before.step, after.step) == (at_pause, at_pause + 1)
    # A step takes some hundredths of a second.
    assert after.elapsed_s - before.elapsed_s < pause_s


def test_stop_while_paused_ends(qtbot: QtBot, make_worker: MakeWorker) -> None:
    worker, log = make_worker(steps=100_000)
    worker.start()
    qtbot.waitUntil(lambda: len(log.reports) > 1, timeout=LONG)
    with qtbot.waitSignal(worker.paused, timeout=LONG):
        worker.toggle_pause()
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.quit()
    assert log.results == [FinishReason.STOPPED]
    qtbot.waitUntil(lambda: log.said == ["paused", "finished"], timeout=LONG)


def test_networks_are_released_although_the_worker_is_kept(
    qtbot: QtBot, make_worker: MakeWorker
) -> None:
    worker, _ = make_worker(steps=30)
    watched: list[weakref.ref[object]] = []

    def watch(value: object) -> None:
        if isinstance(value, PreparedRun):
            gan = value.trainer.gan
            objects = (value.trainer, gan, *gan.generator.parameters())
            watched.extend(weakref.ref(each) for each in objects)

    worker.yielded.connect(watch)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    assert len(watched) > 3
    gc.collect()
    assert [ref() for ref in watched if ref() is not None] == []


def test_the_thread_never_has_the_last_reference(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Qt objects deleted in another thread than their own crash the program.
    whole = GenerationWorker.run

    def slow_end(self: GenerationWorker) -> None:
        whole(self)
        # Longer than the main thread keeps a finished worker by its timer.
        time.sleep(5 * INTERVAL_MS / 1000)

    monkeypatch.setattr(GenerationWorker, "run", slow_end)
    worker = GenerationWorker(lambda progress: None)
    deleted_in: list[threading.Thread] = []
    weakref.finalize(worker, lambda: deleted_in.append(threading.current_thread()))
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    del worker
    qtbot.waitUntil(lambda: len(deleted_in) > 0, timeout=LONG)
    assert deleted_in == [threading.main_thread()]


def test_an_error_is_one_sentence_and_leaves_no_network(
    qtbot: QtBot,
    make_worker: MakeWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # superqt drops a RuntimeError silently, and `finished` with it.
    fault = RuntimeError("CUDA out of memory")
    whole = AdversarialStep.step

    def step(self: AdversarialStep, *args: Any) -> Any:
        if self.averaged.n_updates == 5:
            raise fault
        return whole(self, *args)

    monkeypatch.setattr(AdversarialStep, "step", step)
    worker, log = make_worker(steps=30)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    (reported,) = log.faults
    assert isinstance(reported, WorkFailed)
    assert "lower 'Generator batch size'" in str(reported)
    assert log.results == []
    assert log.steps == [1, 2, 3, 4, 5]
    # The traceback would hold the frames, and those the networks.
    fault.__traceback__ = None
    gc.collect()
    assert log.trainer is not None
    assert log.trainer() is None


def test_napari_names_the_work_when_it_closes(
    make_napari_viewer_proxy: Any, make_worker: MakeWorker, qtbot: QtBot
) -> None:
    window = make_napari_viewer_proxy().window.__wrapped__
    worker, _ = make_worker(steps=1)
    with qtbot.waitSignal(worker.started, timeout=LONG):
        worker.start()
    (text,) = window._task_status_manager.get_status()  # noqa: SLF001
    assert "SliceGAN training (the run is saved when it stops)" in text


def test_napari_keeps_no_worker_that_has_ended(
    make_napari_viewer_proxy: Any, qtbot: QtBot
) -> None:
    make_napari_viewer_proxy()
    worker = task_worker(lambda progress: None)
    alive = weakref.ref(worker)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    del worker
    qtbot.waitUntil(lambda: gc.collect() >= 0 and alive() is None, timeout=LONG)


def test_workers_that_have_ended_leave_no_reference_to_a_slot(
    make_napari_viewer_proxy: Any, qtbot: QtBot
) -> None:
    """PySide keeps one for each connected method of an object that is not Qt's."""
    make_napari_viewer_proxy()

    def references() -> int:
        found = [each for each in gc.get_objects() if type(each) is weakref.ref]
        return sum("PySide" in repr(each.__callback__) for each in found)

    before, alive = references(), []
    for _ in range(3):
        worker = task_worker(lambda progress: None)
        alive.append(weakref.ref(worker))
        with qtbot.waitSignal(worker.finished, timeout=LONG):
            worker.start()
        del worker

    def are_gone() -> bool:
        gc.collect()
        return not any(each() for each in alive)

    qtbot.waitUntil(are_gone, timeout=LONG)
    assert references() == before
