"""Training data and folder of the next run."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.basics import breakable, button, existing_folder
from napari_slicegan._qt.widgets.run_menu import offer

if TYPE_CHECKING:
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.tasks import Given

NO_IMAGES = "Choose an image in the first tab; then training can start."
NO_SET = "Choose a folder of images, or an image in the first tab."
# The path may be one that is still being typed: a large folder, such as "/".
N_LOOKED_AT = 100
POINTS = "Points of nine Gaussians; no image is needed."


class TrainData(QWidget):
    """Shows the training data; for image models, edits a folder of images."""

    value_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._images: TrainingImages | None = None
        self._dimensions = 3
        # children
        self.material = QLabel()
        self.material.setObjectName("material")
        self.material.setWordWrap(True)
        self.material.setTextFormat(Qt.TextFormat.PlainText)
        self.folder = FolderEditor(
            "image_folder", "Images", "Folder of images", "Table, sound or volume"
        )
        self.folder.line.setPlaceholderText("of the first tab")
        self.folder.line.setClearButtonEnabled(True)
        self.folder.line.setToolTip(
            "<qt>Folder of whole images, tables or sounds, including subfolders, or a "
            "table, a sound or a volume, whose planes are taken. "
            "Empty: crops of the first tab's micrograph or, with 'Cut along', "
            "whole planes of its volume.</qt>"
        )
        self.folder.browse.setToolTip("Train on the whole images of a folder or file.")
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.material)
        layout.addWidget(self.folder)
        self._show()
        # signals
        self.folder.value_changed.connect(self._changed)

    def value(self) -> Given:
        """Data for `training_data`; None if there are none, and for points."""
        if self._dimensions == 3:
            return self._images
        if self._dimensions == 2:
            return self.folder.value() or self._images
        return None

    @property
    def phases(self) -> TrainingImages | None:
        """The images, if they are of phases and for volumes."""
        images = self._images if self._dimensions == 3 else None
        return images if images is not None and images.kind == "phases" else None

    @property
    def can_train(self) -> bool:
        """Whether a run can start; points need no images."""
        return self._dimensions == 1 or self.value() is not None

    def set_images(self, images: TrainingImages | None) -> None:
        """Set the images of the first tab; None for none."""
        self._images = images
        self._show()

    def set_dimensions(self, dimensions: int) -> None:
        """Adapt to the output: volumes (3), images (2) or points (1)."""
        self._dimensions = dimensions
        self._show()

    def _changed(self) -> None:
        self._show()
        self.value_changed.emit()

    def _show(self) -> None:
        self.folder.setVisible(self._dimensions == 2)
        self.material.setText(breakable(self._text()))

    def _text(self) -> str:
        data = self.value()
        if self._dimensions == 1:
            return POINTS
        if data is None:
            return NO_SET if self._dimensions == 2 else NO_IMAGES
        if isinstance(data, Path):
            place = "file" if data.is_file() else "folder"
            if _is_of_sounds(data):
                return f"{data.name}: sounds of the {place}, as spectrograms"
            return f"{data.name}: whole images of the {place}"
        text = _describe(data)
        if self._dimensions == 2 and next(iter(data)).is_volume:
            text += ". Random crops of its planes; 'Cut along' takes them whole."
        return text


def _is_of_sounds(path: Path) -> bool:
    """Whether a file is a sound, or what is read of the first files of a folder."""
    from napari_slicegan.systems.image_set import ENDINGS, SOUND

    try:
        files = path.iterdir() if path.is_dir() else [path]
        first = itertools.islice(files, N_LOOKED_AT)
        endings = {file.suffix.lower() for file in first} & set(ENDINGS)
        return endings == {SOUND}
    except OSError:
        return False


def _describe(images: TrainingImages) -> str:
    first = next(iter(images))
    what = f"{len(images.labels)} phases" if images.kind == "phases" else images.kind
    size = " x ".join(str(n) for n in first.values.shape[: 3 if first.is_volume else 2])
    count = sum(1 for _ in images)
    more = "" if count == 1 else f" and {count - 1} more"
    return f"{first.name}{more}: {size} pixels, {what}, {images.material}"


class FolderEditor(QWidget):
    """Line with a dialog for a folder; None if the line is empty.

    Parameters
    ----------
    name
        Object name of the line.
    title
        Of the dialog.
    file_title
        Of a second dialog for a file in place of a folder; empty if none is accepted.
    """

    value_changed = Signal()

    def __init__(self, name: str, label: str, title: str, file_title: str = "") -> None:
        super().__init__()
        self._title, self._file_title = title, file_title
        # children
        self.line = QLineEdit()
        self.line.setObjectName(name)
        self.browse = button(f"browse_{name}", "Browse...")
        # layout
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(QLabel(label))
        layout.addWidget(self.line)
        layout.addWidget(self.browse)
        # signals
        self.line.textChanged.connect(lambda text: self.value_changed.emit())
        self.browse.clicked.connect(lambda checked: self._browse())

    def value(self) -> Path | None:
        """Absolute path."""
        text = self.line.text().strip()
        return Path(text).expanduser().absolute() if text else None

    def set_value(self, folder: str | Path | None) -> None:
        """Show a folder."""
        self.line.setText("" if folder is None else str(folder))

    def choose(self, title: str) -> Path | None:
        """Let the user choose a folder; None if cancelled."""
        begin = existing_folder(self.value())
        chosen = QFileDialog.getExistingDirectory(self, title, begin)
        return Path(chosen) if chosen else None

    def _browse(self) -> None:
        if self._file_title:
            dialogs = {"Folder...": self._browse_folder, "File...": self._browse_file}
            offer(self.browse, dialogs, lambda open_dialog: open_dialog())
        else:
            self._browse_folder()

    def _browse_folder(self) -> None:
        chosen = self.choose(self._title)
        if chosen is not None:
            self.set_value(chosen)

    def _browse_file(self) -> None:
        begin = existing_folder(self.value())
        chosen, _ = QFileDialog.getOpenFileName(self, self._file_title, begin)
        if chosen:
            self.set_value(chosen)


def default_root() -> Path:
    """Folder for runs in the user's own data folder."""
    return user_data_path("napari-slicegan", appauthor=False) / "runs"


class RunLocation(FolderEditor):
    """Edits the parent folder of new runs; the default if the line is empty."""

    def __init__(self) -> None:
        super().__init__("run_root", "Save runs to", "Folder for runs")
        self.set_value(default_root())
        # signals
        self.line.editingFinished.connect(lambda: self.set_value(self.value()))

    def value(self) -> Path:
        """Absolute path of the folder."""
        return super().value() or default_root()

    def set_value(self, folder: str | Path | None) -> None:
        """Show a folder."""
        super().set_value(folder)
        self.line.setToolTip(
            f"<qt>Each run gets its own folder in {self.value()}.</qt>"
        )
