"""Small plot that fits beside a slider and follows the theme."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph
from numpy.typing import ArrayLike
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QFont, QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_slicegan._qt.widgets.basics import FOREGROUND, LOOKS, is_dark

USUAL_POINTS = 9
"""Font size that sizes in pixels are given for."""
# The left axis has room for "0.3192".
AXIS_WIDTH, TITLE_WIDTH, TICKS_HEIGHT = 46, 18, 18
# Pyqtgraph places the title of the lower axis this far below its plot.
TITLE_BELOW = 6
BAND_OPACITY = 60
LINES = Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine
# Readable on dark and light backgrounds and with colour vision deficiency.
MEASURED, TARGET, MARKER = "#2fae7b", "#e0893a", "#4c9be8"


def label_points(label: QLabel) -> int:
    """Font size of napari's settings; its labels are a point larger."""
    label.ensurePolished()
    return max(1, label.fontInfo().pointSize() - 1)


def set_axes_look(
    item: pyqtgraph.PlotItem, colour: str, points: int, width: int
) -> None:
    """Set colour and font size of the axes, and the width of the left one.

    Parameters
    ----------
    width
        In pixels at the usual font size.
    """
    font = QFont()
    font.setPointSize(points)
    for side in ("left", "bottom"):
        axis = item.getAxis(side)
        axis.setPen(pyqtgraph.mkPen(colour, width=0.7))
        axis.setTextPen(colour)
        axis.setTickFont(font)
        # The title of the axis.
        axis.label.setFont(font)
        axis.setStyle(
            autoExpandTextSpace=False,
            tickTextHeight=TICKS_HEIGHT * points // USUAL_POINTS,
        )
    item.getAxis("left").setWidth(width * points // USUAL_POINTS)


def told_apart(numbers: Sequence[float]) -> list[str]:
    """Shortest texts, of at least two digits, within a tenth of the numbers' range.

    Digits below a thousandth of it are left out: a long text is not drawn.
    """
    if 0 < (span := max(numbers) - min(numbers)) < math.inf:
        # The zero has no sign.
        numbers = [round(n, 2 - math.floor(math.log10(span))) + 0.0 for n in numbers]
    for digits in range(2, 7):
        shown = [float(f"{number:.{digits}g}") for number in numbers]
        if all(abs(n - s) <= span / 10 for n, s in zip(numbers, shown, strict=True)):
            break
    return [np.format_float_positional(number, trim="-") for number in shown]


class SmallPlot(pyqtgraph.PlotWidget):  # type: ignore[misc]
    """Curves of a few points, and a vertical marker.

    Parameters
    ----------
    size
        Width and height in pixels, at the usual font size.
    bottom
        Title of the horizontal axis.
    with_axes
        Label all ticks; otherwise only the ends of both axes.
    """

    def __init__(
        self, size: tuple[int, int], bottom: str = "", *, with_axes: bool = False
    ) -> None:
        super().__init__()
        self._bottom = bottom
        self._usual_size = QSize(*size)
        self._points = USUAL_POINTS
        self._axis_width = AXIS_WIDTH
        # Never shown: napari gives its font to labels, not to plots.
        self._label = QLabel(self)
        self._label.hide()
        policy = QSizePolicy.Policy.Expanding if with_axes else QSizePolicy.Policy.Fixed
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # Mouse events pass through to the enclosing scroll area.
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        item = self.getPlotItem()
        item.setMouseEnabled(False, False)
        item.setMenuEnabled(False)
        item.hideButtons()
        self._with_axes = with_axes
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setStyle(
                tickTextOffset=2, tickLength=-3, hideOverlappingLabels=with_axes
            )
            # Numbers as they are, not in thousandths.
            axis.enableAutoSIPrefix(False)
        item.getViewBox().setDefaultPadding(0.08)
        if with_axes:
            item.layout.setContentsMargins(0, 0, 0, TITLE_BELOW)
            item.setLabel("bottom", bottom)
        self._marker = pyqtgraph.InfiniteLine(
            0, angle=90, pen=pyqtgraph.mkPen(MARKER, width=1.5)
        )
        self._marker.setVisible(False)
        item.addItem(self._marker, ignoreBounds=True)
        self._follow_theme()

    def sizeHint(self) -> QSize:
        """The size given at construction, in proportion to the font."""
        return self._usual_size * (self._points / USUAL_POINTS)

    def set_titles(self, bottom: str, left: str = "") -> None:
        """Set the titles of the axes."""
        item = self.getPlotItem()
        item.setLabel("bottom", bottom)
        item.setLabel("left", left)
        self._axis_width = AXIS_WIDTH + (TITLE_WIDTH if left else 0)
        self._follow_theme()

    def clear_points(self) -> None:
        """Remove all curves and bands."""
        item = self.getPlotItem()
        for drawn in [*item.items]:
            if drawn is not self._marker:
                item.removeItem(drawn)

    def add_points(
        self,
        x: ArrayLike,
        y: ArrayLike,
        colour: str,
        *,
        dots: bool = True,
        dashed: bool = False,
    ) -> None:
        """Add a curve."""
        self.getPlotItem().plot(
            np.asarray(x),
            np.asarray(y),
            pen=pyqtgraph.mkPen(colour, width=1.5, style=LINES[dashed]),
            symbol="o" if dots else None,
            symbolSize=4,
            symbolBrush=colour,
            symbolPen=None,
            antialias=True,
        )
        if self._with_axes:
            return
        for side, numbers in (("bottom", np.asarray(x)), ("left", np.asarray(y))):
            if not np.isfinite(numbers).all():
                continue
            ends = sorted({float(numbers.min()), float(numbers.max())})
            ticks = list(zip(ends, told_apart(ends), strict=True))
            if side == "bottom":
                # Between the numbers: a line of its own would take half the plot.
                ticks.append((float(np.mean(ends)), self._bottom))
            self.getPlotItem().getAxis(side).setTicks([ticks])

    def add_band(self, y: Sequence[float], half_width: float, colour: str) -> None:
        """Add a band around a curve over its indices."""
        edges = [
            pyqtgraph.PlotDataItem(range(len(y)), [value + shift for value in y])
            for shift in (-half_width, half_width)
        ]
        brush = pyqtgraph.mkColor(colour)
        brush.setAlpha(BAND_OPACITY)
        self.getPlotItem().addItem(pyqtgraph.FillBetweenItem(*edges, brush=brush))

    def mark(self, x: float, measured: tuple[float, float]) -> None:
        """Move the marker; beyond what is measured it is dotted, at the edge."""
        inside = min(max(x, measured[0]), measured[1])
        style = Qt.PenStyle.SolidLine if x == inside else Qt.PenStyle.DotLine
        colour = MARKER if x == inside else TARGET
        self._marker.setPen(pyqtgraph.mkPen(colour, width=1.5, style=style))
        self._marker.setVisible(True)
        self._marker.setValue(inside)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the viewer's theme and font size."""
        super().changeEvent(event)
        if event.type() in LOOKS:
            self._follow_theme()

    def _follow_theme(self) -> None:
        if not hasattr(self, "_marker"):
            return
        self.setBackground(self.palette().color(QPalette.ColorRole.Window))
        self._points = label_points(self._label)
        self.setFixedHeight(self.sizeHint().height())
        set_axes_look(
            self.getPlotItem(),
            FOREGROUND[0 if is_dark(self) else 1],
            self._points,
            self._axis_width,
        )
