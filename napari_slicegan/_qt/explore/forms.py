"""Forms of the Explore panel."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.explore.direction_list import MAX_STRENGTH, DirectionsBox
from napari_slicegan._qt.explore.exploration import Exploration, Size
from napari_slicegan._qt.explore.jobs import FitRequest, GradeRequest, SweepRequest
from napari_slicegan._qt.widgets.basics import Section, button
from napari_slicegan._qt.widgets.small_plot import ASKED, MEASURED, SmallPlot
from napari_slicegan.config import AXES, Axis
from napari_slicegan.generation.regions import Box, Profile, Region, ramp

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.exploration import History
    from napari_slicegan._qt.explore.jobs import Found, Studied
    from napari_slicegan.directions import Graded

MAX_SEED = 2**31 - 1
OWN = "each its own"


class ExplorationForm(QWidget):
    """Edits an `Exploration` but for its strengths."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("exploration_form")
        # children
        self.seed = _number("explore_seed", 0, MAX_SEED, "Picks the sample.")
        self.dice = button("explore_dice", "Another", "Another sample.")
        self.voxels = {
            axis: _number(f"explore_{axis}", 1, MAX_VOXELS, f"Voxels along {axis}.")
            for axis in AXES
        }
        self.truncation = QDoubleSpinBox()
        self.truncation.setObjectName("truncation")
        self.truncation.setRange(0, 1)
        self.truncation.setSingleStep(0.1)
        self.truncation.setKeyboardTracking(False)
        self.truncation.setToolTip(
            "The noise is multiplied by it: below 1 the structure varies less."
        )
        self.first, self.last = _blocks("first_block"), _blocks("last_block")
        self.first.addItem(OWN)
        self.region = RegionForm()
        # layout
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Seed", _row(self.seed, self.dice))
        form.addRow("Voxels z, y, x", _row(*self.voxels.values()))
        form.addRow("Truncation", self.truncation)
        form.addRow("Blocks", _row(self.first, QLabel("to"), self.last))
        form.addRow(self.region)
        self.set_value(Exploration())
        # signals
        for box in (self.seed, *self.voxels.values()):
            box.valueChanged.connect(lambda number: self._changed())
        self.truncation.valueChanged.connect(lambda number: self._changed())
        self.first.currentIndexChanged.connect(self._order_blocks)
        self.last.currentIndexChanged.connect(self._order_blocks)
        self.region.value_changed.connect(self.value_changed)
        self.dice.clicked.connect(lambda checked: self.roll())

    def value(self) -> Exploration:
        """What is entered, without strengths; ValueError for an empty box."""
        return Exploration(
            self.seed.value(),
            self._size(),
            self.truncation.value(),
            *self._blocks(),
            self.region.value(),
        )

    def set_value(self, wanted: Exploration) -> None:
        """Show a sample; it is told once."""
        self.blockSignals(True)
        self.seed.setValue(wanted.seed)
        for axis, n in zip(AXES, wanted.size, strict=True):
            self.voxels[axis].setValue(n)
        self.truncation.setValue(wanted.truncation)
        self._show_blocks(wanted.first or OWN, wanted.last or wanted.first or "")
        self.region.set_size(wanted.size)
        self.region.set_value(wanted.region)
        self.blockSignals(False)
        self.value_changed.emit()

    def set_blocks(self, names: Sequence[str]) -> None:
        """Blocks of another generator; each direction acts on its own."""
        for box, choices in ((self.first, [OWN, *names]), (self.last, [*names])):
            box.blockSignals(True)
            box.clear()
            box.addItems(choices)
            box.blockSignals(False)
        self._show_blocks(OWN, "")
        self.value_changed.emit()

    def roll(self) -> None:
        """Another seed."""
        # Which sample comes is the user's luck; it stands in the form.
        self.seed.setValue(random.randrange(MAX_SEED))

    def reset(self) -> None:
        """The sample as it came from the generator."""
        self.set_value(replace(self.value().reset(), strengths=()))

    def _size(self) -> Size:
        z, y, x = (self.voxels[axis].value() for axis in AXES)
        return (z, y, x)

    def _changed(self) -> None:
        self.region.set_size(self._size())
        self.value_changed.emit()

    def _blocks(self) -> tuple[str | None, str | None]:
        if self.first.currentText() == OWN:
            return None, None
        return self.first.currentText(), self.last.currentText()

    def _show_blocks(self, first: str, last: str) -> None:
        for box, name in ((self.first, first), (self.last, last)):
            box.blockSignals(True)
            box.setCurrentText(name)
            box.blockSignals(False)
        self.last.setEnabled(first != OWN)

    def _order_blocks(self, index: int) -> None:
        """The last block is not before the first one; the other one follows."""
        # The first list has one entry more, above the blocks.
        first, last = self.first.currentIndex() - 1, self.last.currentIndex()
        if first > last:
            if self.sender() is self.first:
                last = first
            else:
                first = last
        self._show_blocks(self.first.itemText(first + 1), self.last.itemText(last))
        self.value_changed.emit()


def _number(name: str, low: int, high: int, tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setRange(low, high)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    return box


def _blocks(name: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setToolTip(
        "Blocks of the generator that are edited, from first to last: early ones "
        "change what there is, late ones its details."
    )
    return box


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 0 if isinstance(widget, QLabel) else 1)
    return row


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
        self.n_components = _fit_form_number("n_components", 1, 80, usual.n_components)
        self.n_samples = _fit_form_number("n_samples", 2, 1_000_000, usual.n_samples)
        self.n_samples.setToolTip("Random latents that are looked at.")
        self.n_guided = _fit_form_number("n_guided", 2, 100_000, usual.n_guided)
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


def _fit_form_number(name: str, low: int, high: int, value: int) -> QSpinBox:
    box = QSpinBox()
    box.setObjectName(name)
    box.setRange(low, high)
    box.setValue(value)
    return box


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
        self.first, self.last = (
            _grade_form_number("grade_first", 0.2),
            _grade_form_number("grade_last", 0.3),
        )
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


def _grade_form_number(name: str, value: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setObjectName(name)
    box.setDecimals(3)
    box.setRange(0, 1e4)
    box.setSingleStep(0.01)
    box.setValue(value)
    return box


WHOLE, BOX, RAMP = "Whole volume", "Box", "Ramp"
MAX_VOXELS, MAX_FACTOR = 16_384, 10.0


class BoxForm(QWidget):
    """Edits a box, in voxels."""

    value_changed = Signal()
    draw_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # children
        self.low = {axis: self._edge(f"box_low_{axis}") for axis in AXES}
        self.high = {axis: self._edge(f"box_high_{axis}") for axis in AXES}
        self.margin = self._edge("box_margin")
        self.margin.setToolTip("Voxels over which the effect fades in; 0 is at once.")
        self.draw_button = button(
            "draw_box", "Draw in the viewer", "A rectangle in a slice of the volume."
        )
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, axis in enumerate(AXES, start=1):
            grid.addWidget(QLabel(axis), 0, column)
            grid.addWidget(self.low[axis], 1, column)
            grid.addWidget(self.high[axis], 2, column)
            grid.setColumnStretch(column, 1)
        for row, title in enumerate(("From", "To", "Margin"), start=1):
            grid.addWidget(QLabel(title), row, 0)
        grid.addWidget(self.margin, 3, 1)
        grid.addWidget(self.draw_button, 3, 2, 1, 2)
        # signals
        for box in (*self.low.values(), *self.high.values(), self.margin):
            box.valueChanged.connect(lambda number: self.value_changed.emit())
        self.draw_button.clicked.connect(lambda checked: self.draw_asked.emit())

    def value(self) -> Box:
        """The box; ValueError if it holds no voxel."""
        low = [float(self.low[axis].value()) for axis in AXES]
        high = [float(self.high[axis].value()) for axis in AXES]
        return Box(
            (low[0], low[1], low[2]),
            (high[0], high[1], high[2]),
            float(self.margin.value()),
        )

    def set_value(self, box: Box) -> None:
        """Show a box; it is told once."""
        self.blockSignals(True)
        for axis, low, high in zip(AXES, box.low, box.high, strict=True):
            self.low[axis].setValue(round(low))
            self.high[axis].setValue(round(high))
        self.margin.setValue(round(box.margin))
        self.blockSignals(False)
        self.value_changed.emit()

    def _edge(self, name: str) -> QSpinBox:
        box = QSpinBox()
        box.setObjectName(name)
        box.setRange(0, MAX_VOXELS)
        box.setKeyboardTracking(False)
        return box


class RampForm(QWidget):
    """Edits a factor that changes along an axis."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # children
        self.axis = QComboBox()
        self.axis.setObjectName("ramp_axis")
        self.axis.addItems(AXES)
        self.first, self.last = self._factor("first", 0.0), self._factor("last", 1.0)
        # layout
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Along", self.axis)
        form.addRow("Factor at its start", self.first)
        form.addRow("Factor at its end", self.last)
        # signals
        self.axis.currentIndexChanged.connect(lambda index: self.value_changed.emit())
        for box in (self.first, self.last):
            box.valueChanged.connect(lambda number: self.value_changed.emit())

    def value(self, size: Size) -> Profile:
        """The ramp through a volume of a size."""
        axis: Axis = AXES[self.axis.currentIndex()]
        n = size[self.axis.currentIndex()]
        return ramp(axis, n, self.first.value(), self.last.value())

    def set_value(self, profile: Profile) -> None:
        """Show a ramp; it is told once."""
        self.blockSignals(True)
        self.axis.setCurrentIndex(AXES.index(profile.axis))
        self.first.setValue(profile.factors[0])
        self.last.setValue(profile.factors[-1])
        self.blockSignals(False)
        self.value_changed.emit()

    def _factor(self, name: str, value: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setObjectName(f"ramp_{name}")
        box.setRange(-MAX_FACTOR, MAX_FACTOR)
        box.setSingleStep(0.1)
        box.setValue(value)
        box.setKeyboardTracking(False)
        box.setToolTip("The strengths of the sliders are multiplied by it there.")
        return box


class RegionForm(QWidget):
    """Edits a `Region`; None is everywhere."""

    value_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("region_form")
        self._size: Size = (0, 0, 0)
        # children
        self.kind = QComboBox()
        self.kind.setObjectName("region")
        self.kind.addItems([WHOLE, BOX, RAMP])
        self.kind.setToolTip("Where in the volume the sliders act.")
        self.box, self.ramp = BoxForm(), RampForm()
        self._pages = QStackedWidget()
        for page in (QWidget(), self.box, self.ramp):
            self._pages.addWidget(page)
        # layout
        form = QFormLayout()
        form.addRow("Act on", self.kind)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addWidget(self._pages)
        self._pages.hide()
        # signals
        self.kind.currentIndexChanged.connect(self._choose)
        for page in (self.box, self.ramp):
            page.value_changed.connect(self.value_changed)

    def value(self) -> Region | None:
        """The region; ValueError if a box holds no voxel."""
        kind = self.kind.currentText()
        if kind == BOX:
            return self.box.value()
        return self.ramp.value(self._size) if kind == RAMP else None

    def set_value(self, region: Region | None) -> None:
        """Show a region; it is told once."""
        self.blockSignals(True)
        if isinstance(region, Box):
            self.box.set_value(region)
        elif isinstance(region, Profile):
            self.ramp.set_value(region)
        kinds: dict[type, str] = {Box: BOX, Profile: RAMP}
        self.kind.setCurrentText(kinds.get(type(region), WHOLE))
        self.blockSignals(False)
        self.value_changed.emit()

    def set_size(self, size: Size) -> None:
        """Size of the volume; a box that is not drawn yet is its middle."""
        if not any(self._size):
            low, high = [n / 4 for n in size], [3 * n / 4 for n in size]
            self.blockSignals(True)
            self.box.set_value(Box((*low,), (*high,)))  # type: ignore[arg-type]
            self.blockSignals(False)
        self._size = size

    def _choose(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        # A stack is as high as its highest page.
        self._pages.setVisible(index > 0)
        self.value_changed.emit()


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


FIND, SAMPLE = "Find directions", "Sample and region"
SWEEP, GRADE = "Sweep", "Graded material"


class ExploreInputs(QWidget):
    """Edits an `Exploration`; holds the forms for what is done with it."""

    value_changed = Signal()
    """Told once for each change; see `is_dragged`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_showing = False
        # children
        self.directions = DirectionsBox()
        self.form = ExplorationForm()
        self.fit = FitForm()
        self.sweep, self.grade = SweepForm(), GradeForm()
        self.sections: dict[str, Section] = {}
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.directions)
        for title, form in (
            (FIND, self.fit),
            (SAMPLE, self.form),
            (SWEEP, self.sweep),
            (GRADE, self.grade),
        ):
            column = QVBoxLayout()
            column.setContentsMargins(12, 0, 0, 6)
            column.addWidget(form)
            self.sections[title] = Section(title, column)
            layout.addWidget(self.sections[title])
        self.sections[FIND].set_open(True)
        # signals
        self.directions.list.changed.connect(self._tell)
        self.directions.list.released.connect(self._tell)
        self.form.value_changed.connect(self._tell)

    def value(self) -> Exploration:
        """The volume that is wanted; ValueError for an empty box."""
        return replace(self.form.value(), strengths=self.directions.list.value())

    def set_value(self, wanted: Exploration) -> None:
        """Want a volume."""
        self._is_showing = True
        self.form.set_value(wanted)
        self.directions.list.set_value(wanted.strengths)
        self._is_showing = False
        self._tell()

    @property
    def is_dragged(self) -> bool:
        """Whether a slider is in the hand."""
        return self.directions.list.is_dragged

    def set_studied(self, studied: Studied) -> None:
        """Offer what another generator has."""
        self._is_showing = True
        self.form.set_blocks(studied.blocks)
        self.fit.set_choices(studied.blocks, studied.properties)
        self.grade.set_properties(studied.properties)
        self._is_showing = False
        self._tell()

    def set_found(self, found: Found | None) -> None:
        """Show other directions, their sliders in the middle."""
        self.directions.set_found(found)
        self.grade.show_graded(None)
        self.sections[FIND].set_open(found is None)
        self.show_names(found)
        self._tell()

    def show_names(self, found: Found | None) -> None:
        """Directions have other names."""
        names = [row.name for row in found.rows] if found is not None else []
        for row, name in zip(self.directions.list.rows, names, strict=True):
            row.set_name(name)
        self.sweep.set_names(names)
        self.grade.set_names(names)

    def show_state(
        self, *, known: bool, found: bool, swept: bool, history: History
    ) -> None:
        """Enable what makes sense: with a generator, directions, a sweep."""
        box = self.directions
        box.undo_button.setEnabled(history.can_undo)
        box.redo_button.setEnabled(history.can_redo)
        box.reset_button.setEnabled(history.now.reset() != history.now)
        for each in (box.load_button, self.fit.fit_button):
            each.setEnabled(known)
        for each in (box.save_button, self.sweep.sweep_button, self.grade.grade_button):
            each.setEnabled(found)
        self.sweep.save_button.setEnabled(swept)

    def _tell(self) -> None:
        if not self._is_showing:
            self.value_changed.emit()
