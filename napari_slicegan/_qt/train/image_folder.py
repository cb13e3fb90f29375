"""A folder of whole images to train on, instead of crops of a micrograph."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QWidget

from napari_slicegan._qt.widgets.buttons import button

CROPS = "of the first tab"


class ImageFolder(QWidget):
    """Edits the path of a folder; empty for the images of the first tab."""

    value_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # children
        self.line = QLineEdit()
        self.line.setObjectName("image_folder")
        self.line.setPlaceholderText(CROPS)
        self.line.setClearButtonEnabled(True)
        self.line.setToolTip(
            "<qt>Folder of whole images, tables or sounds, searched with the folders "
            "in it. Empty: crops of the first tab's micrograph or, with 'Cut along', "
            "whole planes of its volume.</qt>"
        )
        self.browse = button(
            "browse_images", "Folder...", "Train on the whole images of a folder."
        )
        # layout
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Images"))
        layout.addWidget(self.line)
        layout.addWidget(self.browse)
        # signals
        self.line.textChanged.connect(
            lambda text: self.value_changed.emit(self.value())
        )
        self.browse.clicked.connect(lambda checked: self._choose())

    def value(self) -> Path | None:
        """The folder, if one is wanted."""
        text = self.line.text().strip()
        return Path(text).expanduser().absolute() if text else None

    def set_value(self, folder: str | Path | None) -> None:
        """Show a folder."""
        self.line.setText("" if folder is None else str(folder))

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of images")
        if chosen:
            self.set_value(chosen)
