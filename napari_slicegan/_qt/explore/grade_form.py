"""A graded material: a property asked for along an axis, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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

from napari_slicegan._qt.explore.requests import GradeRequest
from napari_slicegan._qt.explore.sweep_form import fill
from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan._qt.widgets.small_plot import ASKED, MEASURED, SmallPlot
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.directions import Graded

PLOT_SIZE = (300, 120)


class GradeForm(QWidget):
    """Edits a `GradeRequest`; shows asked beside measured."""

    asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("grade_form")
        # children
        self.measured, self.direction = QComboBox(), QComboBox()
        self.measured.setObjectName("grade_property")
        self.direction.setObjectName("grade_direction")
        self.axis = QComboBox()
        self.axis.addItems(AXES)
        self.first, self.last = _number("grade_first", 0.2), _number("grade_last", 0.3)
        self.n_slabs = QSpinBox()
        self.n_slabs.setRange(2, 64)
        self.n_slabs.setValue(8)
        self.n_slabs.setToolTip("Slabs in which the property is measured.")
        self.grade_button = button(
            "grade",
            "Make graded volume",
            "The sample of the seed, its strength changed along the axis until the "
            "property is what is asked for.",
        )
        self.plot = SmallPlot(PLOT_SIZE, with_axes=True)
        self.words = QLabel()
        self.words.setWordWrap(True)
        # layout
        self._lay_out()
        self.show_graded(None)
        # signals
        self.grade_button.clicked.connect(lambda checked: self.asked.emit())

    def _lay_out(self) -> None:
        values = QHBoxLayout()
        values.addWidget(self.first, 1)
        values.addWidget(QLabel("to"))
        values.addWidget(self.last, 1)
        along = QHBoxLayout()
        along.addWidget(self.axis, 1)
        along.addWidget(QLabel("in slabs"))
        along.addWidget(self.n_slabs, 1)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Property", self.measured)
        form.addRow("From", values)
        form.addRow("Along", along)
        form.addRow("By direction", self.direction)
        form.addRow(self.grade_button)
        form.addRow(self.plot)
        form.addRow(self.words)

    def value(self) -> GradeRequest:
        """What is asked for."""
        return GradeRequest(
            self.direction.currentText(),
            str(self.measured.currentData()),
            AXES[self.axis.currentIndex()],
            self.first.value(),
            self.last.value(),
            self.n_slabs.value(),
        )

    def set_value(self, request: GradeRequest) -> None:
        """Show what is asked for."""
        self.direction.setCurrentText(request.direction)
        self.measured.setCurrentIndex(self.measured.findData(request.measured))
        self.axis.setCurrentIndex(AXES.index(request.axis))
        self.first.setValue(request.first)
        self.last.setValue(request.last)
        self.n_slabs.setValue(request.n_slabs)

    def set_names(self, names: Sequence[str]) -> None:
        """Directions to choose from."""
        fill(self.direction, names)

    def set_properties(self, titles: Mapping[str, str]) -> None:
        """Properties to choose from: key -> title."""
        self.measured.clear()
        for key, title in titles.items():
            self.measured.addItem(title, key)

    def show_graded(self, graded: Graded | None) -> None:
        """Plot what came of it."""
        self.plot.clear_points()
        for widget in (self.plot, self.words):
            widget.setVisible(graded is not None)
        if graded is None:
            return
        self.plot.add_points(graded.positions, graded.asked, ASKED, dots=False)
        self.plot.add_points(graded.positions, graded.measured, MEASURED)
        self.words.setText(
            f"<span style='color: {ASKED}'>asked</span>, "
            f"<span style='color: {MEASURED}'>measured</span> in each slab; they "
            f"differ by at most {graded.error:.2g}."
        )


def _number(name: str, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setDecimals(3)
    box.setRange(0, 1e4)
    box.setSingleStep(0.01)
    box.setValue(value)
    return box
