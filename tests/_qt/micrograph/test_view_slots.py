from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QLabel

from napari_slicegan._qt.micrograph.image_source import ImageSource
from napari_slicegan._qt.micrograph.view_slots import ViewSlots
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

FLAT = ImageSource(np.zeros((20, 30)), "flat")
CUBE = ImageSource(np.zeros((20, 30, 40)), "cube")


@pytest.fixture
def slots(qtbot: QtBot) -> ViewSlots:
    slots = ViewSlots()
    qtbot.addWidget(slots)
    return slots


def test_isotropic_has_one_slot(slots: ViewSlots) -> None:
    assert slots.is_empty()
    slots.put("z", [FLAT])
    assert slots.value() == {"z": (FLAT,)}
    assert slots.is_complete()


def test_anisotropic_needs_three(slots: ViewSlots) -> None:
    slots.put("z", [FLAT])
    slots.set_anisotropic(True)
    assert not slots.is_complete()
    slots.put("y", [FLAT])
    slots.put("x", [FLAT])
    assert slots.is_complete()
    assert list(slots.value()) == list(AXES)


def test_one_volume_shows_all_directions(slots: ViewSlots) -> None:
    slots.set_anisotropic(True)
    slots.put("z", [CUBE])
    assert slots.is_complete()


def test_says_what_is_in_it(slots: ViewSlots) -> None:
    slots.put("z", [FLAT])
    content = slots.single.findChild(QLabel, "content_any")
    assert content is not None
    assert content.text() == "flat: 20 x 30 pixels"


def test_clear_button_empties(slots: ViewSlots, qtbot: QtBot) -> None:
    slots.put("z", [FLAT])
    with qtbot.waitSignal(slots.changed):
        slots.single.clear_button.click()
    assert slots.is_empty()


def test_buttons_name_their_axis(slots: ViewSlots, qtbot: QtBot) -> None:
    for axis, slot in slots.views.items():
        with qtbot.waitSignal(slots.layer_wanted) as wanted:
            slot.layer_button.click()
        assert wanted.args == [axis]


def test_names_tell_the_slot(slots: ViewSlots) -> None:
    slots.set_anisotropic(True)
    assert slots.axis_for("fibres_x.tif") == "x"
    assert slots.axis_for("steel Y.png") == "y"
    # No name: the first that is free.
    assert slots.axis_for("steel.png") == "z"
    slots.put("z", [FLAT])
    assert slots.axis_for("steel.png") == "y"


def test_full_slot_is_not_offered(slots: ViewSlots) -> None:
    slots.put("z", [FLAT])
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
    with qtbot.waitSignal(slots.files_wanted) as wanted:
        slots.views["y"].dropEvent(event)
    assert wanted.args == ["y", [tmp_path / "a.tif"]]
