"""Closing while something runs: one question, then waiting for threads.

They are waited for all at once and with a time limit. The caller first cancels all
workers, each of which ends after its current step, then waits here. After two seconds a
dialog explains what is being finished and what would be lost; it closes when the work
has ended, and "Close now" ends the wait.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import ask

if TYPE_CHECKING:
    from napari_slicegan._qt.worker import SteeredWorker

GRACE_S = 2.0
"""Seconds before the dialog appears; most work ends earlier."""
LIMIT_S = 60.0
"""Maximum wait, in addition to the expected time of the current step."""
POLL_S = 0.02

Flags = QEventLoop.ProcessEventsFlag


def confirm_closing(window: QWidget, text: str) -> bool:
    """Ask whether to close the window.

    Parameters
    ----------
    text
        What is running, what is saved of it and where.
    """
    return ask(window, "Close napari?", text, "Close", "confirm_closing")


class ClosingDialog(QDialog):
    """Explains what closing waits for; hidden once the user ends the wait.

    Parameters
    ----------
    text
        What is being finished, how long it may take, and what would be lost.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setObjectName("closing_dialog")
        self.setWindowTitle("Closing SliceGAN")
        self.setModal(True)
        # Closing the dialog must not count as closing the last window.
        self.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, on=False)
        # children
        self.text = QLabel(text)
        self.text.setWordWrap(True)
        self.button = QPushButton("Close now")
        self.button.setObjectName("close_now")
        self.button.setAutoDefault(False)
        # layout
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignRight)
        # signals
        self.button.clicked.connect(self.reject)


def wait_for_end(workers: Sequence[SteeredWorker]) -> bool:
    """Wait for cancelled workers, with a dialog if it takes long; main thread only.

    Workers that do not end in time are abandoned: their threads end by themselves, or
    with the program.

    Returns
    -------
    bool
        Whether all have ended.
    """
    if join(workers, GRACE_S):
        return True
    slow = [worker for worker in workers if not worker.is_over]
    # The same text of several workers appears once.
    texts = dict.fromkeys(worker.closing_text for worker in slow)
    dialog = ClosingDialog("\n\n".join(texts))
    dialog.show()
    limit_s = LIMIT_S + max(worker.expected_s for worker in slow)
    join(slow, limit_s, dialog)
    dialog.close()
    dialog.deleteLater()
    for worker in slow:
        if not worker.is_over:
            worker.abandon()
    return join(slow, 0)


def join(
    workers: Sequence[SteeredWorker],
    timeout_s: float,
    dialog: QDialog | None = None,
) -> bool:
    """Wait for threads and deliver their last signals; main thread only.

    Slots receive the results before their widget is deleted.

    Parameters
    ----------
    dialog
        Receives the input of the user, which otherwise stays queued, and ends the wait
        when it is closed.

    Returns
    -------
    bool
        Whether all have ended in time.
    """
    ends = time.monotonic() + timeout_s
    flags = Flags.ExcludeUserInputEvents if dialog is None else Flags.AllEvents
    running = [*workers]
    while running and time.monotonic() < ends:
        if dialog is not None and not dialog.isVisible():
            break
        running[0].wait(POLL_S)
        QApplication.processEvents(flags)
        running = [worker for worker in workers if not worker.is_over]
    QApplication.processEvents(Flags.ExcludeUserInputEvents)
    return all(worker.is_over for worker in workers)
