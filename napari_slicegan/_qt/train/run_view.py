"""A run as it is watched: progress, pictures, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_slicegan._qt.train.curves import Curves
from napari_slicegan._qt.train.run_state import RunState
from napari_slicegan._qt.train.sample_pair import SamplePair
from napari_slicegan._qt.train.slice_pair import SlicePair
from napari_slicegan._qt.widgets.activity import Activity
from napari_slicegan._qt.widgets.messages import FaultGuard

if TYPE_CHECKING:
    from napari_slicegan._qt.jobs import PreparedRun
    from napari_slicegan.step_report import StepReport

# Each redraw lets the whole window be put together anew, which without a graphics card
# takes both cores for a moment.
REFRESH_MS = 1000
WHOLE = 1000


class RunView(QWidget):
    """Shows what a run reports; hidden until there is a run."""

    failed = Signal(str)
    """One sentence about a plot or picture that cannot be shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = RunState.IDLE
        self._report: StepReport | None = None
        self._activity = Activity()
        self._guard = FaultGuard(self)
        # children
        self.bar = QProgressBar()
        self.bar.setObjectName("train_progress")
        self.bar.setRange(0, WHOLE)
        self.facts = QLabel("")
        self.facts.setObjectName("train_facts")
        self.facts.setWordWrap(True)
        self.pair = SlicePair()
        self.samples = SamplePair()
        self._show_preview: Callable[[Any, int], None] = self.pair.set_volume
        self.curves = Curves()
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for child in (self.bar, self.facts, self.pair, self.samples, self.curves):
            layout.addWidget(child)
        layout.addStretch()
        self.pair.setVisible(False)
        self.setVisible(False)
        # signals
        self._timer.timeout.connect(self._refresh)
        self._guard.failed.connect(self.failed)
        self.curves.guard.failed.connect(self.failed)

    def show_run(self, run: PreparedRun) -> None:
        """A run is about to take its first step."""
        self._guard.reset()
        self.curves.guard.reset()
        trainer = run.trainer
        real = trainer.subject.real_preview
        is_volume = real is None
        self._show_preview = (
            self.pair.set_volume if is_volume else self.samples.set_generated
        )
        with self._guard("The real material"):
            self.samples.set_real(real)
            self.pair.set_images(trainer.images if is_volume else None)
        with self._guard("The curves"):
            self.curves.clear(trainer.monitor.curves)
        with self._guard("The curves of the earlier steps"):
            self.curves.add_history(run.history)

    def show_reports(self, reports: Sequence[StepReport]) -> None:
        """Steps were made; what they brought is drawn by timers."""
        self._report = reports[-1]
        with self._guard("The curves"):
            self.curves.add(reports)
        seen = [report for report in reports if report.preview is not None]
        if seen:
            with self._guard("The preview"):
                self._show_preview(seen[-1].preview, seen[-1].step)

    def show_state(self, state: RunState) -> None:
        """Follow the state of the run."""
        self._state = state
        if state is RunState.PREPARING:
            self._report = None
            self.facts.clear()
            self.setVisible(True)
            self._timer.start()
        if not state.is_active:
            self._timer.stop()
            self._activity.close()
            self.curves.redraw()
        self._show_progress()

    def _refresh(self) -> None:
        """A few times a second: what is cheap, then napari's own dock."""
        self._show_progress()
        share = 0.0 if self._report is None else self._report.progress
        # Last: it lets napari process events.
        with self._guard("The progress in napari's dock"):
            self._activity.show(share, f"SliceGAN: {self._state.value}")

    def _show_progress(self) -> None:
        report, state = self._report, self._state
        waits = report is None and state is RunState.PREPARING
        # A range of nothing shows that there is work without an end in sight.
        self.bar.setRange(0, 0 if waits else WHOLE)
        if report is None:
            self.bar.setValue(0)
            self.bar.setFormat(state.value)
            return
        self.bar.setValue(round(WHOLE * report.progress))
        self.bar.setFormat(_progress_text(report, state))
        self.facts.setText(_facts(report))


def _progress_text(report: StepReport, state: RunState) -> str:
    text = f"{state.value}  {100 * report.progress:.0f} %"
    if state is RunState.RUNNING:
        return f"{text}, {duration(report.remaining_s)} left"
    return text


def _facts(report: StepReport) -> str:
    speed = report.steps_per_s
    pace = f"{speed:.2g} steps/s"
    if 0 < speed < 0.1:
        pace = f"{1 / speed:.2g} s per step"
    return (
        f"Step {report.step:,}, {duration(report.elapsed_s)} of training, {pace}, "
        f"{report.memory_bytes / 1e9:.1f} GB of memory"
    )


def duration(seconds: float) -> str:
    """Time as people write it: 48 s, 3:05 min, 2:10 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
