"""Third panel: generate volumes from a trained run, look at them, save them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt import layers
from napari_slicegan._qt.buttons import button
from napari_slicegan._qt.generation_form import GenerationForm, GenerationRequest
from napari_slicegan._qt.generation_progress import GenerationProgress
from napari_slicegan._qt.generator_source import GeneratorSource
from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan._qt.messages import MessageLine
from napari_slicegan._qt.orthogonal_panel import OrthogonalPanel
from napari_slicegan._qt.worker import GenerationWorker, generation_worker

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_slicegan.volume import Volume

FILES = "OME-TIFF (*.tif);;NumPy array (*.npy);;VTK ImageData for ParaView (*.vti)"


class VolumePanel(QWidget):
    """From a trained generator to a volume of any size."""

    volume_made = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("volume_panel")
        self.setAcceptDrops(True)
        self._viewer = viewer
        self._volume: Volume | None = None
        self._request = GenerationRequest()
        self._worker: GenerationWorker | None = None
        # children
        self.source = GeneratorSource()
        self.form = GenerationForm()
        self.generate_button = button(
            "generate", "Generate", "Make the volume and show it as a layer."
        )
        self.cancel_button = button("cancel", "Cancel", "Stop after this piece.")
        self.progress = GenerationProgress()
        self.save_button = button(
            "save_volume", "Save volume...", "As TIFF, NPY or VTK ImageData."
        )
        self.message = MessageLine("volume_message")
        self.orthogonal = OrthogonalPanel(viewer)
        # layout
        self._lay_out()
        # signals
        self.source.changed.connect(self._generator_changed)
        self.source.failed.connect(self._fail)
        self.generate_button.clicked.connect(lambda checked: self.generate())
        self.cancel_button.clicked.connect(lambda checked: self.cancel())
        self.save_button.clicked.connect(lambda checked: self._browse_save())
        self._show_state()

    def value(self) -> GenerationRequest:
        """Volume that is asked for."""
        return self.form.value()

    def set_value(self, request: GenerationRequest) -> None:
        """Ask for a volume."""
        self.form.set_value(request)

    def set_run(self, path: str | Path) -> None:
        """Load the generator of a run folder, or of its own file, beside the window."""
        self.message.clear()
        self.source.load(path)

    def generate(self) -> None:
        """Generate in the background; the volume becomes a layer."""
        if self._worker is not None:
            return
        self.message.clear()
        trained = self.source.value()
        if self.source.is_loading:
            self._fail("The generator is still being loaded; try again in a moment.")
            return
        if trained is None:
            self._fail("Expected a generator; train one, or open a run first.")
            return
        self._request = self.value()
        worker = generation_worker(trained, self._request)
        worker.yielded.connect(self.progress.set_share)
        worker.returned.connect(self._show)
        worker.errored.connect(self._errored)
        worker.aborted.connect(self._aborted)
        worker.finished.connect(self._finish)
        self._worker = worker
        self.progress.begin()
        self._show_state()
        worker.start()

    def cancel(self) -> None:
        """End the generation after the piece it is at."""
        if self._worker is not None:
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def close_generation(self, timeout_s: float) -> bool:
        """End the work beside the window and wait for it; whether it ended."""
        ends = time.monotonic() + timeout_s
        ended = True
        if self._worker is not None:
            self._worker.quit()
            ended = self._worker.join(timeout_s)
        return self.source.close_work(max(0.0, ends - time.monotonic())) and ended

    def show_slices(self) -> None:
        """Show orthogonal slices of the chosen layer."""
        self.orthogonal.show_slices()

    def save(self, path: str | Path) -> None:
        """Write the last volume; the ending says how."""
        self.message.clear()
        if self._volume is None:
            self._fail("Expected a volume to save; generate one first.")
            return
        try:
            self._volume.save(path)
        except (ValueError, OSError) as error:
            self._fail(sentence_of(error))
            return
        self.message.show_text(f"Saved {path}")

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Take run folders and generators."""
        if event is not None and event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Load what was dropped."""
        if event is not None:
            event.acceptProposedAction()
            self.set_run(event.mimeData().urls()[0].toLocalFile())

    def _lay_out(self) -> None:
        running = QHBoxLayout()
        running.addWidget(self.generate_button)
        running.addWidget(self.cancel_button)
        volume = QGroupBox("Volume")
        column = QVBoxLayout(volume)
        column.addWidget(self.form)
        column.addLayout(running)
        column.addWidget(self.progress)
        column.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.message)
        layout.addWidget(self.source)
        layout.addWidget(volume)
        layout.addWidget(self.orthogonal)
        layout.addStretch(1)

    def _generator_changed(self) -> None:
        trained = self.source.value()
        if trained is not None:
            scale = trained.network.size_rule.scale
            self.form.set_generator(trained.voxel_size_nm, scale)
        self._show_state()

    def _show(self, volume: Volume) -> None:
        self._volume = volume
        size = " x ".join(map(str, self._request.size))
        name = f"Volume {size}, seed {self._request.seed}"
        layer = layers.add_volume(self._viewer, volume, name)
        self.orthogonal.show_slices(layer)
        self.volume_made.emit(volume)

    def _errored(self, fault: Exception) -> None:
        self._fail(str(fault))

    def _aborted(self) -> None:
        self.message.show_text("Cancelled.")

    def _finish(self) -> None:
        self._worker = None
        self.progress.end()
        self._show_state()

    def _fail(self, sentence: str) -> None:
        self.message.show_error(sentence)
        self.failed.emit(sentence)

    def _show_state(self) -> None:
        running = self._worker is not None
        ready = self.source.value() is not None and not self.source.is_loading
        self.generate_button.setEnabled(ready and not running)
        self.cancel_button.setEnabled(running)
        self.save_button.setEnabled(self._volume is not None)

    def _browse_save(self) -> None:
        path, chosen = QFileDialog.getSaveFileName(
            self, "Save the volume", filter=FILES
        )
        if path:
            ending = "" if Path(path).suffix else chosen[-5:-1]
            self.save(path + ending)
