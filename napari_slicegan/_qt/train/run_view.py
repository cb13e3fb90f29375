"""Progress, verdict, previews and curves of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.train.curves import Curves
from napari_slicegan._qt.viewer.layer_picture import phase_colours
from napari_slicegan._qt.widgets.basics import (
    FaultGuard,
    Pace,
    choice_box,
    parent_of,
    rgb_image,
)
from napari_slicegan._qt.widgets.progress import Activity
from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.data.pixel_values import display_gray
from napari_slicegan.runtime.quantities import clock_time
from napari_slicegan.training.clock import FinishReason

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from napari_slicegan._qt.jobs import PreparedRun
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.systems.point_task import Scatter
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.volumes.volume import Volume

EDGE, SMALLEST_EDGE = 128, 80
# Larger pictures would push the curves out of a window of 800 pixels.
LARGEST_EDGE = 240
CROP_SEED = 0
# Without a GPU each redraw repaints the whole window, so all is drawn at once, at most
# once a second.
REFRESH_MS = 1000
# Nested layouts need some turns of the event loop.
LAYOUT_MS = 100
BAR_STEPS = 1000
ENDED = {FinishReason.STOPPED: "Stopped", FinishReason.DIVERGED: "Diverged"}
"""Ends before the planned one."""


class RunState(Enum):
    """State of a run; the value is the displayed text."""

    IDLE = "Ready"
    PREPARING = "Preparing..."
    RUNNING = "Training"
    PAUSED = "Paused"
    STOPPING = "Stopping..."
    FINISHED = "Finished"
    FAILED = "Failed"

    @property
    def is_active(self) -> bool:
        """Whether a worker is running or paused."""
        return self not in (RunState.IDLE, RunState.FINISHED, RunState.FAILED)

    def allows(self, state: RunState) -> bool:
        """Whether a state may follow this one.

        A signal of the worker may arrive after Stop was pressed; it must not return the
        run to an earlier state.
        """
        if not self.is_active:
            return state is RunState.PREPARING
        if self is RunState.STOPPING:
            return state in (RunState.FINISHED, RunState.FAILED)
        return state not in (self, RunState.IDLE, RunState.PREPARING)


class Picture(QLabel):
    """Image as high as it is wide, within bounds; it keeps its aspect ratio."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._whole = QPixmap()
        self._largest = LARGEST_EDGE
        self.setMinimumWidth(EDGE)
        self.setFixedHeight(EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def show_values(self, rgb: NDArray[np.uint8]) -> None:
        """Show an RGB image, uint8 [rows, columns, 3]."""
        self._whole = QPixmap.fromImage(rgb_image(rgb))
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Fit the picture to the new width."""
        super().resizeEvent(event)
        self._set_height()
        self._fit()

    def set_room(self, room: int) -> None:
        """Be no higher than this, unless nothing would be seen then."""
        largest = LARGEST_EDGE if room < SMALLEST_EDGE else min(room, LARGEST_EDGE)
        if largest != self._largest:
            self._largest = largest
            self._set_height()
            self._fit()

    def _set_height(self) -> None:
        self.setFixedHeight(min(max(self.width(), EDGE), self._largest))

    def _fit(self) -> None:
        if self._whole.isNull():
            return
        self.setPixmap(
            self._whole.scaled(
                max(EDGE, self.width()),
                self.maximumHeight(),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.FastTransformation,
            )
        )


class PicturePair(QWidget):
    """Real and generated pictures side by side."""

    def __init__(self, name: str, real: str, generated: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._generated = generated
        # children
        self.real = Picture(f"real_{name}")
        self.generated = Picture(f"generated_{name}")
        self.generated_title = QLabel(generated)
        # layout
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.titles = QHBoxLayout(), QHBoxLayout()
        for column, title in enumerate((QLabel(real), self.generated_title)):
            self.titles[column].addWidget(title, 1)
            self.grid.addLayout(self.titles[column], 0, column)
            self.grid.setColumnStretch(column, 1)
        self.grid.setVerticalSpacing(2)
        self.grid.addWidget(self.real, 1, 0)
        self.grid.addWidget(self.generated, 1, 1)
        self.hide()

    def _show_step(self, step: int) -> None:
        self.generated_title.setText(f"{self._generated}, step {step:,}")


class SamplePair(PicturePair):
    """Real and generated samples."""

    def __init__(self) -> None:
        super().__init__("samples", "Real", "Generated")

    def set_real(self, samples: Sheet | Scatter | None) -> None:
        """Set the real samples; shown with the first generated ones."""
        self.hide()
        if samples is not None:
            self.real.show_values(_rgb(samples.thumbnail()))

    def set_generated(self, samples: Sheet | Scatter, step: int) -> None:
        """Show the newest preview."""
        self._show_step(step)
        self.generated.show_values(_rgb(samples.thumbnail()))
        self.show()


class SlicePair(PicturePair):
    """Real crop and generated slice of equal size."""

    def __init__(self) -> None:
        super().__init__("slices", "Real crop", "Generated")
        self._images: TrainingImages | None = None
        self._volume: Volume | None = None
        # children
        self.scale = QLabel("")
        axes = [f"Along {axis}" for axis in AXES]
        tip = "Direction in which both are seen."
        self.axis = choice_box("preview_axis", axes, tip)
        # layout
        self.axis.setMinimumContentsLength(5)
        self.titles[0].addWidget(self.axis)
        self.grid.addWidget(self.scale, 2, 0, 1, 2)
        # signals
        self.axis.currentIndexChanged.connect(lambda index: self._draw())

    def set_images(self, images: TrainingImages | None) -> None:
        """Set the real images and remove the slice of an earlier run."""
        self._images, self._volume = images, None
        self._draw()

    def set_volume(self, volume: Volume, step: int) -> None:
        """Show a slice of the newest preview."""
        self._volume = volume
        self._show_step(step)
        self._draw()

    def _draw(self) -> None:
        axis = AXES[self.axis.currentIndex()]
        images, volume = self._images, self._volume
        self.setVisible(images is not None and volume is not None)
        if images is None or volume is None:
            return
        planes = volume.planes(axis)
        generated = planes[len(planes) // 2]
        real = real_crop(images, axis, min(generated.shape[:2]))
        rows, columns = real.shape[:2]
        size_nm = images.pixel_size_nm
        length = f" = {columns * size_nm:g} nm" if size_nm else ""
        self.scale.setText(f"Width: {columns} pixels{length}")
        labels = images.labels if images.kind == "phases" else ()
        low, high = images.extremes
        for picture, values in (
            (self.real, real),
            (self.generated, generated[:rows, :columns]),
        ):
            shades = coloured(values, images.kind, labels, low, high, images.colours)
            picture.show_values(shades)


def real_crop(images: TrainingImages, axis: Axis, edge: int) -> NDArray[Any]:
    """A random crop, the same at every call, [<= edge, <= edge(, 3)]."""
    view = axis if axis in images.views else "z"
    planes = images.views[view][0].planes(view)
    rng = np.random.default_rng(CROP_SEED)
    plane = planes[rng.integers(len(planes))]
    row, column = (rng.integers(max(n - edge, 0) + 1) for n in plane.shape[:2])
    return np.asarray(plane[row : row + edge, column : column + edge])


def coloured(
    values: NDArray[Any],
    kind: Kind,
    labels: tuple[int, ...],
    low: float,
    high: float,
    known: Mapping[int, str],
) -> NDArray[np.uint8]:
    """Micrograph values as RGB, uint8 [rows, columns, 3]."""
    if kind == "phases":
        colours = phase_colours(labels, known)
        table = np.asarray([colours[label][:3] for label in labels])
        index = np.searchsorted(labels, values)
        return np.asarray(np.rint(255 * table[index]), np.uint8)
    return _rgb(display_gray(values, low, high))


def _rgb(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[rows, columns(, 3)] -> [rows, columns, 3]."""
    return picture if picture.ndim > 2 else np.repeat(picture[..., None], 3, axis=-1)


class RunView(QWidget):
    """Shows the reports of a run; hidden until there is one."""

    failed = Signal(str)
    """One sentence about a plot or picture that cannot be shown."""

    def __init__(self) -> None:
        super().__init__()
        self._state = RunState.IDLE
        self._reason: FinishReason | None = None
        self._report: StepReport | None = None
        self._activity = Activity()
        self._guard = FaultGuard(self)
        self._pace = Pace()
        # children
        self.bar = QProgressBar()
        self.bar.setObjectName("train_progress")
        self.bar.setRange(0, BAR_STEPS)
        self.facts = QLabel("")
        self.facts.setObjectName("train_facts")
        self.facts.setWordWrap(True)
        self.pair = SlicePair()
        self.samples = SamplePair()
        self._show_preview: Callable[[Any, int], None] = self.pair.set_volume
        self.curves = Curves()
        self._timer = QTimer(self)
        self._timer.setInterval(REFRESH_MS)
        self._laid_out = QTimer(self)
        self._laid_out.setSingleShot(True)
        self._laid_out.setInterval(LAYOUT_MS)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        above = (self.bar, self.facts, self.curves.verdict, self.pair, self.samples)
        for child in above:
            layout.addWidget(child)
        layout.addWidget(self.curves, 1)
        self.hide()
        # signals
        self._timer.timeout.connect(self._refresh)
        self._laid_out.timeout.connect(self._make_room)
        self._guard.failed.connect(self.failed)
        self.curves.guard.failed.connect(self.failed)

    def show_run(self, run: PreparedRun) -> None:
        """Prepare for a run, before its first step."""
        self._guard.reset()
        self.curves.guard.reset()
        trainer = run.trainer
        real = trainer.task.real_preview
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
        """Take new reports; timers draw them."""
        self._report = reports[-1]
        with self._guard("The curves"):
            self.curves.add(reports)
        seen = [report for report in reports if report.preview is not None]
        if seen:
            with self._guard("The preview"):
                self._show_preview(seen[-1].preview, seen[-1].step)

    def show_state(self, state: RunState, reason: FinishReason | None = None) -> None:
        """Follow the state of the run; a finished one has a reason."""
        self._state, self._reason = state, reason
        self.curves.is_over = not state.is_active
        if state is RunState.PREPARING:
            self._report = None
            self.facts.clear()
            self.setVisible(True)
            self._timer.start()
        if not state.is_active:
            self._timer.stop()
            self._activity.close()
            self.curves.redraw()
            # After the buttons and the message of the end have been laid out.
            self._laid_out.start()
        self._show_progress()

    def _refresh(self) -> None:
        """Draw what is new, unless it is hidden; then update napari's activity dock."""
        if self.isVisible() and self._pace.is_due:
            with self._pace.drawing():
                self._show_news()
                self._make_room()
                # At once and together, as part of what was measured.
                self.repaint()
        fraction = 0.0 if self._report is None else self._report.progress
        # Last: it lets napari process events.
        with self._guard("The progress in napari's dock"):
            self._activity.show(fraction, f"SliceGAN: {self._state.value}")

    def _show_news(self) -> None:
        self._show_progress()
        self.curves.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Show what was reported while this was hidden."""
        super().showEvent(event)
        self._show_news()

    def _make_room(self) -> None:
        """Make the pictures small enough that the plots are in sight."""
        area = parent_of(self, QScrollArea)
        content = None if area is None else area.widget()
        if area is not None and content is not None:
            hidden = content.height() - area.viewport().height()
            for pair in (self.pair, self.samples):
                for picture in (pair.real, pair.generated):
                    picture.set_room(picture.height() - hidden + self.curves.spare)

    def _show_progress(self) -> None:
        report, state = self._report, self._state
        is_busy = report is None and state is RunState.PREPARING
        # An empty range makes a busy bar.
        self.bar.setRange(0, 0 if is_busy else BAR_STEPS)
        if report is None:
            self.bar.setValue(0)
            self.bar.setFormat(state.value)
            return
        is_whole = state is RunState.FINISHED and self._reason not in ENDED
        self.bar.setValue(round(BAR_STEPS * (1 if is_whole else report.progress)))
        self.bar.setFormat(_progress_text(report, state, self._reason))
        self.facts.setText(_facts(report))


def _progress_text(
    report: StepReport, state: RunState, reason: FinishReason | None
) -> str:
    percent, name = f"{100 * report.progress:.0f} %", str(state.value)
    if state is RunState.RUNNING:
        return f"{name}  {percent}, {clock_time(report.remaining_s)} left"
    if state is RunState.FINISHED and reason not in ENDED:
        # The last step ends shortly before or after the time limit.
        return name
    return f"{name if reason is None else ENDED[reason]} at {percent}"


def _facts(report: StepReport) -> str:
    speed = report.steps_per_s
    pace = f"{speed:.2g} steps/s"
    if 0 < speed < 0.1:
        pace = f"{1 / speed:.2g} s per step"
    return (
        f"Step {report.step:,}, {clock_time(report.elapsed_s)} of training, {pace}, "
        f"{report.memory_bytes / 1e9:.1f} GB of memory"
    )
