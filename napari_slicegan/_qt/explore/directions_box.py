"""The sliders with what was found in a word, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.explore.direction_list import DirectionList
from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan._qt.widgets.messages import MessageLine

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.requests import Found

NOTHING = "None yet. Find some below, or load a file of them."


class DirectionsBox(QGroupBox):
    """Shows directions; edits their strengths."""

    undo_asked = Signal()
    redo_asked = Signal()
    reset_asked = Signal()
    load_asked = Signal()
    save_asked = Signal()

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
            "reset", "Reset", "All strengths 0, everywhere, truncation 1."
        )
        self.load_button = button("load_directions", "Load...", "Named directions.")
        self.save_button = button(
            "save_directions",
            "Save...",
            "The directions with their names; those that are moved with an example.",
        )
        # layout
        asked = {
            self.undo_button: self.undo_asked,
            self.redo_button: self.redo_asked,
            self.reset_button: self.reset_asked,
            self.load_button: self.load_asked,
            self.save_button: self.save_asked,
        }
        buttons = QHBoxLayout()
        for each in asked:
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.addWidget(self.sentence)
        layout.addWidget(self.list)
        layout.addWidget(self.measurements)
        layout.addLayout(buttons)
        self.set_found(None)
        # signals
        for each, signal in asked.items():
            each.clicked.connect(lambda checked, signal=signal: signal.emit())

    def set_found(self, found: Found | None) -> None:
        """Show other directions; a warning where there is little to find."""
        self.list.set_found(found)
        # Without sliders it would still take the room between two widgets.
        self.list.setVisible(found is not None)
        if found is None:
            self.sentence.show_text(NOTHING)
        elif found.directions.finds_little:
            self.sentence.show_warning(found.sentence)
        else:
            self.sentence.show_text(found.sentence)

    def show_measurements(self, lines: list[str]) -> None:
        """What was measured of the volume that is shown."""
        self.measurements.setText(" \N{MIDDLE DOT} ".join(lines))
        self.measurements.setVisible(bool(lines))
