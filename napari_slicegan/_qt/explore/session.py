"""Session of the Explore panel: generator, directions and their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_slicegan._qt.explore import jobs
from napari_slicegan._qt.explore.live_volume import LiveVolume, VolumeRequest
from napari_slicegan._qt.volume.generator_source import GeneratorSource
from napari_slicegan._qt.widgets.basics import button
from napari_slicegan.sample_data import path as sample_path

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_slicegan._qt.explore.exploration import Exploration
    from napari_slicegan._qt.explore.jobs import (
        FitRequest,
        Found,
        GradeRequest,
        Studied,
        SweepRequest,
    )
    from napari_slicegan._qt.widgets.progress import TaskRow
    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.directions import DirectionSet, Sweep
    from napari_slicegan.models.generator_file import TrainedGenerator

SAMPLE = "varied_sandstone"
GENERATOR = "generator.safetensors"


class ExploreSource(GeneratorSource):
    """Holds a generator; loads the latest run when it is first shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: Path | None = None
        # children
        self.sample_button = button(
            "sample_generator",
            "Sample: sandstone",
            "Load a small generator to try the panel.",
        )
        self.run_button = button(
            "explore_run",
            "Latest run",
            "Load the last saved generator of the Train tab.",
        )
        self.run_button.setEnabled(False)
        # layout
        row = QHBoxLayout()
        row.addWidget(self.sample_button)
        row.addWidget(self.run_button)
        self.add_row(row)
        # signals
        self.sample_button.clicked.connect(lambda checked: self.open_sample())
        self.run_button.clicked.connect(lambda checked: self.open_offered())

    def open_sample(self) -> None:
        """Load the small generator of the package."""
        self.load(sample_path(SAMPLE))

    def offer(self, path: str | Path) -> None:
        """Offer a run for exploration."""
        self._offered = Path(path)
        self.run_button.setEnabled(True)

    def open_offered(self) -> None:
        """Load the offered run, if there is one."""
        if self._offered is not None:
            self.load(self._offered)

    def showEvent(self, event: QShowEvent) -> None:
        """Load the offered run if nothing else is loaded."""
        super().showEvent(event)
        # A run that has just started has saved nothing yet; that is no error.
        saved = self._offered and (self._offered / GENERATOR).is_file()
        if saved and self.value() is None and not self.is_loading:
            self.open_offered()


DEVICE = "auto"
NO_GENERATOR = "Expected a generator, got none; train one, or open a run or the sample."
NO_DIRECTIONS = "Expected directions, got none; find some or load a file."
NO_SWEEP = "Expected a sweep to save, got none; run a sweep first."


class ExploreSession(QObject):
    """Calls the engine for the panel, independent of layers and inputs.

    Parameters
    ----------
    task
        Runs longer work, one task at a time.
    """

    studied = Signal(object)
    """Studied: facts of a new generator."""
    found_changed = Signal(object)
    """Found or None: new directions."""
    renamed = Signal(object)
    """Found: the same directions with new names."""
    sweep_made = Signal(object)
    graded_made = Signal(object)
    reported = Signal(str)
    """A sentence for the user that is no error."""
    failed = Signal(str)

    def __init__(self, task: TaskRow, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.trained: TrainedGenerator | None = None
        self.found: Found | None = None
        self.sweep: Sweep | None = None
        self.is_studied = False
        self._task = task
        self.live = LiveVolume(self)
        self.live.failed.connect(self.failed)

    def set_generator(self, trained: TrainedGenerator) -> None:
        """Explore another generator; drops the directions."""
        self.live.forget()
        self.trained, self.is_studied, self.sweep = trained, False, None
        self.set_found(None)
        self._task.run(
            "Inspecting the generator", self._take_study, jobs.study, trained, DEVICE
        )

    def submit(self, sample: Exploration, *, quick: bool) -> None:
        """Generate a volume; if quick, only a preview."""
        if self.trained is not None and self.is_studied:
            self.live.submit(VolumeRequest(self.trained, self.found, sample, quick))

    def fit(self, request: FitRequest) -> None:
        """Fit directions and measure their effects."""
        if self._is_ready(self.is_studied, NO_GENERATOR):
            self._task.run(
                "Finding directions", self.set_found, jobs.fit, self.trained, request
            )

    def load(self, path: str | Path) -> None:
        """Load directions; raises an error for those of another generator."""
        if self._is_ready(self.is_studied, NO_GENERATOR):
            self._task.run(
                "Loading directions",
                self.set_found,
                jobs.load_found,
                self.trained,
                path,
            )

    def save(self, path: str | Path, sample: Exploration) -> None:
        """Save the directions; those with a strength get an example."""
        found = self.found
        if not self._is_ready(found is not None, NO_DIRECTIONS):
            return

        def done(directions: DirectionSet) -> None:
            if self.found is found and found is not None:
                self.found = replace(found, directions=directions)
            self.reported.emit(f"Saved {path}")

        work, trained = jobs.save_found, self.trained
        self._task.run("Saving directions", done, work, trained, found, sample, path)

    def rename(self, number: int, name: str) -> None:
        """Rename a direction; `renamed` brings the valid names either way."""
        found = self.found
        if found is None:
            return
        try:
            renamed = found.directions.renamed(found.rows[number].name, name)
        except ValueError as error:
            self.failed.emit(str(error))
        else:
            rows = [*found.rows]
            rows[number] = replace(rows[number], name=name)
            self.found = replace(found, directions=renamed, rows=tuple(rows))
        self.renamed.emit(self.found)

    def make_sweep(self, request: SweepRequest, sample: Exploration) -> None:
        """Sweep the strength of one direction."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            work, trained = jobs.sweep, self.trained
            self._task.run(
                "Sweeping", self._take_sweep, work, trained, self.found, sample, request
            )

    def save_sweep(self, path: str | Path) -> None:
        """Save the last sweep in the format of the suffix."""
        if self._is_ready(self.sweep is not None, NO_SWEEP):
            self._task.run(
                "Saving the sweep",
                lambda made: self.reported.emit(f"Saved {made}"),
                jobs.save_sweep,
                self.sweep,
                Path(path),
            )

    def grade(self, request: GradeRequest, sample: Exploration) -> None:
        """Generate a volume whose property follows a ramp."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            work, trained = jobs.grade, self.trained
            self._task.run(
                "Generating a graded volume",
                self.graded_made.emit,
                work,
                trained,
                self.found,
                sample,
                request,
            )

    def end_work(self) -> list[SteeredWorker]:
        """Cancel all work; returns the workers that still run."""
        return [*self.live.end_work(), *self._task.end_work()]

    def _take_study(self, studied: Studied) -> None:
        self.is_studied = True
        self.studied.emit(studied)

    def _take_sweep(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.sweep_made.emit(sweep)

    def set_found(self, found: Found | None) -> None:
        """Use other directions."""
        self.found = found
        self.found_changed.emit(found)

    def _is_ready(self, ready: bool, sentence: str) -> bool:
        if not ready:
            self.failed.emit(sentence)
        return ready


DIRECTIONS, ENDING = "Directions (*.safetensors)", ".safetensors"
SWEEPS = (
    "Volumes, TIFF (*.tif);;Properties, CSV (*.csv);;Properties, plot (*.png);;"
    "Middle planes, animation (*.gif)"
)


def ask_for_directions(parent: QWidget) -> Path | None:
    """Ask for a file of directions; None if cancelled."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load directions", "", DIRECTIONS)
    return Path(path) if path else None


def ask_for_new_directions(parent: QWidget) -> Path | None:
    """Ask for a file to save directions to; None if cancelled."""
    path, _ = QFileDialog.getSaveFileName(parent, "Save the directions", "", DIRECTIONS)
    return Path(path).with_suffix(ENDING) if path else None


def ask_for_new_sweep(parent: QWidget) -> Path | None:
    """Ask for a file to save a sweep to; the chosen format sets the suffix."""
    path, chosen = QFileDialog.getSaveFileName(parent, "Save the sweep", "", SWEEPS)
    if not path:
        return None
    return Path(path) if Path(path).suffix else Path(path + chosen[-5:-1])
