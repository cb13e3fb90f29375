"""Files dropped on widgets, as Qt sends them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_slicegan._qt.widgets.basics import DropTarget

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt
COPY = Qt.DropAction.CopyAction
BUTTON, KEYS = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


class Taker(DropTarget, QWidget):
    """Remembers what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.taken: list[list[Path]] = []

    def take_files(self, paths: list[Path]) -> None:
        self.taken.append(paths)


@pytest.mark.parametrize(
    ("urls", "taken"),
    [
        (
            ["file:///a/run", "https://example.org/b.tif", "file:///a/b.tif"],
            [[Path("/a/run"), Path("/a/b.tif")]],
        ),
        (["https://example.org/b.tif"], []),
    ],
)
# Newer releases of Qt want another constructor, which older ones do not have.
@pytest.mark.filterwarnings("ignore:Function.*QDragEnterEvent:DeprecationWarning")
def test_local_files_are_taken(
    qtbot: QtBot, urls: list[str], taken: list[list[Path]]
) -> None:
    widget = Taker()
    qtbot.addWidget(widget)
    data = QMimeData()
    data.setUrls([QUrl(url) for url in urls])
    entering = QDragEnterEvent(QPoint(1, 1), COPY, data, BUTTON, KEYS)
    entering.ignore()
    QApplication.sendEvent(widget, entering)
    assert entering.isAccepted() == bool(taken)
    dropped = QDropEvent(QPointF(1, 1), COPY, data, BUTTON, KEYS)
    QApplication.sendEvent(widget, dropped)
    assert widget.taken == taken
