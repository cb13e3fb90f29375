"""The generator that is explored: its source, directions and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_slicegan._qt.explore import jobs
from napari_slicegan._qt.explore.live_volume import LiveVolume, Wish
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
    """Holds a generator; takes the latest run by itself when it is first seen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered: Path | None = None
        # children
        self.sample_button = button(
            "sample_generator", "Sample: sandstone", "A small generator to try it with."
        )
        self.run_button = button(
            "explore_run", "Latest run", "The run of the second tab, as last saved."
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
        """Load the small generator that comes with the program."""
        self.load(sample_path(SAMPLE))

    def offer(self, path: str | Path) -> None:
        """A run that can be explored."""
        self._offered = Path(path)
        self.run_button.setEnabled(True)

    def open_offered(self) -> None:
        """Load the run that was offered, if there is one."""
        if self._offered is not None:
            self.load(self._offered)

    def showEvent(self, event: QShowEvent) -> None:
        """Go on with the run of the other tabs if there is nothing else."""
        super().showEvent(event)
        # A run that has just begun has nothing to load yet; that is no fault.
        saved = self._offered and (self._offered / GENERATOR).is_file()
        if saved and self.value() is None and not self.is_loading:
            self.open_offered()


DEVICE = "auto"
NO_GENERATOR = "Expected a generator; train one, or open a run or the sample first."
NO_DIRECTIONS = "Expected directions; find some or load a file of them first."
NO_SWEEP = "Expected a sweep to save; make one first."


class ExploreSession(QObject):
    """Calls the engine for the panel; knows no layers and no inputs.

    Parameters
    ----------
    task
        Where longer work runs, one at a time.
    """

    studied = Signal(object)
    """Studied, of a new generator."""
    found_changed = Signal(object)
    """Found, or None: other directions."""
    renamed = Signal(object)
    """Found: the same directions with other names."""
    sweep_made = Signal(object)
    graded_made = Signal(object)
    told = Signal(str)
    """A sentence that is no fault."""
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
        """Explore another generator; its directions are not known yet."""
        self.live.forget()
        self.trained, self.is_studied, self.sweep = trained, False, None
        self.set_found(None)
        self._task.run(
            "Looking at the generator", self._take_study, jobs.study, trained, DEVICE
        )

    def ask(self, wanted: Exploration, *, quick: bool) -> None:
        """Make a volume: its corner at once, or the whole."""
        if self.trained is not None and self.is_studied:
            self.live.ask(Wish(self.trained, self.found, wanted, quick))

    def fit(self, request: FitRequest) -> None:
        """Find directions, and measure what they do."""
        if self._is_ready(self.is_studied, NO_GENERATOR):
            self._task.run(
                "Finding directions", self.set_found, jobs.fit, self.trained, request
            )

    def load(self, path: str | Path) -> None:
        """Read directions; those of another generator are refused."""
        if self._is_ready(self.is_studied, NO_GENERATOR):
            self._task.run(
                "Loading directions",
                self.set_found,
                jobs.load_found,
                self.trained,
                path,
            )

    def save(self, path: str | Path, wanted: Exploration) -> None:
        """Write the directions; those that are moved get an example."""
        found = self.found
        if not self._is_ready(found is not None, NO_DIRECTIONS):
            return

        def done(directions: DirectionSet) -> None:
            if self.found is found and found is not None:
                self.found = replace(found, directions=directions)
            self.told.emit(f"Saved {path}")

        work, trained = jobs.save_found, self.trained
        self._task.run("Saving directions", done, work, trained, found, wanted, path)

    def rename(self, number: int, name: str) -> None:
        """Give a direction another name; `renamed` tells the names that there are."""
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

    def make_sweep(self, request: SweepRequest, wanted: Exploration) -> None:
        """The sample from one end of a direction to the other."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            work, trained = jobs.sweep, self.trained
            self._task.run(
                "Sweeping", self._take_sweep, work, trained, self.found, wanted, request
            )

    def save_sweep(self, path: str | Path) -> None:
        """Write the last sweep; the ending says what of it."""
        if self._is_ready(self.sweep is not None, NO_SWEEP):
            self._task.run(
                "Saving the sweep",
                lambda made: self.told.emit(f"Saved {made}"),
                jobs.save_sweep,
                self.sweep,
                Path(path),
            )

    def grade(self, request: GradeRequest, wanted: Exploration) -> None:
        """A volume whose property follows a ramp."""
        if self._is_ready(self.found is not None, NO_DIRECTIONS):
            work, trained = jobs.grade, self.trained
            self._task.run(
                "Making a graded volume",
                self.graded_made.emit,
                work,
                trained,
                self.found,
                wanted,
                request,
            )

    def end_work(self) -> list[SteeredWorker]:
        """Ask all work to end; those that are still at it."""
        return [*self.live.end_work(), *self._task.end_work()]

    def _take_study(self, studied: Studied) -> None:
        self.is_studied = True
        self.studied.emit(studied)

    def _take_sweep(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.sweep_made.emit(sweep)

    def set_found(self, found: Found | None) -> None:
        """Steer by other directions."""
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
    """File to read directions from; None if the user changes their mind."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load directions", "", DIRECTIONS)
    return Path(path) if path else None


def ask_for_new_directions(parent: QWidget) -> Path | None:
    """File to write directions to."""
    path, _ = QFileDialog.getSaveFileName(parent, "Save the directions", "", DIRECTIONS)
    return Path(path).with_suffix(ENDING) if path else None


def ask_for_new_sweep(parent: QWidget) -> Path | None:
    """File to write a sweep to; the kind that is chosen gives it its ending."""
    path, chosen = QFileDialog.getSaveFileName(parent, "Save the sweep", "", SWEEPS)
    if not path:
        return None
    return Path(path) if Path(path).suffix else Path(path + chosen[-5:-1])
