"""Generation workers: progress, results and ends."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt import worker as worker_module
from napari_slicegan._qt.closing import join
from napari_slicegan._qt.worker import GenerationWorker
from tests._qt.worker_log import Log

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.runtime.progress import Progress

pytestmark = pytest.mark.qt
LONG = 60_000


class Work:
    """Work that reports its progress and notes its end."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def run(self, n: int, progress: Progress) -> str:
        try:
            for number in range(n):
                progress(number / n)
            return "volume"
        finally:
            self.closed.set()


def test_generation_yields_progress_and_returns_the_volume(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "REPORT_INTERVAL_S", -1)
    work = Work()
    worker = GenerationWorker(work.run, 4)
    log = Log(worker)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    assert log.reports == [0, 0.25, 0.5, 0.75]
    assert log.results == ["volume"]
    assert work.closed.is_set()


def test_messages_are_fewer_than_tiles(qtbot: QtBot) -> None:
    # Too many messages would block the window.
    worker = GenerationWorker(Work().run, 10_000)
    log = Log(worker)
    started = time.monotonic()
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.start()
    assert 1 <= len(log.reports) <= 1 + (time.monotonic() - started) / 0.1
    assert log.results == ["volume"]


def test_join_delivers_the_last_signals(qtbot: QtBot) -> None:
    worker = GenerationWorker(Work().run, 10**9)
    log = Log(worker)
    worker.start()
    worker.quit()
    # Its thread may not even have begun.
    assert join([worker], 60)
    assert log.said == ["aborted", "finished"]
    assert log.results == []


def test_join_gives_up_in_time(qtbot: QtBot) -> None:
    gate = threading.Event()

    def wait(progress: Progress) -> None:
        gate.wait(60)

    worker = GenerationWorker(wait)
    worker.start()
    assert not join([worker], 0.1)
    gate.set()
    assert join([worker], 60)


def test_cancelled_generation_returns_nothing_and_is_closed(qtbot: QtBot) -> None:
    work = Work()
    worker = GenerationWorker(work.run, 10**9)
    log = Log(worker)
    worker.start()
    qtbot.waitUntil(lambda: len(log.reports) > 1, timeout=LONG)
    with qtbot.waitSignal(worker.finished, timeout=LONG):
        worker.quit()
    assert worker.wait(10)
    assert log.results == []
    assert "aborted" in log.said
    assert work.closed.is_set()


def test_an_error_after_cancelling_is_not_reported(qtbot: QtBot) -> None:
    begun, late = threading.Event(), threading.Event()

    def fails(progress: Progress) -> None:
        begun.set()
        assert late.wait(60)
        progress(0.5 / 0)

    worker = GenerationWorker(fails)
    log = Log(worker)
    worker.start()
    assert begun.wait(60)
    worker.quit()
    late.set()
    assert worker.wait(60)
    assert log.faults == []
    assert log.results == []
