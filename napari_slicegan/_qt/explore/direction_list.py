"""Sliders for the directions of a generator."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_slicegan._qt.widgets import basics
from napari_slicegan._qt.widgets.basics import (
    MessageLine,
    button,
    chain_inputs,
    decimal_box,
    guard_wheel,
)
from napari_slicegan._qt.widgets.config_form import FieldEditor
from napari_slicegan._qt.widgets.small_plot import MEASURED, SmallPlot
from napari_slicegan.runtime.quantities import unbroken

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.jobs import Found, Row

MAX_STRENGTH = 6.0
STEPS_PER_UNIT = 10
PLOT_SIZE = (150, 66)
# As wide as the box of a strength, such as -2.55 between its buttons.
WIDEST = "-2.55" + 7 * "0"


class StrengthEditor(FieldEditor):
    """Slider with a number box, in standard deviations.

    ``value_changed`` is also emitted when the slider is released.

    Parameters
    ----------
    measured
        Range of the slider; the number box reaches further.
    """

    def __init__(self, measured: tuple[float, float]) -> None:
        # children
        self.slider = QSlider(Qt.Orientation.Horizontal)
        low, high = (round(end * STEPS_PER_UNIT) for end in measured)
        self.slider.setRange(low, high)
        self.slider.setValue(0)
        self.slider.setPageStep(STEPS_PER_UNIT // 2)
        tip = "Strength in standard deviations."
        self.number = decimal_box(
            "strength", -MAX_STRENGTH, MAX_STRENGTH, 0, step=0.5, tip=tip
        )
        # The slider takes the rest.
        self.number.setFixedWidth(self.number.fontMetrics().horizontalAdvance(WIDEST))
        # layout
        super().__init__(self.slider, self.number)
        # signals
        self.slider.valueChanged.connect(
            lambda step: self.number.setValue(step / STEPS_PER_UNIT)
        )
        self.slider.sliderReleased.connect(self.value_changed)
        self.number.valueChanged.connect(self._changed)

    def value(self) -> float:
        """Strength."""
        return self.number.value()

    def set_value(self, value: Any) -> None:
        """Set the strength."""
        self.number.setValue(float(value))

    def _changed(self, value: float) -> None:
        # Beyond its range the slider stays at its end.
        with signals_blocked(self.slider):
            self.slider.setValue(round(value * STEPS_PER_UNIT))
        self.value_changed.emit()


class DirectionRow(QFrame):
    """Edits the strength and the name of a direction."""

    changed = Signal()
    """The strength changed, or the slider was released."""
    renamed = Signal(str)
    example_requested = Signal()

    def __init__(self, row: Row) -> None:
        super().__init__()
        self.setObjectName("direction_row")
        self._name = row.name
        self._measured = row.strengths[0], row.strengths[-1]
        # children
        self.name = QLineEdit(row.name)
        self.name.setFrame(False)
        self.name.setToolTip("Name of the direction; can be edited.")
        self.example_button = button(
            "example", "Example", "Show the example volume stored with the direction."
        )
        self.example_button.setVisible(row.has_example)
        self.words = QLabel(row.words)
        self.words.setObjectName("direction_words")
        self.words.setWordWrap(True)
        self.words.setToolTip(row.facts)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.strength = StrengthEditor(self._measured)
        self.plot = SmallPlot(PLOT_SIZE, "strength")
        self.plot.add_points(row.strengths, row.values, MEASURED)
        self.plot.mark(0, self._measured)
        self.plot_title = QLabel(row.plotted)
        self.plot_title.setObjectName("plot_title")
        self.plot_title.setTextFormat(Qt.TextFormat.PlainText)
        self.setToolTip(
            f"The plot: {row.plotted} from {row.values[0]:.3g} to "
            f"{row.values[-1]:.3g} for strengths from {row.strengths[0]:g} to "
            f"{row.strengths[-1]:g}, measured. Beyond them the marker is dotted."
        )
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
        grid.addWidget(self.plot_title, 0, 1)
        grid.addWidget(self.plot, 1, 1, 2, 1)
        grid.setColumnStretch(0, 1)
        guard_wheel(self)
        # signals
        self.name.editingFinished.connect(self._rename)
        self.strength.value_changed.connect(self._moved)
        self.example_button.clicked.connect(
            lambda checked: self.example_requested.emit()
        )

    def set_name(self, name: str) -> None:
        """Set the name."""
        self._name = name
        self.name.setText(name)
        self.name.setCursorPosition(0)

    def _moved(self) -> None:
        self.plot.mark(self.strength.value(), self._measured)
        self.changed.emit()

    def _rename(self) -> None:
        name = self.name.text().strip()
        if name != self._name:
            self.renamed.emit(name)


NOTHING = "None yet. Find directions below, or load a file."


class DirectionsBox(QGroupBox):
    """Shows the directions and edits their strengths.

    The panel keeps `pinned` in sight: the steps back and the measured properties.
    """

    changed = Signal()
    """A strength changed, or a slider was released; see `is_dragged`."""
    renamed = Signal(int, str)
    """Index of the direction and its new name."""
    example_requested = Signal(int)
    """Index of the direction whose example is requested."""

    def __init__(self) -> None:
        super().__init__("Directions")
        self.setObjectName("directions")
        # children
        self.sentence = MessageLine("directions_sentence")
        self.rows: list[DirectionRow] = []
        self.measurements = QLabel()
        self.measurements.setObjectName("measurements")
        self.measurements.setWordWrap(True)
        self.undo_button = button("undo", "Undo")
        self.redo_button = button("redo", "Redo")
        self.reset_button = button(
            "reset", "Reset", "Strengths 0, truncation 1, region: the whole volume."
        )
        self.load_button = button(
            "load_directions", "Load...", "Load named directions."
        )
        self.save_button = button(
            "save_directions",
            "Save...",
            "Save the named directions; those with a strength get an example volume.",
        )
        # layout
        self._rows = QWidget()
        self._column = QVBoxLayout(self._rows)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self.pinned = QWidget()
        below = QVBoxLayout(self.pinned)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.measurements)
        below.addLayout(
            basics.row(self.undo_button, self.redo_button, self.reset_button)
        )
        layout = QVBoxLayout(self)
        layout.addLayout(basics.row(self.load_button, self.save_button))
        layout.addWidget(self.sentence)
        layout.addWidget(self._rows)
        self.set_found(None)
        self.show_measurements([])

    def value(self) -> tuple[float, ...]:
        """Strengths of all directions."""
        return tuple(row.strength.value() for row in self.rows)

    def set_value(self, strengths: tuple[float, ...]) -> None:
        """Set the strengths; missing ones are 0."""
        for row, strength in zip_longest(self.rows, strengths[: len(self.rows)]):
            row.strength.set_value(strength or 0)

    @property
    def is_dragged(self) -> bool:
        """Whether a slider is being dragged."""
        return any(row.strength.slider.isSliderDown() for row in self.rows)

    def set_found(self, found: Found | None) -> None:
        """Show new directions, with a warning if few are significant."""
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        for number, facts in enumerate(found.rows if found is not None else ()):
            row = DirectionRow(facts)
            row.changed.connect(self.changed)
            row.renamed.connect(lambda name, n=number: self.renamed.emit(n, name))
            row.example_requested.connect(
                lambda n=number: self.example_requested.emit(n)
            )
            self._column.addWidget(row)
            self.rows.append(row)
        chain_inputs(self)
        # An empty list would still take the spacing of the layout.
        self._rows.setVisible(found is not None)
        if found is None:
            self.sentence.show_text(NOTHING)
        elif found.directions.finds_little:
            self.sentence.show_warning(found.sentence)
        else:
            self.sentence.show_text(found.sentence)

    def show_measurements(self, lines: list[str]) -> None:
        """Show the measured properties of the displayed volume."""
        parts = map(unbroken, lines)
        self.measurements.setText(" \N{MIDDLE DOT} ".join(parts))
        self.measurements.setVisible(bool(lines))
