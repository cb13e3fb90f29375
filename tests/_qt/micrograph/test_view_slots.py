from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph.view_slots import (
    MODEL,
    SAMPLE,
    PlaneDrawing,
    ViewSlots,
)
from napari_slicegan._qt.widgets.basics import LINK
from napari_slicegan.config import AXES
from napari_slicegan.data.image_files import SourceImage

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

FLAT = SourceImage(np.zeros((20, 30)), "flat")
CUBE = SourceImage(np.zeros((20, 30, 40)), "cube")


@pytest.fixture
def slots(qtbot: QtBot) -> ViewSlots:
    slots = ViewSlots()
    qtbot.addWidget(slots)
    return slots


def test_isotropic_slot_holds_images_until_cleared(
    slots: ViewSlots, qtbot: QtBot
) -> None:
    assert slots.is_empty()
    slots.put("z", [FLAT])
    assert slots.value() == {"z": (FLAT,)}
    assert slots.is_complete()
    content = slots.single.findChild(QLabel, "content_any")
    assert content is not None
    assert content.text() == "flat: 20 x 30 pixels"
    with qtbot.waitSignal(slots.changed):
        slots.single.clear_button.click()
    assert slots.is_empty()


def test_links_of_an_empty_slot_are_reached_by_keys(
    slots: ViewSlots, qtbot: QtBot
) -> None:
    """And readable in both themes."""
    content = slots.single.findChild(QLabel, "content_any")
    assert content is not None
    slots.show()
    content.setFocus()
    for n_tabs, link in ((1, SAMPLE), (2, MODEL)):
        for _ in range(n_tabs):
            QTest.keyClick(content, Qt.Key.Key_Tab)
        with qtbot.waitSignal(slots.link_activated) as activated:
            QTest.keyClick(content, Qt.Key.Key_Return)
        assert activated.args == [link]
    for sheet, colour in (
        ("QWidget { background: #262930; color: #f0f1f2; }", LINK[0]),
        ("QWidget { background: #efebe9; color: #3b3a39; }", LINK[1]),
    ):
        slots.setStyleSheet(sheet)
        assert content.text().count(colour) == 2
    slots.put("z", [FLAT])
    assert content.focusPolicy() == Qt.FocusPolicy.NoFocus
    slots.set_has_layers(False)
    assert not slots.single.layer_button.isEnabled()


def test_drawings_follow_the_font(slots: ViewSlots) -> None:
    slots.show()
    (drawing,) = slots.single.findChildren(PlaneDrawing)
    edges = []
    for points in (10, 20):
        slots.setStyleSheet(f"QLabel {{ font-size: {points}pt; }}")
        edges.append(drawing.sizeHint().width())
    assert edges[1] == pytest.approx(2 * edges[0], rel=0.1)


def test_anisotropic_needs_three_images_or_a_volume(slots: ViewSlots) -> None:
    slots.put("z", [FLAT])
    slots.set_anisotropic(True)
    assert not slots.is_complete()
    slots.put("y", [FLAT])
    slots.put("x", [FLAT])
    assert slots.is_complete()
    assert list(slots.value()) == list(AXES)
    for axis, images in (("z", [CUBE]), ("y", []), ("x", [])):
        slots.put(axis, images)  # type: ignore[arg-type]
    assert slots.is_complete()


def test_buttons_name_their_axis(slots: ViewSlots, qtbot: QtBot) -> None:
    for axis, slot in slots.views.items():
        with qtbot.waitSignal(slots.layer_requested) as signal:
            slot.layer_button.click()
        assert signal.args == [axis]


def test_slot_by_file_name_else_the_first_free(slots: ViewSlots) -> None:
    slots.set_anisotropic(True)
    assert slots.axis_for("fibres_x.tif") == "x"
    assert slots.axis_for("steel Y.png") == "y"
    assert slots.axis_for("steel.png") == "z"
    slots.put("z", [FLAT])
    assert slots.axis_for("steel.png") == "y"
    slots.set_anisotropic(False)
    assert slots.axis_for("another.tif") is None


def test_files_can_be_dropped(slots: ViewSlots, qtbot: QtBot, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.tif"))])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(slots.files_requested) as signal:
        slots.views["y"].dropEvent(event)
    assert signal.args == ["y", [tmp_path / "a.tif"]]
