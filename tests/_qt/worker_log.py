"""Records the signals of a worker, for tests."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from napari_slicegan._qt.jobs import PreparedRun

if TYPE_CHECKING:
    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.training.trainer import Trainer


class Log:
    """All signals of a worker, in order; for the main thread."""

    def __init__(self, worker: SteeredWorker) -> None:
        self.said: list[str] = []
        self.reports: list[Any] = []
        self.results: list[Any] = []
        self.faults: list[Exception] = []
        self.trainer: weakref.ref[Trainer] | None = None
        self.threads: set[threading.Thread] = set()
        for name in ("paused", "resumed", "aborted", "finished"):
            getattr(worker, name).connect(lambda name=name: self.said.append(name))
        worker.yielded.connect(self._yielded)
        worker.returned.connect(self.results.append)
        worker.errored.connect(self.faults.append)

    def _yielded(self, value: Any) -> None:
        self.threads.add(threading.current_thread())
        if isinstance(value, PreparedRun):
            self.trainer = weakref.ref(value.trainer)
        elif isinstance(value, tuple):
            self.reports += value
        else:
            self.reports.append(value)

    @property
    def steps(self) -> list[int]:
        return [report.step for report in self.reports]
