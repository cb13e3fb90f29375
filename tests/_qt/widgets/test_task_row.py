"""Background tasks of the panels."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.widgets.progress import TaskRow

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.runtime.progress import Progress

pytestmark = pytest.mark.qt


def one(progress: Progress) -> int:
    return 1


def test_results_on_their_way_are_dropped_and_no_task_starts_after_closing(
    qtbot: QtBot,
) -> None:
    task = TaskRow()
    qtbot.addWidget(task)
    results: list[int] = []
    cancelled: list[bool] = []
    task.cancelled.connect(lambda: cancelled.append(True))
    task.run("Counting", results.append, one)
    # The result waits in the event queue.
    for thread in threading.enumerate():
        if thread.name == "GenerationWorker":
            thread.join(60)
    task.cancel()
    qtbot.waitUntil(lambda: not task.is_busy, timeout=60_000)
    assert (results, cancelled) == ([], [True])
    assert task.end_work() == []
    task.run("Counting", results.append, one)
    assert not task.is_busy
