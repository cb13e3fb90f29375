"""Sliders for the directions of a generator."""

from __future__ import annotations

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

from napari_slicegan._qt.widgets.basics import MessageLine, button
from napari_slicegan._qt.widgets.config_form import FieldEditor, PlainDoubleSpinBox
from napari_slicegan._qt.widgets.small_plot import MEASURED, SmallPlot

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.jobs import Found, Row

MAX_STRENGTH = 6.0
STEPS_PER_UNIT = 10
PLOT_SIZE = (124, 58)


class StrengthEditor(FieldEditor):
    """Slider with a number box, in standard deviations."""

    released = Signal()
    """The slider was released."""

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
        """Whether the slider is being dragged."""
        return self.slider.isSliderDown()

    def value(self) -> float:
        """Strength."""
        return self.slider.value() / STEPS_PER_UNIT

    def set_value(self, value: Any) -> None:
        """Set the strength."""
        self.slider.setValue(round(float(value) * STEPS_PER_UNIT))

    def _slid(self, step: int) -> None:
        self.number.blockSignals(True)
        self.number.setValue(step / STEPS_PER_UNIT)
        self.number.blockSignals(False)
        self.value_changed.emit()

    def _typed(self, value: float) -> None:
        self.set_value(value)


class DirectionRow(QFrame):
    """Edits the strength and the name of a direction."""

    changed = Signal()
    """The strength changed; see `is_dragged`."""
    released = Signal()
    renamed = Signal(str)
    example_requested = Signal()

    def __init__(self, row: Row, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("direction_row")
        self._row = row
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
        self.example_button.clicked.connect(
            lambda checked: self.example_requested.emit()
        )

    def value(self) -> float:
        """Strength."""
        return self.strength.value()

    def set_value(self, strength: float) -> None:
        """Set the strength."""
        self.strength.set_value(strength)

    @property
    def is_dragged(self) -> bool:
        """Whether the slider is being dragged."""
        return self.strength.is_dragged

    def set_name(self, name: str) -> None:
        """Set the name."""
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


class DirectionList(QWidget):
    """Edits the strengths of all directions."""

    changed = Signal()
    """The strength changed; see `is_dragged`."""
    released = Signal()
    """A slider was released."""
    renamed = Signal(int, str)
    """Index of the direction and its new name."""
    example_requested = Signal(int)
    """Index of the direction whose example is requested."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("direction_list")
        # children
        self.rows: list[DirectionRow] = []
        # layout
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)

    def set_found(self, found: Found | None) -> None:
        """Show new directions with all strengths 0."""
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = []
        for number, facts in enumerate(found.rows if found is not None else ()):
            row = DirectionRow(facts)
            row.changed.connect(self.changed)
            row.released.connect(self.released)
            row.renamed.connect(lambda name, n=number: self.renamed.emit(n, name))
            row.example_requested.connect(
                lambda n=number: self.example_requested.emit(n)
            )
            self._column.addWidget(row)
            self.rows.append(row)

    def value(self) -> tuple[float, ...]:
        """Strengths of all directions."""
        return tuple(row.value() for row in self.rows)

    def set_value(self, strengths: tuple[float, ...]) -> None:
        """Set the strengths; missing ones are 0."""
        for number, row in enumerate(self.rows):
            row.set_value(strengths[number] if number < len(strengths) else 0)

    @property
    def is_dragged(self) -> bool:
        """Whether a slider is being dragged."""
        return any(row.is_dragged for row in self.rows)


NOTHING = "None yet. Find directions below, or load a file."


class DirectionsBox(QGroupBox):
    """Shows the directions and edits their strengths."""

    undo_requested = Signal()
    redo_requested = Signal()
    reset_requested = Signal()
    load_requested = Signal()
    save_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Directions", parent)
        self.setObjectName("directions")
        # children
        self.sentence = MessageLine("directions_sentence")
        self.list = DirectionList()
        self.measurements = QLabel()
        self.measurements.setObjectName("measurements")
        self.measurements.setWordWrap(True)
        self.undo_button = button("undo", "Undo")
        self.redo_button = button("redo", "Redo")
        self.reset_button = button(
            "reset",
            "Reset",
            "Strengths 0, truncation 1, region: the whole volume.",
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
        requests = {
            self.undo_button: self.undo_requested,
            self.redo_button: self.redo_requested,
            self.reset_button: self.reset_requested,
            self.load_button: self.load_requested,
            self.save_button: self.save_requested,
        }
        buttons = QHBoxLayout()
        for each in requests:
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.addWidget(self.sentence)
        layout.addWidget(self.list)
        layout.addWidget(self.measurements)
        layout.addLayout(buttons)
        self.set_found(None)
        # signals
        for each, signal in requests.items():
            each.clicked.connect(lambda checked, signal=signal: signal.emit())

    def set_found(self, found: Found | None) -> None:
        """Show new directions; with a warning if few are significant."""
        self.list.set_found(found)
        # An empty list would still take the spacing of the layout.
        self.list.setVisible(found is not None)
        if found is None:
            self.sentence.show_text(NOTHING)
        elif found.directions.finds_little:
            self.sentence.show_warning(found.sentence)
        else:
            self.sentence.show_text(found.sentence)

    def show_measurements(self, lines: list[str]) -> None:
        """Show the measured properties of the displayed volume."""
        self.measurements.setText(" \N{MIDDLE DOT} ".join(lines))
        self.measurements.setVisible(bool(lines))
