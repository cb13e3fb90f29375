"""Where runs are kept: a folder in sight, never silently the current one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from platformdirs import user_data_path
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)


def default_root() -> Path:
    """Folder for runs in the user's own data folder."""
    return user_data_path("napari-slicegan", appauthor=False) / "runs"


class RunLocation(QWidget):
    """Edits the folder that each run gets a folder in."""

    value_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # children
        self.line = QLineEdit()
        self.line.setObjectName("run_root")
        self.browse = QPushButton("Browse...")
        self.browse.setObjectName("browse_run_root")
        # layout
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel("Runs in"))
        layout.addWidget(self.line)
        layout.addWidget(self.browse)
        self.set_value(default_root())
        # signals
        self.line.editingFinished.connect(self._edited)
        self.browse.clicked.connect(self._choose)

    def value(self) -> Path:
        """The folder; the default one if the line is empty."""
        text = self.line.text().strip()
        return Path(text).expanduser().absolute() if text else default_root()

    def set_value(self, root: str | Path) -> None:
        """Show a folder."""
        self.line.setText(str(root))
        self.line.setCursorPosition(0)
        self.line.setToolTip(f"<qt>Each run gets a folder of its own in {root}.</qt>")

    def new_folder(self, name: str) -> Path:
        """Path that does not exist yet, named after the image and the time."""
        plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(name).stem)
        stem = f"{plain or 'run'}-{datetime.now():%Y%m%d-%H%M%S}"
        path, number = self.value() / stem, 2
        while path.exists():
            path, number = self.value() / f"{stem}-{number}", number + 1
        return path

    def ask_for_run(self) -> Path | None:
        """Let the user pick an earlier run; None if they did not."""
        chosen = QFileDialog.getExistingDirectory(
            self, "Continue a run: choose its folder", str(self.value())
        )
        return Path(chosen) if chosen else None

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, "Folder for runs", str(self.value())
        )
        if chosen:
            self.set_value(chosen)
            self._edited()

    def _edited(self) -> None:
        self.set_value(self.value())
        self.value_changed.emit(self.value())
