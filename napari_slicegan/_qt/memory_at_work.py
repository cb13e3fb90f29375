"""Garbage collection and freed memory while workers run.

Garbage is collected in the main thread only, and freed memory is kept until the work is
done. Both are explained, with what was measured, under "Interpreter settings" in
docs/window.md.
"""

from __future__ import annotations

import functools
import gc
import sys
import time

from qtpy.QtCore import QObject, QTimer

from napari_slicegan.machine.heap import give_back_freed_memory, keep_freed_memory

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
