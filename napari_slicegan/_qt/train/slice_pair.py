"""A real crop beside a slice of the preview, at the same scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from napari_slicegan._qt.viewer.colours import phase_colours
from napari_slicegan.config import AXES, Axis, Kind

if TYPE_CHECKING:
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

# Larger ones would push the curves out of a window of 800 pixels.
EDGE = 112
CROP_SEED = 0


class SlicePair(QWidget):
    """Two pictures of equal size: the material, and what the generator makes of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("slice_pair")
        self._images: TrainingImages | None = None
        self._volume: Volume | None = None
        # children
        self.real = Picture("real_crop")
        self.generated = Picture("generated_slice")
        self.real_title = QLabel("Real crop")
        self.generated_title = QLabel("Generated slice")
        self.scale = QLabel("")
        self.axis = QComboBox()
        self.axis.setObjectName("preview_axis")
        self.axis.addItems([f"seen along {axis}" for axis in AXES])
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.real_title, 0, 0)
        grid.addWidget(self.generated_title, 0, 1)
        grid.addWidget(self.real, 1, 0)
        grid.addWidget(self.generated, 1, 1)
        grid.addWidget(self.scale, 2, 0)
        grid.addWidget(self.axis, 2, 1)
        # signals
        self.axis.currentIndexChanged.connect(lambda index: self._show())

    def set_images(self, images: TrainingImages | None) -> None:
        """Show crops of these; the generated slice of another run goes away."""
        self._images, self._volume = images, None
        self._show()

    def set_volume(self, volume: Volume, step: int) -> None:
        """Show a slice of the newest preview."""
        self._volume = volume
        self.generated_title.setText(f"Generated slice, step {step}")
        self._show()

    def _show(self) -> None:
        axis = AXES[self.axis.currentIndex()]
        images, volume = self._images, self._volume
        self.setVisible(images is not None and volume is not None)
        if images is None or volume is None:
            return
        planes = volume.planes(axis)
        generated = planes[len(planes) // 2]
        real = real_crop(images, axis, min(generated.shape[:2]))
        rows, columns = real.shape[:2]
        pixel = (
            f" = {columns * images.pixel_size_nm:g} nm" if images.pixel_size_nm else ""
        )
        self.scale.setText(f"{columns} px{pixel}")
        kind, labels = images.kind, images.labels if images.kind == "phases" else ()
        low, high = _range(images)
        self.real.show_values(coloured(real, kind, labels, low, high))
        shown = generated[:rows, :columns]
        self.generated.show_values(coloured(shown, kind, labels, low, high))


class Picture(QLabel):
    """An image that fills its height and keeps its shape."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._whole = QPixmap()
        self.setMinimumWidth(EDGE)
        self.setFixedHeight(EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def show_values(self, rgb: NDArray[np.uint8]) -> None:
        """Show colours, uint8 [rows, columns, 3]."""
        rows, columns = rgb.shape[:2]
        data = np.ascontiguousarray(rgb)
        image = QImage(
            data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888
        )
        # The copy owns its pixels; the array does not outlive this call.
        self._whole = QPixmap.fromImage(image.copy())
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Fit the picture to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            return
        self.setPixmap(
            self._whole.scaled(
                max(EDGE, self.width()),
                EDGE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.FastTransformation,
            )
        )


def real_crop(images: TrainingImages, axis: Axis, edge: int) -> NDArray[Any]:
    """The same random crop of the material at every call, [<= edge, <= edge(, 3)]."""
    view = axis if axis in images.views else "z"
    planes = images.views[view][0].planes(view)
    rng = np.random.default_rng(CROP_SEED)
    plane = planes[rng.integers(len(planes))]
    row, column = (rng.integers(max(n - edge, 0) + 1) for n in plane.shape[:2])
    return np.asarray(plane[row : row + edge, column : column + edge])


def coloured(
    values: NDArray[Any], kind: Kind, labels: tuple[int, ...], low: float, high: float
) -> NDArray[np.uint8]:
    """Colours of micrograph values, uint8 [rows, columns, 3]."""
    if kind == "phases":
        colours = phase_colours(labels)
        table = np.asarray([colours[label][:3] for label in labels])
        index = np.searchsorted(labels, values)
        return np.asarray(np.rint(255 * table[index]), np.uint8)
    unit = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    gray = np.asarray(np.rint(255 * unit), np.uint8)
    return gray if kind == "colour" else np.repeat(gray[..., None], 3, axis=-1)


def _range(images: TrainingImages) -> tuple[float, float]:
    """Darkest and brightest value of the material."""
    values = [
        (float(image.values.min()), float(image.values.max())) for image in images
    ]
    return min(low for low, _ in values), max(high for _, high in values)
