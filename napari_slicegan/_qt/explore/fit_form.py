"""What to look for in a generator: components, and directions of properties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.explore.requests import FitRequest
from napari_slicegan._qt.widgets.buttons import button

# What people ask for first.
USUAL_GUIDED = ("phase_fraction", "mean_gray")


class FitForm(QWidget):
    """Edits a `FitRequest`."""

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("fit_form")
        usual = FitRequest()
        self._boxes: dict[str, QCheckBox] = {}
        # children
        self.block = QComboBox()
        self.block.setObjectName("fit_block")
        self.block.setToolTip("Whose features the components are of.")
        self.n_components = _number("n_components", 1, 80, usual.n_components)
        self.n_samples = _number("n_samples", 2, 1_000_000, usual.n_samples)
        self.n_samples.setToolTip("Random latents that are looked at.")
        self.n_guided = _number("n_guided", 2, 100_000, usual.n_guided)
        self.n_guided.setToolTip("Volumes that are measured for guided directions.")
        self.fit_button = button(
            "fit", "Find directions", "Fit them and measure what each of them moves."
        )
        # layout
        self._guided = QVBoxLayout()
        self._guided.setSpacing(2)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Components", self.n_components)
        form.addRow("of the block", self.block)
        form.addRow("from samples", self.n_samples)
        form.addRow("Guided by", self._guided)
        form.addRow("from volumes", self.n_guided)
        form.addRow(self.fit_button)
        # signals
        self.fit_button.clicked.connect(lambda checked: self.asked.emit())

    def value(self) -> FitRequest:
        """What is looked for."""
        return FitRequest(
            self.block.currentText(),
            self.n_components.value(),
            self.n_samples.value(),
            tuple(key for key, box in self._boxes.items() if box.isChecked()),
            self.n_guided.value(),
        )

    def set_value(self, request: FitRequest) -> None:
        """Show what is looked for."""
        self.block.setCurrentText(request.block)
        self.n_components.setValue(request.n_components)
        self.n_samples.setValue(request.n_samples)
        self.n_guided.setValue(request.n_guided)
        for key, box in self._boxes.items():
            box.setChecked(key in request.guided)

    def set_choices(self, blocks: Sequence[str], titles: Mapping[str, str]) -> None:
        """Blocks and properties of another generator."""
        self.block.clear()
        self.block.addItems([*blocks])
        # As of the engine: of the first block every component is blurred.
        self.block.setCurrentIndex(min(2, len(blocks) - 1))
        for box in self._boxes.values():
            self._guided.removeWidget(box)
            box.deleteLater()
        self._boxes = {}
        for key, title in titles.items():
            box = QCheckBox(title)
            box.setObjectName(f"guided_{key}")
            box.setChecked(key in USUAL_GUIDED)
            self._guided.addWidget(box)
            self._boxes[key] = box


def _number(name: str, low: int, high: int, value: int) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setRange(low, high)
    box.setValue(value)
    return box
