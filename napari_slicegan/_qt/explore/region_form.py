"""Where in the volume the sliders act: everywhere, in a box, or along a ramp."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QLabel,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan.config import AXES, Axis
from napari_slicegan.regions import Box, Profile, Region, ramp

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.exploration import Size

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
