"""One volume that follows the knobs: the latest wish counts, none waits in a queue."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_slicegan._qt.explore.exploration import Exploration, preview_size
from napari_slicegan._qt.explore.jobs import render
from napari_slicegan._qt.worker import SteeredWorker

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.jobs import Found
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.volumes.volume import Volume

# Until this machine has made a volume: 64^3 in 0.2 s.
GUESSED_VOXELS_PER_S = 64**3 / 0.2


class LiveWorker(SteeredWorker):
    """Makes one volume of a generator that is kept."""

    holds_networks = False


@dataclass(frozen=True, eq=False)
class Wish:
    """A volume that is wanted.

    Attributes
    ----------
    quick
        Only a corner, if the whole cannot follow the hand; nothing is measured.
    """

    trained: TrainedGenerator
    found: Found | None
    wanted: Exploration
    quick: bool


class LiveVolume(QObject):
    """Makes volumes beside the window, one at a time.

    A quick one is always made to its end, so that something is seen while a slider is
    dragged; a whole one ends for the next wish.
    """

    made = Signal(object, bool)
    """The Volume, and whether it is the whole of what is wanted."""
    measured = Signal(object)
    """Mapping of a whole volume's properties."""
    failed = Signal(str)
    """One sentence."""
    rested = Signal()
    """Nothing is made, and nothing waits."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: LiveWorker | None = None
        self._current: Wish | None = None
        self._next: Wish | None = None
        self._size = (0, 0, 0)
        self._voxels_per_s = GUESSED_VOXELS_PER_S
        self._began_at = 0.0
        self.seconds = math.nan
        """From the last wish that was begun to its volume."""

    @property
    def is_busy(self) -> bool:
        """Whether a volume is made or waits to be."""
        return self._worker is not None or self._next is not None

    def ask(self, wish: Wish) -> None:
        """Make this next, in place of whatever waited."""
        self._next = wish
        if self._worker is None:
            self._begin()
        elif self._current is None or not self._current.quick:
            self._worker.quit()

    def forget(self) -> None:
        """Let go of the generator as soon as the thread is done with it."""
        self._next = self._current = None
        if self._worker is not None:
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Give up; those that are still at it."""
        self.forget()
        return [] if self._worker is None else [self._worker]

    def _begin(self) -> None:
        wish, self._next = self._next, None
        if wish is None:
            self.rested.emit()
            return
        size = wish.wanted.size
        if wish.quick:
            size = preview_size(size, self._voxels_per_s)
        self._current, self._size = wish, size
        # Not one of napari's tasks: closing need not ask about it.
        worker = LiveWorker(
            render, wish.trained, wish.found, wish.wanted, size, not wish.quick
        )
        worker.yielded.connect(self._yielded)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._errored)
        worker.finished.connect(self._finished)
        self._worker, self._began_at = worker, time.monotonic()
        worker.start()

    def _yielded(self, made: float | Volume) -> None:
        if isinstance(made, float) or self._current is None:
            return
        self.seconds = time.monotonic() - self._began_at
        self._voxels_per_s = math.prod(self._size) / max(self.seconds, 1e-3)
        # Of those that are given up for a newer wish, only a quick one is shown.
        if self._next is None or self._current.quick:
            self.made.emit(made, self._size == self._current.wanted.size)

    def _returned(self, properties: Mapping[str, float] | None) -> None:
        if properties and self._is_newest:
            self.measured.emit(properties)

    def _errored(self, fault: Exception) -> None:
        if self._is_newest:
            self.failed.emit(str(fault))

    @property
    def _is_newest(self) -> bool:
        """Whether what is made answers the last wish."""
        return self._current is not None and self._next is None

    def _finished(self) -> None:
        self._worker = self._current = None
        self._begin()
