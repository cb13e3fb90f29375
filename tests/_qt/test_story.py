"""The whole story in the real window by the mouse, with the real engine at toy size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QLabel, QMenu, QScrollArea, QWidget

from napari_slicegan._qt.main_widget import TABS, SliceGANWidget
from napari_slicegan._qt.train.run_view import RunState
from napari_slicegan._qt.widgets.basics import parent_of
from napari_slicegan.volumes.volume import Volume
from tests._qt.whole_window import LONG, dock, until

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

EDGE = 40
LEFT = Qt.MouseButton.LeftButton


def click(each: QWidget, at: QPoint | None = None) -> None:
    """Click a widget that is seen at a place, by default at its middle."""
    assert each.isVisible()
    assert each.isEnabled()
    area = parent_of(each, QScrollArea)
    if area is not None:
        area.ensureWidgetVisible(each)
    at = each.rect().center() if at is None else at
    window = each.window()
    there = window.childAt(each.mapTo(window, at))
    assert there is not None
    assert there is each or each.isAncestorOf(there)
    QTest.mouseClick(each, LEFT, pos=at)


def open_menu_by_link(label: QLabel) -> QMenu:
    """Click along a line of text until one of its links opens a menu."""
    line = label.fontMetrics().height() // 2
    for y in range(line, label.height(), line):
        for x in range(2, label.width(), line):
            click(label, QPoint(x, y))
            menu = QApplication.activePopupWidget()
            if isinstance(menu, QMenu):
                return menu
    raise AssertionError("No link opened a menu.")


def choose(menu: QMenu, text: str) -> None:
    (action,) = (each for each in menu.actions() if each.text() == text)
    QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())


def show(widget: SliceGANWidget, title: str) -> None:
    bar = widget.tabs.tabBar()
    assert bar is not None
    click(bar, bar.tabRect(TABS.index(title)).center())
    assert widget.tabs.currentIndex() == TABS.index(title)


def enter(box: QWidget, text: str) -> None:
    """Type a number in place of the former one."""
    click(box)
    QTest.keyClick(box, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(box, text)
    QTest.keyClick(box, Qt.Key.Key_Return)


def test_from_micrograph_to_verdict(
    make_napari_viewer_proxy: Any, qtbot: QtBot, tmp_path: Path
) -> None:
    # The proxy refuses the viewer to any thread but the main one.
    viewer = make_napari_viewer_proxy(show=True)
    widget = dock(viewer, tmp_path / "runs")
    qtbot.waitUntil(widget.micrograph.isVisible, timeout=LONG)
    label = widget.micrograph.findChild(QLabel, "content_any")
    assert label is not None
    with qtbot.waitSignal(widget.micrograph.images_changed, timeout=LONG):
        choose(open_menu_by_link(label), "Bentheimer sandstone, one slice")
    images = widget.micrograph.images()
    assert images is not None
    assert images.labels == (0, 255)
    click(widget.micrograph.next)
    controls = widget.train.controls
    with qtbot.waitSignal(widget.train.preview_made, timeout=LONG):
        click(controls.start)
    assert "Preview" in viewer.layers
    click(controls.pause)
    until(widget, qtbot, RunState.PAUSED)
    show(widget, "Volume")
    show(widget, "Train")
    click(controls.pause)
    until(widget, qtbot, RunState.RUNNING)
    click(controls.stop)
    until(widget, qtbot, RunState.FINISHED)
    (run,) = (tmp_path / "runs").iterdir()
    assert list(run.glob("checkpoint-*.pt"))
    # The third tab continues with the run by itself.
    show(widget, "Volume")
    panel = widget.volume
    qtbot.waitUntil(panel.generate_button.isEnabled, timeout=LONG)
    for box in panel.form.voxels.values():
        enter(box, str(EDGE))
    assert not panel.next.isEnabled()
    with qtbot.waitSignal(panel.volume_made, timeout=LONG) as made:
        click(panel.generate_button)
    volume: Volume = made.args[0]
    assert volume.values.shape == (EDGE,) * 3
    assert set(np.unique(volume.values)) <= {0, 255}
    planes = [layer for layer in viewer.layers if layer.name.startswith("Plane")]
    assert len(planes) == 3
    widget.volume.orthogonal.views.set_value((3, 4, 5))
    assert planes[0].plane.position[0] == 3
    qtbot.waitUntil(widget.volume.save_button.isEnabled, timeout=LONG)
    widget.volume.save(tmp_path / "volume.tif")
    qtbot.waitUntil(lambda: not widget.volume.task.is_busy, timeout=LONG)
    kept = Volume.open(tmp_path / "volume.tif")
    np.testing.assert_array_equal(kept.values, volume.values)
    qtbot.waitUntil(panel.next.isEnabled, timeout=LONG)
    click(panel.next)
    with qtbot.waitSignal(widget.measure.measured, timeout=LONG) as measured:
        click(widget.measure.measure_button)
    assert measured.args[0].verdict.headline in widget.measure.table.headline.text()
