"""Work beside the window: training, and generating a volume.

A worker touches no widget and no layer. It is steered by flags, ends after the step
it is in, and lets go of everything it held: napari keeps its finished workers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QEventLoop, QThreadPool
from qtpy.QtWidgets import QApplication

from napari_slicegan._qt.jobs import TrainingJob, WorkFailed, sentence_of, train
from napari_slicegan._qt.memory_at_work import memory_at_work
from napari_slicegan._qt.volume.generation_job import WORK, Request

if TYPE_CHECKING:
    from napari_slicegan.step_report import FinishReason, StepReport
    from napari_slicegan.trained_generator import TrainedNetwork
    from napari_slicegan.trainer import Trainer

logger = logging.getLogger(__name__)

REPORT_INTERVAL_S = 0.1
"""Seconds from one message to the window to the next, whatever the steps take."""

POLL_S = 0.02


class SteeredWorker(GeneratorWorker):  # type: ignore[misc]
    """A generator driven in a thread of the pool, until it ends or is told to.

    ``yielded``, ``returned``, ``errored``, ``aborted`` and ``finished`` are napari's.
    ``errored`` brings a `WorkFailed` whose text is one sentence; the traceback is in
    the log, not in the exception, where it would keep the networks alive.
    """

    holds_networks: ClassVar = True
    """Whether all memory is looked through when it has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin, beside the window. No garbage is collected in the thread."""
        memory = memory_at_work()
        memory.begin_work()
        self.finished.connect(
            memory.end_large_work if self.holds_networks else memory.end_work
        )
        super().start()

    def run(self) -> None:
        """Called by the pool."""
        pool = QThreadPool.globalInstance()
        # A run takes hours: it must not take a place that other workers wait for.
        pool.releaseThread()
        try:
            super().run()
        finally:
            pool.reserveThread()
            self._ended.set()

    def work(self) -> Any:
        """Drive the generator; nothing of it is left afterwards."""
        sentence = ""
        try:
            with contextlib.closing(self._gen):
                return self._drive(self._gen)
        except Exception as error:  # noqa: BLE001 whatever it is, it is shown
            # As text: a record with the traceback would keep the networks alive.
            logger.error("The worker failed:\n%s", traceback.format_exc())
            sentence = sentence_of(error)
        finally:
            self._release()
        if self.abort_requested:
            # Nobody waits for the answer any more, so a fault is not shown.
            self.aborted.emit()
            return None
        raise WorkFailed(sentence)

    def wait(self, timeout_s: float) -> bool:
        """Block until the thread is done; whether it is."""
        return self._ended.wait(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread and for the last signals; whether it is done.

        For the main thread. The worker may not even have begun, and slots must have
        heard how it ended before their widget goes; clicks are left waiting.
        """
        ends = time.monotonic() + timeout_s
        while not self._ended.wait(POLL_S) and time.monotonic() < ends:
            _deliver()
        _deliver()
        return self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the thread is done."""
        return self._ended.is_set()

    def _drive(self, steps: Generator[Any, None, Any]) -> Any:
        """Yield what the generator yields; None if the worker was told to end."""
        while not self.abort_requested:
            try:
                value = next(steps)
            except StopIteration as end:
                return end.value
            self._tell(value)
        self.aborted.emit()
        return None

    def _tell(self, value: Any) -> None:
        self.yielded.emit(value)

    def _release(self) -> None:
        """Let go of networks and images."""
        del self._gen


class GenerationWorker(SteeredWorker):
    """Drives a request: ``yielded`` the share, ``returned`` what was made.

    ``quit`` ends it after the tile; then nothing is returned. Small tiles are told no
    oftener than the window can show.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sent_at = 0.0

    def _tell(self, value: float) -> None:
        if time.monotonic() - self._sent_at > REPORT_INTERVAL_S:
            self._sent_at = time.monotonic()
            super()._tell(value)


class TrainingWorker(SteeredWorker):
    """Drives a run. Stop, pause and resume act after the step it is in.

    ``yielded`` brings a `PreparedRun` before the first step, then a tuple of all
    `StepReport` since the last time; ``returned`` brings the FinishReason, when the
    run folder is written.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._trainer: Trainer | None = None
        self._reports: list[StepReport] = []
        self._sent_at = 0.0

    def pause(self) -> None:
        """Wait after this step; ``paused`` tells when it does."""
        self._go.clear()

    def resume(self) -> None:
        """Go on; ``resumed`` tells when it does."""
        self._go.set()

    def toggle_pause(self) -> None:
        """Pause or go on."""
        if self._go.is_set():
            self.pause()
        else:
            self.resume()

    def quit(self) -> None:
        """Stop after this step and save; napari calls this when it closes."""
        self._stop.set()
        self._go.set()
        # Either this sees the trainer, or the worker sees the flag.
        trainer = self._trainer
        if trainer is not None:
            trainer.stop()

    def _drive(self, steps: Generator[Any, None, FinishReason]) -> FinishReason:
        run = next(steps)
        self._trainer = run.trainer
        if self._stop.is_set():
            run.trainer.stop()
        self.yielded.emit(run)
        del run
        try:
            return self._train(steps)
        finally:
            self._send()

    def _train(self, steps: Generator[Any, None, FinishReason]) -> FinishReason:
        while True:
            self._wait_while_paused()
            try:
                self._reports.append(next(steps))
            except StopIteration as end:
                reason: FinishReason = end.value
                return reason
            if time.monotonic() - self._sent_at > REPORT_INTERVAL_S:
                self._send()

    def _send(self) -> None:
        """Bring the reports since the last time to the window."""
        self._sent_at = time.monotonic()
        if self._reports:
            self.yielded.emit(tuple(self._reports))
            self._reports = []

    def _wait_while_paused(self) -> None:
        if self._go.is_set():
            return
        self._send()
        self._paused = True
        self.paused.emit()
        self._go.wait()
        self._paused = False
        if not self._stop.is_set():
            self.resumed.emit()

    def _release(self) -> None:
        self._trainer = None
        self._reports = []
        super()._release()


def training_worker(job: TrainingJob) -> TrainingWorker:
    """Worker for a run, known to napari's list of tasks, not yet started."""
    worker: TrainingWorker = create_worker(
        train,
        job,
        _worker_class=TrainingWorker,
        _start_thread=False,
        _ignore_errors=True,
    )
    _drop_slots_of_errors(worker)
    return worker


def generation_worker(trained: TrainedNetwork, request: Request) -> GenerationWorker:
    """Worker for a request, known to napari's list of tasks, not yet started."""
    return task_worker(WORK[type(request)], trained, request)


def task_worker(work: Any, *args: Any) -> GenerationWorker:
    """Worker for steps that yield their share, known to napari, not yet started."""
    worker: GenerationWorker = create_worker(
        work,
        *args,
        _worker_class=GenerationWorker,
        _start_thread=False,
        _ignore_errors=True,
    )
    _drop_slots_of_errors(worker)
    return worker


def _drop_slots_of_errors(worker: SteeredWorker) -> None:
    """Disconnect napari's own slot: that of 0.9 fails on the error it is sent.

    Its fault would be shown to the user beside the sentence of the panel.
    """
    # There is no slot without a window, and then nothing to disconnect.
    worker.errored.connect(logger.debug)
    worker.errored.disconnect()


def _deliver() -> None:
    """Let slots of the main thread hear what was signalled, but no clicks."""
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
