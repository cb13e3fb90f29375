"""Estimated memory and time of a run, in one line below the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicegan._qt.jobs import Machine, look_ahead
from napari_slicegan._qt.widgets.basics import MessageLine
from napari_slicegan._qt.worker import SteeredWorker

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.estimates import Estimate
    from napari_slicegan.training.tasks import Given

SETTLE_MS = 600


class Forecast(QWidget):
    """Estimates memory and time in a worker thread, one estimate at a time."""

    machine_known = Signal(object)
    """`Machine`; emitted when torch is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self._requested: tuple[RunConfig, Given] | None = None
        self._worker: SteeredWorker | None = None
        self._is_cancelled = False
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

    def request(self, config: RunConfig, given: Given) -> None:
        """Estimate a run once the settings have been unchanged for a moment."""
        self._requested = (config, given)
        if self._is_cancelled:
            # A sentence about earlier settings.
            self.line.clear()
        self._timer.start()

    def cancel(self) -> None:
        """Cancel the estimate: the run needs the cores."""
        self._timer.stop()
        self._requested = None
        self._is_cancelled = True
        self.line.clear()
        if self._worker is not None:
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Cancel; return the workers that are still running."""
        self.cancel()
        return [] if self._worker is None else [self._worker]

    def _start(self) -> None:
        if self._worker is not None or self._requested is None:
            return
        config, given = self._requested
        self._requested, self._is_cancelled = None, False
        # An earlier estimate does not hold without its images.
        self.line.show_text("" if given is None else "Estimating memory and time...")
        # Not registered with napari, so closing needs no confirmation.
        worker = SteeredWorker(look_ahead, config, given)
        worker.yielded.connect(self._show)
        worker.errored.connect(self._show_fault)
        worker.finished.connect(self._finished)
        self._worker = worker
        worker.start()

    def _show(self, found: Machine | Estimate) -> None:
        if isinstance(found, Machine):
            self.machine_known.emit(found)
        elif self._is_of_newest and found.fits:
            self.line.show_text(found.sentence())
        elif self._is_of_newest:
            self.line.show_warning(found.sentence())

    def _show_fault(self, fault: Exception) -> None:
        """Show before Start that the settings do not fit the images."""
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
