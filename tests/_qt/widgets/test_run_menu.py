"""Recent runs below a button."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtWidgets import QPushButton

from napari_slicegan._qt.widgets.basics import existing_folder
from napari_slicegan._qt.widgets.run_menu import OTHER, offer_runs

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


def test_recent_runs_are_offered_the_newest_first(qtbot: QtBot, tmp_path: Path) -> None:
    button = QPushButton()
    qtbot.addWidget(button)
    opened: list[Path] = []
    browsed: list[bool] = []

    def browse() -> None:
        browsed.append(True)

    # Without runs, the dialog.
    for root in (None, tmp_path / "missing", tmp_path):
        assert offer_runs(button, root, opened.append, browse) is None
    assert len(browsed) == 3
    for time, (run, step) in enumerate([("a & b", 50), ("new", 7), ("new", 1200)]):
        path = tmp_path / run / f"checkpoint-{step:07d}.pt"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (time, time))
    (tmp_path / "empty").mkdir()
    menu = offer_runs(button, tmp_path, opened.append, browse)
    assert menu is not None
    actions = [action for action in menu.actions() if action.text()]
    assert [a.text() for a in actions] == ["new, step 1,200", "a && b, step 50", OTHER]
    actions[1].trigger()
    actions[2].trigger()
    assert opened == [tmp_path / "a & b"]
    assert len(browsed) == 4
    menu.close()


def test_a_dialog_begins_in_a_folder_that_exists(tmp_path: Path) -> None:
    """Before the first run, that of the runs does not."""
    (tmp_path / "file.h5").touch()
    for missing in ("", "runs", "data/runs", "file.h5"):
        assert existing_folder(tmp_path / missing) == str(tmp_path)
    assert existing_folder(None) == ""
