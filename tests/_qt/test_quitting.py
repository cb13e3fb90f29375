"""Ends of the whole program while it trains, each in a program of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from tests._qt.whole_window import assert_saved

pytestmark = pytest.mark.qt

PROGRAM = """
import ctypes
import sys
from pathlib import Path

import napari
from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog
from napari_slicegan.sample_data import path
from qtpy.QtCore import QThreadPool, QTimer
from qtpy.QtWidgets import QApplication, QDialog

from napari_slicegan._qt import main_widget
from napari_slicegan._qt.application import WindowStart, open_window
from tests.toys import small_config

end, runs = sys.argv[1], Path(sys.argv[2])
config = small_config().changed(steps=10**6, monitor_interval=5)
images = {"z": [path("bentheimer_slice")]}
start = WindowStart(images=images, config=config, run_root=runs, train=True)
viewer, widget = open_window(start)
asked, told = [], []

def answer(window, text):
    # A user who says no at first.
    assert window is viewer.window._qt_window
    asked.append(text)
    return len(asked) > 1

def napari_asks(dialog):
    asked.append("by napari")
    return QDialog.DialogCode.Accepted

main_widget.confirm_closing = answer
ConfirmCloseDialog.exec_ = napari_asks

def cross():
    # What the window manager tells a window whose cross was clicked.
    window = int(viewer.window._qt_window.winId())
    message = Message(type=33, send_event=1, window=window, format=32)
    message.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    message.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    assert x11.XSendEvent(display, window, 0, 0, ctypes.byref(message))
    x11.XFlush(display)

class Message(ctypes.Structure):
    # XClientMessageEvent, as long as the union of all events.
    _fields_ = [
        ("type", ctypes.c_int), ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int), ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong), ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int), ("data", ctypes.c_long * 5),
        ("rest", ctypes.c_long * 12),
    ]

if end == "cross":
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [
        ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long, ctypes.c_void_p
    ]
    x11.XFlush.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(None)

def act(volume):
    told.append(volume)
    if end == "quit" and len(told) == 1:
        QTimer.singleShot(0, QApplication.quit)
    # Called off once: training must go on to the second preview.
    if end == "cross" and len(told) <= 2:
        QTimer.singleShot(0, cross)

widget.train.preview_made.connect(act)
widget.closed.connect(lambda: print("closed", widget.train.state.value))
napari.run()
assert QThreadPool.globalInstance().activeThreadCount() == 0
for text in asked:
    print(text)
"""
TIMES_ASKED = {"quit": 0, "cross": 2}


@pytest.mark.parametrize("end", ["cross", pytest.param("quit", marks=pytest.mark.slow)])
def test_the_run_is_saved_when_the_program_ends(end: str, tmp_path: Path) -> None:
    """Each click on the cross asks once, and says what is saved and where."""
    if end == "cross" and not sys.platform.startswith("linux"):
        pytest.skip("the message of the cross is that of X11")
    runs = tmp_path / "runs"
    settings = {"NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, end, str(runs)],
        env=os.environ | settings,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stderr
    assert lines[0] == "closed Finished", ended.stderr
    (run,) = runs.iterdir()
    saved = f"the run is saved in {run}"
    assert [saved in line for line in lines[1:]] == [True] * TIMES_ASKED[end]
    assert_saved(runs)
