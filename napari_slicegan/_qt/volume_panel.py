"""Third panel: generate volumes from a trained run, look at them, save them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.qt.threading import create_worker
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt import layers
from napari_slicegan._qt.generation_form import GenerationForm, GenerationRequest
from napari_slicegan._qt.generation_job import generate_volume
from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan._qt.messages import MessageLine
from napari_slicegan._qt.orthogonal_panel import OrthogonalPanel
from napari_slicegan._qt.worker import GenerationWorker

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from qtpy.QtGui import QDragEnterEvent, QDropEvent

    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.volume import Volume

FILES = "OME-TIFF (*.tif);;NumPy array (*.npy);;VTK ImageData for ParaView (*.vti)"
WHOLE = 1000


class VolumePanel(QWidget):
    """From a trained generator to a volume of any size."""

    volume_made = Signal(object)
    failed = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("volume_panel")
        self.setAcceptDrops(True)
        self._viewer = viewer
        self._trained: TrainedGenerator | None = None
        self._volume: Volume | None = None
        self._worker: GenerationWorker | None = None
        # children
        self.facts = QLabel("No generator loaded.")
        self.facts.setObjectName("generator_facts")
        self.facts.setWordWrap(True)
        self.open_run = _button("open_run", "Open run...", "Folder of a training run.")
        self.open_file = _button(
            "open_generator", "Open generator...", "A generator.safetensors file."
        )
        self.form = GenerationForm()
        self.generate_button = _button(
            "generate", "Generate", "Make the volume and show it as a layer."
        )
        self.cancel_button = _button("cancel", "Cancel", "Stop after this piece.")
        self.progress = QProgressBar()
        self.progress.setObjectName("generation_progress")
        self.progress.setRange(0, WHOLE)
        self.save_button = _button(
            "save_volume", "Save volume...", "As TIFF, NPY or VTK ImageData."
        )
        self.message = MessageLine("volume_message")
        self.orthogonal = OrthogonalPanel(viewer)
        # layout
        self._lay_out()
        # signals
        self.open_run.clicked.connect(lambda checked: self._browse_run())
        self.open_file.clicked.connect(lambda checked: self._browse_file())
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
        """Load the generator of a run folder, or of its own file."""
        from napari_slicegan.trained_generator import load_generator

        self.message.clear()
        try:
            trained = load_generator(path)
        except (ValueError, OSError) as error:
            self._fail(sentence_of(error))
            return
        self.set_trained(trained, str(path))

    def set_trained(self, trained: TrainedGenerator, origin: str = "") -> None:
        """Generate with this from now on."""
        self._trained = trained
        size = trained.voxel_size_nm
        known = "not known" if size is None else f"{size:g} nm"
        self.facts.setText(
            f"Trained on {trained.name}: {trained.transform.kind}, voxel size {known}."
        )
        self.facts.setToolTip(origin)
        self.form.set_generator(size, trained.network.size_rule.scale)
        self._show_state()

    def generate(self) -> None:
        """Generate in the background; the volume becomes a layer."""
        if self._worker is not None:
            return
        self.message.clear()
        if self._trained is None:
            self._fail("Expected a generator; train one, or open a run first.")
            return
        request = self.value()
        worker: GenerationWorker = create_worker(
            generate_volume,
            self._trained,
            request,
            _worker_class=GenerationWorker,
            _start_thread=False,
            _ignore_errors=True,
        )
        worker.yielded.connect(self._show_share)
        worker.returned.connect(lambda volume: self._show(volume, request))
        worker.errored.connect(lambda error: self._fail(str(error)))
        worker.aborted.connect(lambda: self.message.show_text("Cancelled."))
        worker.finished.connect(self._finish)
        self._worker = worker
        self.progress.setValue(0)
        self._show_state()
        worker.start()

    def cancel(self) -> None:
        """End the generation after the piece it is at."""
        if self._worker is not None:
            self.cancel_button.setEnabled(False)
            self._worker.quit()

    def close_generation(self, timeout_s: float) -> bool:
        """End the generation and wait for its thread; whether it ended."""
        worker = self._worker
        if worker is None:
            return True
        worker.quit()
        return bool(worker.wait(timeout_s))

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
        opening = QHBoxLayout()
        opening.addWidget(self.open_run)
        opening.addWidget(self.open_file)
        source = QGroupBox("Generator")
        column = QVBoxLayout(source)
        column.addWidget(self.facts)
        column.addLayout(opening)
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
        layout.addWidget(source)
        layout.addWidget(volume)
        layout.addWidget(self.orthogonal)
        layout.addStretch(1)

    def _show_share(self, share: float) -> None:
        self.progress.setValue(round(share * WHOLE))

    def _show(self, volume: Volume | None, request: GenerationRequest) -> None:
        # A worker that was told to end returns nothing.
        if volume is None:
            return
        self._volume = volume
        size = " x ".join(map(str, request.size))
        name = f"Volume {size}, seed {request.seed}"
        layer = layers.add_volume(self._viewer, volume, name)
        self.orthogonal.show_slices(layer)
        self.volume_made.emit(volume)

    def _finish(self) -> None:
        self._worker = None
        self._show_state()

    def _fail(self, sentence: str) -> None:
        self.message.show_error(sentence)
        self.failed.emit(sentence)

    def _show_state(self) -> None:
        running = self._worker is not None
        self.generate_button.setEnabled(self._trained is not None and not running)
        self.cancel_button.setEnabled(running)
        self.progress.setVisible(running)
        self.save_button.setEnabled(self._volume is not None)

    def _browse_run(self) -> None:
        path = QFileDialog.getExistingDirectory(self, "Open a run folder")
        if path:
            self.set_run(path)

    def _browse_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a generator", filter="Generator (*.safetensors)"
        )
        if path:
            self.set_run(path)

    def _browse_save(self) -> None:
        path, chosen = QFileDialog.getSaveFileName(
            self, "Save the volume", filter=FILES
        )
        if path:
            ending = "" if Path(path).suffix else chosen[-5:-1]
            self.save(path + ending)


def _button(name: str, text: str, tip: str) -> QPushButton:
    button: Any = QPushButton(text)
    button.setObjectName(name)
    button.setToolTip(tip)
    return button  # type: ignore[no-any-return]
