"""Estimated cost of what a panel is about to start, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicegan._qt.jobs import Machine
from napari_slicegan._qt.widgets.basics import MessageLine
from napari_slicegan._qt.worker import SteeredWorker

if TYPE_CHECKING:
    from napari_slicegan.training.estimates import Estimate

SETTLE_MS = 600


class Forecast(QWidget):
    """Estimates in a worker thread, one estimate at a time.

    Parameters
    ----------
    job
        Yields a sentence or an `Estimate`, perhaps a `Machine` before it.
    name
        What is estimated, such as "time".
    """

    machine_known = Signal(object)
    """`Machine`; emitted when torch is loaded."""

    def __init__(self, job: Callable[..., Iterator[Any]], name: str) -> None:
        super().__init__()
        self._job, self._name = job, name
        self._requested: tuple[Any, ...] | None = None
        self._worker: SteeredWorker | None = None
        self._is_cancelled = False
        # Arguments of the estimate that is shown, or of that being made.
        self._estimated: tuple[Any, ...] | None = None
        # children
        self.line = MessageLine("forecast")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        # signals
        self._timer.timeout.connect(self._start)

    def request(self, *args: Any) -> None:
        """Estimate once the arguments of the job have been unchanged for a moment.

        The estimate that is shown stays if it has the same arguments.
        """
        if not self.is_busy and _are_same(self._estimated, args):
            return
        self._estimated = None
        self._requested = args
        if self._is_cancelled:
            # A sentence about earlier settings.
            self.line.clear()
        self._timer.start()

    def cancel(self) -> None:
        """Cancel the estimate, and show none."""
        self._end()
        self._is_cancelled, self._estimated = True, None
        self.line.clear()

    @property
    def is_busy(self) -> bool:
        """Whether an estimate was requested that is not finished."""
        return self._requested is not None or self._worker is not None

    def hold(self) -> None:
        """Keep showing the estimate of what has begun: it needs the cores itself."""
        if self.is_busy:
            # There is none yet, or only one of other arguments.
            self.cancel()

    def _end(self) -> None:
        self._timer.stop()
        self._requested = None
        if self._worker is not None:
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Cancel; return the workers that are still running."""
        self.cancel()
        return [] if self._worker is None else [self._worker]

    def _start(self) -> None:
        if self._worker is not None or self._requested is None:
            return
        args = self._requested
        self._requested, self._is_cancelled = None, False
        # An earlier estimate does not hold without its images.
        can_estimate = all(argument is not None for argument in args)
        self.line.show_text(f"Estimating {self._name}..." if can_estimate else "")
        # Not registered with napari, so closing needs no confirmation.
        self._estimated = args
        worker = SteeredWorker(self._job, *args)
        worker.yielded.connect(self._show)
        worker.errored.connect(self._show_fault)
        worker.finished.connect(self._finished)
        self._worker = worker
        worker.start()

    def _show(self, found: Machine | Estimate | str) -> None:
        if isinstance(found, Machine):
            self.machine_known.emit(found)
        elif not self._is_of_newest:
            return
        elif isinstance(found, str):
            self.line.show_text(found)
        elif found.fits:
            self.line.show_text(found.sentence())
        else:
            self.line.show_warning(found.sentence())

    def _show_fault(self, fault: Exception) -> None:
        """Show beforehand that the arguments do not fit each other."""
        if self._is_of_newest:
            self.line.show_warning(str(fault))

    @property
    def _is_of_newest(self) -> bool:
        """Whether the running worker serves the last request."""
        return self._requested is None and not self._is_cancelled

    def _finished(self) -> None:
        self._worker = None
        if self._requested is not None:
            self._timer.start()


def _are_same(known: tuple[Any, ...] | None, args: tuple[Any, ...]) -> bool:
    """Whether arguments are the same objects, or equal ones that can be compared."""
    if known is None or len(known) != len(args):
        return False
    try:
        return all(a is b or bool(a == b) for a, b in zip(known, args, strict=True))
    except ValueError:
        # Arrays within them.
        return False
