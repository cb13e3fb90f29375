"""Three 2-D views of a volume with a crosshair; a click in one moves all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QSlider, QWidget
from superqt.utils import signals_blocked

from napari_slicegan._qt.viewer.layer_picture import PLANE_AXES
from napari_slicegan._qt.widgets.basics import FOCUS, rgb_image, swatch, values_of
from napari_slicegan.config import AXES, Axis

if TYPE_CHECKING:
    import numpy as np

    from napari_slicegan._qt.viewer.layer_picture import LayerPicture

Position = tuple[int, int, int]
# Rows and columns that a key moves.
STEPS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}

SMALLEST = 80
# Okabe and Ito's, as in the report.
AXIS_COLOURS: dict[Axis, str] = {"z": "#56B4E9", "y": "#E69F00", "x": "#00B98A"}


class SliceView(QWidget):
    """One plane of the volume, with the traces of the two others."""

    picked = Signal(int, int)

    def __init__(self, axis: Axis) -> None:
        super().__init__()
        self.setObjectName(f"slice_view_{axis}")
        self.axis = axis
        self._image = QImage()
        self._cross = (0, 0)
        self._edges = (1.0, 1.0)
        rows, columns = PLANE_AXES[axis]
        self.setToolTip(
            f"Seen along {axis}: {rows} downwards, {columns} to the right. Click or "
            "drag to move the planes, or use the arrow keys."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(SMALLEST, SMALLEST)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def set_plane(
        self, rgb: NDArray[np.uint8], edges: tuple[float, float], cross: tuple[int, int]
    ) -> None:
        """Show colours, ``[rows, columns, 3]``, of pixels with these edges."""
        self._image, self._edges, self._cross = rgb_image(rgb), edges, cross
        self.update()

    def sizeHint(self) -> QSize:
        """As high as wide."""
        return QSize(self.width(), self.width())

    def heightForWidth(self, width: int) -> int:
        """As high as wide."""
        return width

    def frame(self) -> QRectF:
        """Rectangle of the plane: as large as fits, with its aspect ratio."""
        high = max(self._image.height() * self._edges[0], 1e-12)
        wide = max(self._image.width() * self._edges[1], 1e-12)
        zoom = min(self.width() / wide, self.height() / high)
        size = (wide * zoom, high * zoom)
        return QRectF(
            (self.width() - size[0]) / 2, (self.height() - size[1]) / 2, *size
        )

    def point_of(self, row: int, column: int) -> QPointF:
        """Centre of a pixel, in the widget."""
        frame = self.frame()
        return QPointF(
            frame.left() + (column + 0.5) / self._image.width() * frame.width(),
            frame.top() + (row + 0.5) / self._image.height() * frame.height(),
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the plane, the lines and the frame."""
        if self._image.isNull():
            return
        painter = QPainter(self)
        frame = self.frame()
        painter.drawImage(frame, self._image)
        centre = self.point_of(*self._cross)
        rows, columns = PLANE_AXES[self.axis]
        painter.setPen(QPen(QColor(AXIS_COLOURS[rows]), 1.5))
        painter.drawLine(
            QPointF(frame.left(), centre.y()), QPointF(frame.right(), centre.y())
        )
        painter.setPen(QPen(QColor(AXIS_COLOURS[columns]), 1.5))
        painter.drawLine(
            QPointF(centre.x(), frame.top()), QPointF(centre.x(), frame.bottom())
        )
        painter.setPen(QPen(QColor(AXIS_COLOURS[self.axis]), 2))
        painter.drawRect(frame.adjusted(1, 1, -1, -1))
        if self.hasFocus():
            painter.setPen(QPen(QColor(FOCUS), 2))
            painter.drawRect(frame.adjusted(3, 3, -3, -3))
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the two other planes by a voxel."""
        step = STEPS.get(Qt.Key(event.key()))
        if step is None or self._image.isNull():
            super().keyPressEvent(event)
            return
        row, column = (at + d for at, d in zip(self._cross, step, strict=True))
        self._pick_pixel(row, column)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Move the two other planes here."""
        self._pick(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Follow the mouse while its button is down."""
        self._pick(event)

    def _pick(self, event: QMouseEvent | None) -> None:
        if event is None or self._image.isNull():
            return
        frame, point = self.frame(), event.position()
        row = int((point.y() - frame.top()) / frame.height() * self._image.height())
        column = int((point.x() - frame.left()) / frame.width() * self._image.width())
        self._pick_pixel(row, column)

    def _pick_pixel(self, row: int, column: int) -> None:
        self.picked.emit(
            min(max(row, 0), self._image.height() - 1),
            min(max(column, 0), self._image.width() - 1),
        )


class SliceViews(QWidget):
    """Three views and three sliders that share one position (z, y, x)."""

    value_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("slice_views")
        self._picture: LayerPicture | None = None
        # children
        self.views = {axis: SliceView(axis) for axis in AXES}
        self.sliders = {axis: QSlider(Qt.Orientation.Horizontal) for axis in AXES}
        self.places = {axis: QLabel() for axis in AXES}
        for axis, slider in self.sliders.items():
            slider.setObjectName(f"plane_{axis}")
            slider.setToolTip(f"Position of the plane seen along {axis}.")
        # layout
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(2)
        for column, axis in enumerate(AXES):
            layout.addWidget(_title(axis), 0, column)
            layout.addWidget(self.views[axis], 1, column)
            layout.addWidget(self.sliders[axis], 2, column)
            layout.addWidget(self.places[axis], 3, column)
            layout.setColumnStretch(column, 1)
        # signals
        for axis in AXES:
            self.sliders[axis].valueChanged.connect(self._slid)
            self.views[axis].picked.connect(
                lambda row, column, axis=axis: self._picked(axis, row, column)
            )
        self.set_picture(None)

    def value(self) -> Position:
        """Voxel in which the three planes meet."""
        return values_of(self.sliders)

    def set_value(self, position: Position) -> None:
        """Move the planes; positions are clipped to the volume."""
        before = self.value()
        for axis, place in zip(AXES, position, strict=True):
            with signals_blocked(self.sliders[axis]):
                self.sliders[axis].setValue(place)
        self._draw()
        if self.value() != before:
            self.value_changed.emit(self.value())

    def set_picture(self, picture: LayerPicture | None) -> None:
        """Show another volume at its middle; None hides the views."""
        self._picture = picture
        self.setVisible(picture is not None)
        if picture is None:
            return
        for axis, n in zip(AXES, picture.shape, strict=True):
            with signals_blocked(self.sliders[axis]):
                self.sliders[axis].setRange(0, n - 1)
                self.sliders[axis].setValue(n // 2)
        self._draw()

    def update_picture(self, picture: LayerPicture) -> None:
        """Show new values of a volume of the same shape."""
        self._picture = picture
        self._draw()

    def _slid(self) -> None:
        self._draw()
        self.value_changed.emit(self.value())

    def _picked(self, axis: Axis, row: int, column: int) -> None:
        place: dict[str, Any] = dict(zip(AXES, self.value(), strict=True))
        rows, columns = PLANE_AXES[axis]
        place[rows], place[columns] = row, column
        self.set_value((place["z"], place["y"], place["x"]))

    def _draw(self) -> None:
        picture = self._picture
        if picture is None:
            return
        place = dict(zip(AXES, self.value(), strict=True))
        edge = dict(zip(AXES, picture.edges, strict=True))
        last = dict(zip(AXES, picture.shape, strict=True))
        for axis, view in self.views.items():
            rows, columns = PLANE_AXES[axis]
            view.set_plane(
                picture.plane(axis, place[axis]),
                (edge[rows], edge[columns]),
                (place[rows], place[columns]),
            )
            length = _length(place[axis] * edge[axis], picture.unit)
            self.places[axis].setText(f"{place[axis]} of {last[axis] - 1}{length}")


def _title(axis: Axis) -> QLabel:
    """Viewing axis of a plane, with the directions of its rows and columns."""
    rows, columns = PLANE_AXES[axis]
    down, right = "\N{DOWNWARDS ARROW}", "\N{RIGHTWARDS ARROW}"
    return QLabel(
        f"{swatch(f'<b>along {axis}</b>', AXIS_COLOURS[axis])} "
        f"&nbsp;{rows}{down} {columns}{right}"
    )


def _length(length: float, unit: str) -> str:
    """Length in a readable unit; empty if the voxel size is not known."""
    if unit == "px":
        return ""
    if unit == "nm" and length >= 1e4:
        length, unit = length / 1e3, "\N{MICRO SIGN}m"
    return f" = {length:.5g} {unit}"
