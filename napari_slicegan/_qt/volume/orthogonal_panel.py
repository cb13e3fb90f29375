"""Orthogonal slices of any 3-D layer: in the canvas and as flat views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QComboBox,
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
from napari_slicegan._qt.widgets.basics import MessageLine, button
from napari_slicegan._qt.widgets.progress import TaskRow

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_slicegan._qt.worker import SteeredWorker
    from napari_slicegan.runtime.progress import Progress

SLICES, SURFACE, WHOLE = "Slices", "Surface", "Full volume"


class OrthogonalPanel(QGroupBox):
    """Chooses a layer and what is shown of it."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__("Orthogonal slices", parent)
        self.setObjectName("orthogonal_slices")
        # The viewer itself: napari hands out proxies, whose layers never compare equal.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._layer: Layer | None = None
        self._picture: LayerPicture | None = None
        self._canvas: CanvasView | None = None
        # A layer that is to be read, or is being read, beside the window.
        self._next: Layer | None = None
        self._being_read: Layer | None = None
        self._solo = Solo(self._viewer)
        # children
        self.layer_choice = QComboBox()
        self.layer_choice.setObjectName("orthogonal_layer")
        self.layer_choice.setToolTip("Any 3-D Image or Labels layer of the viewer.")
        self.show_button = button(
            "show_slices", "Show slices", "Cut the volume along z, y and x."
        )
        self.hide_button = button("remove_slices", "Remove slices")
        self.mode = QComboBox()
        self.mode.setObjectName("volume_mode")
        self.mode.addItems([SLICES, SURFACE, WHOLE])
        self.mode.setToolTip("What the 3-D canvas shows.")
        self.phase = QComboBox()
        self.phase.setObjectName("surface_phase")
        self.phase.setToolTip("Phase whose surface is shown.")
        self.views = SliceViews()
        self.message = MessageLine("orthogonal_message")
        self.task = TaskRow()
        # layout
        self._lay_out()
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

    def _lay_out(self) -> None:
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
        """Show the planes of a layer, by default of the one that is chosen.

        A large one is read beside the window first.
        """
        layer = layer if layer is not None else self._chosen()
        self.message.clear()
        if layer is None:
            self.message.show_error(
                "Expected a 3-D layer; generate a volume or open one first."
            )
            return
        # Of a proxy the layer itself.
        layer = getattr(layer, "__wrapped__", layer)
        reading = Reading.of(layer)
        if reading.is_long:
            self._read_beside(layer)
        else:
            self._give_up_reading()
            self._show(layer, picture_of(layer, read(reading)))

    def _read_beside(self, layer: Layer) -> None:
        """Read a layer in a worker; what was asked for before is given up."""
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
            lambda made: self._take(layer, reading, made),
            _read_in_worker,
            reading,
        )

    def _give_up_reading(self) -> None:
        self._next = self._being_read = None
        self.task.cancel()

    def _take(self, layer: Layer, reading: Reading, made: ReadValues) -> None:
        """Show what was read, unless it is not wanted or not there any more."""
        if layer is not self._being_read or not any(
            other is layer for other in self._viewer.layers
        ):
            return
        if Reading.of(layer).data is not reading.data:
            self._read_beside(layer)
            return
        self._being_read = None
        picture = picture_of(layer, made)
        if layer is self._layer:
            self._renew_with(layer, picture)
        else:
            self._show(layer, picture)

    def _show(self, layer: Layer, picture: LayerPicture) -> None:
        self._take_away()
        self._layer, self._picture = layer, picture
        self._canvas = CanvasView(
            self._viewer, layer, self._picture, self.views.set_value
        )
        self._solo.begin(layer)
        layer.events.data.connect(self._renew)
        self._list_layers()
        self.layer_choice.setCurrentText(layer.name)
        self._fill_phases()
        self.views.set_picture(self._picture)
        self._canvas.move(self.views.value())
        self._apply_mode()
        self._show_state()

    def remove_slices(self) -> None:
        """Take the planes away; the viewer is as it was before them."""
        self._give_up_reading()
        self._take_away()
        self._solo.end()
        self.views.set_picture(None)
        self._show_state()

    def _take_away(self) -> None:
        canvas, self._canvas = self._canvas, None
        if self._layer is not None:
            self._layer.events.data.disconnect(self._renew)
        self._layer = self._picture = None
        if canvas is not None:
            canvas.remove()

    def _renew(self, event: Any = None) -> None:
        """The layer has got other values, as that of a run's preview does."""
        layer = self._layer
        if layer is None:
            return
        reading = Reading.of(layer)
        if reading.is_long:
            self._read_beside(layer)
        else:
            self._renew_with(layer, picture_of(layer, read(reading)))

    def _renew_with(self, layer: Layer, picture: LayerPicture) -> None:
        canvas, before = self._canvas, self._picture
        if canvas is None or before is None:
            return
        if (picture.shape, picture.labels) != (before.shape, before.labels):
            self._show(layer, picture)
            return
        self._picture = picture
        canvas.renew(picture)
        self.views.renew_picture(picture)
        if self.mode.currentText() == SURFACE:
            self._apply_mode()

    def _scroll_here(self) -> None:
        """Bring the views into sight, where the panel is in a scroll area."""
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        if parent is not None and self._canvas is not None:
            parent.ensureWidgetVisible(self.views)

    def end_work(self) -> list[SteeredWorker]:
        """Ask the reading beside the window to end; those that are still at it."""
        self._give_up_reading()
        return self.task.end_work()

    def release(self) -> None:
        """Let go of the viewer; what is shown stays."""
        layer_inputs.unfollow_list(self._viewer, self._list_layers)
        if self._layer is not None:
            self._layer.events.data.disconnect(self._renew)

    def _apply_mode(self) -> None:
        canvas, mode = self._canvas, self.mode.currentText()
        self._form.setRowVisible(self.phase, mode == SURFACE and self.phase.count() > 0)
        if canvas is None:
            return
        if mode == SLICES:
            canvas.show_planes()
        elif mode == SURFACE:
            canvas.show_surface(self.phase.currentData())
        else:
            canvas.show_whole()
        # When the views have got their place.
        QTimer.singleShot(0, self._scroll_here)

    def _fill_phases(self) -> None:
        labels = self._picture.labels if self._picture is not None else ()
        self.phase.blockSignals(True)
        self.phase.clear()
        for label in labels:
            self.phase.addItem(f"Phase {label}", label)
        # The first phase is most often the matrix around the others.
        self.phase.setCurrentIndex(len(labels) - 1)
        self.phase.blockSignals(False)

    def _move(self, position: tuple[int, int, int]) -> None:
        if self._canvas is not None:
            self._canvas.move(position)

    def _chosen(self) -> Layer | None:
        name = self.layer_choice.currentText()
        return self._viewer.layers[name] if name in self._viewer.layers else None

    def _list_layers(self, event: Any = None) -> None:
        """Follow the layer list; slices of a layer that is gone go too."""
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
        self._form.setRowVisible(
            self.phase,
            self.mode.currentText() == SURFACE and self.phase.count() > 0,
        )


def _read_in_worker(reading: Reading, progress: Progress) -> ReadValues:
    """Read in the thread of a worker; reports no progress."""
    return read(reading)
