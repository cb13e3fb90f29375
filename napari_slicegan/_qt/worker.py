"""Workers: training and generation in background threads."""

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
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QObject, QTimer

from napari_slicegan._qt.jobs import WorkFailed, sentence_of, train
from napari_slicegan.runtime.memory import give_back_freed_memory, keep_freed_memory
from napari_slicegan.runtime.progress import Cancelled, Progress
from napari_slicegan.runtime.quantities import duration

if TYPE_CHECKING:
    from qtpy.QtWidgets import QMainWindow

    from napari_slicegan.training.clock import FinishReason, StepReport
    from napari_slicegan.training.trainer import Trainer

INTERVAL_MS = 200
FULL_INTERVAL_S = 300.0
"""Interval of full collections; each takes about 0.3 s."""


class MemoryAtWork(QObject):
    """Collects garbage by a timer while workers run; main thread only.

    Qt objects must not be collected in another thread, and training keeps its freed
    memory instead of returning it to the system each step.
    """

    def __init__(self) -> None:
        super().__init__()
        self._n_at_work = 0
        self._is_full_due = False
        self._full_at = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._tick)

    def begin_work(self) -> None:
        """Call before a thread starts."""
        if not self._timer.isActive():
            if not gc.isenabled():
                # Somebody else has disabled the collector and is responsible for it.
                return
            gc.disable()
            keep_freed_memory()
            self._full_at = time.monotonic()
            self._timer.start()
        self._n_at_work += 1

    def end_work(self) -> None:
        """Call after a thread has ended."""
        self._n_at_work = max(self._n_at_work - 1, 0)

    def end_large_work(self) -> None:
        """Call after a thread has ended that may have left networks."""
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
    """Return the only instance; first call in the main thread."""
    return MemoryAtWork()


logger = logging.getLogger(__name__)

REPORT_INTERVAL_S = 0.1
"""Minimum interval of the messages to the window."""

PANEL_SIGNALS = ("yielded", "returned", "errored", "aborted", "paused", "resumed")
"""Signals that panels connect to. ``finished`` is not listed: garbage collection and
napari's list of tasks need it."""

EXIT_S = 60.0
"""Seconds that a quitting program waits for workers that were not abandoned."""

AnyWorker = TypeVar("AnyWorker", bound="SteeredWorker")

_AT_WORK: set[SteeredWorker] = set()
"""Workers whose threads may still run.

The main thread removes them: were the thread's own reference the last one, Qt objects
with pending events would be deleted in that thread, which crashes.
"""


class SteeredWorker(GeneratorWorker):  # type: ignore[misc]
    """Runs a generator in a thread of its own until it ends or is cancelled.

    Not in Qt's pool: napari and Qt wait for the pool without limit when they quit.

    ``yielded``, ``returned``, ``errored``, ``aborted`` and ``finished`` are napari's.
    ``errored`` brings a `WorkFailed` whose text is one sentence; the traceback is in
    the log, not in the exception, where it would keep the networks alive.
    """

    holds_networks: ClassVar = True
    """Whether a full garbage collection follows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._thread: threading.Thread | None = None
        self.is_abandoned = False
        self.name_outside_docks = ""
        """What it does, in words, if no dock names it before it is closed."""
        self.window: weakref.ref[QMainWindow] | None = None
        """Window whose closing cancels such work."""

    def start(self) -> None:
        """Start the thread. No garbage is collected in it."""
        memory = memory_at_work()
        memory.begin_work()
        self.finished.connect(
            memory.end_large_work if self.holds_networks else memory.end_work
        )
        # Connected last: the panels have heard of the end.
        self.finished.connect(self._release_slots_soon)
        _AT_WORK.add(self)
        self._thread = threading.Thread(
            target=self.run, name=type(self).__name__, daemon=True
        )
        self._thread.start()

    @property
    def quit(self) -> Callable[[], None]:
        """Cancel the work; weak, as napari's list of tasks keeps it after the end."""
        return functools.partial(_quit, weakref.ref(self))

    def request_end(self) -> None:
        """End the work at its next step."""
        super().quit()

    def work(self) -> Any:
        """Run the generator and release it, also after an error."""
        sentence = ""
        try:
            with contextlib.closing(self._gen):
                return self._drive(self._gen)
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 every error is shown
            sentence = sentence_of(error)
            if not isinstance(error, ValueError):
                # As text: a record with the traceback would keep the networks alive.
                logger.error("The worker failed:\n%s", traceback.format_exc())
        finally:
            self._release()
        if self.abort_requested:
            # The work was cancelled, so an error is not shown.
            self.aborted.emit()
            return None
        raise WorkFailed(sentence)

    def wait(self, timeout_s: float) -> bool:
        """Block until the thread has ended or time is up; return whether it ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self.is_over

    def abandon(self) -> None:
        """Disconnect all panels; the program does not wait for this worker."""
        self.is_abandoned = True
        for name in PANEL_SIGNALS:
            _disconnect(getattr(self, name))

    def _release_slots_soon(self) -> None:
        QTimer.singleShot(INTERVAL_MS, self._release_slots)

    def _release_slots(self) -> None:
        """Forget all slots, and with them panels."""
        if not self.is_over:
            # The thread is still telling the other slots that it has finished.
            self._release_slots_soon()
            return
        for name in ("started", "finished", *PANEL_SIGNALS):
            _disconnect(getattr(self, name))
        _AT_WORK.discard(self)

    @property
    def is_over(self) -> bool:
        """Whether the thread was started and has ended."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def expected_s(self) -> float:
        """Expected seconds until the worker ends; 0 if unknown."""
        return 0.0

    @property
    def closing_text(self) -> str:
        """What the worker finishes before it ends, and what is lost otherwise."""
        return "The current task is being cancelled; its result is discarded."

    def _drive(self, steps: Generator[Any, None, Any]) -> Any:
        """Forward what the generator yields; None if the worker was cancelled."""
        while not self.abort_requested:
            try:
                value = next(steps)
            except StopIteration as end:
                if self.abort_requested:
                    break
                return end.value
            self._emit(value)
        self.aborted.emit()
        return None

    def _emit(self, value: Any) -> None:
        self.yielded.emit(value)

    def _release(self) -> None:
        """Release networks and images."""
        del self._gen


class GenerationWorker(SteeredWorker):
    """Calls a function in its thread with ``progress``, a callback for its progress.

    ``yielded`` brings the finished fraction, at most ten times a second; ``returned``
    brings the result. After ``quit`` the next call of ``progress`` raises `Cancelled`,
    and nothing is returned.

    Parameters
    ----------
    work
        Called as ``work(*args, progress=...)``.
    """

    def __init__(self, work: Callable[..., Any], *args: Any) -> None:
        super().__init__(_call, work, args, self._report)
        self._sent_at = 0.0

    def _report(self, value: Any) -> None:
        if self.abort_requested:
            raise Cancelled
        self._emit(value)

    def _emit(self, value: Any) -> None:
        if time.monotonic() - self._sent_at > REPORT_INTERVAL_S:
            self._sent_at = time.monotonic()
            super()._emit(value)


class ImageWorker(GenerationWorker):
    """A `GenerationWorker` for images; nothing is lost when it is abandoned."""

    holds_networks = False


class TrainingWorker(SteeredWorker):
    """Trains a run; its trainer owns pause and stop, which act after the current step.

    ``yielded`` brings a `PreparedRun` before the first step, then a tuple of all
    reports since the last message; ``paused`` and ``resumed`` come from the trainer;
    ``returned`` brings the FinishReason, once the run folder is written.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # For a stop before the trainer exists.
        self._stop_requested = False
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
        """Whether a pause was requested."""
        return (trainer := self._trainer) is not None and trainer.is_paused

    def toggle_pause(self) -> None:
        """Pause or continue."""
        (self.resume if self.is_paused else self.pause)()

    def request_end(self) -> None:
        """Stop after this step and save; napari asks for this when it closes."""
        self._stop_requested = True
        # Either this call sees the trainer, or the worker sees the flag.
        if (trainer := self._trainer) is not None:
            trainer.stop()

    @property
    def expected_s(self) -> float:
        """Expected seconds of the current step and the save; 0 if unknown."""
        return 0.0 if (trainer := self._trainer) is None else trainer.next_step_s

    @property
    def closing_text(self) -> str:
        """What closing waits for, how long, and what is lost otherwise."""
        trainer = self._trainer
        if trainer is None:
            return "The run is being prepared; no step has been trained yet."
        step, unsaved = trainer.next_step_s / 60, trainer.unsaved_s / 60
        takes = f"up to about {duration(step)}" if step else "as long as a first step"
        before = f" and {duration(unsaved)} of training before it" if unsaved else ""
        return (
            "Training finishes the current step and saves the run, which takes "
            f"{takes}. If napari quits earlier, this step{before} is lost; the run can "
            "be resumed from its last checkpoint."
        )

    def _drive(self, steps: Generator[Any, None, FinishReason]) -> FinishReason:
        run = next(steps)
        run.trainer.on_pause = self._pause_changed
        self._trainer = run.trainer
        if self._stop_requested:
            run.trainer.stop()
        self.yielded.emit(run)
        del run
        try:
            while True:
                report = next(steps)
                # Looked up only now: a pause within the step has sent the earlier list.
                self._reports.append(report)
                if time.monotonic() - self._sent_at > REPORT_INTERVAL_S:
                    self._send()
        except StopIteration as end:
            reason: FinishReason = end.value
            return reason
        finally:
            self._send()

    def _send(self) -> None:
        """Send the collected reports to the window."""
        self._sent_at = time.monotonic()
        if self._reports:
            self.yielded.emit(tuple(self._reports))
            self._reports = []

    def _pause_changed(self, is_paused: bool) -> None:
        """Called by the trainer; sends pending reports first."""
        self._send()
        (self.paused if is_paused else self.resumed).emit()

    def _release(self) -> None:
        self._trainer = None
        self._reports = []
        super()._release()


def _quit(worker: weakref.ref[SteeredWorker]) -> None:
    if (found := worker()) is not None:
        found.request_end()


def _call(
    work: Callable[..., Any], args: Sequence[Any], progress: Progress
) -> Generator[None, None, Any]:
    """The call as the generator that napari's workers drive; yields nothing."""
    yield from ()
    return work(*args, progress=progress)


class Task(functools.partial[Any]):
    """A function under the name that napari shows when it closes."""

    title = ""

    def __repr__(self) -> str:
        return self.title


def training_worker(prepare: Callable[..., Trainer], *args: Any) -> TrainingWorker:
    """Return a worker for a run, in napari's list of tasks, not yet started."""
    task = Task(train)
    task.title = "SliceGAN training (the run is saved when it stops)"
    return _listed_worker(TrainingWorker, task, prepare, *args)


def task_worker(work: Callable[..., Any], *args: Any) -> GenerationWorker:
    """Return a worker for ``work(*args, progress=...)``, listed but not yet started."""
    task = Task(work)
    task.title = "a SliceGAN task (its result is lost)"
    return _listed_worker(GenerationWorker, task, *args)


def _listed_worker(
    kind: type[AnyWorker], work: Callable[..., Any], *args: Any
) -> AnyWorker:
    worker: AnyWorker = create_worker(
        work, *args, _worker_class=kind, _start_thread=False, _ignore_errors=True
    )
    # napari 0.9's own slot fails on the error; its exception would be shown to the
    # user in addition to the panel's message.
    _disconnect(worker.errored)
    return worker


def other_work(window: QMainWindow | None = None) -> list[str]:
    """Names of running work outside of docks, of one window or of all."""
    running = [worker for worker in _AT_WORK if not worker.is_over]
    if window is not None:
        running = [one for one in running if one.window and one.window() is window]
    return [one.name_outside_docks for one in running if one.name_outside_docks]


def _disconnect(signal: Any) -> None:
    """Disconnect all slots of a signal."""
    # Qt warns if there is none to disconnect. PySide never releases what it keeps of a
    # connected method of an object that is not Qt's.
    signal.connect(lambda *values: None)
    signal.disconnect()


@atexit.register
def _end_threads() -> None:
    """Exit without the threads that do not end in time.

    A running thread would block the exit or crash the interpreter while it shuts down.
    Exit handlers registered before this one are then skipped.
    """
    running = [*_AT_WORK]
    for worker in running:
        worker.quit()
    ends = time.monotonic() + EXIT_S
    for worker in running:
        patience_s = 0.0 if worker.is_abandoned else ends - time.monotonic()
        if not worker.wait(max(0.0, patience_s)):
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
