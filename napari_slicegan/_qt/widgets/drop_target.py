"""Widgets on which files and folders are dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtCore import QMimeData
    from qtpy.QtGui import QDragEnterEvent, QDropEvent


class DropTarget:
    """Takes local files; stands before the Qt class that it is mixed into.

    The widget says what becomes of them, and ``setAcceptDrops(True)``.
    """

    def take_files(self, paths: list[Path]) -> None:
        """What was dropped: one path or several."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept files."""
        if event is not None and _local_files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Take what was dropped."""
        if event is None:
            return
        paths = _local_files(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.take_files(paths)


def _local_files(data: QMimeData | None) -> list[Path]:
    """Local files of something that is dragged."""
    if data is None:
        return []
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
