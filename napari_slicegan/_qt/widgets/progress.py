"""Progress of longer work: in the dock and in napari's activity dock."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from napari.utils import progress
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import button
from napari_slicegan._qt.worker import GenerationWorker, SteeredWorker, task_worker

WHOLE = 100
# Percent of the speed of napari's little sign of work. At its 33 pictures a second the
# whole window is put together as often: where no graphics card does that, training
# becomes three times slower.
CALM, USUAL = 3, 100


class Activity:
    """One progress bar in the activity dock; for the main thread only.

    Each change lets napari process events, so it is to be called by a timer, a few
    times a second, not by each report.
    """

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._text = ""

    def show(self, share: float, text: str) -> None:
        """Show the share that is done, 0 to 1, and a few words."""
        if self._bar is None:
            # Without a window the bar would write to the terminal.
            self._bar = progress(total=WHOLE, desc=text, file=io.StringIO())
            self._text = text
            _set_pace(CALM)
        bar = self._bar
        done = round(WHOLE * share)
        if done != bar.n:
            bar.update(done - bar.n)
        # Events were processed: the run may have ended in between.
        if bar is self._bar and self._text != text:
            self._text = text
            bar.set_description(text)

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
            _set_pace(USUAL)


def _set_pace(percent: int) -> None:
    """Of all moving pictures in labels."""
    for window in QApplication.topLevelWidgets():
        for label in window.findChildren(QLabel):
            movie = label.movie()
            if movie is not None:
                movie.setSpeed(percent)


REFRESH_MS = 500
GENERATION_PROGRESS_WHOLE = 1000
WORDS = "generating a volume"


class GenerationProgress(QProgressBar):
    """In sight from `begin` to `end`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generation_progress")
        self.setRange(0, GENERATION_PROGRESS_WHOLE)
        self.setVisible(False)
        self._activity = Activity()
        self._words = WORDS
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._timer.timeout.connect(self._refresh)

    def begin(self, words: str = WORDS) -> None:
        """Something is about to be made; the words are for the activity dock."""
        self._words = words[0].lower() + words[1:]
        self.setValue(0)
        self.setVisible(True)
        self._timer.start()

    def set_share(self, share: float) -> None:
        """Share of the volume that is made, 0 to 1."""
        self.setValue(round(GENERATION_PROGRESS_WHOLE * share))

    def end(self) -> None:
        """The volume is made, or given up."""
        self._timer.stop()
        self._activity.close()
        self.setVisible(False)

    def _refresh(self) -> None:
        # It lets napari process events, so it is not for each report.
        share = self.value() / GENERATION_PROGRESS_WHOLE
        self._activity.show(share, f"SliceGAN: {self._words}")


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
