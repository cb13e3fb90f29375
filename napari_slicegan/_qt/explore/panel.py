"""Explore panel: sliders that change the material live in the viewer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_slicegan._qt.explore import session as explore_files
from napari_slicegan._qt.explore.exploration import Exploration, History
from napari_slicegan._qt.explore.forms import ExploreInputs
from napari_slicegan._qt.explore.session import ExploreSession, ExploreSource
from napari_slicegan._qt.viewer import layer_inputs, layers
from napari_slicegan._qt.widgets.basics import DropTarget, MessageLine
from napari_slicegan._qt.widgets.progress import TaskRow
from napari_slicegan.generation.regions import Box, region_from_state

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.explore.jobs import Found, Studied
    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.directions import Graded, Sweep
    from napari_slicegan.volumes.volume import Volume


class ExplorePanel(DropTarget, QWidget):
    """Finds directions in a generator and moves samples along them."""

    explored = Signal(object, bool)
    """The displayed Volume, and whether it is the whole one."""
    measured = Signal(object)
    """Properties of a whole volume: key of ``PROPERTIES`` -> value."""
    failed = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explore_panel")
        self.setAcceptDrops(True)
        self._viewer = viewer
        self._titles: Mapping[str, str] = {}
        self._volume: Volume | None = None
        self._is_closed = False
        # children
        self.source = ExploreSource()
        self.message = MessageLine("explore_message")
        self.task = TaskRow()
        self.inputs = ExploreInputs()
        self.session = ExploreSession(self.task, self)
        self._history = History(self.value())
        # layout
        layout = QVBoxLayout(self)
        for part in (self.source, self.message, self.task, self.inputs):
            layout.addWidget(part)
        layout.addStretch(1)
        # signals
        self._connect_inputs()
        self._connect_work()
        self._show_state()

    def _connect_inputs(self) -> None:
        inputs = self.inputs
        inputs.value_changed.connect(self._follow)
        inputs.directions.undo_requested.connect(self.undo)
        inputs.directions.redo_requested.connect(self.redo)
        inputs.directions.reset_requested.connect(self.reset)
        inputs.directions.load_requested.connect(self._browse_load)
        inputs.directions.save_requested.connect(self._browse_save)
        inputs.directions.list.renamed.connect(self.session.rename)
        inputs.directions.list.example_requested.connect(self.show_example)
        inputs.form.region.box.draw_requested.connect(self.draw_box)
        inputs.fit.submitted.connect(self.fit)
        inputs.sweep.submitted.connect(self.sweep)
        inputs.sweep.save_requested.connect(self._browse_save_sweep)
        inputs.grade.submitted.connect(self.grade)

    def _connect_work(self) -> None:
        self.source.changed.connect(self._generator_changed)
        self.task.cancelled.connect(lambda: self.message.show_text("Cancelled."))
        # A generator loaded during other work is used once that has ended.
        self.task.state_changed.connect(self._generator_changed)
        session = self.session
        session.studied.connect(self._take_study)
        session.found_changed.connect(self._take_found)
        session.renamed.connect(self.inputs.show_names)
        session.sweep_made.connect(self._show_sweep)
        session.graded_made.connect(self._show_graded)
        session.reported.connect(self.message.show_text)
        session.live.made.connect(self._show_volume)
        session.live.measured.connect(self._show_measurements)
        for signal in (self.source.failed, self.task.failed, session.failed):
            signal.connect(self._fail)

    def value(self) -> Exploration:
        """The sample; ValueError for an empty box."""
        return self.inputs.value()

    def set_value(self, sample: Exploration) -> None:
        """Set the sample."""
        self.inputs.set_value(sample)

    def undo(self) -> None:
        """Undo the last step."""
        self.set_value(self._history.undo())

    def redo(self) -> None:
        """Redo the last undone step."""
        self.set_value(self._history.redo())

    def reset(self) -> None:
        """Remove all edits; can be undone."""
        self.set_value(self._history.now.reset())

    def show_example(self, number: int) -> None:
        """Show the example volume of a direction; can be undone."""
        found = self.session.found
        noted = found.directions.directions[number].example if found else None
        if noted is None or found is None:
            return
        region = None if noted.region is None else region_from_state(noted.region)
        strengths = [0.0] * len(found.rows)
        strengths[number] = noted.strength
        self.set_value(
            Exploration(
                noted.seed,
                noted.size,
                noted.truncation,
                noted.first,
                noted.last,
                region,
                tuple(strengths),
            )
        )

    def _follow(self) -> None:
        """Follow the inputs; a dragged slider gives a quick preview."""
        try:
            sample = self.value()
        except ValueError as error:
            self._fail(str(error))
            return
        self.message.clear()
        quick = self.inputs.is_dragged
        self.session.submit(sample, quick=quick)
        if not quick:
            self._history.add(sample)
        self._show_state()

    def set_run(self, path: str | Path) -> None:
        """Load the generator of a run folder or file in the background."""
        self.message.clear()
        if self.task.is_busy:
            self._fail("Another task is running; wait for it or cancel it first.")
            return
        self.source.load(path)

    def take_files(self, paths: list[Path]) -> None:
        """Load the dropped run folder or generator file."""
        self.set_run(paths[0])

    def _generator_changed(self) -> None:
        trained: Any = self.source.value()
        is_new = trained is not None and trained is not self.session.trained
        is_free = not (self.source.is_loading or self.task.is_busy or self._is_closed)
        if is_new and is_free:
            self.session.set_generator(trained)
        self._show_state()

    def _take_study(self, studied: Studied) -> None:
        self._titles = studied.properties
        self.inputs.set_studied(studied)
        self._history = History(self.value())
        self._show_state()

    def fit(self) -> None:
        """Find directions with the settings of the form."""
        self.message.clear()
        self.session.fit(self.inputs.fit.value())

    def load(self, path: str | Path) -> None:
        """Load directions; those of another generator give an error."""
        self.message.clear()
        self.session.load(path)

    def save(self, path: str | Path) -> None:
        """Save the directions with their names."""
        self.message.clear()
        self.session.save(path, self._history.now)

    def sweep(self) -> None:
        """Add a layer with a slider for the strength of a direction."""
        self.message.clear()
        self.session.make_sweep(self.inputs.sweep.value(), self._history.now)

    def save_sweep(self, path: str | Path) -> None:
        """Save the last sweep in the format of the suffix."""
        self.message.clear()
        self.session.save_sweep(path)

    def grade(self) -> None:
        """Generate a volume whose property follows a ramp."""
        self.message.clear()
        self.session.grade(self.inputs.grade.value(), self._history.now)

    def draw_box(self) -> None:
        """Let the user draw the edited box in the viewer."""
        if self._volume is None:
            self._fail(
                "Expected a volume to draw in, got none; open a generator first."
            )
            return
        box = self.inputs.form.region.box
        layer_inputs.draw_box(
            self._viewer,
            self._volume,
            lambda low, high: box.set_value(Box(low, high, box.margin.value())),
        )

    def end_work(self) -> list[SteeredWorker]:
        """Cancel all work; returns the workers that still run."""
        self._is_closed = True
        return [*self.session.end_work(), *self.source.end_work()]

    def _take_found(self, found: Found | None) -> None:
        self.inputs.set_found(found)
        self._history = History(self._history.now)
        self._show_state()

    def _show_volume(self, volume: Volume, whole: bool) -> None:
        if not self._is_closed:
            self._volume = volume if whole else self._volume
            layers.add_or_update_explored(self._viewer, volume)
            self.explored.emit(volume, whole)

    def _show_measurements(self, properties: Mapping[str, float]) -> None:
        lines = [f"{self._titles[key]} {n:.3g}" for key, n in properties.items()]
        self.inputs.directions.show_measurements(lines)
        self.measured.emit(properties)

    def _show_sweep(self, sweep: Sweep) -> None:
        if not self._is_closed and self._volume is not None:
            layers.add_sweep(self._viewer, sweep, self._volume)

    def _show_graded(self, graded: Graded) -> None:
        if not self._is_closed:
            self.inputs.grade.show_graded(graded)
            layers.add_volume(self._viewer, graded.volume, "Graded volume")

    def _fail(self, sentence: str) -> None:
        self.message.show_error(sentence)
        self.failed.emit(sentence)

    def _show_state(self) -> None:
        """Enable the buttons that apply."""
        session, idle = self.session, not self.task.is_busy
        self.source.setEnabled(idle)
        self.inputs.show_state(
            known=session.is_studied and idle,
            found=session.found is not None and idle,
            swept=session.sweep is not None and idle,
            history=self._history,
        )

    def _browse_load(self) -> None:
        path = explore_files.ask_for_directions(self)
        if path is not None:
            self.load(path)

    def _browse_save(self) -> None:
        path = explore_files.ask_for_new_directions(self)
        if path is not None:
            self.save(path)

    def _browse_save_sweep(self) -> None:
        path = explore_files.ask_for_new_sweep(self)
        if path is not None:
            self.save_sweep(path)
