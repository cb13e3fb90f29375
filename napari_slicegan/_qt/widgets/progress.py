"""Progress of background tasks, in the panel and in napari's activity dock."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

from napari.utils import progress
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import (
    FocusKeeper,
    MessageLine,
    Section,
    ask,
    breakable,
    button,
    content_above,
    parent_of,
)
from napari_slicegan._qt.worker import GenerationWorker, SteeredWorker, task_worker
from napari_slicegan.runtime.atomic_files import check_can_write
from napari_slicegan.runtime.quantities import duration, within_sentence

WHOLE = 100
# Playback speed of napari's activity animation, in percent. At full speed (33 frames/s)
# the whole window is composed as often; without a GPU that makes training three times
# slower.
SLOW, NORMAL = 1, 100
ENDING = re.compile(r"\*(\.\w+)")
# What looks like the ending of a name; that of "volume 0.5" does not.
WORD = re.compile(r"\.[A-Za-z]\w{0,9}")
# What a proposed name may not hold: a point would begin an ending.
NO_NAME = re.compile(r"[^\w ,()+-]")
# Of files, in a question.
MOST_NAMES = 3


class Activity:
    """Progress bar in napari's activity dock; main thread only.

    Each update makes napari process events, so call it by a timer, a few times a
    second, not for every report.
    """

    def __init__(self) -> None:
        self._bar: progress | None = None
        self._opening: object | None = None
        self._text = ""

    def show(self, fraction: float, text: str) -> None:
        """Show the progress, 0 to 1, and a short text."""
        if self._opening is not None:
            return
        if self._bar is None:
            self._opening = opening = object()
            # Without a window, the bar would write to the terminal.
            made = progress(total=WHOLE, desc=text, file=io.StringIO())
            if self._opening is not opening:
                # Events were processed; the work has ended.
                made.close()
                return
            self._opening = None
            self._bar, self._text = made, text
            _set_animation_speed(SLOW)
        bar = self._bar
        done = round(WHOLE * fraction)
        if done != bar.n:
            bar.update(done - bar.n)
        # Events were processed; the bar may have been closed by them.
        if bar is self._bar and self._text != text:
            self._text = text
            bar.set_description(text)

    def close(self) -> None:
        """Remove the bar."""
        bar, self._bar, self._opening = self._bar, None, None
        if bar is not None:
            bar.close()
            _set_animation_speed(NORMAL)


def _set_animation_speed(percent: int) -> None:
    """Set the speed of all animations in labels."""
    # Not by `findChildren` of the window: with PySide6 it keeps what it returns.
    for widget in QApplication.allWidgets():
        movie = widget.movie() if isinstance(widget, QLabel) else None
        if movie is not None:
            movie.setSpeed(percent)


REFRESH_MS = 500
# A task that takes longer gets a forecast.
PATIENCE_S = 4.0
BAR_MAX = 1000


class TaskRow(QWidget):
    """Runs one background task at a time; visible while it runs.

    The result is passed to a callback on the main thread.
    """

    failed = Signal(str)
    """One sentence."""
    cancelled = Signal()
    state_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("task")
        self._worker: GenerationWorker | None = None
        self._is_closed = False
        self._task, self._began = "", 0.0
        self._activity = Activity()
        self._focus: FocusKeeper | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        # children
        self.words = QLabel()
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setRange(0, BAR_MAX)
        self.cancel_button = button(
            "cancel_task", "Cancel", "Cancel the task; its result is discarded."
        )
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
        self._timer.timeout.connect(self._show_activity)

    @property
    def is_busy(self) -> bool:
        """Whether a task is running."""
        return self._worker is not None

    @property
    def name(self) -> str:
        """Description of the running task; empty without one."""
        return self._task if self.is_busy else ""

    def run(
        self, words: str, done: Callable[[Any], None], work: Any, *args: Any
    ) -> None:
        """Start a task unless one is running.

        Parameters
        ----------
        words
            Description of the task, for the user.
        done
            Called with the result.
        work, args
            Called as ``work(*args, progress=...)``; see `GenerationWorker`.
        """
        if self._worker is not None:
            self.failed.emit("Another task is running; wait for it or cancel it first.")
            return
        if self._is_closed:
            return
        worker = task_worker(work, *args)
        worker.yielded.connect(self._show_progress)
        worker.returned.connect(lambda made: self._take(made, done))
        worker.errored.connect(lambda fault: self.failed.emit(str(fault)))
        worker.aborted.connect(self.cancelled)
        worker.finished.connect(self._finish)
        self._worker = worker
        self._task, self._began = words, time.monotonic()
        self.words.setText(breakable(f"{words} ..."))
        self.progress.setValue(0)
        self._timer.start()
        began_by = QApplication.focusWidget()
        section = None if began_by is None else parent_of(began_by, Section)
        # Its section may be closed when the task has ended.
        heading = None if section is None else section.heading
        group = (began_by, self.cancel_button, heading)
        self._focus = FocusKeeper(*(each for each in group if each is not None))
        with self._focus.changing():
            self.cancel_button.setEnabled(True)
            self.show()
            self.state_changed.emit()
        worker.start()

    def cancel(self) -> None:
        """Cancel the task after its current step."""
        if self._worker is not None:
            with self._keeping_focus():
                self.cancel_button.setEnabled(False)
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Cancel the task and start no other; returns the worker if it still runs."""
        self._is_closed = True
        self.cancel()
        return [] if self._worker is None else [self._worker]

    def _take(self, made: Any, done: Callable[[Any], None]) -> None:
        # Cancelled while the result was on its way.
        if self._worker is not None and self._worker.abort_requested:
            self.cancelled.emit()
        else:
            done(made)

    def _show_progress(self, fraction: float) -> None:
        self.progress.setValue(round(BAR_MAX * fraction))
        elapsed_s = time.monotonic() - self._began
        if fraction > 0 and elapsed_s > PATIENCE_S:
            left = duration(elapsed_s * (1 - fraction) / fraction / 60)
            self.words.setText(breakable(f"{self._task} ... about {left} left"))

    def _show_activity(self) -> None:
        # By a timer: each update makes napari process events.
        words = within_sentence(self._task)
        self._activity.show(self.progress.value() / BAR_MAX, f"SliceGAN: {words}")

    def _finish(self) -> None:
        self._worker = None
        self._timer.stop()
        self._activity.close()
        with self._keeping_focus():
            self.hide()
            self.state_changed.emit()
        self._focus = None

    def _keeping_focus(self) -> AbstractContextManager[None]:
        """Let the button that began the task have the focus again."""
        return nullcontext() if self._focus is None else self._focus.changing()


class TaskPanel(QWidget):
    """Panel with a message line and one background task, which stay in sight.

    Parameters
    ----------
    name
        First part of the object names.
    pinned
        Other widgets that stay in sight.
    """

    failed = Signal(str)
    """One sentence, which is also shown."""
    last_folder: ClassVar[Path] = Path()
    """Where the last file of any panel was saved; at first that of the process."""

    def __init__(self, name: str, *pinned: QWidget) -> None:
        super().__init__()
        self.setObjectName(f"{name}_panel")
        self.message = MessageLine(f"{name}_message")
        self.task = TaskRow()
        self.task.failed.connect(self.fail)
        self.task.cancelled.connect(lambda: self.message.show_text("Cancelled."))
        self.content = content_above(self, *pinned, self.task, self.message)
        """Layout of all else."""

    def fail(self, sentence: str) -> None:
        """Show an error."""
        self.message.show_error(sentence)
        self.failed.emit(sentence)

    def ask_file(
        self,
        title: str,
        formats: str,
        name: str,
        files_of: FilesOf = lambda path: (path,),
    ) -> Path | None:
        """Ask for a file to write; a place that cannot be written is refused.

        The chosen format sets a missing ending. Files that the dialog has not asked
        about are replaced only if the user agrees. The next dialog begins in the same
        folder.

        Parameters
        ----------
        formats
            In the form of Qt's dialogs: ``"Images (*.tif *.tiff);;Numbers (*.csv)"``.
        name
            Proposal, without an ending.
        files_of
            All files that are written for a name, such as one for each phase.
        """
        proposed = str(self.last_folder / NO_NAME.sub("-", name))
        typed, chosen = QFileDialog.getSaveFileName(self, title, proposed, formats)
        if not typed:
            return None
        if Path(typed).parent.is_dir():
            TaskPanel.last_folder = Path(typed).parent
        try:
            path = file_to_write(Path(typed), chosen, formats)
            files = files_of(path)
            for file in files:
                check_can_write(file)
        except ValueError as error:
            self.fail(str(error))
            return None
        others = [file for file in files if file != Path(typed)]
        return path if confirm_replacing(self, others) else None


FilesOf = Callable[[Path], Collection[Path]]


def confirm_replacing(parent: QWidget | None, files: Collection[Path]) -> bool:
    """Ask before files are replaced; True if none exists."""
    existing = [file for file in files if file.exists()]
    if not existing:
        return True
    names = [file.name for file in existing[:MOST_NAMES]]
    if len(existing) > MOST_NAMES:
        names.append(f"{len(existing) - MOST_NAMES} more")
    exist, them = ("exists", "it") if len(existing) == 1 else ("exist", "them")
    words = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    text = f"{words} already {exist} in {existing[0].parent}. Replace {them}?"
    return ask(parent, "Replace files", text, "Replace", "confirm_replacing")


def file_to_write(path: Path, chosen: str, formats: str) -> Path:
    """Path of a file that can be written; the chosen format completes its name.

    Parameters
    ----------
    chosen, formats
        One format, and all of them, as in `TaskPanel.ask_file`.

    Raises
    ------
    ValueError
        If the ending is none of the formats, the folder does not exist, or the place
        cannot be written.
    """
    endings = ENDING.findall(formats)
    if path.suffix.lower() not in endings and not WORD.fullmatch(path.suffix):
        ending = (ENDING.findall(chosen) or endings)[0]
        path = path.with_name(path.name + ending)
    if not path.parent.exists():
        raise ValueError(
            f"Expected an existing folder, got {path.parent}; create it or choose "
            "another one."
        )
    check_can_write(path, *endings)
    return path
