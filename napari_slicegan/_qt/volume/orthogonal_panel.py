"""Orthogonal slices of any 3-D layer, in the canvas and as 2-D views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFormLayout,
    QGroupBox,
    QScrollArea,
    QVBoxLayout,
)
from superqt.utils import signals_blocked

from napari_slicegan._qt.viewer.canvas_view import CanvasView, Solo
from napari_slicegan._qt.viewer.layer_choice import LayerChoice
from napari_slicegan._qt.viewer.layer_picture import (
    LayerPicture,
    Reading,
    ReadValues,
    is_volume_layer,
    picture_of,
    read,
)
from napari_slicegan._qt.viewer.layers import unwrapped
from napari_slicegan._qt.volume.slice_views import SliceViews
from napari_slicegan._qt.widgets.basics import (
    MessageLine,
    button,
    choice_box,
    parent_of,
    row,
    set_row_visible,
)
from napari_slicegan._qt.widgets.progress import TaskRow

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer
    from qtpy.QtGui import QMoveEvent

    from napari_slicegan._qt.worker import SteeredWorker

SLICES, SURFACE, WHOLE = "Slices", "Surface", "Full volume"


class OrthogonalPanel(QGroupBox):
    """Shows a layer as slices, as a surface or whole."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__("Orthogonal slices")
        self.setObjectName("orthogonal_slices")
        self._viewer = unwrapped(viewer)
        self._layer: Layer | None = None
        self._picture: LayerPicture | None = None
        self._canvas: CanvasView | None = None
        # To be read when the worker that reads another layer has ended.
        self._next: Layer | None = None
        self._solo = Solo(self._viewer)
        # Where the panel around this one was scrolled to.
        self._scrolled_to: int | None = None
        # children
        self.layer_choice = LayerChoice(
            self._viewer,
            "orthogonal_layer",
            "Any 3-D Image or Labels layer of the viewer.",
            is_volume_layer,
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
        self._form = QFormLayout()
        self._form.addRow("Layer", self.layer_choice)
        self._form.addRow("Phase", self.phase)
        layout = QVBoxLayout(self)
        layout.addLayout(self._form)
        layout.addLayout(row(self.mode, self.show_button, self.hide_button))
        for part in (self.message, self.task, self.views):
            layout.addWidget(part)
        # signals
        self.show_button.clicked.connect(lambda checked: self.show_slices())
        self.hide_button.clicked.connect(lambda checked: self.remove_slices())
        self.mode.currentTextChanged.connect(lambda text: self._apply_mode())
        self.phase.currentIndexChanged.connect(lambda index: self._apply_mode())
        self.views.value_changed.connect(self._move)
        self.task.failed.connect(self.message.show_error)
        self.task.state_changed.connect(self._read_next)
        self.layer_choice.currentIndexChanged.connect(self._show_state)
        self._viewer.layers.events.removed.connect(self._layer_removed)
        self._show_state()

    def show_slices(self, layer: Layer | None = None) -> None:
        """Show slices of a layer, by default the chosen one.

        A large layer is read in a worker thread first.
        """
        layer = layer if layer is not None else self.layer_choice.value()
        self.message.clear()
        if layer is None:
            self.message.show_error(
                "Expected a 3-D layer; generate a volume or open one first."
            )
            return
        # Unwrap napari's proxy.
        layer = getattr(layer, "__wrapped__", layer)
        if layer is self._layer:
            self._remove_canvas_view()
        self._read(layer)

    def _read(self, layer: Layer) -> None:
        """Read a layer in place of an earlier one, if large in a worker thread."""
        self._cancel_reading()
        reading = Reading.of(layer)
        if not reading.is_long:
            self._take(layer, reading, read(reading))
        elif self.task.is_busy:
            self._next = layer
        else:
            self.task.run(
                f"Reading {layer.name}",
                lambda made: self._take(layer, reading, made),
                lambda progress: read(reading),
            )

    def _read_next(self) -> None:
        if self._next is not None and not self.task.is_busy:
            self._read(self._next)

    def _cancel_reading(self) -> None:
        self._next = None
        self.task.cancel()

    def _take(self, layer: Layer, reading: Reading, made: ReadValues) -> None:
        """Show the values that were read, or read those that the layer has by now."""
        if not any(other is layer for other in self._viewer.layers):
            return
        if Reading.of(layer).data is not reading.data:
            self._read(layer)
        elif layer is self._layer:
            self._update_picture(layer, picture_of(layer, made))
        else:
            self._show(layer, picture_of(layer, made))

    def _show(self, layer: Layer, picture: LayerPicture) -> None:
        self._remove_canvas_view()
        self._layer, self._picture = layer, picture
        self._canvas = CanvasView(
            self._viewer, layer, self._picture, self.views.set_value
        )
        self._solo.begin(layer)
        layer.events.data.connect(self._update)
        self.layer_choice.set_value(layer)
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
        if self._layer is not None:
            self._read(self._layer)

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
        parent = parent_of(self, QScrollArea)
        if parent is not None and self._canvas is not None:
            parent.ensureWidgetVisible(self.views)
            self._scrolled_to = parent.verticalScrollBar().value()

    def moveEvent(self, event: QMoveEvent) -> None:
        """Keep the views in sight when something above grows, until a user scrolls."""
        super().moveEvent(event)
        area = parent_of(self, QScrollArea)
        if area is not None and area.verticalScrollBar().value() == self._scrolled_to:
            # After the layout.
            QTimer.singleShot(0, self._scroll_to_views)

    def end_work(self) -> list[SteeredWorker]:
        """Release the viewer; the layers stay. Return the workers that still run."""
        self._cancel_reading()
        self.layer_choice.release()
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        if self._layer is not None:
            self._layer.events.data.disconnect(self._update)
            self._layer = None
        if self._canvas is not None:
            self._canvas.release()
            self._canvas = None
        return self.task.end_work()

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
        with signals_blocked(self.phase):
            self.phase.clear()
            for label in labels:
                self.phase.addItem(f"Phase {label}", label)
            # The first phase is usually the matrix.
            self.phase.setCurrentIndex(len(labels) - 1)

    def _move(self, position: tuple[int, int, int]) -> None:
        if self._canvas is not None:
            self._canvas.move(position)

    def _layer_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self.remove_slices()

    def _show_state(self) -> None:
        shown = self._canvas is not None
        self.show_button.setEnabled(self.layer_choice.count() > 0)
        self.hide_button.setEnabled(shown)
        self.mode.setEnabled(shown)
        self._show_phase_row()

    def _show_phase_row(self) -> None:
        has_phases = self.phase.count() > 0
        is_shown = self.mode.currentText() == SURFACE and has_phases
        set_row_visible(self._form, self.phase, is_shown)
