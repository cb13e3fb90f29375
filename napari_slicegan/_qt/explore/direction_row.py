"""One direction: its name, what it really moves, its slider, and its plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QWidget,
)

from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan._qt.widgets.field_editors import FieldEditor, PlainDoubleSpinBox
from napari_slicegan._qt.widgets.small_plot import MEASURED, SmallPlot

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.requests import Row

MAX_STRENGTH = 6.0
STEPS_PER_UNIT = 10
PLOT_SIZE = (124, 58)


class StrengthEditor(FieldEditor):
    """A slider and its number, in standard deviations."""

    released = Signal()
    """The slider was let go."""

    def __init__(self) -> None:
        # children
        self.slider = QSlider(Qt.Orientation.Horizontal)
        end = round(MAX_STRENGTH * STEPS_PER_UNIT)
        self.slider.setRange(-end, end)
        self.slider.setPageStep(STEPS_PER_UNIT // 2)
        self.number = PlainDoubleSpinBox()
        self.number.setDecimals(1)
        self.number.setRange(-MAX_STRENGTH, MAX_STRENGTH)
        self.number.setSingleStep(0.5)
        self.number.setKeyboardTracking(False)
        self.number.setFixedWidth(66)
        self.number.setToolTip("Strength in standard deviations.")
        # layout
        super().__init__(self.slider, self.number)
        # signals
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(self.released)
        self.number.valueChanged.connect(self._typed)

    @property
    def is_dragged(self) -> bool:
        """Whether the slider is in the hand."""
        return self.slider.isSliderDown()

    def value(self) -> float:
        """Strength."""
        return self.slider.value() / STEPS_PER_UNIT

    def set_value(self, value: Any) -> None:
        """Show a strength."""
        self.slider.setValue(round(float(value) * STEPS_PER_UNIT))

    def _slid(self, step: int) -> None:
        self.number.blockSignals(True)
        self.number.setValue(step / STEPS_PER_UNIT)
        self.number.blockSignals(False)
        self.value_changed.emit()

    def _typed(self, value: float) -> None:
        self.set_value(value)


class DirectionRow(QFrame):
    """Edits the strength of a direction, and its name."""

    changed = Signal()
    """Another strength; see `is_dragged`."""
    released = Signal()
    renamed = Signal(str)
    example_asked = Signal()

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("direction_row")
        self._row = row
        # children
        self.name = QLineEdit(row.name)
        self.name.setFrame(False)
        self.name.setToolTip("Name of the direction; type another one.")
        self.example_button = button(
            "example", "Example", "The volume that was noted when it was saved."
        )
        self.example_button.setVisible(row.has_example)
        self.words = QLabel(row.words)
        self.words.setObjectName("direction_words")
        self.words.setWordWrap(True)
        self.words.setToolTip(row.facts)
        self.strength = StrengthEditor()
        self.plot = SmallPlot(PLOT_SIZE)
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setVerticalSpacing(0)
        head = QHBoxLayout()
        head.addWidget(self.name, 1)
        head.addWidget(self.example_button)
        grid.addLayout(head, 0, 0)
        grid.addWidget(self.words, 1, 0)
        grid.addWidget(self.strength, 2, 0)
        grid.addWidget(self.plot, 0, 1, 3, 1)
        grid.setColumnStretch(0, 1)
        self._show_curve()
        # signals
        self.name.editingFinished.connect(self._rename)
        self.strength.value_changed.connect(self._moved)
        self.strength.released.connect(self.released)
        self.example_button.clicked.connect(lambda checked: self.example_asked.emit())

    def value(self) -> float:
        """Strength."""
        return self.strength.value()

    def set_value(self, strength: float) -> None:
        """Show a strength."""
        self.strength.set_value(strength)

    @property
    def is_dragged(self) -> bool:
        """Whether the slider is in the hand."""
        return self.strength.is_dragged

    def set_name(self, name: str) -> None:
        """Show another name."""
        self._row_name = name
        self.name.setText(name)
        self.name.setCursorPosition(0)

    def _show_curve(self) -> None:
        key, title = self._row.plotted
        curve = self._row.curve
        values = curve.properties[key]
        self._row_name = self._row.name
        self.plot.add_points(curve.strengths, values, MEASURED)
        self.plot.mark(0)
        self.setToolTip(
            f"The plot: {title} from {values[0]:.3g} to {values[-1]:.3g} for strengths "
            f"from {curve.strengths[0]:g} to {curve.strengths[-1]:g}, measured."
        )

    def _moved(self) -> None:
        self.plot.mark(self.value())
        self.changed.emit()

    def _rename(self) -> None:
        name = self.name.text().strip()
        if name != self._row_name:
            self.renamed.emit(name)
