"""Workers: training and generation in threads beside the window."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, ClassVar

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, QTimer

from napari_slicegan._qt.jobs import TrainingJob, WorkFailed, sentence_of, train
from napari_slicegan._qt.volume.generation_job import WORK, Request
from napari_slicegan.runtime.memory import give_back_freed_memory, keep_freed_memory
from napari_slicegan.runtime.quantities import duration

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.training.report import FinishReason, StepReport
    from napari_slicegan.training.trainer import Trainer

INTERVAL_MS = 200
FULL_INTERVAL_S = 300.0
"""Looking at everything takes a third of a second."""


class MemoryAtWork(QObject):
    """Collects in place of Python while anything is at work; main thread only."""

    def __init__(self) -> None:
        super().__init__()
        self._n_at_work = 0
        self._is_full_due = False
        self._full_at = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._tick)

    def begin_work(self) -> None:
        """A thread is about to work."""
        if not self._timer.isActive():
            if not gc.isenabled():
                # Somebody else takes care.
                return
            gc.disable()
            keep_freed_memory()
            self._full_at = time.monotonic()
            self._timer.start()
        self._n_at_work += 1

    def end_work(self) -> None:
        """A thread has ended."""
        self._n_at_work = max(self._n_at_work - 1, 0)

    def end_large_work(self) -> None:
        """A thread has ended that may have left networks."""
        self._is_full_due = True
        self.end_work()

    def _tick(self) -> None:
        now = time.monotonic()
        if self._n_at_work and now < self._full_at + FULL_INTERVAL_S:
            gc.collect(1)
            return
        if self._n_at_work or self._is_full_due:
            gc.collect()
            self._full_at = now
            torch = sys.modules.get("torch")
            if torch is not None and torch.cuda.is_available():
                torch.cuda.empty_cache()
        if not self._n_at_work:
            if self._is_full_due:
                give_back_freed_memory()
            self._is_full_due = False
            self._timer.stop()
            gc.enable()


@functools.cache
def memory_at_work() -> MemoryAtWork:
    """That of the program; made when it is first asked for, in the main thread."""
    return MemoryAtWork()


logger = logging.getLogger(__name__)

REPORT_INTERVAL_S = 0.1
"""Seconds from one message to the window to the next, whatever the steps take."""

HEARD = ("yielded", "returned", "errored", "aborted", "paused", "resumed")
"""Signals that panels listen to. ``finished`` is not among them: memory and napari's
list of tasks need it."""

EXIT_S = 60.0
"""Seconds that a program which ends waits for workers that were not abandoned."""

_AT_WORK: set[SteeredWorker] = set()
"""Workers whose threads are not done."""


class SteeredWorker(GeneratorWorker):  # type: ignore[misc]
    """Drives a generator in a thread of its own, until it ends or is asked to end.

    Not in Qt's pool: napari and Qt wait for the pool without limit when they quit.

    ``yielded``, ``returned``, ``errored``, ``aborted`` and ``finished`` are napari's.
    ``errored`` brings a `WorkFailed` whose text is one sentence; the traceback is in
    the log, not in the exception, where it would keep the networks alive.
    """

    holds_networks: ClassVar = True
    """Whether all memory is looked through when it has ended."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ended = threading.Event()
        self.is_abandoned = False

    def start(self) -> None:
        """Begin, beside the window. No garbage is collected in the thread."""
        memory = memory_at_work()
        memory.begin_work()
        self.finished.connect(
            memory.end_large_work if self.holds_networks else memory.end_work
        )
        _AT_WORK.add(self)
        threading.Thread(target=self.run, name=type(self).__name__, daemon=True).start()

    def run(self) -> None:
        """The work of the thread."""
        try:
            super().run()
        finally:
            self._ended.set()
            _AT_WORK.discard(self)

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

    def abandon(self) -> None:
        """Let it end by itself; nobody hears of it, and the program need not wait."""
        self.is_abandoned = True
        for name in HEARD:
            _disconnect(getattr(self, name))

    @property
    def is_over(self) -> bool:
        """Whether the thread is done."""
        return self._ended.is_set()

    @property
    def expected_s(self) -> float:
        """Seconds that it may take to end, as far as that is known."""
        return 0.0

    @property
    def closing_text(self) -> str:
        """What it still does when it is asked to end, and what is lost otherwise."""
        return "The work under way is being cancelled; nothing of it is kept."

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
    """Drives a run; its trainer owns pause and stop, which act after the current step.

    ``yielded`` brings a `PreparedRun` before the first step, then a tuple of all
    `StepReport` since the last time; ``paused`` and ``resumed`` come from the trainer;
    ``returned`` brings the FinishReason, when the run folder is written.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only for a stop that comes before there is a trainer.
        self._stop_asked = False
        self._trainer: Trainer | None = None
        self._reports: list[StepReport] = []
        self._sent_at = 0.0

    def pause(self) -> None:
        """Pause after this step, once the run is prepared."""
        if (trainer := self._trainer) is not None:
            trainer.pause()

    def resume(self) -> None:
        """Continue after a pause."""
        if (trainer := self._trainer) is not None:
            trainer.unpause()

    @property
    def is_paused(self) -> bool:
        """Whether a pause is asked for."""
        trainer = self._trainer
        return trainer is not None and trainer.is_paused

    def toggle_pause(self) -> None:
        """Pause or continue."""
        if self.is_paused:
            self.resume()
        else:
            self.pause()

    def quit(self) -> None:
        """Stop after this step and save; napari calls this when it closes."""
        self._stop_asked = True
        # Either this sees the trainer, or the worker sees that a stop was asked for.
        if (trainer := self._trainer) is not None:
            trainer.stop()

    @property
    def expected_s(self) -> float:
        """Seconds that the step under way and the save may take; 0 if not known."""
        trainer = self._trainer
        return 0.0 if trainer is None else trainer.next_step_s

    @property
    def closing_text(self) -> str:
        """What is waited for, for how long, and what is lost without waiting."""
        trainer = self._trainer
        if trainer is None:
            return "The run is still being prepared; no step has been trained yet."
        step, unsaved = trainer.next_step_s / 60, trainer.unsaved_s / 60
        takes = f"up to about {duration(step)}" if step else "as long as a first step"
        before = f" and {duration(unsaved)} of training before it" if unsaved else ""
        return (
            "Training finishes the step under way and saves the run, which takes "
            f"{takes}. If napari quits earlier, this step{before} is lost; the run can "
            "be resumed from its last checkpoint."
        )

    def _drive(self, steps: Generator[Any, None, FinishReason]) -> FinishReason:
        run = next(steps)
        run.trainer.on_pause = self._pause_changed
        self._trainer = run.trainer
        if self._stop_asked:
            run.trainer.stop()
        self.yielded.emit(run)
        del run
        try:
            return self._train(steps)
        finally:
            self._send()

    def _train(self, steps: Generator[Any, None, FinishReason]) -> FinishReason:
        while True:
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

    def _pause_changed(self, is_paused: bool) -> None:
        """Called by the trainer; all that was done is reported first."""
        self._send()
        (self.paused if is_paused else self.resumed).emit()

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
    _disconnect(worker.errored)


def _disconnect(signal: Any) -> None:
    """Disconnect all slots of a signal."""
    # Qt complains where there is none.
    signal.connect(logger.debug)
    signal.disconnect()


@atexit.register
def _end_program() -> None:
    """Let no thread keep the program, or crash it while Python takes itself apart.

    Handlers that were registered earlier than this one are not called then.
    """
    working = [*_AT_WORK]
    for worker in working:
        worker.quit()
    ends = time.monotonic() + EXIT_S
    for worker in working:
        patience_s = 0.0 if worker.is_abandoned else ends - time.monotonic()
        if not worker.wait(max(0.0, patience_s)):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
