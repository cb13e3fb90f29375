"""Cycles of garbage are collected in the main thread while workers are at work.

Python collects where it happens to be. A thread that collects widgets which were closed
a moment ago deletes them while Qt tells them so in the main thread: both wait for each
other without end.
"""

from __future__ import annotations

import functools
import gc
import sys
import time

from qtpy.QtCore import QObject, QTimer

INTERVAL_MS = 200
FULL_INTERVAL_S = 300.0
"""Looking at everything takes a third of a second."""


class GarbageCollector(QObject):
    """Takes the place of Python's own while anything is at work; main thread only."""

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
            self._full_at, self._is_full_due = now, False
            torch = sys.modules.get("torch")
            if torch is not None and torch.cuda.is_available():
                torch.cuda.empty_cache()
        if not self._n_at_work:
            self._timer.stop()
            gc.enable()


@functools.cache
def garbage_collector() -> GarbageCollector:
    """That of the program; made when it is first asked for, in the main thread."""
    return GarbageCollector()
