"""Inputs of the Explore panel: the sample and its edited region."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QGridLayout,
    QLabel,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from superqt.utils import signals_blocked

from napari_slicegan._qt.explore.exploration import Exploration, Size
from napari_slicegan._qt.widgets.basics import (
    SeedEditor,
    axis_boxes,
    button,
    choice_box,
    decimal_box,
    number_box,
    row,
    set_row_visible,
    values_of,
)
from napari_slicegan.config import AXES
from napari_slicegan.generation.regions import Box, Profile, Region, ramp

DEFAULT_BLOCKS = "default"
"""Each direction edits the blocks that it was found in."""
WHOLE, BOX, RAMP = "Whole volume", "Box", "Ramp"
MAX_VOXELS, MAX_FACTOR = 16_384, 10.0
# Numbers of four digits between their buttons; letters of a block that are surely seen.
NARROW, BLOCK_LENGTH = "QSpinBox { min-width: 50px; }", 4
BLOCKS_TIP = (
    "First and last generator block that is edited: early blocks change the coarse "
    "structure, late blocks the details."
)


class BoxForm(QWidget):
    """Edits a `Box`, in voxels."""

    value_changed = Signal()
    draw_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        # children
        self.low, self.high = (
            axis_boxes(f"box_{end}", 0, MAX_VOXELS) for end in ("low", "high")
        )
        self.margin = number_box(
            "box_margin",
            0,
            MAX_VOXELS,
            tip="Width of the transition, in voxels; 0 for a sharp edge.",
        )
        self.draw_button = button(
            "draw_box", "Draw in the viewer", "Draw a rectangle on a slice."
        )
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for column, axis in enumerate(AXES, start=1):
            grid.addWidget(QLabel(axis), 0, column)
            grid.addWidget(self.low[axis], 1, column)
            grid.addWidget(self.high[axis], 2, column)
            grid.setColumnStretch(column, 1)
        for line, title in enumerate(("From", "To", "Margin"), start=1):
            grid.addWidget(QLabel(title), line, 0)
        grid.addWidget(self.margin, 3, 1)
        grid.addWidget(self.draw_button, 3, 2, 1, 2)
        # signals
        for box in (*self.low.values(), *self.high.values(), self.margin):
            box.valueChanged.connect(self.value_changed)
        self.draw_button.clicked.connect(self.draw_requested)

    def value(self) -> Box:
        """The box; ValueError if it holds no voxel."""
        return Box(values_of(self.low), values_of(self.high), self.margin.value())

    def set_value(self, box: Box) -> None:
        """Set the box; emits value_changed once."""
        with signals_blocked(self):
            for axis, low, high in zip(AXES, box.low, box.high, strict=True):
                self.low[axis].setValue(round(low))
                self.high[axis].setValue(round(high))
            self.margin.setValue(round(box.margin))
        self.value_changed.emit()


class RegionForm(QWidget):
    """Edits a `Region`; None is the whole volume.

    A ramp is a strength factor that varies linearly along an axis.
    """

    value_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("region_form")
        self._size: Size = (0, 0, 0)
        # children
        self.kind = choice_box(
            "region", (WHOLE, BOX, RAMP), "Part of the volume that the sliders change."
        )
        self.box = BoxForm()
        self.axis = choice_box("ramp_axis", AXES)
        self.start, self.end = (
            decimal_box(
                f"ramp_{name}",
                -MAX_FACTOR,
                MAX_FACTOR,
                value,
                tip="Factor on the strengths of the sliders.",
            )
            for name, value in (("first", 0.0), ("last", 1.0))
        )
        self._pages = QStackedWidget()
        # layout
        ramp_page = QWidget()
        rows = QFormLayout(ramp_page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Along", self.axis)
        rows.addRow("Factor at its start", self.start)
        rows.addRow("Factor at its end", self.end)
        for page in (QWidget(), self.box, ramp_page):
            self._pages.addWidget(page)
        # `kind` is a row of the form that holds this one.
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)
        self._pages.hide()
        # signals
        self.kind.currentIndexChanged.connect(self._choose)
        self.box.value_changed.connect(self.value_changed)
        self.axis.currentIndexChanged.connect(self.value_changed)
        for factor in (self.start, self.end):
            factor.valueChanged.connect(self.value_changed)

    def value(self) -> Region | None:
        """The region; ValueError if a box holds no voxel."""
        kind = self.kind.currentText()
        if kind == BOX:
            return self.box.value()
        if kind == RAMP:
            index = self.axis.currentIndex()
            ends = self.start.value(), self.end.value()
            return ramp(AXES[index], self._size[index], *ends)
        return None

    def set_value(self, region: Region | None) -> None:
        """Set the region."""
        if isinstance(region, Box):
            self.box.set_value(region)
        elif isinstance(region, Profile):
            self.axis.setCurrentText(region.axis)
            self.start.setValue(region.factors[0])
            self.end.setValue(region.factors[-1])
        kinds: dict[type, str] = {Box: BOX, Profile: RAMP}
        self.kind.setCurrentText(kinds.get(type(region), WHOLE))

    def set_size(self, size: Size) -> None:
        """Set the volume size; the first size also centres the default box."""
        if not any(self._size):
            low, high = [n / 4 for n in size], [3 * n / 4 for n in size]
            with signals_blocked(self):
                self.box.set_value(Box((*low,), (*high,)))  # type: ignore[arg-type]
        self._size = size

    def _choose(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        # A stacked widget is as high as its highest page.
        self._pages.setVisible(index > 0)
        self.value_changed.emit()


class ExplorationForm(QWidget):
    """Edits an `Exploration`, except for the strengths."""

    value_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("exploration_form")
        # children
        self.seed = SeedEditor("sample")
        self.voxels = axis_boxes("explore", 1, MAX_VOXELS, "Voxels along {}.")
        self.truncation = decimal_box(
            "truncation",
            0,
            1,
            1,
            tip="Factor on the latent noise: below 1, samples vary less.",
        )
        self.first, self.last = (
            choice_box(name, tip=BLOCKS_TIP) for name in ("first_block", "last_block")
        )
        self.first.addItem(DEFAULT_BLOCKS)
        self.region = RegionForm()
        # layout
        self._voxels = QWidget()
        boxes = row(*self.voxels.values())
        boxes.setContentsMargins(0, 0, 0, 0)
        self._voxels.setLayout(boxes)
        # In the narrowest dock both rows fit beside their labels.
        self._voxels.setStyleSheet(NARROW)
        for choice in (self.first, self.last):
            choice.setMinimumContentsLength(BLOCK_LENGTH)
        self._rows = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Seed", self.seed)
        form.addRow("Voxels z, y, x", self._voxels)
        form.addRow("Truncation", self.truncation)
        form.addRow("Blocks", row(self.first, "to", self.last))
        form.addRow("Apply to", self.region.kind)
        form.addRow(self.region)
        self.set_value(Exploration())
        # signals
        for box in self.voxels.values():
            box.valueChanged.connect(self._resize)
        self.truncation.valueChanged.connect(self.value_changed)
        self.first.currentIndexChanged.connect(self._order_blocks)
        self.last.currentIndexChanged.connect(self._order_blocks)
        for editor in (self.seed, self.region):
            editor.value_changed.connect(self.value_changed)

    def value(self) -> Exploration:
        """The sample without strengths; ValueError for an empty box."""
        is_default = self.first.currentText() == DEFAULT_BLOCKS
        return Exploration(
            self.seed.value(),
            values_of(self.voxels),
            self.truncation.value(),
            None if is_default else self.first.currentText(),
            None if is_default else self.last.currentText(),
            self.region.value(),
        )

    def set_value(self, sample: Exploration) -> None:
        """Set the sample; emits value_changed once."""
        with signals_blocked(self):
            self.seed.set_value(sample.seed)
            for axis, n in zip(AXES, sample.size, strict=True):
                self.voxels[axis].setValue(n)
            self.truncation.setValue(sample.truncation)
            first = sample.first or DEFAULT_BLOCKS
            self._show_blocks(first, sample.last or sample.first or "")
            self.region.set_size(sample.size)
            self.region.set_value(sample.region)
        self.value_changed.emit()

    def set_blocks(self, names: Sequence[str]) -> None:
        """Set the blocks of a new generator; resets the choice."""
        first = [DEFAULT_BLOCKS, *names]
        for box, choices in ((self.first, first), (self.last, [*names])):
            with signals_blocked(box):
                box.clear()
                box.addItems(choices)
        self._show_blocks(DEFAULT_BLOCKS, "")
        self.value_changed.emit()

    def set_of_images(self, of_images: bool) -> None:
        """Hide the rows that only volumes have, and empty them for images."""
        if of_images:
            self.region.set_value(None)
        for editor in (self._voxels, self.region.kind):
            set_row_visible(self._rows, editor, not of_images)

    def _resize(self) -> None:
        self.region.set_size(values_of(self.voxels))
        self.value_changed.emit()

    def _show_blocks(self, first: str, last: str) -> None:
        has_last = first != DEFAULT_BLOCKS
        with signals_blocked(self.first), signals_blocked(self.last):
            self.first.setCurrentText(first)
            # Empty where it does not count.
            self.last.setCurrentIndex(self.last.findText(last) if has_last else -1)
        self.last.setEnabled(has_last)

    def _order_blocks(self, index: int) -> None:
        """Keep the first block before the last one; the other box follows."""
        # The first list starts with DEFAULT_BLOCKS.
        first, last = self.first.currentIndex() - 1, self.last.currentIndex()
        if first > last:
            if self.sender() is self.first:
                last = first
            else:
                first = last
        self._show_blocks(self.first.itemText(first + 1), self.last.itemText(last))
        self.value_changed.emit()
