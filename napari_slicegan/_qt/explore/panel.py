"""Explore panel: sliders that change the material live in the viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QScrollArea, QVBoxLayout

from napari_slicegan._qt.explore import jobs
from napari_slicegan._qt.explore.action_forms import (
    FitForm,
    GradeForm,
    SweepForm,
    set_choices,
)
from napari_slicegan._qt.explore.direction_list import DirectionsBox
from napari_slicegan._qt.explore.exploration import Exploration, History
from napari_slicegan._qt.explore.forms import ExplorationForm
from napari_slicegan._qt.explore.live_volume import LiveVolume
from napari_slicegan._qt.viewer import layer_inputs, layers
from napari_slicegan._qt.widgets.basics import DropTarget, Section, ask, parent_of
from napari_slicegan._qt.widgets.generator_source import MISSING, ExploreSource
from napari_slicegan._qt.widgets.progress import TaskPanel
from napari_slicegan.generation.regions import Box, region_from_state
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from napari_slicegan._qt.explore.jobs import Found, Studied
    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.directions import DirectionSet, Graded, Sweep
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedNetwork

NO_DIRECTIONS = "Expected directions, got none; find some or load a file."
NO_SWEEP = "Expected a sweep to save, got none; run a sweep first."
DIRECTIONS = "Directions (*.safetensors)"
SWEEPS = (
    "Volumes, TIFF (*.tif *.tiff);;Properties, CSV (*.csv);;Properties, plot (*.png);;"
    "Middle planes, animation (*.gif)"
)


class ExplorePanel(DropTarget, TaskPanel):
    """Finds directions in a generator and moves samples along them."""

    explored = Signal(object, bool)
    """The displayed Volume, and whether it is the whole one; or a Sheet of images."""
    measured = Signal(object)
    """Properties of a whole volume: key of ``PROPERTIES`` -> value."""

    def __init__(self, viewer: Viewer) -> None:
        directions = DirectionsBox()
        super().__init__("explore", directions.pinned)
        self.setAcceptDrops(True)
        self._viewer = viewer
        self.trained: TrainedNetwork | None = None
        self.found: Found | None = None
        self._studied: Studied | None = None
        self._volume: Volume | None = None
        self._sweep: Sweep | None = None
        self._is_showing = False
        # About directions in a file.
        self._question: tuple[str, str | Path] | None = None
        # children
        self.source = ExploreSource()
        self.directions = directions
        self.fit_form, self.form = FitForm(), ExplorationForm()
        self.sweep_form, self.grade_form = SweepForm(), GradeForm()
        self.live = LiveVolume(self)
        self._history = History(self.value())
        # layout
        layout = self.content
        for part in (self.source, self.directions):
            layout.addWidget(part)
        self.sections: list[Section] = []
        for title, form in (
            ("Find directions", self.fit_form),
            ("Sample and region", self.form),
            ("Sweep", self.sweep_form),
            ("Graded material", self.grade_form),
        ):
            column = QVBoxLayout()
            column.setContentsMargins(12, 0, 0, 6)
            column.addWidget(form)
            self.sections.append(Section(title, column))
            layout.addWidget(self.sections[-1])
        self.sections[0].set_open(True)
        layout.addStretch(1)
        # signals
        self._connect_inputs()
        self.source.requested.connect(self.message.clear)
        self.source.changed.connect(self._generator_changed)
        # A generator loaded during other work is used once that has ended.
        self.task.state_changed.connect(self._generator_changed)
        self.task.state_changed.connect(self._ask)
        self.live.made.connect(self._show_volume)
        self.live.measured.connect(self._show_measurements)
        for signal in (self.source.failed, self.live.failed):
            signal.connect(self.fail)
        self._show_state()

    def _connect_inputs(self) -> None:
        self.directions.changed.connect(self._follow)
        self.form.value_changed.connect(self._follow)
        self.directions.renamed.connect(self._rename)
        self.directions.example_requested.connect(self.show_example)
        self.form.region.box.draw_requested.connect(self.draw_box)
        for button, act in (
            (self.directions.undo_button, self.undo),
            (self.directions.redo_button, self.redo),
            (self.directions.reset_button, self.reset),
            (self.directions.load_button, self._browse_load),
            (self.directions.save_button, self._browse_save),
            (self.fit_form.button, self.fit),
            (self.sweep_form.button, self.sweep),
            (self.sweep_form.save_button, self._browse_save_sweep),
            (self.grade_form.button, self.grade),
        ):
            button.clicked.connect(lambda checked, act=act: act())

    def value(self) -> Exploration:
        """The sample; ValueError for an empty box."""
        return replace(self.form.value(), strengths=self.directions.value())

    def set_value(self, sample: Exploration) -> None:
        """Set the sample; one step of the history."""
        self._is_showing = True
        self.form.set_value(sample)
        self.directions.set_value(sample.strengths)
        self._is_showing = False
        self._follow()

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
        found = self.found
        example = found.directions.directions[number].example if found else None
        if example is None or found is None:
            return
        region = None if example.region is None else region_from_state(example.region)
        strengths = [0.0] * len(found.rows)
        strengths[number] = example.strength
        self.set_value(
            Exploration(
                example.seed,
                example.size,
                example.truncation,
                example.first,
                example.last,
                region,
                tuple(strengths),
            )
        )

    def _follow(self) -> None:
        """Generate the entered sample; a dragged slider gives a quick preview."""
        if self._is_showing:
            return
        try:
            sample = self.value()
        except ValueError as error:
            self.fail(str(error))
            return
        self.message.clear()
        quick = self.directions.is_dragged
        if self.trained is not None and self._studied is not None:
            self.live.submit(
                jobs.VolumeRequest(self.trained, self.found, sample, quick)
            )
        if not quick:
            self._history.add(sample)
        self._show_state()

    def set_run(self, path: str | Path) -> None:
        """Load the generator of a run folder or file in the background."""
        self.message.clear()
        if self.task.is_busy:
            self.fail("Another task is running; wait for it or cancel it first.")
            return
        self.source.load(path)

    def take_files(self, paths: list[Path]) -> None:
        """Load the dropped run folder or generator file."""
        self.set_run(paths[0])

    def _generator_changed(self) -> None:
        trained: Any = self.source.value()
        is_new = trained is not None and trained is not self.trained
        is_free = not (self.source.is_loading or self.task.is_busy)
        if is_new and is_free:
            self.live.forget()
            self.trained, self._studied, self._sweep = trained, None, None
            self.set_found(None)
            self.directions.show_measurements([])
            self.task.run(
                "Inspecting the generator", self._take_study, jobs.study, trained
            )
        self._show_state()

    def _take_study(self, studied: Studied) -> None:
        self._studied = studied
        self._is_showing = True
        self.form.set_blocks(studied.blocks)
        self.form.set_of_images(studied.of_images)
        # Graded material is a volume.
        self.sections[-1].setVisible(not studied.of_images)
        self.fit_form.set_choices(studied.blocks, studied.properties)
        if studied.of_images:
            # As in the engine: their first block is fully connected.
            self.fit_form.block.set_value(studied.blocks[1])
        self.grade_form.set_properties(studied.properties)
        self._is_showing = False
        self._follow()
        self._history = History(self.value())
        self._show_state()

    def set_found(self, found: Found | None) -> None:
        """Show other directions with all strengths 0; clears the history."""
        self.found = found
        self.directions.set_found(found)
        self.grade_form.show_graded(None)
        self.sections[0].set_open(found is None)
        self._show_names()
        self.grade_form.propose(() if found is None else found.rows)
        self._follow()
        self._history = History(self._history.now)
        self._show_state()

    def _rename(self, number: int, name: str) -> None:
        """Rename a direction; an invalid name is replaced by the current one."""
        found = self.found
        if found is None:
            return
        try:
            renamed = found.directions.renamed(found.rows[number].name, name)
        except ValueError as error:
            self.fail(str(error))
        else:
            rows = [*found.rows]
            rows[number] = replace(rows[number], name=name)
            self.found = replace(found, directions=renamed, rows=tuple(rows))
        self._show_names()

    def _show_names(self) -> None:
        names = [row.name for row in self.found.rows] if self.found is not None else []
        for row, name in zip(self.directions.rows, names, strict=True):
            row.set_name(name)
        for form in (self.sweep_form, self.grade_form):
            set_choices(form.direction, {name: name for name in names})

    def fit(self) -> None:
        """Find directions with the settings of the form, and measure their effects."""
        if self._is_ready(self._studied is not None, MISSING):
            request = self.fit_form.value()
            self.task.run(
                "Finding directions", self.set_found, jobs.fit, self.trained, request
            )

    def load(self, path: str | Path, *, of_any_model: bool = False) -> None:
        """Load directions; asks about those of another generator.

        Parameters
        ----------
        of_any_model
            Whether the answer is known to be yes.
        """
        if self._is_ready(self._studied is not None, MISSING):
            given = (self.trained, path, of_any_model)

            def done(found: Found | str) -> None:
                if isinstance(found, str):
                    self._question = (found, path)
                else:
                    self.set_found(found)

            self.task.run("Loading directions", done, jobs.load_found, *given)

    def _ask(self) -> None:
        """Ask what the last task has left open."""
        if self._question is None or self.task.is_busy:
            return
        (question, path), self._question = self._question, None
        if ask(self, "Load directions", question, "Load"):
            self.load(path, of_any_model=True)

    def save(self, path: str | Path) -> None:
        """Save the directions; those with a strength get an example."""
        found, sample = self.found, self._history.now
        if not self._is_ready(found is not None, NO_DIRECTIONS):
            return

        def done(directions: DirectionSet) -> None:
            if self.found is found and found is not None:
                self.found = replace(found, directions=directions)
            self.message.show_text(f"Saved {path}")

        given = (self.trained, found, sample, path)
        self.task.run("Saving directions", done, jobs.save_found, *given)

    def sweep(self) -> None:
        """Add a layer with a slider for the strength of a direction."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            request = self.sweep_form.value()
            given = (self.trained, self.found, self._history.now, request)
            self.task.run("Sweeping", self._take_sweep, jobs.sweep, *given)

    def save_sweep(self, path: str | Path) -> None:
        """Save the last sweep in the format of the suffix."""
        if self._is_ready(self._sweep is not None, NO_SWEEP):
            self.task.run(
                "Saving the sweep",
                lambda saved: self.message.show_text(f"Saved {saved}"),
                jobs.save_sweep,
                self._sweep,
                Path(path),
            )

    def grade(self) -> None:
        """Generate a volume whose property follows a ramp."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            request = self.grade_form.value()
            given = (self.trained, self.found, self._history.now, request)
            self.task.run(
                "Generating a graded volume",
                lambda graded: self._show_graded(request, graded),
                jobs.grade,
                *given,
            )

    def draw_box(self) -> None:
        """Let the user draw the edited box in the viewer."""
        if self._volume is None:
            self.fail("Expected a volume to draw in, got none; open a generator first.")
            return
        box = self.form.region.box
        layer_inputs.draw_box(
            self._viewer,
            self._volume,
            lambda low, high: box.set_value(Box(low, high, box.margin.value())),
        )

    def end_work(self) -> list[SteeredWorker]:
        """Cancel all work; returns the workers that still run."""
        parts = (self.live, self.task, self.source)
        return [worker for part in parts for worker in part.end_work()]

    def _is_ready(self, ready: bool, sentence: str) -> bool:
        self.message.clear()
        if not ready:
            self.fail(sentence)
        return ready

    def _show_volume(self, made: Volume | Sheet, whole: bool) -> None:
        if isinstance(made, Volume):
            self._volume = made if whole else self._volume
            layers.add_or_update_explored(self._viewer, made)
        else:
            self._volume = None
            layers.add_or_update_explored(self._viewer, made.picture())
        self.explored.emit(made, whole)

    def _show_measurements(self, properties: Mapping[str, float]) -> None:
        titles = {} if self._studied is None else self._studied.properties
        lines = [f"{titles[key]}: {n:.3g}" for key, n in properties.items()]
        self.directions.show_measurements(lines)
        self.measured.emit(properties)

    def _take_sweep(self, sweep: Sweep) -> None:
        self._sweep = sweep
        if sweep.of_images:
            layers.add_image_sweep(self._viewer, sweep)
        elif self._volume is not None:
            layers.add_sweep(self._viewer, sweep, self._volume)

    def _show_graded(self, request: jobs.GradeRequest, graded: Graded) -> None:
        studied = self._studied
        title = "" if studied is None else studied.properties[request.measured]
        self.grade_form.show_graded(graded, title, request.axis)
        layers.add_graded(self._viewer, graded.volume)
        # The result is below the button; once it has been laid out:
        QTimer.singleShot(0, self._scroll_to_graded)

    def _scroll_to_graded(self) -> None:
        area = parent_of(self.grade_form, QScrollArea)
        if area is not None:
            area.ensureWidgetVisible(self.grade_form.words)

    def _show_state(self) -> None:
        """Enable the buttons that apply."""
        idle, box, history = not self.task.is_busy, self.directions, self._history
        self.source.setEnabled(idle)
        box.undo_button.setEnabled(history.can_undo)
        box.redo_button.setEnabled(history.can_redo)
        box.reset_button.setEnabled(history.now.reset() != history.now)
        for each in (box.load_button, self.fit_form.button):
            each.setEnabled(self._studied is not None and idle)
        forms = self.sweep_form, self.grade_form
        for each in (box.save_button, *(form.button for form in forms)):
            each.setEnabled(self.found is not None and idle)
        self.sweep_form.save_button.setEnabled(self._sweep is not None and idle)

    def _browse_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load directions", "", DIRECTIONS)
        if path:
            self.load(path)

    def _browse_save(self) -> None:
        path = self.ask_file("Save the directions", DIRECTIONS, "directions")
        if path is not None:
            self.save(path)

    def _browse_save_sweep(self) -> None:
        name = "sweep" if self._sweep is None else f"sweep of {self._sweep.name}"
        path = self.ask_file("Save the sweep", SWEEPS, name)
        if path is not None:
            self.save_sweep(path)
