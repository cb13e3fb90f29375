"""The Train panel: settings, controls and progress of a run."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_slicegan._qt.jobs import (
    PreparedRun,
    gaussian_field,
    look_ahead,
    resume_run,
    start_run,
)
from napari_slicegan._qt.train.data import NO_IMAGES, RunLocation, TrainData
from napari_slicegan._qt.train.run_view import RunState, RunView
from napari_slicegan._qt.train.settings import TrainSettings
from napari_slicegan._qt.widgets.basics import (
    FocusKeeper,
    MessageLine,
    Section,
    button,
    content_above,
)
from napari_slicegan._qt.widgets.forecast import Forecast
from napari_slicegan._qt.widgets.progress import TaskRow
from napari_slicegan._qt.widgets.run_menu import offer_runs
from napari_slicegan._qt.worker import SteeredWorker, TrainingWorker, training_worker
from napari_slicegan.config import RESUMABLE
from napari_slicegan.training.clock import FinishReason

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_slicegan.config import MicrographSettings, RunConfig
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.training.trainer import Trainer

START_TIP = "Train on the images of the first tab."
START_TEXT = {RunState.FINISHED: "Start new run", RunState.FAILED: "Start again"}


class TrainControls(QWidget):
    """Start, Pause or Resume, Stop and Continue, enabled by the state of the run."""

    def __init__(self) -> None:
        super().__init__()
        # children
        self.start = button("start", "Start")
        self.pause = button(
            "pause",
            "Pause",
            "Pause after this step and save; Ctrl+Alt+Shift+P in the viewer.",
        )
        self.stop = button("stop", "Stop", "End after this step and save the run.")
        self.continue_run = button(
            "continue",
            "Continue a run...",
            "Choose one of the last runs, or a folder, to continue. A run that used up "
            "its time gets the minutes above once more.",
        )
        self.continue_this = button(
            "continue_this",
            "Continue this run",
            "Train on from the last step; after its time limit, for the minutes above "
            "once more. Learning rates and 'Penalty weight' may be changed before.",
        )
        self.gaussian = button(
            "gaussian_field",
            "Preview without training",
            "Show a random volume with the phase fractions and the two-point "
            "correlation of the images, in seconds; training learns more than these.",
        )
        self.next = button(
            "to_volume", "Next: Generate", "Generate with this run, in the next tab."
        )
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.start, 0, 0)
        grid.addWidget(self.continue_run, 0, 1)
        grid.addWidget(self.pause, 1, 0)
        grid.addWidget(self.stop, 1, 1)
        grid.addWidget(self.continue_this, 2, 0)
        grid.addWidget(self.next, 2, 1)
        grid.addWidget(self.gaussian, 3, 0)
        self.focus = FocusKeeper(
            self.pause, self.stop, self.continue_this, self.start, self.continue_run
        )
        self.show_state(RunState.IDLE, no_start=NO_IMAGES, can_continue=False)

    def show_state(
        self,
        state: RunState,
        *,
        no_start: str,
        can_continue: bool,
        can_preview: bool = False,
        makes_points: bool = False,
    ) -> None:
        """Enable what a state allows.

        Parameters
        ----------
        no_start
            Why no run can start, in a sentence; empty if one can.
        can_continue
            Whether the last run of the panel was saved.
        can_preview
            Whether a volume can be made of the images without training, and is offered.
        makes_points
            Whether the generator makes points, which the next tab cannot show.
        """
        with self.focus.changing():
            self._show_run(state, no_start, can_continue)
        active = state.is_active
        self.gaussian.setVisible(can_preview and not active)
        has_next = state is not RunState.FAILED and not makes_points
        self.next.setVisible(can_continue and not active and has_next)

    def _show_run(self, state: RunState, no_start: str, can_continue: bool) -> None:
        """Show the buttons that take each other's place."""
        active, stopping = state.is_active, state is RunState.STOPPING
        self.start.setText(START_TEXT.get(state, "Start"))
        self.start.setEnabled(not no_start and not active)
        self.start.setToolTip(f"<qt>{html.escape(no_start or START_TIP)}</qt>")
        self.continue_run.setEnabled(not active)
        self.pause.setText("Resume" if state is RunState.PAUSED else "Pause")
        self.pause.setEnabled(state in (RunState.RUNNING, RunState.PAUSED))
        self.stop.setText(state.value if stopping else "Stop")
        self.stop.setEnabled(active and not stopping)
        for each in (self.start, self.continue_run):
            each.setVisible(not active)
        for each in (self.pause, self.stop):
            each.setVisible(active)
        self.continue_this.setVisible(can_continue and not active)


class TrainPanel(QWidget):
    """Trains on the current images, one run at a time.

    A run that is stopped, paused or closed is saved. The panel keeps no network, so
    the memory of a run is free when it has ended.
    """

    run_started = Signal(object)
    """Trainer, before its first step. Do not keep it."""
    reported = Signal(object)
    """StepReport, a few times a second."""
    preview_made = Signal(object)
    """Volume, Sheet or Scatter, every 'Check quality every' steps."""
    gaussian_made = Signal(object)
    """Volume that needed no training."""
    run_finished = Signal(object, object)
    """FinishReason, and the Path of the run folder."""
    failed = Signal(str)
    """One sentence."""
    state_changed = Signal(object)
    """RunState."""
    generation_requested = Signal()
    """The user wants to generate with the last run."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("train_panel")
        self._state = RunState.IDLE
        self._worker: TrainingWorker | None = None
        self._folder: Path | None = None
        self._last_step = 0
        # The images are being prepared anew; start when they are.
        self._is_outdated = self._is_wanted = False
        # children
        self.data = TrainData()
        self.settings = TrainSettings()
        self.location = RunLocation()
        self.forecast = Forecast(look_ahead, "memory and time")
        self.controls = TrainControls()
        self.task = TaskRow()
        self.message = MessageLine("train_message")
        self.view = RunView()
        # As the last run has them.
        self._rates = self._entered_rates()
        # layout
        folded = QVBoxLayout()
        folded.setContentsMargins(0, 0, 0, 0)
        folded.addWidget(self.settings)
        folded.addWidget(self.location)
        self.section = Section("Settings", folded)
        self.section.set_open(True)
        pinned = self.forecast, self.task, self.message, self.controls
        layout = content_above(self, *pinned)
        layout.addWidget(self.data)
        layout.addWidget(self.section)
        # The curves take what is left of a high screen.
        layout.addWidget(self.view, 100)
        layout.addStretch(1)
        # signals
        self.settings.value_changed.connect(self._settings_changed)
        self.settings.form.refused.connect(lambda sentence: self._data_changed())
        self.data.value_changed.connect(self._data_changed)
        self.view.failed.connect(self.message.show_warning)
        self.task.failed.connect(self.message.show_error)
        self.task.state_changed.connect(self._show_controls)
        self.section.heading.toggled.connect(lambda checked: self._show_controls())
        self.forecast.machine_known.connect(self.settings.set_machine)
        self.controls.next.clicked.connect(
            lambda checked: self.generation_requested.emit()
        )
        for clicked, act in (
            (self.controls.start.clicked, self.start),
            (self.controls.pause.clicked, self.toggle_pause),
            (self.controls.stop.clicked, self.stop),
            (self.controls.gaussian.clicked, self.make_gaussian),
            (self.controls.continue_run.clicked, self._choose_run),
            (self.controls.continue_this.clicked, self._continue_this),
        ):
            clicked.connect(lambda checked, act=act: act())

    # Settings and data

    def value(self) -> RunConfig:
        """The settings of the next run; ValueError if one is not allowed."""
        return self.settings.value()

    def set_value(self, config: RunConfig) -> None:
        """Show settings."""
        self.settings.set_value(config)
        self._settings_changed()

    def set_images(
        self, images: TrainingImages | None, settings: MicrographSettings
    ) -> None:
        """Set the images of the next run; None for none.

        Parameters
        ----------
        settings
            How the images were prepared; saved with the run.
        """
        self.data.set_images(images)
        self.settings.set_micrograph(settings)
        self._data_changed()
        is_wanted, self._is_wanted = self._is_wanted, False
        self._is_outdated = False
        if is_wanted and images is not None:
            self.start()
        elif is_wanted:
            self.message.show_error(
                "The images cannot be used with the settings of the first tab; correct "
                "them there, then start again."
            )

    def await_images(self) -> None:
        """Images with changed settings will follow: the present ones are outdated."""
        self._is_outdated = True

    # The run

    @property
    def state(self) -> RunState:
        """State of the run."""
        return self._state

    @property
    def worker(self) -> TrainingWorker | None:
        """The running worker; None when its thread has ended."""
        return self._worker

    @property
    def last_run(self) -> Path | None:
        """Folder of the last run, if it can be continued."""
        folder = self._folder
        can_continue = folder is not None and any(folder.glob("checkpoint-*.pt"))
        return folder if can_continue else None

    @property
    def closing_text(self) -> str:
        """What closing does to the run, in a sentence; empty if there is none."""
        if not self.state.is_active:
            return ""
        if self._folder is None:
            return "A run is being prepared; it is not started."
        return (
            "Training is running. It ends after the current step, and the run is saved "
            f"in {self._folder}"
        )

    def set_last_run(self, path: Path | None) -> None:
        """Offer to continue a run."""
        self._folder, self._rates = path, self._entered_rates()
        self._show_controls()

    def start(self) -> None:
        """Start a run in a new folder, with the images as the settings are now."""
        if not (self.data.can_train and self._state.allows(RunState.PREPARING)):
            return
        if self.settings.form.fault:
            # Shown at the input.
            self.section.set_open(True)
            return
        config, given = self.value(), self.data.value()
        if self._is_outdated and given is not None and not isinstance(given, Path):
            self._is_wanted = True
            self.message.show_text("The images are being prepared; then it starts.")
            return
        name = config.preset if given is None else given.name
        self._begin(start_run, self.location.value(), name, config, given)

    def continue_run(
        self, path: str | Path, changed: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Continue an earlier run.

        Parameters
        ----------
        changed
            Other learning rates, or another weight of the penalty.
        """
        if not self._state.allows(RunState.PREPARING):
            return
        training = self.settings.form.first.values()
        minutes, device = training["minutes"], training["device"]
        self._begin(resume_run, Path(path), minutes, device, changed)

    def pause(self) -> None:
        """Pause the run after the current step."""
        if self._worker is not None and self.state is RunState.RUNNING:
            self._worker.pause()

    def resume(self) -> None:
        """Resume training after a pause."""
        if self._worker is not None and self.state is RunState.PAUSED:
            self._worker.resume()

    def toggle_pause(self) -> None:
        """Pause or resume; the button is disabled until the worker confirms."""
        with self.controls.focus.changing(wait=True):
            self.controls.pause.setEnabled(False)
        (self.resume if self.state is RunState.PAUSED else self.pause)()

    def stop(self) -> None:
        """Stop the run after the current step and save it."""
        if self._worker is not None and self._go(RunState.STOPPING):
            self._worker.quit()

    def make_gaussian(self) -> None:
        """Make a volume without training, in a thread."""
        images = self.data.phases
        if images is not None:
            self.message.clear()
            self.task.run(
                "Making a Gaussian random field",
                self.gaussian_made.emit,
                gaussian_field,
                images,
            )

    def end_work(self) -> list[SteeredWorker]:
        """Stop all work; return the workers that are still running."""
        self.stop()
        own = [] if self._worker is None else [self._worker]
        return [*own, *self.task.end_work(), *self.forecast.end_work()]

    def showEvent(self, event: QShowEvent) -> None:
        """Load torch and estimate the run when the panel is shown."""
        super().showEvent(event)
        self._estimate()

    # Worker

    def _begin(self, prepare: Callable[..., Trainer], *args: Any) -> None:
        self.message.clear()
        self.forecast.cancel()
        self._folder, self._last_step = None, 0
        worker = training_worker(prepare, *args)
        worker.yielded.connect(self._yielded)
        worker.paused.connect(self._paused)
        worker.resumed.connect(self._resumed)
        worker.returned.connect(self._returned)
        worker.errored.connect(self._errored)
        worker.finished.connect(self._finished)
        self._worker = worker
        self._go(RunState.PREPARING)
        worker.start()

    def _yielded(self, made: PreparedRun | tuple[StepReport, ...]) -> None:
        if isinstance(made, PreparedRun):
            self._prepared(made)
        else:
            self._reported(made)

    def _prepared(self, run: PreparedRun) -> None:
        self.view.show_run(run)
        folder = run.trainer.folder
        self._folder = None if folder is None else folder.path
        self._last_step = run.trainer.step
        # The inputs are disabled while a run is being prepared.
        self._rates = self._entered_rates()
        self._go(RunState.RUNNING)
        self.run_started.emit(run.trainer)

    def _reported(self, reports: tuple[StepReport, ...]) -> None:
        self._last_step = reports[-1].step
        self.view.show_reports(reports)
        for report in reports:
            if report.warning:
                self.message.show_warning(report.warning)
        self.reported.emit(reports[-1])
        previews = [each.preview for each in reports if each.preview is not None]
        if previews:
            self.preview_made.emit(previews[-1])

    def _paused(self) -> None:
        self._go(RunState.PAUSED)

    def _resumed(self) -> None:
        self._go(RunState.RUNNING)

    def _returned(self, reason: FinishReason) -> None:
        self._go(RunState.FINISHED, reason)
        if reason is FinishReason.DIVERGED:
            self.message.show_warning(reason.value)
        elif self._last_step == 0:
            self.message.show_text("Stopped before the first step; no run was saved.")
        else:
            self.message.show_text(f"{reason.value} Saved in {self._folder}")
        self.run_finished.emit(reason, self._folder)

    def _errored(self, fault: Exception) -> None:
        self._go(RunState.FAILED)
        self.message.show_error(str(fault))
        self.failed.emit(str(fault))

    def _finished(self) -> None:
        # The next run may have begun since the end was reported.
        if not self.state.is_active:
            self._worker = None

    # Appearance

    def _go(self, state: RunState, reason: FinishReason | None = None) -> bool:
        """Enter a state if it may follow the current one; return whether it did."""
        if not self._state.allows(state):
            return False
        self._state = state
        self._show_controls()
        self.view.show_state(state, reason)
        # The text above stays readable.
        for widget in (self.data.folder, self.settings, self.location):
            widget.setEnabled(not state.is_active)
        if state is RunState.PREPARING:
            # Make room for the curves.
            self.section.set_open(False)
        self.state_changed.emit(state)
        return True

    def _show_controls(self) -> None:
        no_data = "" if self.data.can_train else self.data.material.text()
        # It belongs to the settings: after a run its line is left to the pictures.
        is_before = self.state is not RunState.FINISHED or self.section.is_open
        can_preview = self.data.phases is not None and is_before
        self.controls.show_state(
            self.state,
            no_start=self.settings.form.fault or no_data,
            can_continue=self.last_run is not None,
            can_preview=can_preview and not self.task.is_busy,
            makes_points=self.settings.dimensions == 1,
        )

    def _settings_changed(self) -> None:
        """Other settings may need other data."""
        self.data.set_dimensions(self.settings.dimensions)
        self._data_changed()

    def _data_changed(self) -> None:
        self._show_controls()
        self._estimate()

    def _estimate(self) -> None:
        if self.state.is_active or not self.isVisible():
            return
        if self.settings.form.fault:
            self.forecast.cancel()
        else:
            self.forecast.request(self.value(), self.data.value())

    def _continue_this(self) -> None:
        if self.last_run is None:
            return
        before, now = self._rates, self._entered_rates()
        # Those of another preset belong to the next run.
        is_of_run = before["preset"] == now["preset"]
        changed = {name: now[name] for name in RESUMABLE if now[name] != before[name]}
        self.continue_run(self.last_run, changed if is_of_run else {})

    def _entered_rates(self) -> dict[str, Any]:
        """Preset, and settings that a run takes when it is continued."""
        parts = self.settings.form.parts
        entered = {**parts["optimiser"].values(), **parts["objective"].values()}
        preset = self.settings.preset.value()
        return {"preset": preset, **{name: entered[name] for name in RESUMABLE}}

    def _choose_run(self) -> None:
        offer_runs(
            self.controls.continue_run,
            self.location.value(),
            self.continue_run,
            self._browse_run,
        )

    def _browse_run(self) -> None:
        path = self.location.choose("Continue a run: choose its folder")
        if path is not None:
            self.continue_run(path)
