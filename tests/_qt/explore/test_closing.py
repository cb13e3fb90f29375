"""Closing while the Explore panel is at work leaves no thread and no fault."""

from __future__ import annotations

import os
import subprocess
import sys
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


PROGRAM = """
import sys

from qtpy.QtCore import QThreadPool, QTimer
from qtpy.QtWidgets import QApplication

import napari
from napari_slicegan._qt.application import WindowStart, open_window
from tests._qt.explore.test_closing import ENDLESS

viewer, widget = open_window(WindowStart())
widget.show_panel("Explore")
panel = widget.explore
started = []

def fit(*properties):
    if not started:
        started.append(True)
        panel.fit_form.set_value(ENDLESS)
        panel.fit()
        panel.form.seed.set_value(3)
        QTimer.singleShot(500, QApplication.quit)

panel.measured.connect(fit)
panel.set_run(sys.argv[1])
napari.run()
pool = QThreadPool.globalInstance()
assert pool.waitForDone(10_000)
assert started and not panel.task.is_busy
print("ended")
"""


def test_quitting_the_program_ends_a_fit(toy_run: Path, tmp_path: Path) -> None:
    settings = {"NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(toy_run)],
        env=os.environ | settings,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "ended"
    assert "Traceback" not in done.stderr
    assert "QThread" not in done.stderr
