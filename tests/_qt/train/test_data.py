"""Where runs are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.train.data import RunLocation, default_root

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def location(qtbot: QtBot) -> RunLocation:
    location = RunLocation()
    qtbot.addWidget(location)
    return location


def test_default_is_shown_and_independent_of_the_working_directory(
    location: RunLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert location.line.text() == str(default_root())
    assert default_root().is_absolute()
    assert tmp_path not in default_root().parents
    location.set_value("")
    assert location.value() == default_root()


def test_tilde_is_expanded(location: RunLocation) -> None:
    location.set_value("~/runs")
    assert location.value() == Path.home() / "runs"
