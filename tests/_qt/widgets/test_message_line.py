"""Errors and warnings as they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_slicegan._qt.widgets.basics import (
    ERROR,
    WARNING,
    LinkLabel,
    MessageLine,
    breakable,
)

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


def test_the_bar_beside_a_message_has_the_colour_of_its_text(qtbot: QtBot) -> None:
    """A black one could not be seen on the dark theme."""
    window = QWidget()
    # Without a background, which napari's style has, Qt draws no bar.
    window.setStyleSheet("QWidget { background: #202020; }")
    qtbot.addWidget(window)
    line = MessageLine()
    QVBoxLayout(window).addWidget(line)
    with qtbot.waitExposed(window):
        window.show()
    for show, colours in (line.show_error, ERROR), (line.show_warning, WARNING):
        show("Expected a file.")
        QApplication.processEvents()
        picture = line.grab().toImage()
        # The bar of a warning is dotted.
        seen = {picture.pixelColor(1, y).name() for y in range(picture.height())}
        assert seen & {QColor(colour).name() for colour in colours}


def test_long_names_of_files_are_broken_between_lines(qtbot: QtBot) -> None:
    """They hold no spaces, and would widen the dock."""
    name = "SEM_cathode_overview_2026-11-28_sample_17_detector_10kV-20261201-133438.tif"
    line, label = MessageLine(), LinkLabel()
    for each, show in ((line, line.show_text), (label, label.set_plain)):
        qtbot.addWidget(each)
        show(f"Saved in /data/{name}")
        each.show()
        assert each.minimumSizeHint().width() < 250
    for plain in ("a short_name.tif", "/data/short_name.tif", ""):
        assert breakable(plain) == plain
    assert max(map(len, breakable("x" * 100).split("\N{ZERO WIDTH SPACE}"))) <= 32


def test_a_path_is_copied_without_what_breaks_it(qtbot: QtBot) -> None:
    path = f"/data/{'overview_' * 10}.tif"
    line, clipboard = MessageLine(), QApplication.clipboard()
    assert clipboard is not None
    qtbot.addWidget(line)
    line.show_text(f"Saved in {path}")
    line.show()
    assert line.text() == f"Saved in {path}"
    line.setSelection(len("Saved in "), len(breakable(path)))
    QTest.keyClick(line, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert clipboard.text() == path
    # Without a selection, the menu copies all.
    line.setSelection(0, 0)
    line.copy_action.trigger()
    assert clipboard.text() == f"Saved in {path}"
