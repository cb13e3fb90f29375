"""Verdict, chart and curves of a run that trains."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_slicegan._qt.run_series import RunSeries, Series, judged_of, verdict_of
from napari_slicegan._qt.widgets.basics import (
    FOREGROUND,
    LOOKS,
    FaultGuard,
    is_dark,
    swatch,
)
from napari_slicegan._qt.widgets.floor_chart import FloorChart
from napari_slicegan._qt.widgets.small_plot import (
    AXIS_WIDTH,
    LINES,
    TITLE_BELOW,
    USUAL_POINTS,
    label_points,
    set_axes_look,
    told_apart,
)
from napari_slicegan.runtime.quantities import within_sentence

if TYPE_CHECKING:
    from qtpy.QtGui import QResizeEvent

    from napari_slicegan.report.text import Judged
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.training.monitors import MonitoredCurve

# At the usual font size; higher where there is room.
PLOT_HEIGHT = 84
COLUMNS = 2
RIGHT_MARGIN = 4
# Height of the numbers and the title of the lower axis.
AXIS_HEIGHT = 34 + TITLE_BELOW
# A shorter range would have fractions of steps as labels.
FEWEST_STEPS = 10
MAX_LABELS = 3
# Distances below this are drawn as this: a logarithm needs a bound.
SMALLEST = 0.1
LARGEST = 1e300
# A verdict within the last steps of a run, by their share, needs no date.
RECENT = 0.05
# The rarest losses at both ends are cut off if the others take less than a third of the
# range.
RARE, SPIKE = 0.01, 3
# Readable on a dark and on a light background; also for colour-blind readers.
CRITIC, GENERATOR, QUALITY = "#e0893a", "#4c9be8", "#2fae7b"
MEASURES = (QUALITY, GENERATOR, CRITIC, "#a08ad6", "#d8669b", "#b8a52e", "#8a97a3")
"""Colours of the measures, in the order of the monitor; then again, see `line_of`."""
STYLES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
)


def colour_of(number: int) -> str:
    """Colour of a measure, also of its bar."""
    return MEASURES[number % len(MEASURES)]


def line_of(number: int) -> Qt.PenStyle:
    """Line of a measure; those of one colour have different ones."""
    turn, place = divmod(number, len(MEASURES))
    return STYLES[(place + turn) % 2 + 2 * (turn // 2 % 2)]


class Plot:
    """Title and curves over the steps.

    Parameters
    ----------
    item
        Plot item to draw in.
    title
        HTML; colours the names of the curves.
    log
        Whether the scale is logarithmic, with a line at 1: for distances in noise
        floors.
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
        self._title, self._log, self._dots = title, log, dots
        self._shown_title: tuple[str, str, int] | None = None
        self._foreground, self._points = FOREGROUND[0], USUAL_POINTS
        self.curves = [
            self._curve(colour, LINES[number % len(LINES)])
            for number, colour in enumerate(colours)
        ]
        item.setLogMode(y=log)
        # The title is above the numbers of the axis, too: half a panel is narrow.
        item.layout.removeItem(item.titleLabel)
        item.layout.addItem(item.titleLabel, 0, 0, 1, 3)
        item.layout.setContentsMargins(0, 0, 0, TITLE_BELOW)
        item.setMouseEnabled(False, False)
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setLabel("bottom", "Training step")
        item.getAxis("bottom").enableAutoSIPrefix(False)
        item.getViewBox().setLimits(minXRange=FEWEST_STEPS, xMin=0)
        self.limit: pyqtgraph.InfiniteLine | None = None
        if log:
            # Placed by its exponent.
            self.limit = pyqtgraph.InfiniteLine(0.0, angle=0, movable=False)
            item.addItem(self.limit, ignoreBounds=True)
            item.getAxis("left").setTicks([[]])
        else:
            item.getViewBox().setLimits(minYRange=0.01)

    def show_curves(self, n: int) -> None:
        """Have curves for so many measures, each with its colour and line."""
        for number in range(len(self.curves), n):
            self.curves.append(self._curve(colour_of(number), line_of(number)))

    def _curve(self, colour: str, line: Qt.PenStyle) -> pyqtgraph.PlotDataItem:
        # Wider lines of noisy losses take 60 ms to draw, these 3 ms.
        pen = pyqtgraph.mkPen(colour, width=1, style=line)
        curve: pyqtgraph.PlotDataItem = self.item.plot(
            pen=pen,
            antialias=True,
            symbol="o" if self._dots else None,
            symbolSize=4,
            symbolBrush=colour,
            symbolPen=None,
        )
        curve.setDownsampling(auto=True, method="peak")
        return curve

    def draw(self, *series: Series) -> None:
        """Draw series, one for each curve; the other curves are left empty."""
        drawn = [points.y for points in series]
        if self._log:
            drawn = [np.maximum(values, SMALLEST) for values in drawn]
        for number, curve in enumerate(self.curves):
            shown = number < len(series)
            curve.setData(*((series[number].x, drawn[number]) if shown else ([], [])))
        values = np.concatenate([*drawn, np.ones(1 if self._log else 0)])
        if self._log:
            self._span(float(values.min()), float(values.max()))
        else:
            # More labels would overlap in a plot of this height.
            ends = sorted({*usual_ends(values)})
            ticks = list(zip(ends, told_apart(ends), strict=True)) if ends else []
            self.item.getAxis("left").setTicks([ticks])
            if ends:
                # The labels of both ends have room.
                self.item.setYRange(ends[0], ends[-1], padding=0.1)
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
            decades_shown = [n for n in shown if f"{n:e}".startswith("1")]
            # A scale has two numbers at least: the noise floor and the upper end.
            shown = decades_shown if len(decades_shown) > 1 else [1.0, shown[-1]]
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
        if self.limit is not None:
            pen = pyqtgraph.mkPen(colour, width=1, style=Qt.PenStyle.DashLine)
            self.limit.setPen(pen)

    def _show_title(self) -> None:
        # Losses are there from the first step on.
        measured = not self._dots or any(c.xData is not None for c in self.curves)
        small = f"font-size: {max(1, self._points - 2)}pt"
        note = f': <span style="{small}">not measured yet</span>'
        title = self._title if measured else f"{self._title}{note}"
        shown = title, self._foreground, self._points
        if shown == self._shown_title:
            # It would be laid out anew.
            return
        self._shown_title = shown
        self.item.setTitle(
            title, color=self._foreground, size=f"{self._points}pt", justify="left"
        )


def usual_ends(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Smallest and largest value, but for spikes that would flatten all others.

    Parameters
    ----------
    values
        Of any number, [n].
    """
    if len(values) == 0:
        return ()
    low, high = values.min(), values.max()
    usual_low, usual_high = np.quantile(values, (RARE, 1 - RARE))
    if high - low > SPIKE * (usual_high - usual_low) > 0:
        low, high = usual_low, usual_high
    return float(low), float(high)


class WrappedLabel(QLabel):
    """Text that keeps the height of all its lines.

    A scroll area leaves wrapped labels the height of fewer lines, at the cost of what
    stands below them.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWordWrap(True)

    def show_text(self, text: str) -> None:
        """Show a text; without one, take no room."""
        self.setText(text)
        self.setVisible(bool(text))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Wrap the text to the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(max(0, self.heightForWidth(self.width())))


class Canvas(pyqtgraph.GraphicsLayoutWidget):  # type: ignore[misc]
    """Plots that are at least as high as the minimum, which layouts see as wanted.

    Beside wrapped labels, layouts know of no other minimum.
    """

    def __init__(self) -> None:
        super().__init__()
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def sizeHint(self) -> QSize:
        """The minimum, in place of the size of the drawing."""
        return QSize(self.minimumSize())


class Curves(QWidget):
    """Verdict, chart and curves of a run; drawn on request, not at each report."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("curves")
        self.series = RunSeries()
        self.guard = FaultGuard(self)
        self.is_over = False
        """Whether the run has ended, so that no newer measurement will follow."""
        self.measured: tuple[MonitoredCurve, ...] = ()
        self.others: dict[MonitoredCurve, Plot] = {}
        """Plots of the measures without a noise floor."""
        self._judged: list[Judged] = []
        self._is_drawn = True
        # Measurements in the plots; -1 if they have to be drawn anew.
        self._n_measured = -1
        # Plots of metrics that this run does not measure, kept for reuse.
        self._unused: dict[MonitoredCurve, Plot] = {}
        # children
        self._canvas = Canvas()
        self._canvas.ci.layout.setContentsMargins(0, 0, RIGHT_MARGIN, 0)
        self._canvas.ci.layout.setVerticalSpacing(2)
        self.verdict = WrappedLabel("run_verdict", self)
        self.verdict.hide()
        self.chart = FloorChart(
            "<qt>Distance of the newest preview from the image, in noise floors: the "
            "distance of two real crops. Up to the dashed line the two are "
            "indistinguishable.</qt>"
        )
        self.chart.hide()
        self.legend = WrappedLabel("curves_legend")
        of_critic, of_generator = (
            swatch(name, colour, line)
            for name, colour, line in zip(
                ("critic", "generator"), (CRITIC, GENERATOR), LINES, strict=True
            )
        )
        self.distances = self._plot("In noise floors", log=True, dots=True)
        self.losses = self._plot(
            f"Losses: {of_critic}, {of_generator}", CRITIC, GENERATOR
        )
        self._canvas.setToolTip(
            "<qt>Left: distances from the image over the steps; the dashed line is one "
            "noise floor. Right: the losses, which are no measure of quality; the "
            "generator's is dashed.</qt>"
        )
        self._arrange()
        # layout
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for each in (self.chart, self.legend):
            layout.addWidget(each)
        layout.addWidget(self._canvas, 1)
        self._follow_theme()

    @property
    def judged(self) -> list[MonitoredCurve]:
        """Measures with a noise floor, in the order of the curves of their plot."""
        return [curve for curve in self.measured if curve.is_judged]

    @property
    def _plots(self) -> tuple[Plot, ...]:
        distances = (self.distances,) if self.judged else ()
        return (*distances, *self.others.values(), self.losses)

    @property
    def spare(self) -> int:
        """Pixels by which the plots are higher than they have to be."""
        return int(self._canvas.height() - self._canvas.minimumHeight())

    def _arrange(self) -> None:
        """Place the plots in two columns."""
        self._canvas.clear()
        plots = self._plots
        for number, plot in enumerate(plots):
            row, column = divmod(number, COLUMNS)
            # One that is alone in its row takes all of it.
            span = COLUMNS - column if plot is plots[-1] else 1
            self._canvas.addItem(plot.item, row=row, col=column, colspan=span)
        self._set_height()

    def _set_height(self) -> None:
        """Leave room for the plots in the font of the panel."""
        n_rows = math.ceil(len(self._plots) / COLUMNS)
        height = (PLOT_HEIGHT + AXIS_HEIGHT) * n_rows
        self._canvas.setMinimumHeight(
            height * label_points(self.verdict) // USUAL_POINTS
        )

    def _other_plot(self, curve: MonitoredCurve) -> Plot:
        """Return a plot used before, or a new one."""
        if curve in self._unused:
            return self._unused.pop(curve)
        return self._plot(curve.title, QUALITY, dots=True)

    def _plot(
        self, title: str, *colours: str, log: bool = False, dots: bool = False
    ) -> Plot:
        return Plot(pyqtgraph.PlotItem(), title, *colours, log=log, dots=dots)

    def clear(self, measured: Sequence[MonitoredCurve] = ()) -> None:
        """Remove all points and show plots for the metrics of a run."""
        self.series, self._n_measured = RunSeries(), -1
        if tuple(measured) != self.measured:
            self.measured = tuple(measured)
            self._unused |= self.others
            self.others = {
                curve: self._other_plot(curve)
                for curve in measured
                if not curve.is_judged
            }
            self._arrange()
        self.distances.show_curves(len(self.judged))
        names = [
            swatch(curve.title, colour_of(number), line_of(number))
            for number, curve in enumerate(self.judged)
        ]
        self.legend.show_text(f"Distances: {', '.join(names)}" if names else "")
        self._follow_theme()
        self.redraw()

    def add(self, reports: Iterable[StepReport]) -> None:
        """Add reports; they are drawn at the next `refresh`."""
        self.series.add(reports)
        self._is_drawn = False

    def refresh(self) -> None:
        """Draw what was added since the last time."""
        if not self._is_drawn:
            self.redraw()

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
        with self.guard("The verdict"):
            judged = judged_of(series, self.measured)
            if judged != self._judged:
                # Each change lays out the panel anew.
                self._judged = judged
                numbered = enumerate(self.judged)
                colours = {curve.title: colour_of(n) for n, curve in numbered}
                self.chart.set_metrics(judged, colours)
            sentence = self._dated(verdict_of(series, self.measured))
            if sentence != self.verdict.text():
                self.verdict.show_text(sentence)
        self._is_drawn = True
        if self._n_measured == series.n_measured:
            return
        self._n_measured = series.n_measured
        with self.guard("The plot of the distances"):
            self.distances.draw(*map(series.in_floors, self.judged))
        for curve, plot in self.others.items():
            with self.guard(f"The plot '{curve.title}'"):
                plot.draw(series.of(curve.column))

    def _dated(self, sentence: str) -> str:
        """A verdict, after a run with its step if the run has left that behind."""
        steps = [self.series.in_floors(curve).x for curve in self.judged]
        measured = max((float(x[-1]) for x in steps if len(x)), default=math.inf)
        last = max(self.series.critic_loss.x[-1:], default=0)
        if not (sentence and self.is_over and measured < (1 - RECENT) * last):
            return sentence
        return f"At step {measured:,.0f}: {within_sentence(sentence)}"

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
        if not hasattr(self, "legend"):
            return
        behind = self.palette().color(QPalette.ColorRole.Window)
        self._canvas.setBackground(behind)
        points = label_points(self.verdict)
        for plot in self._plots:
            plot.set_look(FOREGROUND[0 if is_dark(self) else 1], points)
        self._set_height()
