"""The dock in a real viewer: one for each, faults in one sentence, memory."""

from __future__ import annotations

import gc
import itertools
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari._qt import qt_main_window
from napari_slicegan.sample_data import path as sample_path
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QCloseEvent, QWheelEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QMainWindow,
    QScrollArea,
    QSlider,
    QWidget,
)

from napari_slicegan._qt import contributions, layer_mesh, main_widget
from napari_slicegan._qt.main_widget import (
    DOCK,
    GENERATE_KEY,
    PAUSE_KEY,
    TABS,
    WIDTH,
    SliceGANWidget,
    open_widget,
)
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.viewer import layers
from napari_slicegan._qt.widgets.basics import Section, link_colour
from napari_slicegan._qt.worker import other_work, task_worker
from napari_slicegan.config import MicrographSettings
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.volumes.volume import Volume
from tests._qt.whole_window import LONG, dock, open_sample, start, until

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.trainer import Trainer

pytestmark = pytest.mark.qt


@pytest.fixture
def widget(viewer: Any, tmp_path: Path) -> SliceGANWidget:
    return dock(viewer, tmp_path / "runs")


def test_a_second_dock_points_to_the_first(widget: SliceGANWidget, viewer: Any) -> None:
    second = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(second, name="SliceGAN (2)")
    assert "already open in this viewer" in second.message.text()
    assert second.tabs.count() == 0
    assert open_widget(viewer) is widget
    # Closing it takes nothing from the first.
    viewer.window.remove_dock_widget(second)
    second.deleteLater()
    assert open_widget(viewer) is widget
    titles = [widget.tabs.tabText(i) for i in range(widget.tabs.count())]
    assert titles == list(TABS)


def test_the_keys_are_not_those_of_napari(widget: SliceGANWidget) -> None:
    """A menu would take them before the viewer hears of them."""
    from app_model.types import KeyBinding
    from napari._app_model import get_app_model

    taken = {str(each.keybinding) for each in get_app_model().keybindings}
    assert "Ctrl+Alt+P" in taken
    for key in (PAUSE_KEY, GENERATE_KEY):
        own = KeyBinding.from_str(key.replace("Control", "Ctrl").replace("-", "+"))
        assert str(own) not in taken


def test_the_wheel_changes_no_input_without_the_focus(widget: SliceGANWidget) -> None:
    inputs = [
        each
        for each in widget.findChildren(QWidget)
        if isinstance(each, QAbstractSpinBox | QComboBox | QSlider)
    ]
    # Of the forms of Qt, of the settings, and of the actions.
    names = {each.objectName() for each in inputs}
    assert {"voxels_z", "truncation", "patch_size", "real_layer", "plane_z"} <= names
    assert widget.explore.sweep_form.direction.box in inputs
    turned = QWheelEvent(
        QPointF(2, 2),
        QPointF(2, 2),
        QPoint(0, 0),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    for each in inputs:
        turned.accept()
        QApplication.sendEvent(each, turned)
        assert not turned.isAccepted(), each.objectName()


def test_all_inputs_are_in_sight_in_the_narrowest_dock(widget: SliceGANWidget) -> None:
    """Nothing is cut off beside the scroll bar."""
    widths = {}
    for number in range(widget.tabs.count()):
        panel = widget.tabs.widget(number)
        assert panel is not None
        for section in panel.findChildren(Section):
            section.set_open(True)
        for area in panel.findChildren(QScrollArea):
            content = area.widget()
            if content is not None:
                bar = area.verticalScrollBar().sizeHint().width()
                needed = content.minimumSizeHint().width() + bar
                widths[widget.tabs.tabText(number)] = needed
    assert len(widths) == 5
    assert max(widths.values()) <= WIDTH, widths


def test_training_no_longer_waits_for_images_that_failed(
    widget: SliceGANWidget, toy_images: TrainingImages
) -> None:
    widget.train_when_ready()
    assert widget.tabs.currentIndex() == TABS.index("Train")
    widget.micrograph.failed.emit("These images cannot be used.")
    assert widget.tabs.currentIndex() == TABS.index("Micrograph")
    # Images that are opened later start nothing.
    widget.micrograph.images_changed.emit(toy_images, MicrographSettings())
    assert widget.train.controls.start.isEnabled()
    assert widget.train.state is RunState.IDLE


def test_usable_images_lead_to_the_train_tab(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    panel = widget.micrograph
    assert not panel.next.isEnabled()
    viewer.add_image(gray_image())
    with qtbot.waitSignal(panel.images_changed, timeout=LONG):
        panel.use_selected_layers()
    panel.next.click()
    assert widget.tabs.currentIndex() == TABS.index("Train")
    panel.slots.single.clear_button.click()
    qtbot.waitUntil(lambda: not panel.next.isEnabled(), timeout=LONG)


def test_a_closed_dock_takes_no_images_any_more(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    viewer.window.remove_dock_widget(widget)
    widget.deleteLater()
    with qtbot.waitSignal(widget.destroyed, timeout=LONG):
        pass
    viewer.open_sample("napari-slicegan", "nanoporous_gold")
    viewer.add_image(np.zeros((4, 5, 6)))
    assert len(viewer.layers) == 2
    again = SliceGANWidget(viewer)
    viewer.window.add_dock_widget(again, name="SliceGAN")
    assert open_widget(viewer) is again


def test_a_fault_is_one_sentence_and_memory_comes_back(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched: list[weakref.ref[object]] = []

    def watch(trainer: Trainer) -> None:
        game = trainer.gan
        parts = (trainer, game, *game.generator.parameters(), *game.critics)
        watched.extend(weakref.ref(each) for each in parts)

    whole = AdversarialStep.step

    def step(self: AdversarialStep, *args: Any) -> Any:
        if self.averaged.n_updates == 12:
            raise KeyError("weird")
        return whole(self, *args)

    open_sample(widget, qtbot)
    widget.train.run_started.connect(watch)
    with monkeypatch.context() as patch:
        patch.setattr(AdversarialStep, "step", step)
        start(widget, qtbot)
        until(widget, qtbot, RunState.FAILED)
    assert "KeyError" in widget.train.message.text()
    qtbot.waitUntil(lambda: widget.train.worker is None, timeout=LONG)
    gc.collect()
    assert len(watched) > 4
    assert [ref() for ref in watched if ref() is not None] == []
    # The panel is as good as new, and a run that is stopped leaves nothing either.
    start(widget, qtbot)
    widget.train.controls.stop.click()
    until(widget, qtbot, RunState.FINISHED)
    qtbot.waitUntil(lambda: widget.train.worker is None, timeout=LONG)
    gc.collect()
    assert [ref() for ref in watched if ref() is not None] == []


def otsu(widget: SliceGANWidget) -> None:
    editor = widget.micrograph.controls.rows.editors["segmentation"]
    editor.set_value("otsu")


def pixel_size(widget: SliceGANWidget) -> None:
    """Typed but not entered: a button of macOS does not take the focus."""
    box = widget.micrograph.facts.pixel_size.box
    box.setFocus()
    box.lineEdit().setText("77")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (otsu, {"segmentation": "otsu"}),
        (pixel_size, {"pixel_size_nm": 77}),
    ],
)
def test_a_run_starts_with_the_settings_as_they_are(
    widget: SliceGANWidget,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[SliceGANWidget], None],
    expected: dict[str, Any],
) -> None:
    """Start waits for the images of a setting that was changed just before."""
    viewer.add_image(gray_image())
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        widget.micrograph.use_selected_layers()
    started: list[tuple[Any, ...]] = []
    monkeypatch.setattr(widget.train, "_begin", lambda *args: started.append(args))
    change(widget)
    focus = widget.micrograph.facts.pixel_size.box
    monkeypatch.setattr(QApplication, "focusWidget", lambda: focus)
    widget.train.controls.start.click()
    assert not started
    assert "being prepared" in widget.train.message.text()
    qtbot.waitUntil(lambda: bool(started), timeout=LONG)
    *_, config, images = started[0]
    found = {name: getattr(config.micrograph, name) for name in expected}
    assert found == expected
    assert images is widget.micrograph.images()
    # A change after which there are no images starts nothing.
    widget.micrograph.controls.set_crop((0, 5, 0, 999))
    widget.train.controls.start.click()
    qtbot.waitUntil(lambda: "cannot be used" in widget.train.message.text())
    assert len(started) == 1


def test_a_run_starts_with_what_strokes_taught(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with those of the last moment, from which nothing is learned yet."""
    viewer.add_image(gray_image())
    panel = widget.micrograph
    with qtbot.waitSignal(panel.images_changed, timeout=LONG):
        panel.use_selected_layers()
    started: list[tuple[Any, ...]] = []
    monkeypatch.setattr(widget.train, "_begin", lambda *args: started.append(args))
    panel.controls.strokes_button.click()
    strokes = viewer.layers.selection.active
    strokes.data_setitem((np.array([1]), np.array([1])), 1)
    widget.train.controls.start.click()
    assert not started
    # One label teaches nothing: the images are what they were.
    qtbot.waitUntil(lambda: bool(started), timeout=LONG)
    assert started[0][-1] is panel.images()


def gray_image() -> Any:
    return np.random.default_rng(0).integers(60, 200, (96, 96)).astype(np.uint8)


def test_what_is_shown_while_training_stands_beside_the_preview(
    widget: SliceGANWidget, viewer: Any, qtbot: QtBot
) -> None:
    open_sample(widget, qtbot)
    dimensions: list[int] = []
    viewer.layers.events.inserted.connect(
        lambda event: dimensions.append(viewer.dims.ndisplay)
    )
    start(widget, qtbot)
    # In 2-D it would be drawn once more, beside a slider.
    assert dimensions == [3]
    preview = layers.own_layer(viewer, layers.PREVIEW)
    cube = Volume(np.zeros((4, 4, 4), np.uint8), "phases", labels=(0, 255))
    for show in (
        layers.add_or_update_explored,
        layers.add_gaussian,
        layers.add_volume,
        lambda viewer, cube: widget.volume.orthogonal.show_slices(viewer.layers[-1]),
    ):
        show(viewer, cube)
        shown = viewer.layers[-1]
        assert preview.visible
        assert shown.visible
        # Also as seen from the corner.
        camera = viewer.scene.camera
        right = np.cross(camera.up_direction, camera.view_direction)
        across = [
            np.array([*itertools.product(*layer.extent.world.T)]) @ right
            for layer in (preview, shown)
        ]
        beside, seen = across
        assert beside.max() < seen.min()
    before = preview.data
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG) as made:
        pass
    assert preview.data is not before
    widget.train.stop()
    until(widget, qtbot, RunState.FINISHED)
    layers.add_or_update_explored(viewer, cube)
    assert not preview.visible
    # The next run uses its layer.
    assert layers.add_or_update_preview(viewer, made.args[0]) is preview
    assert [layer for layer in viewer.layers if layer.visible] == [preview]
    assert preview.translate[-1] == 0


def test_the_end_of_a_run_is_notified_to_who_looks_elsewhere(
    make_napari_viewer_proxy: Any,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
    tmp_path: Path,
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(main_widget, "show_info", shown.append)
    widget = dock(make_napari_viewer_proxy(show=True), tmp_path / "runs")
    alerts: list[str] = []
    monkeypatch.setattr(
        QApplication, "alert", lambda one: alerts.append(one.windowTitle())
    )
    active = [True]
    monkeypatch.setattr(QMainWindow, "isActiveWindow", lambda _: active[0])
    ended = "Training has ended. Time limit reached."
    cases: list[tuple[str, bool, list[str]]] = [
        ("Train", True, []),
        ("Train", False, [ended]),
        ("Volume", True, [ended]),
    ]
    for panel, is_active, found in cases:
        active[0] = is_active
        widget.show_panel(panel)
        qtbot.waitUntil(getattr(widget, panel.lower()).isVisible)
        widget.train.run_finished.emit(FinishReason.MINUTES, tmp_path)
        assert shown == found
        shown.clear()
    widget.train.failed.emit("Expected a GPU.")
    assert shown == ["Training has failed. Expected a GPU."]
    assert alerts == [widget.window().windowTitle()] * 4


def test_the_end_of_a_run_is_notified_while_the_dock_is_hidden(
    make_napari_viewer_proxy: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(main_widget, "show_info", shown.append)
    monkeypatch.setattr(QMainWindow, "isActiveWindow", lambda _: True)
    widget = dock(make_napari_viewer_proxy(show=True), tmp_path / "runs")
    widget.show_panel("Train")
    QApplication.processEvents()
    parent = widget.parentWidget()
    assert parent is not None
    parent.hide()
    widget.train.run_finished.emit(FinishReason.MINUTES, tmp_path)
    assert shown == ["Training has ended. Time limit reached."]


def test_an_empty_dock_offers_the_last_picture(
    make_napari_viewer_proxy: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    """With its settings, by one link; nothing is opened by itself."""
    first = make_napari_viewer_proxy()
    widget = dock(first, tmp_path / "runs")
    assert widget.reopen.isHidden()
    open_sample(widget, qtbot)
    pixel_size = widget.micrograph.facts.pixel_size
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        pixel_size.set_value(77)
        pixel_size.value_changed.emit()
    config = widget.train.value()
    first.close()
    second = make_napari_viewer_proxy()
    widget = SliceGANWidget(second)
    second.window.add_dock_widget(widget, name=DOCK, area="right")
    name = sample_path("bentheimer_slice").name
    link = f"style='color: {link_colour(widget)}' href='last'>{name}"
    assert f"Open the last picture: <a {link}" in widget.reopen.text()
    assert not widget.reopen.isHidden()
    assert widget.train.value() != config
    assert len(second.layers) == 0
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        widget.reopen.linkActivated.emit("last")
    assert widget.reopen.isHidden()
    assert widget.micrograph.value().pixel_size_nm == 77
    assert widget.train.value() == config


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions before closing so far; the first one is declined, the second not."""
    texts: list[str] = []
    answers = iter((False, True))

    def answer(window: QWidget, text: str) -> bool:
        texts.append(text)
        return next(answers)

    monkeypatch.setattr(main_widget, "confirm_closing", answer)
    return texts


def test_a_command_of_napari_to_close_asks_once(
    widget: SliceGANWidget,
    viewer: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
    tmp_path: Path,
) -> None:
    """Whether or not napari asks for its commands to close, such as Ctrl+W."""
    from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog

    monkeypatch.setattr(ConfirmCloseDialog, "exec_", lambda _: asked.append("napari"))
    open_sample(widget, qtbot)
    qtbot.waitUntil(lambda: widget.main_window is not None)
    window: Any = widget.window()
    start(widget, qtbot)
    for is_confirmed in (False, True):
        window.close(quit_app=False, confirm_need=True)
        assert widget.train.state.is_active is not is_confirmed
    saved = f"the run is saved in {tmp_path / 'runs'}"
    assert [saved in text for text in asked] == [True, True]


def test_quitting_asks_once_for_all_windows(
    make_napari_viewer_proxy: Any,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
    tmp_path: Path,
) -> None:
    """As by Ctrl+Q in one without a dock; all work continues if it is called off."""

    def work(progress: Callable[[float], None]) -> None:
        while True:
            progress(0.5)
            time.sleep(0.01)

    quits: list[bool] = []
    monkeypatch.setattr(qt_main_window, "quit_app_", lambda: quits.append(True))
    docks = [dock(make_napari_viewer_proxy(), tmp_path / "runs") for _ in range(2)]
    windows = [widget.window() for widget in docks]
    qtbot.waitUntil(lambda: [w.main_window for w in docks] == windows)
    volume, measure = docks
    volume.volume.task.run("Generating a volume", lambda made: None, work)
    measure.measure.task.run("Measuring", lambda made: None, work)
    mesh = task_worker(work)
    mesh.name_outside_docks = "Saving a mesh"
    mesh.start()
    bare = layers.unwrapped(make_napari_viewer_proxy())
    # napari has no other way.
    window: Any = bare.window._qt_window  # noqa: SLF001
    window.close(quit_app=True, confirm_need=True)
    assert quits == []
    assert volume.volume.task.is_busy
    assert measure.measure.task.is_busy
    window.close(quit_app=True, confirm_need=True)
    assert quits == [True]
    assert not volume.volume.task.is_busy
    assert not measure.measure.task.is_busy
    lost = "cancelled, without a result."
    tasks = ("Generating a volume", "Measuring", "Saving a mesh")
    text = "\n\n".join(f"{task}: {lost}" for task in tasks)
    assert asked == [text, text]
    mesh.quit()
    assert mesh.wait(10)


def test_a_window_with_only_the_form_for_meshes_asks_once(
    make_napari_viewer: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    asked: list[str],
) -> None:
    """By the cross and by Ctrl+W; a window without it closes at once."""

    def work(*args: Any, progress: Callable[[float], None]) -> None:
        while True:
            progress(0.5)
            time.sleep(0.01)

    class Cross(QCloseEvent):
        def spontaneous(self) -> bool:
            return True

    monkeypatch.setattr(layer_mesh, "save_mesh", work)
    bare, viewer = make_napari_viewer(), make_napari_viewer()
    viewer.add_labels(np.ones((2, 2, 2), np.uint8))
    contributions.mesh_layer()
    viewer.window.dock_widgets[layer_mesh.DOCK]()
    # napari has no other way.
    window, other = (v.window._qt_window for v in (viewer, bare))  # noqa: SLF001
    other.close(quit_app=False, confirm_need=True)
    assert asked == []
    (watch,) = window.findChildren(main_widget.ClosingWatch)
    assert watch.eventFilter(window, Cross())
    assert other_work(window) == ["Saving a mesh"]
    window.close(quit_app=False, confirm_need=True)
    # No event is handled, since the fixture closes the viewers, too.
    ends = time.monotonic() + 10
    while other_work() and time.monotonic() < ends:
        time.sleep(0.01)
    assert other_work() == []
    assert asked == ["Saving a mesh: cancelled, without a result."] * 2


def test_a_small_window_gets_room_for_the_dock(
    make_napari_viewer_proxy: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy(show=True)
    # napari has no other way.
    window = layers.unwrapped(viewer).window._qt_window  # noqa: SLF001
    window.resize(700, 500)
    widget = dock(viewer, tmp_path / "runs")
    qtbot.waitUntil(lambda: window.width() >= 1280 and window.height() >= 700)
    assert widget.window() is window
