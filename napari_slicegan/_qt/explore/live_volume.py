"""Volume that follows the inputs: only the latest request counts, none is queued."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_slicegan._qt.explore.exploration import preview_size
from napari_slicegan._qt.explore.jobs import VolumeRequest, render
from napari_slicegan._qt.worker import GenerationWorker, SteeredWorker

if TYPE_CHECKING:
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.volumes.volume import Volume

# Until the first measurement: 64^3 voxels in 0.2 s.
GUESSED_VOXELS_PER_S = 64**3 / 0.2


class LiveWorker(GenerationWorker):
    """Generates one volume; ``yielded`` brings the volume, before it is measured."""

    # The panel keeps the generator.
    holds_networks = False

    def _emit(self, value: float | Volume | Sheet) -> None:
        if not isinstance(value, float):
            self.yielded.emit(value)


class LiveVolume(QObject):
    """Generates volumes in the background, one at a time.

    A preview always finishes, so that the view changes while a slider is dragged; a
    whole volume is cancelled by the next request.
    """

    made = Signal(object, bool)
    """The Volume, and whether it is the whole of the requested one; or a Sheet."""
    measured = Signal(object)
    """Properties of a whole volume."""
    failed = Signal(str)
    """One sentence."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: LiveWorker | None = None
        self._current: VolumeRequest | None = None
        self._next: VolumeRequest | None = None
        self._size = (0, 0, 0)
        self._voxels_per_s = GUESSED_VOXELS_PER_S
        self._began_at = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a volume is being generated or pending."""
        return self._worker is not None or self._next is not None

    def submit(self, request: VolumeRequest) -> None:
        """Generate this next; replaces a pending request."""
        self._next = request
        if self._worker is None:
            self._begin()
        elif self._current is None or not self._current.quick:
            self._worker.quit()

    def forget(self) -> None:
        """Release the generator as soon as the thread ends."""
        self._next = self._current = None
        if self._worker is not None:
            self._worker.quit()

    def end_work(self) -> list[SteeredWorker]:
        """Cancel the work; returns the workers that still run."""
        self.forget()
        return [] if self._worker is None else [self._worker]

    def _begin(self) -> None:
        request, self._next = self._next, None
        if request is None:
            return
        size = request.sample.size
        if request.quick:
            size = preview_size(size, self._voxels_per_s)
        self._current, self._size = request, size
        # Not one of napari's tasks: closing need not ask the user about it.
        worker = LiveWorker(render, request, size)
        worker.yielded.connect(self._yielded)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._errored)
        worker.finished.connect(self._finished)
        self._worker, self._began_at = worker, time.monotonic()
        worker.start()

    def _yielded(self, made: Volume | Sheet) -> None:
        if self._current is None:
            return
        seconds = max(time.monotonic() - self._began_at, 1e-3)
        self._voxels_per_s = math.prod(self._size) / seconds
        # A volume with a newer request pending is shown only if it is a preview.
        if self._next is None or self._current.quick:
            self.made.emit(made, self._size == self._current.sample.size)

    def _returned(self, properties: Mapping[str, float] | None) -> None:
        if properties and self._is_newest:
            self.measured.emit(properties)

    def _errored(self, fault: Exception) -> None:
        if self._is_newest:
            self.failed.emit(str(fault))

    @property
    def _is_newest(self) -> bool:
        """Whether the current volume answers the latest request."""
        return self._current is not None and self._next is None

    def _finished(self) -> None:
        self._worker = self._current = None
        self._begin()
