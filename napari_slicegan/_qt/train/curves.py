"""Curves of a run and the series behind them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_slicegan._qt.run_series import RunSeries, Series, verdict_of
from napari_slicegan._qt.widgets.basics import FOREGROUND, FaultGuard, is_dark
from napari_slicegan._qt.widgets.small_plot import (
    LINES,
    LOOKS,
    USUAL_POINTS,
    label_points,
    set_axes_look,
    told_apart,
)

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.training.monitors import MonitoredCurve

REDRAW_MS = 1000
# At the usual font size; higher where there is room.
PLOT_HEIGHT = 70
# Width of the left axis: enough for "0.001".
AXIS_WIDTH = 46
COLUMNS = 2
RIGHT_MARGIN = 4
# Height of the numbers and the title of the common axis.
AXIS_HEIGHT = 34
# A shorter range would have fractions of steps as labels.
FEWEST_STEPS = 10
MAX_LABELS = 3
# Distances below this are drawn as this: a logarithm needs a bound.
SMALLEST = 1e-6
LARGEST = 1e300
# Readable on a dark and on a light background; also for colour-blind readers.
CRITIC, GENERATOR, QUALITY, SPEED = "#e0893a", "#4c9be8", "#2fae7b", "#a08ad6"
FLOOR_ALPHA = 60


class Plot:
    """Title, curves over the steps, and optionally a band for the noise floor.

    Parameters
    ----------
    item
        Plot item to draw in.
    title
        HTML; colours the names of the curves.
    log
        Whether the scale is logarithmic.
    dots
        Whether each value is marked, so that a single value is visible.
    """

    def __init__(
        self,
        item: pyqtgraph.PlotItem,
        title: str,
        *colours: str,
        log: bool = False,
        dots: bool = False,
    ) -> None:
        self.item = item
        self._title = title
        self._foreground, self._points = FOREGROUND[0], USUAL_POINTS
        self.curves = [
            self._curve(colour, line, dots=dots)
            for colour, line in zip(colours, LINES, strict=False)
        ]
        self.band: pyqtgraph.LinearRegionItem | None = None
        item.setLogMode(y=log)
        # The title is above the numbers of the axis, too: half a panel is narrow.
        item.layout.removeItem(item.titleLabel)
        item.layout.addItem(item.titleLabel, 0, 0, 1, 3)
        item.setMouseEnabled(False, False)
        item.setMenuEnabled(False)
        item.hideButtons()
        item.getAxis("bottom").enableAutoSIPrefix(False)
        item.getViewBox().setLimits(minXRange=FEWEST_STEPS, xMin=0)
        if log:
            self.band = self._noise_band(QColor(colours[0]))
            item.getAxis("left").setTicks([[]])
        else:
            item.getViewBox().setLimits(minYRange=0.01)

    def _curve(
        self, colour: str, line: Qt.PenStyle, *, dots: bool
    ) -> pyqtgraph.PlotDataItem:
        # Wider lines of noisy losses take 60 ms to draw, these 3 ms.
        pen = pyqtgraph.mkPen(colour, width=1, style=line)
        curve: pyqtgraph.PlotDataItem = self.item.plot(
            pen=pen,
            antialias=True,
            symbol="o" if dots else None,
            symbolSize=4,
            symbolBrush=colour,
            symbolPen=None,
        )
        curve.setDownsampling(auto=True, method="peak")
        return curve

    def _noise_band(self, colour: QColor) -> pyqtgraph.LinearRegionItem:
        colour.setAlpha(FLOOR_ALPHA)
        band = pyqtgraph.LinearRegionItem(
            orientation="horizontal",
            brush=colour,
            pen=pyqtgraph.mkPen(None),
            movable=False,
        )
        band.setVisible(False)
        self.item.addItem(band, ignoreBounds=True)
        return band

    def draw(self, *series: Series, floor: float = math.nan) -> None:
        """Draw series, one for each curve.

        Parameters
        ----------
        floor
            Noise floor: distances up to it are indistinguishable from zero. Shaded.
        """
        if self.band is None:
            for curve, points in zip(self.curves, series, strict=True):
                curve.setData(points.x, points.y)
            # More labels would overlap in a plot of this height.
            values = np.concatenate([points.y for points in series])
            is_empty = not len(values)
            ends = (
                [] if is_empty else sorted({float(values.min()), float(values.max())})
            )
            ticks = list(zip(ends, told_apart(ends), strict=True))
            self.item.getAxis("left").setTicks([ticks])
            return
        values = np.maximum(series[0].y, SMALLEST)
        self.curves[0].setData(series[0].x, values)
        known = math.isfinite(floor) and floor > 0
        self.band.setVisible(known)
        if known:
            # Items of a logarithmic plot are placed by their exponents.
            self.band.setRegion((math.log10(SMALLEST) - 3, math.log10(floor)))
            # Some of the band is always in sight.
            values = np.append(values, max(floor / 2, SMALLEST))
        if len(values):
            self._span(float(values.min()), float(values.max()))
        else:
            self.item.getAxis("left").setTicks([[]])
        self._show_title()

    def _span(self, low: float, high: float) -> None:
        """Set the range and the labels to round numbers around the data."""
        high = min(high, LARGEST)
        decades = range(
            math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2
        )
        round_ = [n * 10.0**k for k in decades for n in (1, 2, 5)]
        first = bisect.bisect_right(round_, low * (1 - 1e-9)) - 1
        last = max(bisect.bisect_left(round_, high * (1 + 1e-9)), first + 1)
        shown = round_[first : last + 1]
        if len(shown) > MAX_LABELS:
            shown = [n for n in shown if f"{n:e}".startswith("1")]
            shown = shown[:: max(1, math.ceil(len(shown) / MAX_LABELS))]
        self.item.setYRange(
            math.log10(round_[first]), math.log10(round_[last]), padding=0.03
        )
        ticks = [(math.log10(n), f"{n:g}") for n in shown]
        self.item.getAxis("left").setTicks([ticks])

    def set_look(self, colour: str, points: int) -> None:
        """Colour and font size of axes and title."""
        self._foreground, self._points = colour, points
        self._show_title()
        set_axes_look(self.item, colour, points, AXIS_WIDTH)

    def _show_title(self) -> None:
        measured = self.band is None or self.curves[0].xData is not None
        small = f"font-size: {max(1, self._points - 2)}pt"
        note = f': <span style="{small}">not measured yet</span>'
        self.item.setTitle(
            self._title if measured else f"{self._title}{note}",
            color=self._foreground,
            size=f"{self._points if measured else max(1, self._points - 1)}pt",
            justify="left",
        )


class Curves(QWidget):
    """Curves of a run; redrawn by a timer, not at each report."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("curves")
        self.series = RunSeries()
        self.guard = FaultGuard(self)
        self.quality: dict[MonitoredCurve, Plot] = {}
        # Plots of metrics that this run does not measure, kept for reuse.
        self._unused: dict[MonitoredCurve, Plot] = {}
        # children
        self._canvas = pyqtgraph.GraphicsLayoutWidget()
        self._canvas.ci.layout.setContentsMargins(0, 0, RIGHT_MARGIN, 0)
        self._canvas.ci.layout.setVerticalSpacing(2)
        # Its own size hint is that of the drawing.
        wide, ignored = QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        self._canvas.setSizePolicy(wide, ignored)
        self.verdict = QLabel()
        self.verdict.setObjectName("run_verdict")
        self.verdict.setWordWrap(True)
        networks = (
            f"{_name('critic', CRITIC)}, {_name('generator (dashed)', GENERATOR)}"
        )
        losses = f"Losses, no measure of quality: {networks}"
        self.losses = self._plot(losses, CRITIC, GENERATOR)
        self.losses.item.getAxis("bottom").setStyle(showValues=True)
        self.losses.item.setLabel("bottom", "Training step")
        self.speed = self._plot("Speed (steps/s)", SPEED)
        self._arrange()
        self.caption = QLabel(
            "Curve: distance to the image; band: distance of two real crops."
        )
        self.caption.setWordWrap(True)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.verdict)
        layout.addWidget(self.caption)
        layout.addWidget(self._canvas, 1)
        self._follow_theme()
        # signals
        self._timer.timeout.connect(self.redraw)

    @property
    def _plots(self) -> tuple[Plot, ...]:
        return (*self.quality.values(), self.speed, self.losses)

    def _arrange(self) -> None:
        """Place the plots in two columns, the losses below them in both."""
        self._canvas.clear()
        *upper, losses = self._plots
        for number, plot in enumerate(upper):
            row, column = divmod(number, COLUMNS)
            # One that is alone in its row takes all of it.
            span = COLUMNS - column if plot is upper[-1] else 1
            self._canvas.addItem(plot.item, row=row, col=column, colspan=span)
        n_rows = math.ceil(len(upper) / COLUMNS)
        self._canvas.addItem(losses.item, row=n_rows, col=0, colspan=COLUMNS)
        self._set_height()

    def _set_height(self) -> None:
        """Leave room for the plots in the font of the panel."""
        n_rows = math.ceil((len(self.quality) + 1) / COLUMNS)
        height = PLOT_HEIGHT * (n_rows + 1) + AXIS_HEIGHT
        self._canvas.setMinimumHeight(
            height * label_points(self.verdict) // USUAL_POINTS
        )

    def _quality_plot(self, curve: MonitoredCurve) -> Plot:
        """Return a plot used before, or a new one."""
        if curve in self._unused:
            return self._unused.pop(curve)
        # The caption says to what a distance is.
        title = curve.title.partition(",")[0] if curve.is_distance else curve.title
        return self._plot(title, QUALITY, log=curve.is_distance, dots=True)

    def _plot(
        self, title: str, *colours: str, log: bool = False, dots: bool = False
    ) -> Plot:
        item = pyqtgraph.PlotItem()
        item.getAxis("bottom").setStyle(showValues=False)
        return Plot(item, title, *colours, log=log, dots=dots)

    def clear(self, measured: Sequence[MonitoredCurve] = ()) -> None:
        """Remove all points and show plots for the metrics of a run."""
        self.series = RunSeries()
        if tuple(measured) != tuple(self.quality):
            self._unused |= self.quality
            self.quality = {curve: self._quality_plot(curve) for curve in measured}
            self._arrange()
        self.caption.setVisible(any(curve.floor for curve in measured))
        self._follow_theme()
        self.redraw()

    def add(self, reports: Iterable[StepReport]) -> None:
        """Add reports; they are drawn at the next redraw."""
        self.series.add(reports)
        if not self._timer.isActive():
            self._timer.start()

    def add_history(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Add the rows of ``history.csv`` of an earlier run."""
        self.series.add_history(rows)
        self.redraw()

    def redraw(self) -> None:
        """Draw all series; a failing plot does not affect the others."""
        series = self.series
        with self.guard("The range of the plots"):
            # Linked axes of plots of unequal width would have unequal ranges.
            last = max([FEWEST_STEPS, *series.critic_loss.x[-1:]])
            for plot in self._plots:
                plot.item.setXRange(0, last, padding=0.02)
        with self.guard("The plot of the losses"):
            self.losses.draw(series.critic_loss, series.generator_loss)
        for curve, plot in self.quality.items():
            with self.guard(f"The plot '{curve.title}'"):
                floor = series.last(curve.floor) if curve.floor else math.nan
                plot.draw(series.of(curve.column), floor=floor)
        with self.guard("The plot of the speed"):
            self.speed.draw(series.steps_per_s)
        with self.guard("The verdict"):
            sentence = verdict_of(series, self.quality)
            self.verdict.setText(sentence)
            self.verdict.setVisible(bool(sentence))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Columns of equal width; else the longest title widens its own."""
        super().resizeEvent(event)
        layout = self._canvas.ci.layout
        room = self.width() - RIGHT_MARGIN - (COLUMNS - 1) * layout.horizontalSpacing()
        for column in range(COLUMNS):
            layout.setColumnFixedWidth(column, room / COLUMNS)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the viewer's theme and font size."""
        super().changeEvent(event)
        if event.type() in LOOKS:
            self._follow_theme()

    def _follow_theme(self) -> None:
        if not hasattr(self, "speed"):
            return
        behind = self.palette().color(QPalette.ColorRole.Window)
        self._canvas.setBackground(behind)
        points = label_points(self.verdict)
        for plot in self._plots:
            plot.set_look(FOREGROUND[0 if is_dark(self) else 1], points)
        self._set_height()


def _name(text: str, colour: str) -> str:
    return f'<span style="color: {colour}">{text}</span>'
