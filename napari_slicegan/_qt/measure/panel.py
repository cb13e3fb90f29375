"""Fifth panel: a generated layer measured against a real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan._qt.measure import job as measure_job
from napari_slicegan._qt.measure.job import MeasureRequest
from napari_slicegan._qt.measure.table import MeasureTable
from napari_slicegan._qt.viewer import layer_inputs
from napari_slicegan._qt.viewer.canvas_view import MADE_HERE
from napari_slicegan._qt.viewer.layer_picture import is_volume_layer
from napari_slicegan._qt.widgets.buttons import button
from napari_slicegan._qt.widgets.messages import MessageLine
from napari_slicegan._qt.widgets.task_row import TaskRow

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.reporting.proof import Proof

FILES = "Page with verdicts, HTML (*.html);;Numbers, CSV (*.csv)"


class MeasurePanel(QWidget):
    """Chooses two layers, measures them, shows verdicts and saves them."""

    measured = Signal(object)
    """The `Proof`."""
    failed = Signal(str)

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("measure_panel")
        # The viewer itself: napari hands out proxies, whose layers never compare equal.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._request: MeasureRequest | None = None
        self._proof: Proof | None = None
        # children
        self.real = QComboBox()
        self.real.setObjectName("real_layer")
        self.real.setToolTip("Image, phases or volume of the real material.")
        self.generated = QComboBox()
        self.generated.setObjectName("generated_layer")
        self.generated.setToolTip("3-D layer that is measured.")
        self.measure_button = button(
            "measure", "Measure", "Compare them, beside the window."
        )
        self.export_button = button(
            "export_measured", "Export...", "As a page with verdicts, or as numbers."
        )
        self.message = MessageLine("measure_message")
        self.task = TaskRow()
        self.table = MeasureTable()
        # layout
        self._lay_out()
        # signals
        self.measure_button.clicked.connect(lambda checked: self.measure())
        self.export_button.clicked.connect(lambda checked: self._browse_export())
        self.task.failed.connect(self._fail)
        self.task.cancelled.connect(lambda: self.message.show_text("Cancelled."))
        self.task.state_changed.connect(self._show_state)
        layer_inputs.follow_list(self._viewer, self._list_layers)
        self._list_layers()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Real", self.real)
        form.addRow("Generated", self.generated)
        buttons = QHBoxLayout()
        buttons.addWidget(self.measure_button)
        buttons.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addLayout(buttons)
        for part in (self.task, self.message, self.table):
            layout.addWidget(part)
        layout.addStretch(1)

    def value(self) -> tuple[str, str]:
        """Names of the real and of the generated layer; empty where there is none."""
        return self.real.currentText(), self.generated.currentText()

    def set_value(self, names: tuple[str, str]) -> None:
        """Choose the layers."""
        for choice, name in zip((self.real, self.generated), names, strict=True):
            choice.setCurrentText(name)

    def measure(self) -> None:
        """Compare the chosen layers in the background."""
        self.message.clear()
        real, generated = (self._layer(name) for name in self.value())
        if real is None or generated is None or real is generated:
            self._fail(
                "Expected a layer of the real material and another, 3-D one to "
                "measure; open or generate them first."
            )
            return
        request = MeasureRequest(
            layer_inputs.source_of(real), layer_inputs.source_of(generated)
        )

        def done(proof: Proof) -> None:
            self._take(request, proof)

        self.task.run("Measuring", done, measure_job.measure, request)

    def export(self, path: Path) -> None:
        """Write what was found, as ``.html`` or ``.csv``."""
        if self._proof is None or self._request is None:
            return
        try:
            measure_job.export(self._proof, self._request, path)
        except (ValueError, OSError) as error:
            self._fail(sentence_of(error))
            return
        self.message.show_text(f"Wrote {path}.")

    def end_work(self) -> list[SteeredWorker]:
        """Ask the work to end, let go of the viewer; those that are still at it."""
        layer_inputs.unfollow_list(self._viewer, self._list_layers)
        return self.task.end_work()

    def _take(self, request: MeasureRequest, proof: Proof) -> None:
        # Together: what is exported names the layers that were measured.
        self._request, self._proof = request, proof
        judged = proof.verdict
        self.message.show_text(f"{judged.headline}: {judged.bound}.")
        self.table.set_proof(proof)
        self._show_state()
        self.measured.emit(proof)

    def _fail(self, sentence: str) -> None:
        self.message.show_error(sentence)
        self.failed.emit(sentence)

    def _browse_export(self) -> None:
        path, chosen = QFileDialog.getSaveFileName(self, "Export", "", FILES)
        if path:
            ending = ".csv" if "csv" in chosen else ".html"
            self.export(Path(path) if Path(path).suffix else Path(path + ending))

    def _layer(self, name: str) -> Layer | None:
        return self._viewer.layers[name] if name in self._viewer.layers else None

    def _list_layers(self, event: Any = None) -> None:
        """Follow the layer list."""
        layers = [
            layer
            for layer in self._viewer.layers
            if layer_inputs.is_image(layer) and MADE_HERE not in layer.metadata
        ]
        volumes = [layer for layer in layers if is_volume_layer(layer)]
        for choice, listed in ((self.real, layers), (self.generated, volumes[::-1])):
            chosen, names = choice.currentText(), [layer.name for layer in listed]
            choice.clear()
            choice.addItems(names)
            if chosen in names:
                choice.setCurrentText(chosen)
        self._show_state()

    def _show_state(self) -> None:
        real, generated = self.value()
        ready = bool(real and generated) and not self.task.is_busy
        self.measure_button.setEnabled(ready)
        self.export_button.setEnabled(self._proof is not None)
