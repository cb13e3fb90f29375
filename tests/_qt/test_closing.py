"""Closing while something is at work: it ends, is saved, and leaves no thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_slicegan._qt import closing, main_widget
from napari_slicegan._qt.main_widget import SliceGANWidget, open_widget
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.volume.forms import GenerationRequest
from napari_slicegan.config import MicrographSettings
from napari_slicegan.training.adversarial_step import AdversarialStep
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
    qtbot.waitUntil(lambda: widget.volume.task.progress.value() > 0, timeout=LONG)


MOMENTS: dict[str, Callable[[SliceGANWidget, QtBot], None]] = {
    "preparing": _prepare,
    "paused": _pause,
    "generating": _generate,
}


@pytest.mark.parametrize(
    "moment",
    ["generating", "paused", pytest.param("preparing", marks=pytest.mark.slow)],
)
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
    assert not any("Volume" in layer.name for layer in viewer.layers)


@pytest.fixture
def long_step(
    monkeypatch: pytest.MonkeyPatch, widget: SliceGANWidget, qtbot: QtBot
) -> Iterator[threading.Event]:
    """A run is in a step that ends when the event is set."""
    reached, end = threading.Event(), threading.Event()
    whole = AdversarialStep.step

    def step(self: AdversarialStep, *args: Any) -> Any:
        reached.set()
        assert end.wait(120)
        return whole(self, *args)

    start(widget, qtbot)
    monkeypatch.setattr(closing, "GRACE_S", 0.2)
    monkeypatch.setattr(AdversarialStep, "step", step)
    assert reached.wait(60)
    yield end
    end.set()


def _close_now(dialog: closing.ClosingDialog, step: threading.Event) -> None:
    dialog.button.click()


def _end_step(dialog: closing.ClosingDialog, step: threading.Event) -> None:
    step.set()


def _nothing(dialog: closing.ClosingDialog, step: threading.Event) -> None:
    pass


@pytest.mark.parametrize(
    "act", [_close_now, _end_step, pytest.param(_nothing, marks=pytest.mark.slow)]
)
def test_closing_in_a_long_step_asks_once_and_is_bounded(
    act: Callable[[closing.ClosingDialog, threading.Event], None],
    long_step: threading.Event,
    widget: SliceGANWidget,
    viewer: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """It waits for the step, no longer than the user likes or than the limit."""
    texts: list[str] = []

    class Dialog(closing.ClosingDialog):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            texts.append(text)
            QTimer.singleShot(100, lambda: act(self, long_step))

    monkeypatch.setattr(closing, "ClosingDialog", Dialog)
    monkeypatch.setattr(closing, "LIMIT_S", 1.0 if act is _nothing else 60.0)
    worker = widget.train.worker
    assert worker is not None
    began = time.monotonic()
    remove_dock(viewer, widget)
    assert time.monotonic() - began < 30
    (text,) = texts
    assert "finishes the current step" in text
    assert worker.is_over is (act is _end_step)
    # A step that is left behind ends while napari stays open, and is saved as well.
    long_step.set()
    assert worker.wait(60)
    assert_saved(tmp_path / "runs")


@pytest.mark.parametrize("answer", ["Close", "Cancel"])
def test_the_question_has_two_answers(answer: str, qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    texts: list[str] = []

    def click() -> None:
        question = window.findChild(QMessageBox, "confirm_closing")
        assert question is not None
        texts.append(question.text())
        (button,) = (b for b in question.buttons() if answer in b.text())
        button.click()

    QTimer.singleShot(100, click)
    assert closing.confirm_closing(window, "Training is running.") == (
        answer == "Close"
    )
    assert texts == ["Training is running."]


def test_tasks_that_are_lost_are_named(
    widget: SliceGANWidget, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before closing the window, and after closing the dock."""
    shown: list[str] = []
    monkeypatch.setattr(main_widget, "show_info", shown.append)

    def work(progress: Callable[[float], None]) -> None:
        while True:
            progress(0.5)
            time.sleep(0.01)

    assert widget.closing_text() == ""
    widget.volume.task.run("Generating a volume", lambda made: None, work)
    assert widget.closing_text() == (
        "Generating a volume: cancelled, without a result."
    )
    remove_dock(viewer, widget)
    assert shown == ["Cancelled: Generating a volume."]


def _own_keys(viewer: Any) -> list[Any]:
    return [key for key in viewer.keymap if "Alt" in str(key)]


def test_a_new_dock_has_the_settings_of_the_micrograph(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    settings = MicrographSettings(pixel_size_nm=7)
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        widget.micrograph.set_value(settings)
    remove_dock(viewer, widget)
    again = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(again)
    assert again.micrograph.value() == settings
    remove_dock(viewer, again)


def test_a_new_dock_has_the_settings_and_the_run_of_the_one_that_was_closed(
    widget: SliceGANWidget,
    viewer: Any,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(widget, qtbot)
    config = widget.train.value()
    shown: list[str] = []
    monkeypatch.setattr(main_widget, "show_info", shown.append)
    with qtbot.waitSignal(widget.closed, timeout=LONG):
        remove_dock(viewer, widget)
    (run,) = (tmp_path / "runs").iterdir()
    assert str(run) in shown[0]
    again = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(again)
    assert again.train.value() == config
    assert again.train.location.value() == tmp_path / "runs"
    assert again.train.last_run == run
    # The preview is selected, but there is only one micrograph.
    assert not again.micrograph.slots.is_empty()
    qtbot.waitUntil(lambda: again.volume.source.value() is not None, timeout=LONG)
    remove_dock(viewer, again)
