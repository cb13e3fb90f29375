"""Which sample of the material is explored, and where the sliders act on it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

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

from napari_slicegan._qt.explore.exploration import Exploration, Size
from napari_slicegan._qt.explore.region_form import MAX_VOXELS, RegionForm
from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan.config import AXES

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
