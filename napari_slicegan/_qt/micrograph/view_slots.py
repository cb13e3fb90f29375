"""Slots for the images of each viewing direction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_slicegan._qt.viewer.layer_picture import PLANE_AXES
from napari_slicegan._qt.widgets.basics import DropTarget, LinkLabel, button
from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.image_files import ENDINGS

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_slicegan._qt.micrograph.image_source import Sources
    from napari_slicegan.data.image_files import SourceImage

EMPTY = "Drop an image here."
SAMPLE, MODEL = "sample", "model"
EMPTY_ISOTROPIC = (
    f"Drop an image here, try <a href='{SAMPLE}'>a sample</a>, or "
    f"<a href='{MODEL}'>generate from a ready model</a>."
)
FILTER = f"Images ({' '.join(f'*{ending}' for ending in ENDINGS)});;All files (*)"
NAMED_AXIS = re.compile(r"[-_ ]([zyx])$", re.IGNORECASE)
# Edge of a drawing, in lines of text.
EDGE_LINES = 3.5
PLANE = QColor(66, 148, 255, 150)
# Unit vectors of z, y and x in the drawing, from the upper left front corner:
# z into the screen, y down, x to the right.
STEPS = {"z": QPointF(0.36, -0.3), "y": QPointF(0, 0.62), "x": QPointF(0.56, 0)}
CORNER = QPointF(0.05, 0.34)
MIDDLE = 0.5
# Size of the letters, of that of text.
LETTERS = 0.85


class PlaneDrawing(QWidget):
    """Cube with the plane seen along an axis; the front face if isotropic."""

    def __init__(self, axis: Axis | None = None) -> None:
        super().__init__()
        self.axis: Axis | None = axis
        # Never shown: napari gives its font to labels only.
        self._label = QLabel(self)
        self._label.hide()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Square, as high as a few lines of text."""
        self._label.ensurePolished()
        edge = round(EDGE_LINES * self._label.fontMetrics().height())
        return QSize(edge, edge)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the font."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the cube's edges, then the plane."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().color(QPalette.ColorRole.WindowText)
        painter.setPen(QPen(ink, 1))
        for along in STEPS:
            first, second = (axis for axis in STEPS if axis != along)
            for a in (0.0, 1.0):
                for b in (0.0, 1.0):
                    ends = ({along: t, first: a, second: b} for t in (0.0, 1.0))
                    painter.drawLine(*map(self._point, ends))
        painter.setBrush(PLANE)
        if self.axis is None:
            painter.drawPolygon(self._plane("z", 0.0))
        else:
            painter.drawPolygon(self._plane(self.axis, MIDDLE))
            self._write_directions(painter, self.axis)
        painter.end()

    def _write_directions(self, painter: QPainter, axis: Axis) -> None:
        """Letters at the edges of the plane."""
        font = self._label.font()
        font.setPointSizeF(LETTERS * self._label.fontInfo().pointSizeF())
        font.setBold(True)
        painter.setFont(font)
        rows, columns = PLANE_AXES[axis]
        for along, across in ((rows, columns), (columns, rows)):
            at = self._point({axis: MIDDLE, along: 0.6, across: 0.17})
            place = QRectF(0, 0, self.width() / 2, self.height() / 2)
            place.moveCenter(at)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, along)

    def _point(self, place: dict[str, float]) -> QPointF:
        """Project a point of the unit cube to pixels."""
        point = CORNER
        for axis, share in place.items():
            point = point + STEPS[axis] * share
        return point * self.width()

    def _plane(self, axis: str, share: float) -> QPolygonF:
        first, second = (other for other in STEPS if other != axis)
        corners = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
        return QPolygonF(
            [self._point({axis: share, first: a, second: b}) for a, b in corners]
        )


class ViewSlot(DropTarget, QFrame):
    """Images seen along one axis, or those of an isotropic material.

    Parameters
    ----------
    axis
        None for an isotropic material.
    """

    layer_requested = Signal()
    """Use the selected layers."""
    files_requested = Signal(list)
    """Read these paths."""
    cleared = Signal()
    link_activated = Signal(str)
    """`SAMPLE` or `MODEL`."""

    def __init__(self, axis: Axis | None) -> None:
        super().__init__()
        self.axis = axis
        name = axis or "any"
        self.setObjectName(f"slot_{name}")
        self.setAcceptDrops(True)
        # children
        self._drawing = PlaneDrawing(axis)
        self._title = QLabel(_title(axis))
        self._content = LinkLabel()
        self._content.setObjectName(f"content_{name}")
        self.layer_button = button(
            f"from_layer_{name}",
            "From layer",
            "Use the selected Image or Labels layers.",
        )
        self.browse_button = button(
            f"browse_{name}", "Browse...", "Choose image files, or drop them here."
        )
        self.clear_button = button(f"clear_{name}", "Clear")
        # layout
        layout = QGridLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setVerticalSpacing(2)
        layout.addWidget(self._drawing, 0, 0, 3, 1)
        layout.addWidget(self._title, 0, 1, 1, 3)
        layout.addWidget(self._content, 1, 1, 1, 3)
        buttons = (self.layer_button, self.browse_button, self.clear_button)
        for column, each in enumerate(buttons, start=1):
            layout.addWidget(each, 2, column)
            layout.setColumnStretch(column, 1)
        # signals
        self._content.linkActivated.connect(self.link_activated)
        self.layer_button.clicked.connect(lambda: self.layer_requested.emit())
        self.browse_button.clicked.connect(self._browse)
        self.clear_button.clicked.connect(lambda: self.cleared.emit())
        self.show_sources(())

    def show_sources(self, sources: Sequence[SourceImage]) -> None:
        """List the images of this slot."""
        self._list(f"{source.name}: {source.size} pixels" for source in sources)

    def show_reading(self, names: Sequence[str]) -> None:
        """List the files that are being read."""
        self._list(f"Reading {name} ..." for name in names)

    def _list(self, lines: Iterable[str]) -> None:
        text = "\n".join(lines)
        if text or self.axis:
            self._content.set_plain(text or EMPTY)
        else:
            self._content.set_links(EMPTY_ISOTROPIC)
        self.clear_button.setEnabled(bool(text))

    def take_files(self, paths: list[Path]) -> None:
        """Request that the files are read."""
        self.files_requested.emit(paths)

    def _browse(self) -> None:
        files, _ = QFileDialog.getOpenFileNames(self, "Choose images", "", FILTER)
        if files:
            self.files_requested.emit([Path(file) for file in files])


class ViewSlots(QWidget):
    """One slot or three, with their images."""

    layer_requested = Signal(str)
    """Axis of the slot that uses the selected layers."""
    files_requested = Signal(str, list)
    link_activated = Signal(str)
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._sources: dict[Axis, tuple[SourceImage, ...]] = {}
        self._reading: dict[Axis, tuple[str, ...]] = {}
        self._anisotropic = False
        # children
        self.single = ViewSlot(None)
        self.views = {axis: ViewSlot(axis) for axis in AXES}
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for slot in (self.single, *self.views.values()):
            layout.addWidget(slot)
        self._show()
        # signals
        self.single.link_activated.connect(self.link_activated)
        for axis, slot in (("z", self.single), *self.views.items()):
            slot.layer_requested.connect(
                lambda axis=axis: self.layer_requested.emit(axis)
            )
            slot.files_requested.connect(
                lambda files, axis=axis: self.files_requested.emit(axis, files)
            )
            slot.cleared.connect(lambda axis=axis: self.put(axis, ()))

    def value(self) -> Sources:
        """Images by viewing direction; only z if isotropic."""
        axes: Iterable[Axis] = AXES if self._anisotropic else ("z",)
        return {axis: self._sources.get(axis, ()) for axis in axes}

    def is_empty(self) -> bool:
        """Whether all slots are empty."""
        return not any(self.value().values())

    def is_complete(self) -> bool:
        """Whether each direction has an image; a volume covers all three."""
        given = [source for of_axis in self.value().values() for source in of_axis]
        volume = len(given) == 1 and given[0].is_volume
        return volume or all(self.value().values())

    def put(self, axis: Axis, sources: Iterable[SourceImage]) -> None:
        """Replace the images of a slot; files that are being read are forgotten."""
        self._reading.pop(axis, None)
        self._sources[axis] = tuple(sources)
        self._show()
        self.changed.emit()

    def begin_reading(self, axis: Axis, names: Iterable[str]) -> None:
        """Show that files are being read which will replace the images of a slot."""
        self._reading[axis] = tuple(names)
        self._show()

    def cancel_reading(self, axis: Axis) -> None:
        """Show the images of a slot again."""
        self._reading.pop(axis, None)
        self._show()

    def is_reading(self, axis: Axis | None = None) -> bool:
        """Whether files for a slot are being read; by default for any."""
        return axis in self._reading if axis else bool(self._reading)

    def set_anisotropic(self, anisotropic: bool) -> None:
        """Use three slots or one; the single image is the one seen along z."""
        self._anisotropic = anisotropic
        self._show()
        self.changed.emit()

    def set_has_layers(self, has_layers: bool) -> None:
        """Whether the viewer has an image to take."""
        for slot in (self.single, *self.views.values()):
            slot.layer_button.setEnabled(has_layers)

    def axis_for(self, name: str) -> Axis | None:
        """Slot for an image: by its name, else the first free one."""
        if not self._anisotropic:
            return None if self._is_taken("z") else "z"
        named = NAMED_AXIS.search(Path(name).stem)
        if named:
            axis: Axis = named.group(1).lower()  # type: ignore[assignment]
            return axis
        return next((axis for axis in AXES if not self._is_taken(axis)), None)

    def _is_taken(self, axis: Axis) -> bool:
        return bool(self._sources.get(axis)) or axis in self._reading

    def _show(self) -> None:
        self.single.setVisible(not self._anisotropic)
        for slot in self.views.values():
            slot.setVisible(self._anisotropic)
        for axis, slot in (("z", self.single), *self.views.items()):
            if axis in self._reading:
                slot.show_reading(self._reading[axis])
            else:
                slot.show_sources(self._sources.get(axis, ()))


def _title(axis: Axis | None) -> str:
    if axis is None:
        return "Image"
    rows, columns = PLANE_AXES[axis]
    return f"Seen along {axis}: rows {rows}, columns {columns}"
