"""Numbers beyond the limits of their inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QToolTip

from napari_slicegan._qt.widgets.basics import decimal_box, number_box
from napari_slicegan._qt.widgets.config_form import number_editor
from napari_slicegan.config import OptimiserSettings, TrainingSettings

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt

FIELDS = {**OptimiserSettings.model_fields, **TrainingSettings.model_fields}


def test_numbers_beyond_a_limit_become_it_and_say_so(qtbot: QtBot) -> None:
    """No digit is lost on the way."""
    editors = [
        number_editor(FIELDS[name], whole=name == "threads")
        for name in ("threads", "ema_decay", "checkpoint_minutes")
    ]
    threads, decay, minutes = (editor.main for editor in editors)
    minutes.setValue(5)  # type: ignore[attr-defined]
    strength = decimal_box("strength", -6, 6, 0)
    length = decimal_box("length", 0, 1e4, 0)
    length.setSuffix(" nm")
    for box, typed, value, words in (
        (number_box("voxels", 1, 16_384), "20000", 16_384, "at most 16,384"),
        (threads, "20000", 1024, "at most 1,024"),
        (threads, "0", 1, "at least 1"),
        (decay, "7.25", 1 - 1e-9, "at most 0.999999999"),
        # Zero is not allowed; the number before stays.
        (minutes, "0", 5, "more than 0"),
        (strength, "-10", -6, "at least -6"),
        (length, "123456", 1e4, "at most 10,000"),
    ):
        shown = box.parentWidget() or box
        qtbot.addWidget(shown)
        shown.show()
        box.selectAll()  # type: ignore[attr-defined]
        QTest.keyClicks(box, typed)
        assert box.lineEdit().text().startswith(typed)  # type: ignore[attr-defined]
        QTest.keyClick(box, Qt.Key.Key_Return)
        assert box.value() == pytest.approx(value)  # type: ignore[attr-defined]
        assert QToolTip.text() == f"Expected {words}."
        QToolTip.hideText()
