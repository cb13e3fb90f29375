from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph.view_slots import ViewSlots
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


def test_an_empty_slot_offers_a_sample(slots: ViewSlots, qtbot: QtBot) -> None:
    content = slots.single.findChild(QLabel, "content_any")
    assert content is not None
    with qtbot.waitSignal(slots.sample_requested):
        content.linkActivated.emit("sample")
    slots.set_has_layers(False)
    assert not slots.single.layer_button.isEnabled()


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
