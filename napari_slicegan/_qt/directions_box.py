"""The sliders with what was found in a word, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_slicegan._qt.buttons import button
from napari_slicegan._qt.direction_list import DirectionList
from napari_slicegan._qt.messages import MessageLine

if TYPE_CHECKING:
    from napari_slicegan._qt.explore_requests import Found

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
        buttons = QHBoxLayout()
        for each in (
            self.undo_button,
            self.redo_button,
            self.reset_button,
            self.load_button,
            self.save_button,
        ):
            buttons.addWidget(each)
        layout = QVBoxLayout(self)
        layout.addWidget(self.sentence)
        layout.addWidget(self.list)
        layout.addWidget(self.measurements)
        layout.addLayout(buttons)
        self.set_found(None)
        # signals
        self.undo_button.clicked.connect(lambda checked: self.undo_asked.emit())
        self.redo_button.clicked.connect(lambda checked: self.redo_asked.emit())
        self.reset_button.clicked.connect(lambda checked: self.reset_asked.emit())
        self.load_button.clicked.connect(lambda checked: self.load_asked.emit())
        self.save_button.clicked.connect(lambda checked: self.save_asked.emit())

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
