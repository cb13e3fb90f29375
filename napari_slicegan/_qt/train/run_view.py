"""A run as it is watched: progress, pictures, curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.train.curves import Curves
from napari_slicegan._qt.train.run_state import RunState
from napari_slicegan._qt.viewer.colours import phase_colours
from napari_slicegan._qt.widgets.basics import FaultGuard
from napari_slicegan._qt.widgets.progress import Activity
from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.data.pixel_values import display_gray

if TYPE_CHECKING:
    from napari_slicegan._qt.jobs import PreparedRun
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.generation.samples import Sheet
    from napari_slicegan.systems.point_task import Scatter
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.volumes.volume import Volume

REAL, GENERATED = "Real", "Generated"


class SamplePair(QWidget):
    """Two pictures of equal size: real samples, and generated ones."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sample_pair")
        # children
        self.real = Picture("real_samples")
        self.generated = Picture("generated_samples")
        self.generated_title = QLabel(GENERATED)
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(QLabel(REAL), 0, 0)
        grid.addWidget(self.generated_title, 0, 1)
        grid.addWidget(self.real, 1, 0)
        grid.addWidget(self.generated, 1, 1)
        self.setVisible(False)

    def set_real(self, samples: Sheet | Scatter | None) -> None:
        """Show these as soon as there are generated ones; none for other runs."""
        self.setVisible(False)
        if samples is not None:
            self.real.show_values(_rgb(samples.thumbnail()))

    def set_generated(self, samples: Sheet | Scatter, step: int) -> None:
        """Show the newest preview."""
        self.generated_title.setText(f"{GENERATED}, step {step}")
        self.generated.show_values(_rgb(samples.thumbnail()))
        self.setVisible(True)


def _rgb(picture: NDArray[np.uint8]) -> NDArray[Any]:
    """[rows, columns(, 3)] -> [rows, columns, 3]."""
    return picture if picture.ndim > 2 else np.repeat(picture[..., None], 3, axis=-1)


# Larger ones would push the curves out of a window of 800 pixels.
EDGE = 112
CROP_SEED = 0


class SlicePair(QWidget):
    """Two pictures of equal size: the material, and what the generator makes of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("slice_pair")
        self._images: TrainingImages | None = None
        self._volume: Volume | None = None
        # children
        self.real = Picture("real_crop")
        self.generated = Picture("generated_slice")
        self.real_title = QLabel("Real crop")
        self.generated_title = QLabel("Generated slice")
        self.scale = QLabel("")
        self.axis = QComboBox()
        self.axis.setObjectName("preview_axis")
        self.axis.addItems([f"seen along {axis}" for axis in AXES])
        # layout
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.real_title, 0, 0)
        grid.addWidget(self.generated_title, 0, 1)
        grid.addWidget(self.real, 1, 0)
        grid.addWidget(self.generated, 1, 1)
        grid.addWidget(self.scale, 2, 0)
        grid.addWidget(self.axis, 2, 1)
        # signals
        self.axis.currentIndexChanged.connect(lambda index: self._show())

    def set_images(self, images: TrainingImages | None) -> None:
        """Show crops of these; the generated slice of another run goes away."""
        self._images, self._volume = images, None
        self._show()

    def set_volume(self, volume: Volume, step: int) -> None:
        """Show a slice of the newest preview."""
        self._volume = volume
        self.generated_title.setText(f"Generated slice, step {step}")
        self._show()

    def _show(self) -> None:
        axis = AXES[self.axis.currentIndex()]
        images, volume = self._images, self._volume
        self.setVisible(images is not None and volume is not None)
        if images is None or volume is None:
            return
        planes = volume.planes(axis)
        generated = planes[len(planes) // 2]
        real = real_crop(images, axis, min(generated.shape[:2]))
        rows, columns = real.shape[:2]
        pixel = (
            f" = {columns * images.pixel_size_nm:g} nm" if images.pixel_size_nm else ""
        )
        self.scale.setText(f"{columns} px{pixel}")
        kind, labels = images.kind, images.labels if images.kind == "phases" else ()
        low, high = _range(images)
        self.real.show_values(coloured(real, kind, labels, low, high))
        shown = generated[:rows, :columns]
        self.generated.show_values(coloured(shown, kind, labels, low, high))


class Picture(QLabel):
    """An image that fills its height and keeps its shape."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._whole = QPixmap()
        self.setMinimumWidth(EDGE)
        self.setFixedHeight(EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def show_values(self, rgb: NDArray[np.uint8]) -> None:
        """Show colours, uint8 [rows, columns, 3]."""
        rows, columns = rgb.shape[:2]
        data = np.ascontiguousarray(rgb)
        image = QImage(
            data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888
        )
        # The copy owns its pixels; the array does not outlive this call.
        self._whole = QPixmap.fromImage(image.copy())
        self._fit()

    def resizeEvent(self, event: Any) -> None:
        """Fit the picture to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._whole.isNull():
            return
        self.setPixmap(
            self._whole.scaled(
                max(EDGE, self.width()),
                EDGE,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.FastTransformation,
            )
        )


def real_crop(images: TrainingImages, axis: Axis, edge: int) -> NDArray[Any]:
    """The same random crop of the material at every call, [<= edge, <= edge(, 3)]."""
    view = axis if axis in images.views else "z"
    planes = images.views[view][0].planes(view)
    rng = np.random.default_rng(CROP_SEED)
    plane = planes[rng.integers(len(planes))]
    row, column = (rng.integers(max(n - edge, 0) + 1) for n in plane.shape[:2])
    return np.asarray(plane[row : row + edge, column : column + edge])


def coloured(
    values: NDArray[Any], kind: Kind, labels: tuple[int, ...], low: float, high: float
) -> NDArray[np.uint8]:
    """Colours of micrograph values, uint8 [rows, columns, 3]."""
    if kind == "phases":
        colours = phase_colours(labels)
        table = np.asarray([colours[label][:3] for label in labels])
        index = np.searchsorted(labels, values)
        return np.asarray(np.rint(255 * table[index]), np.uint8)
    gray = display_gray(values, low, high)
    return gray if kind == "colour" else np.repeat(gray[..., None], 3, axis=-1)


def _range(images: TrainingImages) -> tuple[float, float]:
    """Darkest and brightest value of the material."""
    values = [
        (float(image.values.min()), float(image.values.max())) for image in images
    ]
    return min(low for low, _ in values), max(high for _, high in values)


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
