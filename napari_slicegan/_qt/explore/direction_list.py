"""The sliders of all directions of a generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicegan._qt.explore.direction_row import DirectionRow

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.requests import Found


class DirectionList(QWidget):
    """Edits one strength for each direction."""

    changed = Signal()
    """Another strength; see `is_dragged`."""
    released = Signal()
    """A slider was let go."""
    renamed = Signal(int, str)
    """Number of the direction, and the name that is wished for."""
    example_asked = Signal(int)
    """Number of the direction whose example is to be seen."""

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
        """Show other directions, their sliders in the middle."""
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
            row.example_asked.connect(lambda n=number: self.example_asked.emit(n))
            self._column.addWidget(row)
            self.rows.append(row)

    def value(self) -> tuple[float, ...]:
        """Strengths."""
        return tuple(row.value() for row in self.rows)

    def set_value(self, strengths: tuple[float, ...]) -> None:
        """Show strengths; those that are missing are 0."""
        for number, row in enumerate(self.rows):
            row.set_value(strengths[number] if number < len(strengths) else 0)

    @property
    def is_dragged(self) -> bool:
        """Whether a slider is in the hand."""
        return any(row.is_dragged for row in self.rows)
