"""Which direction to sweep from end to end, and where to keep what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from napari_slicegan._qt.explore.direction_row import MAX_STRENGTH
from napari_slicegan._qt.explore.requests import SweepRequest
from napari_slicegan._qt.widgets.buttons import button


class SweepForm(QWidget):
    """Edits a `SweepRequest`."""

    asked = Signal()
    save_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sweep_form")
        # children
        self.direction = QComboBox()
        self.direction.setObjectName("sweep_direction")
        self.first = _strength("sweep_first", -3)
        self.last = _strength("sweep_last", 3)
        self.n = QSpinBox()
        self.n.setObjectName("sweep_n")
        self.n.setRange(3, 61)
        self.n.setValue(7)
        self.sweep_button = button(
            "sweep", "Sweep", "A layer with a slider for the strength."
        )
        self.save_button = button(
            "save_sweep",
            "Save sweep...",
            "Volumes as TIFF, properties as CSV or a plot, or an animation.",
        )
        # layout
        strengths = QHBoxLayout()
        strengths.addWidget(self.first, 1)
        strengths.addWidget(QLabel("to"))
        strengths.addWidget(self.last, 1)
        strengths.addWidget(QLabel("in"))
        strengths.addWidget(self.n, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.sweep_button)
        buttons.addWidget(self.save_button)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Direction", self.direction)
        form.addRow("Strengths", strengths)
        form.addRow(buttons)
        # signals
        self.sweep_button.clicked.connect(lambda checked: self.asked.emit())
        self.save_button.clicked.connect(lambda checked: self.save_asked.emit())

    def value(self) -> SweepRequest:
        """The sweep that is wanted."""
        return SweepRequest(
            self.direction.currentText(),
            self.first.value(),
            self.last.value(),
            self.n.value(),
        )

    def set_value(self, request: SweepRequest) -> None:
        """Show a sweep."""
        self.direction.setCurrentText(request.name)
        self.first.setValue(request.first)
        self.last.setValue(request.last)
        self.n.setValue(request.n)

    def set_names(self, names: Sequence[str]) -> None:
        """Directions to choose from; the place of the chosen one stays."""
        fill(self.direction, names)


def fill(box: QComboBox, names: Sequence[str]) -> None:
    """Offer other names; the number of the chosen one stays if there is one."""
    number = max(box.currentIndex(), 0)
    box.clear()
    box.addItems([*names])
    box.setCurrentIndex(min(number, len(names) - 1))


def _strength(name: str, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setDecimals(1)
    box.setSingleStep(0.5)
    box.setRange(-MAX_STRENGTH, MAX_STRENGTH)
    box.setValue(value)
    return box
