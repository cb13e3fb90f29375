"""All knobs of the Explore panel, one under the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicegan._qt.explore.directions_box import DirectionsBox
from napari_slicegan._qt.explore.exploration_form import ExplorationForm
from napari_slicegan._qt.explore.fit_form import FitForm
from napari_slicegan._qt.explore.grade_form import GradeForm
from napari_slicegan._qt.explore.sweep_form import SweepForm
from napari_slicegan._qt.widgets.section import Section

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.exploration import Exploration, History
    from napari_slicegan._qt.explore.requests import Found, Studied

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
