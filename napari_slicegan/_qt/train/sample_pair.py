"""Real images, or points, beside those that a generator makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_slicegan._qt.train.slice_pair import Picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slicegan.image_sets.sheet import Sheet
    from napari_slicegan.points.scatter import Scatter

REAL, GENERATED = "Real", "Generated"


class SamplePair(QWidget):
    """Two pictures of equal size: real samples, and generated ones."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sample_pair")
        # children
        self.real = Picture("real_samples")
        self.generated = Picture("generated_samples")
        self.generated_title = QLabel(GENERATED)
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel(REAL), 0, 0)
        grid.addWidget(self.generated_title, 0, 1)
        grid.addWidget(self.real, 1, 0)
        grid.addWidget(self.generated, 1, 1)
        self.setVisible(False)

    def set_real(self, samples: Sheet | Scatter | None) -> None:
        """Show these as soon as there are generated ones; none for other runs."""
        self.setVisible(False)
        if samples is not None:
            self.real.show_values(_rgb(samples.thumbnail()))

    def set_generated(self, samples: Sheet | Scatter, step: int) -> None:
        """Show the newest preview."""
        self.generated_title.setText(f"{GENERATED}, step {step}")
        self.generated.show_values(_rgb(samples.thumbnail()))
        self.setVisible(True)


def _rgb(picture: NDArray[np.uint8]) -> NDArray[Any]:
    """[rows, columns(, 3)] -> [rows, columns, 3]."""
    return picture if picture.ndim > 2 else np.repeat(picture[..., None], 3, axis=-1)
