"""How closing waits for threads: all at once, bounded, and explained to the user.

Whoever closes first asks all work to end, which each piece does after its current step,
then waits here. After a moment a dialog says what is waited for and what would be lost;
it closes by itself when the work has ended, and "Close now" ends the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import QApplication, QDialog, QLabel, QPushButton, QVBoxLayout

if TYPE_CHECKING:
    from napari_slicegan._qt.worker import SteeredWorker

GRACE_S = 2.0
"""Seconds without a dialog; nearly all work has ended by then."""
LIMIT_S = 60.0
"""Seconds of waiting beyond those that the step under way is expected to take."""
POLL_S = 0.02

Flags = QEventLoop.ProcessEventsFlag


class ClosingDialog(QDialog):
    """Says what closing waits for; is hidden when the user wants to wait no longer.

    Parameters
    ----------
    text
        What is waited for, how long it may take, and what is lost without it.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setObjectName("closing_dialog")
        self.setWindowTitle("Closing SliceGAN")
        self.setModal(True)
        # Its end is not that of the last window.
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
    """Wait for workers that were asked to end, with a dialog if that takes long.

    For the main thread. Workers that do not end in time are abandoned: their threads
    end by themselves, or with the program.

    Returns
    -------
    bool
        Whether all have ended.
    """
    if join(workers, GRACE_S):
        return True
    slow = [worker for worker in workers if not worker.is_over]
    # A sentence of several workers of a kind is said once.
    texts = dict.fromkeys(worker.closing_text for worker in slow)
    dialog = ClosingDialog("\n\n".join(texts))
    dialog.show()
    ends = time.monotonic() + LIMIT_S + max(worker.expected_s for worker in slow)
    while not _are_over(slow) and dialog.isVisible() and time.monotonic() < ends:
        slow[0].wait(POLL_S)
        QApplication.processEvents(Flags.AllEvents)
    dialog.close()
    dialog.deleteLater()
    for worker in slow:
        if not worker.is_over:
            worker.abandon()
    _deliver()
    return _are_over(slow)


def join(workers: Sequence[SteeredWorker], timeout_s: float) -> bool:
    """Wait for threads and for their last signals; whether all are done in time.

    For the main thread. Slots must have heard how the work ended before their widget
    goes; clicks are left waiting.
    """
    ends = time.monotonic() + timeout_s
    while not _are_over(workers) and time.monotonic() < ends:
        next(each for each in workers if not each.is_over).wait(POLL_S)
        _deliver()
    _deliver()
    return _are_over(workers)


def _are_over(workers: Sequence[SteeredWorker]) -> bool:
    return all(worker.is_over for worker in workers)


def _deliver() -> None:
    """Let slots of the main thread hear what was signalled, but no clicks."""
    QApplication.processEvents(Flags.ExcludeUserInputEvents)
