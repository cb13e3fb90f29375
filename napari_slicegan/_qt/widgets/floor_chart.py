"""Bar chart of judged measures in multiples of their noise floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPalette, QPen
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_slicegan._qt.widgets.small_plot import MARKER, MEASURED, TARGET

if TYPE_CHECKING:
    from qtpy.QtGui import QMouseEvent, QPaintEvent

    from napari_slicegan.metrics.judgement import Grade

COLOURS = {"agrees": MEASURED, "close": MARKER, "differs": TARGET}
# Longer bars are cut off; their numbers are not.
SHORTEST_RANGE, LONGEST_RANGE = 2.0, 10.0
NAMES_SHARE, NUMBERS_SHARE = 0.65, 0.1
GAP = 4


def shown_floors(floors: float) -> str:
    """A distance in noise floors, as in reports but for a typeset sign."""
    from napari_slicegan.report.text import in_floors

    return in_floors(floors).replace("<=", "\N{LESS-THAN OR EQUAL TO}")


class Bar(Protocol):
    """A measure, judged or not."""

    @property
    def title(self) -> str:
        """With or without a unit in brackets."""

    @property
    def floors(self) -> float | None:
        """Distance in noise floors; None without a floor."""

    @property
    def grade(self) -> Grade:
        """Verdict."""


class FloorChart(QWidget):
    """Draws the largest distance of each measure, the largest first.

    A line marks one noise floor: shorter bars are indistinguishable from the material.

    Parameters
    ----------
    tip
        Tooltip.
    """

    clicked = Signal(int)
    """Place of the metric in the list given to `set_metrics`."""

    def __init__(self, tip: str = "") -> None:
        super().__init__()
        self.setObjectName("floor_chart")
        self._bars: list[tuple[int, str, float, str]] = []
        # Never shown: napari gives its font to labels only.
        self._label = QLabel(self)
        self._label.hide()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(tip)

    def set_metrics(
        self, metrics: Sequence[Bar], colours: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Show those that are judged.

        Parameters
        ----------
        colours
            Of the measures, by their titles; by default those of the verdicts.
        """
        judged = [
            (number, one.title, one.floors, colours.get(one.title, COLOURS[one.grade]))
            for number, one in enumerate(metrics)
            if one.floors is not None and one.grade in COLOURS
        ]
        self._bars = sorted(judged, key=lambda bar: -bar[2])
        self.setVisible(bool(self._bars))
        self.updateGeometry()
        self.update()

    def largest(self) -> int | None:
        """Place of the metric with the largest distance; None if none is judged."""
        return self._bars[0][0] if self._bars else None

    def colours(self) -> list[str]:
        """Colours of the bars, from the top."""
        return [colour for *_, colour in self._bars]

    def value(self) -> list[tuple[str, float]]:
        """Titles and distances in noise floors, from the top."""
        return [(title, floors) for _, title, floors, _ in self._bars]

    def shown_names(self) -> list[str]:
        """Titles without units, cut in the middle if longer than their share."""
        self._label.ensurePolished()
        metrics, widest = self._label.fontMetrics(), int(NAMES_SHARE * self.width())
        return [
            # They differ at both ends.
            metrics.elidedText(
                title.partition(" (")[0], Qt.TextElideMode.ElideMiddle, widest
            )
            for _, title, *_ in self._bars
        ]

    def sizeHint(self) -> QSize:
        """A line for each bar, and one for the label of the noise floor."""
        return QSize(200, self._line() * (len(self._bars) + 1))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Report the bar under the pointer."""
        if event is None:
            return
        number = event.pos().y() // self._line() - 1
        if 0 <= number < len(self._bars):
            self.clicked.emit(self._bars[number][0])

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw names, bars and numbers."""
        painter = QPainter(self)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        line, width = self._line(), self.width()
        painter.setFont(self._label.font())
        metrics = painter.fontMetrics()
        names = self.shown_names()
        left = max(map(metrics.horizontalAdvance, names), default=0) + 2 * GAP
        room = width - left - int(NUMBERS_SHARE * width)
        longest = max([SHORTEST_RANGE, *(floors for _, _, floors, _ in self._bars)])
        per_floor = room / min(longest, LONGEST_RANGE)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        one = left + int(per_floor)
        painter.setPen(QPen(text, 1, Qt.PenStyle.DashLine))
        painter.drawLine(one, line - GAP, one, self.height())
        painter.setPen(text)
        painter.drawText(
            QRect(0, 0, width, line),
            Qt.AlignmentFlag.AlignRight,
            "Distance in noise floors (dashed: 1)",
        )
        for number, (_, _, floors, colour) in enumerate(self._bars, start=1):
            top = number * line
            place = QRect(0, top, left - GAP, line)
            painter.drawText(place, right, names[number - 1])
            length = max(1, int(per_floor * min(floors, LONGEST_RANGE)))
            painter.fillRect(left, top + GAP // 2, length, line - GAP, QColor(colour))
            # The line of one noise floor does not cross the number.
            value = shown_floors(floors)
            place = QRect(left + length + GAP, top, width, line)
            place.setWidth(int(metrics.boundingRect(value).width()) + GAP)
            painter.fillRect(place, self.palette().color(QPalette.ColorRole.Window))
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, value)
        painter.end()

    def _line(self) -> int:
        self._label.ensurePolished()
        return int(self._label.fontMetrics().height()) + GAP
