"""Errors and warnings as they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtGui import QColor
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_slicegan._qt.widgets.basics import ERROR, WARNING, MessageLine

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
