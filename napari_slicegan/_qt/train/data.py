"""What the next run is trained on: images of the first tab, a folder, or points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.train.image_folder import ImageFolder

if TYPE_CHECKING:
    from napari_slicegan.run_data import Given
    from napari_slicegan.training_images import TrainingImages

NO_IMAGES = "Choose an image in the first tab; then training can start."
NO_SET = "Choose a folder of images, or an image in the first tab."
POINTS = "Points of nine Gaussians; no image is needed."


class TrainData(QWidget):
    """Names the data, and edits the folder where whole images can be taken."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: TrainingImages | None = None
        self._dimensions = 3
        # children
        self.material = QLabel()
        self.material.setObjectName("material")
        self.material.setWordWrap(True)
        self.folder = ImageFolder()
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.material)
        layout.addWidget(self.folder)
        self._show()
        # signals
        self.folder.value_changed.connect(lambda folder: self._changed())

    def value(self) -> Given:
        """What `training_data` takes; None where there is nothing, and for points."""
        if self._dimensions == 3:
            return self._images
        if self._dimensions == 2:
            return self.folder.value() or self._images
        return None

    @property
    def is_enough(self) -> bool:
        """Whether a run can start; points need no images."""
        return self._dimensions == 1 or self.value() is not None

    def set_images(self, images: TrainingImages | None) -> None:
        """Use images of the first tab, or none."""
        self._images = images
        self._show()

    def set_dimensions(self, dimensions: int) -> None:
        """Show what matters for volumes (3), images (2) or points (1)."""
        self._dimensions = dimensions
        self._show()

    def _changed(self) -> None:
        self._show()
        self.value_changed.emit()

    def _show(self) -> None:
        self.folder.setVisible(self._dimensions == 2)
        self.material.setText(self._text())

    def _text(self) -> str:
        given = self.value()
        if self._dimensions == 1:
            return POINTS
        if given is None:
            return NO_SET if self._dimensions == 2 else NO_IMAGES
        if isinstance(given, Path):
            return f"{given.name}: whole images of the folder"
        return _of_images(given)


def _of_images(images: TrainingImages) -> str:
    first = next(iter(images))
    what = f"{len(images.labels)} phases" if images.kind == "phases" else images.kind
    size = " x ".join(str(n) for n in first.values.shape[: 3 if first.is_volume else 2])
    count = sum(1 for _ in images)
    more = "" if count == 1 else f" and {count - 1} more"
    return f"{first.name}{more}: {size} pixels, {what}, {images.material}"
