"""What a person does in the window, for tests with a real viewer and engine."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.sample_data import path as sample_path
from qtpy.QtCore import QThreadPool

from napari_slicegan._qt.main_widget import DOCK, SliceGANWidget
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import small_config

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan._qt.train.run_view import RunState

LONG = 120_000


def dock(viewer: Any, runs: Path) -> SliceGANWidget:
    """The widget in a viewer, with toy settings of a run that has no end."""
    widget = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(widget, name=DOCK, area="right")
    widget.train.location.set_value(runs)
    widget.train.set_value(small_config().changed(steps=10**6, monitor_interval=5))
    return widget


def open_sample(widget: SliceGANWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        widget.micrograph.open_files("z", [sample_path("bentheimer_slice")])


def start(widget: SliceGANWidget, qtbot: QtBot) -> None:
    """Press Start and wait for the first preview."""
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        widget.train.controls.start.click()


def until(widget: SliceGANWidget, qtbot: QtBot, state: RunState) -> None:
    qtbot.waitUntil(lambda: widget.train.state is state, timeout=LONG)


def remove_dock(viewer: Any, widget: SliceGANWidget) -> None:
    viewer.window.remove_dock_widget(widget)
    # Nobody owns it now; it goes when the test is over.
    widget.deleteLater()


def close_viewer(viewer: Any, widget: SliceGANWidget) -> None:
    viewer.close()


WAYS = {"the dock": remove_dock, "the viewer": close_viewer}
"""To close what the widget is in."""


def assert_saved(runs: Path) -> None:
    """The only run is whole on disk, and goes on with the step after its last."""
    (path,) = runs.iterdir()
    last = int(RunFolder.open(path).history()[-1]["step"])
    trainer = Trainer.resume(path)
    assert trainer.step == last > 0
    assert next(iter(trainer.run())).step == last + 1


def assert_no_thread_works(before: int) -> None:
    """No thread works any more; a pool keeps idle ones for a while."""
    pool = QThreadPool.globalInstance()
    assert pool.waitForDone(10_000)
    assert pool.activeThreadCount() == 0
    pool.clear()
    assert threading.active_count() <= before + pool.maxThreadCount()
