"""Background tasks of the panels."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtWidgets import QFileDialog

from napari_slicegan._qt.widgets import progress as progress_module
from napari_slicegan._qt.widgets.progress import Activity, TaskPanel, TaskRow

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


FORMATS = "Volumes (*.tif *.tiff);;Numbers (*.csv)"


def test_a_place_that_cannot_be_written_is_refused_when_it_is_chosen(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[str, str | None, str]] = [
        ("volume.TIFF", "volume.TIFF", ""),
        ("volume", "volume.csv", ""),
        ("volume 0.5", "volume 0.5.csv", ""),
        ("volume.png", None, "ends in .tif or .tiff or .csv, got"),
        ("taken", None, "got taken.csv, which exists"),
        ("a file.tif/volume.tif", None, "Expected a place that can be written"),
        ("missing/volume.tif", None, "Expected an existing folder, got"),
        ("folder.tif", None, "got the folder"),
    ]
    for name in ("taken.csv", "a file.tif"):
        (tmp_path / name).touch()
    (tmp_path / "folder.tif").mkdir()
    answer: list[str] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: tuple(answer))
    for typed, made, words in cases:
        with subtests.test(typed):
            panel = TaskPanel("toy")
            qtbot.addWidget(panel)
            answer[:] = str(tmp_path / typed), "Numbers (*.csv)"
            path = panel.ask_file("Save", FORMATS)
            assert path == (None if made is None else tmp_path / made)
            assert words in panel.message.text()
            assert bool(words) == (path is None)


def test_a_bar_of_work_that_ends_while_napari_makes_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It processes events meanwhile; the bar would stay in the activity dock."""
    activity = Activity()
    bars: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            bars.append(self)
            activity.close()

        def close(self) -> None:
            bars.remove(self)

    monkeypatch.setattr(progress_module, "progress", Bar)
    activity.show(0.5, "work")
    assert bars == []
