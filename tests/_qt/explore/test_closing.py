"""Closing while the Explore panel is at work leaves no thread and no fault."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.explore.jobs import FitRequest
from tests._qt.exploring import LONG, open_run
from tests._qt.whole_window import assert_no_thread_works, close_viewer, dock

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


pytestmark = pytest.mark.qt
ENDLESS = FitRequest("block1", 2, 200_000, (), 24)


def test_closing_ends_a_fit_and_a_volume(
    make_napari_viewer_proxy: Any,
    toy_run: Path,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    viewer = make_napari_viewer_proxy()
    widget = dock(viewer, tmp_path / "runs")
    widget.show_panel("Explore")
    panel = widget.explore
    open_run(panel, toy_run, qtbot)
    before = threading.active_count()
    panel.fit_form.set_value(ENDLESS)
    panel.fit()
    qtbot.waitUntil(lambda: panel.task.progress.value() > 0, timeout=LONG)
    panel.set_value(replace(panel.value(), size=(400, 400, 400)))
    assert panel.live.is_busy
    close_viewer(viewer, widget)
    assert not panel.task.is_busy
    assert not panel.live.is_busy
    assert_no_thread_works(before)
