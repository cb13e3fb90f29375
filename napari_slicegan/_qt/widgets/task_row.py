"""Longer work of a panel: one at a time, with its progress and a way to end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan._qt.widgets.generation_progress import GenerationProgress
from napari_slicegan._qt.worker import (
    GenerationWorker,
    SteeredWorker,
    task_worker,
)


class TaskRow(QWidget):
    """In sight while something is at work.

    ``run`` takes what is to be done and what is to be done with its result; the result
    is brought to the main thread.
    """

    failed = Signal(str)
    """One sentence."""
    cancelled = Signal()
    state_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("task")
        self._worker: GenerationWorker | None = None
        # children
        self.words = QLabel()
        self.progress = GenerationProgress()
        self.cancel_button = button("cancel_task", "Cancel", "End it; nothing is kept.")
        # layout
        row = QHBoxLayout()
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        layout.addLayout(row)
        self.hide()
        # signals
        self.cancel_button.clicked.connect(lambda checked: self.cancel())

    @property
    def is_busy(self) -> bool:
        """Whether something is at work."""
        return self._worker is not None

    def run(
        self, words: str, done: Callable[[Any], None], work: Any, *args: Any
    ) -> None:
        """Do this beside the window, unless something is at work already.

        Parameters
        ----------
        words
            What is done, for the user.
        done
            Is given the result.
        work, args
            A generator function that yields shares, and what it is called with.
        """
        if self._worker is not None:
            self.failed.emit(
                "Something is at work already; wait for it or cancel it first."
            )
            return
        worker = task_worker(work, *args)
        worker.yielded.connect(self.progress.set_share)
        # A worker that was told to end returns None.
        worker.returned.connect(lambda made: None if made is None else done(made))
        worker.errored.connect(lambda fault: self.failed.emit(str(fault)))
        worker.aborted.connect(self.cancelled)
        worker.finished.connect(self._finish)
        self._worker = worker
        self.words.setText(f"{words} ...")
        self.progress.begin(words)
        self.cancel_button.setEnabled(True)
        self.show()
        self.state_changed.emit()
        worker.start()

    def cancel(self) -> None:
        """End the work after the piece it is at."""
        if self._worker is not None:
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Ask the work to end; those that are still at it."""
        self.cancel()
        return [] if self._worker is None else [self._worker]

    def _finish(self) -> None:
        self._worker = None
        self.progress.end()
        self.hide()
        self.state_changed.emit()
