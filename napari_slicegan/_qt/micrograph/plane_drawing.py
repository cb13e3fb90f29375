"""A small drawing that says which plane of the material an image shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

    from napari_slicegan.config import Axis

EDGE = 60
PLANE = QColor(66, 148, 255, 150)
ROWS_AND_COLUMNS: dict[Axis, tuple[str, str]] = {
    "z": ("y", "x"),
    "y": ("z", "x"),
    "x": ("z", "y"),
}
# Where the unit steps along z, y and x go on paper, from the corner nearest to the
# viewer's upper left: z into the paper, y down, x to the right.
STEPS = {"z": QPointF(0.36, -0.3), "y": QPointF(0, 0.62), "x": QPointF(0.56, 0)}
CORNER = QPointF(0.05, 0.34)
MIDDLE = 0.5


class PlaneDrawing(QWidget):
    """Cube with the plane seen along an axis; of an isotropic material all three."""

    def __init__(self, axis: Axis | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.axis: Axis | None = axis
        self.setFixedSize(EDGE, EDGE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Square."""
        return QSize(EDGE, EDGE)

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
                    ends = [_point({along: t, first: a, second: b}) for t in (0.0, 1.0)]
                    painter.drawLine(*ends)
        painter.setBrush(PLANE)
        if self.axis is None:
            painter.drawPolygon(_plane("z", 0.0))
        else:
            painter.drawPolygon(_plane(self.axis, MIDDLE))
            self._write_directions(painter, self.axis)
        painter.end()

    def _write_directions(self, painter: QPainter, axis: Axis) -> None:
        """Letters at the edges of the plane."""
        font = painter.font()
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        rows, columns = ROWS_AND_COLUMNS[axis]
        for along, across in ((rows, columns), (columns, rows)):
            at = _point({axis: MIDDLE, along: 0.64, across: 0.14})
            painter.drawText(at - QPointF(3, -4), along)


def _point(place: dict[str, float]) -> QPointF:
    """Where a point of the unit cube is on paper, in pixels."""
    point = CORNER
    for axis, share in place.items():
        point = point + STEPS[axis] * share
    return point * EDGE


def _plane(axis: str, share: float) -> QPolygonF:
    first, second = (other for other in STEPS if other != axis)
    corners = ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0))
    return QPolygonF([_point({axis: share, first: a, second: b}) for a, b in corners])
