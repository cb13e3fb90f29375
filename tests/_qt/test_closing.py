"""Closing while something is at work: it ends, is saved, and leaves no thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.main_widget import SliceGANWidget, open_widget
from napari_slicegan._qt.train.run_state import RunState
from napari_slicegan._qt.volume.generation_form import GenerationRequest
from tests._qt.whole_window import (
    LONG,
    WAYS,
    assert_no_thread_works,
    assert_saved,
    dock,
    open_sample,
    remove_dock,
    start,
    until,
)

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def widget(viewer: Any, qtbot: QtBot, tmp_path: Path) -> SliceGANWidget:
    widget = dock(viewer, tmp_path / "runs")
    open_sample(widget, qtbot)
    return widget


@pytest.mark.parametrize("way", WAYS)
def test_closing_ends_the_run_and_saves_it(
    way: str, widget: SliceGANWidget, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    before = threading.active_count()
    start(widget, qtbot)
    # It may be the last thing that the viewer hears of.
    assert len(_own_keys(viewer)) == 2
    keys = viewer.keymap
    WAYS[way](viewer, widget)
    assert widget.train.state is RunState.FINISHED
    assert_no_thread_works(before)
    assert_saved(tmp_path / "runs")
    assert open_widget(viewer) is None
    assert [key for key in keys if "Alt" in str(key)] == []


def _pause(widget: SliceGANWidget, qtbot: QtBot) -> None:
    start(widget, qtbot)
    widget.train.controls.pause.click()
    until(widget, qtbot, RunState.PAUSED)


def _prepare(widget: SliceGANWidget, qtbot: QtBot) -> None:
    widget.train.controls.start.click()
    assert widget.train.state is RunState.PREPARING


def _generate(widget: SliceGANWidget, qtbot: QtBot) -> None:
    start(widget, qtbot)
    widget.train.controls.stop.click()
    until(widget, qtbot, RunState.FINISHED)
    qtbot.waitUntil(widget.volume.generate_button.isEnabled, timeout=LONG)
    widget.volume.set_value(GenerationRequest((400, 400, 400)))
    widget.volume.generate_button.click()
    qtbot.waitUntil(lambda: widget.volume.progress.value() > 0, timeout=LONG)


MOMENTS: dict[str, Callable[[SliceGANWidget, QtBot], None]] = {
    "preparing": _prepare,
    "paused": _pause,
    "generating": _generate,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_closing_at_any_moment_leaves_no_thread(
    moment: str, widget: SliceGANWidget, viewer: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    before = threading.active_count()
    MOMENTS[moment](widget, qtbot)
    remove_dock(viewer, widget)
    assert widget.train.state is RunState.FINISHED
    assert_no_thread_works(before)
    if moment != "preparing":
        assert_saved(tmp_path / "runs")
    assert not any(layer.name.startswith("Volume") for layer in viewer.layers)


def _own_keys(viewer: Any) -> list[Any]:
    return [key for key in viewer.keymap if "Alt" in str(key)]
