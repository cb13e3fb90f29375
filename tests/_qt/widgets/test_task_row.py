"""Background tasks of the panels."""

from __future__ import annotations

import itertools
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
        ("a file.tif/volume.tif", None, "Expected a place that can be written"),
        ("missing/volume.tif", None, "Expected an existing folder, got"),
        ("folder.tif", None, "got the folder"),
    ]
    (tmp_path / "a file.tif").touch()
    (tmp_path / "folder.tif").mkdir()
    answer: list[str] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: tuple(answer))
    for typed, made, words in cases:
        with subtests.test(typed):
            panel = TaskPanel("toy")
            qtbot.addWidget(panel)
            answer[:] = str(tmp_path / typed), "Numbers (*.csv)"
            path = panel.ask_file("Save", FORMATS, "volume")
            assert path == (None if made is None else tmp_path / made)
            assert words in panel.message.text()
            assert bool(words) == (path is None)


def test_files_that_the_dialog_has_not_asked_about_are_replaced_on_request(
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """Names that the ending completes, and files that are written beside one."""
    (tmp_path / "taken.csv").touch()

    def beside(path: Path) -> list[Path]:
        return [path, path.with_name("taken.csv")]

    def alone(path: Path) -> list[Path]:
        return [path]

    asked: list[str] = []
    typed: list[str] = []
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (*typed, "Numbers (*.csv)")
    )
    panel = TaskPanel("toy")
    qtbot.addWidget(panel)
    # Qt's dialog asks about the third one.
    names = [("taken", alone), ("new", beside), ("taken.csv", alone), ("new", alone)]
    for (name, files_of), agrees in itertools.product(names, (True, False)):
        with subtests.test(name, files_of=files_of.__name__, agrees=agrees):
            asked.clear()

            def answer(parent: Any, title: str, text: str, *more: str) -> bool:
                asked.append(text)
                return agrees  # noqa: B023 called within the loop

            monkeypatch.setattr(progress_module, "ask", answer)
            typed[:] = [str(tmp_path / name)]
            path = panel.ask_file("Save", FORMATS, "volume", files_of)
            is_asked = name == "taken" or files_of is beside
            question = f"taken.csv already exists in {tmp_path}. Replace it?"
            assert asked == [question] * is_asked
            assert (path is None) == (is_asked and not agrees)
            assert panel.message.text() == ""


def test_dialogs_propose_a_name_and_the_folder_of_the_last_file(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proposed: list[str] = []

    def dialog(parent: Any, title: str, path: str, formats: str) -> tuple[str, str]:
        proposed.append(path)
        return str(tmp_path / "typed.csv"), formats

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    monkeypatch.setattr(TaskPanel, "last_folder", Path())
    for _ in range(2):
        panel = TaskPanel("toy")
        qtbot.addWidget(panel)
        panel.ask_file("Save", FORMATS, "sweep of a/b, 0.5")
    # No point, after which an ending is expected.
    assert proposed == ["sweep of a-b, 0-5", str(tmp_path / "sweep of a-b, 0-5")]


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
