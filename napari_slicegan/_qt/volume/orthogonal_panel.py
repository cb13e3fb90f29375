"""Orthogonal slices of any 3-D layer, in the canvas and as 2-D views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.viewer import layer_inputs
from napari_slicegan._qt.viewer.canvas_view import MADE_HERE, CanvasView, Solo
from napari_slicegan._qt.viewer.layer_picture import (
    LayerPicture,
    Reading,
    ReadValues,
    is_volume_layer,
    picture_of,
    read,
)
from napari_slicegan._qt.volume.slice_views import SliceViews
from napari_slicegan._qt.widgets.basics import (
    MessageLine,
    button,
    choice_box,
    set_row_visible,
)
from napari_slicegan._qt.widgets.progress import TaskRow

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.runtime.progress import Progress

SLICES, SURFACE, WHOLE = "Slices", "Surface", "Full volume"


class OrthogonalPanel(QGroupBox):
    """Shows a layer as slices, as a surface or whole."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Orthogonal slices", parent)
        self.setObjectName("orthogonal_slices")
        # Unwrapped: layers of napari's viewer proxy never compare equal.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._layer: Layer | None = None
        self._picture: LayerPicture | None = None
        self._canvas: CanvasView | None = None
        # Layers waiting to be read, and being read, in a worker thread.
        self._next: Layer | None = None
        self._being_read: Layer | None = None
        self._solo = Solo(self._viewer)
        # children
        self.layer_choice = choice_box(
            "orthogonal_layer", tip="Any 3-D Image or Labels layer of the viewer."
        )
        self.show_button = button(
            "show_slices", "Show slices", "Show slices along z, y and x."
        )
        self.hide_button = button("remove_slices", "Remove slices")
        self.mode = choice_box(
            "volume_mode", (SLICES, SURFACE, WHOLE), "Display mode of the 3-D canvas."
        )
        self.phase = choice_box("surface_phase", tip="Phase whose surface is shown.")
        self.views = SliceViews()
        self.message = MessageLine("orthogonal_message")
        self.task = TaskRow()
        # layout
        self._build_layout()
        # signals
        self.show_button.clicked.connect(lambda checked: self.show_slices())
        self.hide_button.clicked.connect(lambda checked: self.remove_slices())
        self.mode.currentTextChanged.connect(lambda text: self._apply_mode())
        self.phase.currentIndexChanged.connect(lambda index: self._apply_mode())
        self.views.value_changed.connect(self._move)
        self.task.failed.connect(self.message.show_error)
        self.task.state_changed.connect(self._read_next)
        layer_inputs.follow_list(self._viewer, self._list_layers)
        self._list_layers()
        self._show_state()

    def _build_layout(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.show_button)
        buttons.addWidget(self.hide_button)
        self._form = QFormLayout()
        self._form.addRow("Layer", self.layer_choice)
        self._form.addRow("Show", self.mode)
        self._form.addRow("Phase", self.phase)
        layout = QVBoxLayout(self)
        layout.addLayout(self._form)
        layout.addLayout(buttons)
        layout.addWidget(self.message)
        layout.addWidget(self.task)
        layout.addWidget(self.views)

    def show_slices(self, layer: Layer | None = None) -> None:
        """Show slices of a layer, by default the chosen one.

        A large layer is read in a worker thread first.
        """
        layer = layer if layer is not None else self._chosen()
        self.message.clear()
        if layer is None:
            self.message.show_error(
                "Expected a 3-D layer; generate a volume or open one first."
            )
            return
        # Unwrap napari's proxy.
        layer = getattr(layer, "__wrapped__", layer)
        reading = Reading.of(layer)
        if reading.is_long:
            self._read_in_thread(layer)
        else:
            self._cancel_reading()
            self._show(layer, picture_of(layer, read(reading)))

    def _read_in_thread(self, layer: Layer) -> None:
        """Read a layer in a worker thread; cancels an earlier request."""
        self._next = layer
        self.task.cancel()
        self._read_next()

    def _read_next(self) -> None:
        layer = self._next
        if layer is None or self.task.is_busy:
            return
        self._next, self._being_read = None, layer
        reading = Reading.of(layer)
        self.task.run(
            f"Reading {layer.name}",
            lambda made: self._show_read(layer, reading, made),
            _read_in_worker,
            reading,
        )

    def _cancel_reading(self) -> None:
        self._next = self._being_read = None
        self.task.cancel()

    def _show_read(self, layer: Layer, reading: Reading, made: ReadValues) -> None:
        """Show the values that were read, unless the request is outdated."""
        if layer is not self._being_read or not any(
            other is layer for other in self._viewer.layers
        ):
            return
        if Reading.of(layer).data is not reading.data:
            self._read_in_thread(layer)
            return
        self._being_read = None
        picture = picture_of(layer, made)
        if layer is self._layer:
            self._update_picture(layer, picture)
        else:
            self._show(layer, picture)

    def _show(self, layer: Layer, picture: LayerPicture) -> None:
        self._remove_canvas_view()
        self._layer, self._picture = layer, picture
        self._canvas = CanvasView(
            self._viewer, layer, self._picture, self.views.set_value
        )
        self._solo.begin(layer)
        layer.events.data.connect(self._update)
        self._list_layers()
        self.layer_choice.setCurrentText(layer.name)
        self._fill_phases()
        self.views.set_picture(self._picture)
        self._canvas.move(self.views.value())
        self._apply_mode()
        self._show_state()

    def remove_slices(self) -> None:
        """Remove the slices and restore the viewer."""
        self._cancel_reading()
        self._remove_canvas_view()
        self._solo.end()
        self.views.set_picture(None)
        self._show_state()

    def _remove_canvas_view(self) -> None:
        canvas, self._canvas = self._canvas, None
        if self._layer is not None:
            self._layer.events.data.disconnect(self._update)
        self._layer = self._picture = None
        if canvas is not None:
            canvas.remove()

    def _update(self, event: Any = None) -> None:
        """Show new values of the layer, such as those of a preview."""
        layer = self._layer
        if layer is None:
            return
        reading = Reading.of(layer)
        if reading.is_long:
            self._read_in_thread(layer)
        else:
            self._update_picture(layer, picture_of(layer, read(reading)))

    def _update_picture(self, layer: Layer, picture: LayerPicture) -> None:
        canvas, before = self._canvas, self._picture
        if canvas is None or before is None:
            return
        if (picture.shape, picture.labels) != (before.shape, before.labels):
            self._show(layer, picture)
            return
        self._picture = picture
        canvas.update(picture)
        self.views.update_picture(picture)
        if self.mode.currentText() == SURFACE:
            self._apply_mode()

    def _scroll_to_views(self) -> None:
        """Scroll to the views if the panel is in a scroll area."""
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        if parent is not None and self._canvas is not None:
            parent.ensureWidgetVisible(self.views)

    def end_work(self) -> list[SteeredWorker]:
        """Cancel reading; return the workers that are still running."""
        self._cancel_reading()
        return self.task.end_work()

    def release(self) -> None:
        """Disconnect from the viewer; the layers stay."""
        layer_inputs.unfollow_list(self._viewer, self._list_layers)
        if self._layer is not None:
            self._layer.events.data.disconnect(self._update)

    def _apply_mode(self) -> None:
        canvas, mode = self._canvas, self.mode.currentText()
        self._show_phase_row()
        if canvas is None:
            return
        if mode == SLICES:
            canvas.show_planes()
        elif mode == SURFACE:
            canvas.show_surface(self.phase.currentData())
        else:
            canvas.show_whole()
        # After the views have been laid out.
        QTimer.singleShot(0, self._scroll_to_views)

    def _fill_phases(self) -> None:
        labels = self._picture.labels if self._picture is not None else ()
        self.phase.blockSignals(True)
        self.phase.clear()
        for label in labels:
            self.phase.addItem(f"Phase {label}", label)
        # The first phase is usually the matrix.
        self.phase.setCurrentIndex(len(labels) - 1)
        self.phase.blockSignals(False)

    def _move(self, position: tuple[int, int, int]) -> None:
        if self._canvas is not None:
            self._canvas.move(position)

    def _chosen(self) -> Layer | None:
        name = self.layer_choice.currentText()
        return self._viewer.layers[name] if name in self._viewer.layers else None

    def _list_layers(self, event: Any = None) -> None:
        """Follow the layer list; remove the slices of a deleted layer."""
        layers = [*self._viewer.layers]
        canvas = self._canvas
        if canvas is not None and not any(x is self._layer for x in layers):
            self.remove_slices()
            return
        names = [
            layer.name
            for layer in layers
            if is_volume_layer(layer) and MADE_HERE not in layer.metadata
        ]
        chosen = self.layer_choice.currentText()
        self.layer_choice.clear()
        self.layer_choice.addItems(names)
        if chosen in names:
            self.layer_choice.setCurrentText(chosen)
        self.show_button.setEnabled(bool(names))

    def _show_state(self) -> None:
        shown = self._canvas is not None
        self.hide_button.setEnabled(shown)
        self.mode.setEnabled(shown)
        self._show_phase_row()

    def _show_phase_row(self) -> None:
        has_phases = self.phase.count() > 0
        is_shown = self.mode.currentText() == SURFACE and has_phases
        set_row_visible(self._form, self.phase, is_shown)


def _read_in_worker(reading: Reading, progress: Progress) -> ReadValues:
    """Read in the thread of a worker; reports no progress."""
    return read(reading)
