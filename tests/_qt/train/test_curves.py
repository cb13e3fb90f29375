"""Curves of a run and the series behind them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QApplication, QScrollArea

from napari_slicegan._qt.run_series import RunSeries, Series, verdict_of
from napari_slicegan._qt.train import curves as curves_module
from napari_slicegan._qt.train.curves import (
    MEASURES,
    SMALLEST,
    Curves,
    Plot,
    colour_of,
    line_of,
)
from napari_slicegan._qt.train.run_view import RunView
from napari_slicegan._qt.widgets.basics import FOREGROUND
from napari_slicegan._qt.widgets.floor_chart import FloorChart
from napari_slicegan.report.text import Judged
from napari_slicegan.systems.image_task import DISTANCE, SIMILARITY, ImageQuality
from napari_slicegan.training.clock import StepReport
from napari_slicegan.training.monitors import (
    CONNECTIVITY,
    CURVES,
    GRAY_CURVES,
    SECTION_EULER,
    SLICE_CURVE,
    Quality,
)
from napari_slicegan.training.run_folder import RunFolder

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


@pytest.fixture
def curves(qtbot: QtBot) -> Curves:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.clear(CURVES)
    return curves


FRACTION, CORRELATION, INTERFACES = CURVES


def quality(fraction: float, correlation: float, interfaces: float) -> Quality:
    """Distances in noise floors; there are 19 % too many interfaces."""
    return Quality(
        *(0.1, 0.02, 0.19, 0.04, 0.005),
        fraction_in_floors=fraction,
        correlation_in_floors=correlation,
        interface_density_in_floors=interfaces,
        interface_density_difference=0.19,
    )


def report(step: int, quality: Any = None, elapsed_s: float = 285) -> StepReport:
    return StepReport(step, -0.5, 0.7, 0, elapsed_s, 1, 0.1, 3.0, 1, 1, quality)


def drawn(plot: Plot, number: int = 0) -> list[tuple[float, float]]:
    """Points of a curve, in the units of the data."""
    curve = plot.curves[number]
    x, y = curve.xData, curve.yData
    return [] if x is None else list(zip(x.tolist(), y.tolist(), strict=True))


def test_reports_are_drawn_on_request(curves: Curves) -> None:
    """The distances only after a measurement."""
    curves.add([report(1), report(2)])
    curves.add([report(3, quality(0.8, 2.5, 4))])
    assert drawn(curves.losses) == []
    curves.refresh()
    assert drawn(curves.losses, 0) == [(1, -0.5), (2, -0.5), (3, -0.5)]
    assert drawn(curves.losses, 1) == [(1, 0.7), (2, 0.7), (3, 0.7)]
    assert [drawn(curves.distances, n) for n in range(3)] == [
        [(3, 0.8)],
        [(3, 2.5)],
        [(3, 4)],
    ]
    shown = curves.losses.curves[0].yData, curves.distances.curves[0].yData
    curves.refresh()
    assert curves.losses.curves[0].yData is shown[0]
    curves.add([report(4)])
    curves.refresh()
    assert len(drawn(curves.losses)) == 4
    assert curves.distances.curves[0].yData is shown[1]


def test_distances_share_an_axis_with_a_line_at_one_noise_floor(
    curves: Curves,
) -> None:
    """The line stays in sight, whatever the distances."""
    for near, far in ((0.2, 0.3), (4, 9)):
        curves.clear(CURVES)
        curves.add([report(1, quality(near, far, far))])
        curves.redraw()
        limit = curves.distances.limit
        assert limit is not None
        # The axis is logarithmic.
        assert 10 ** limit.value() == 1
        bottom, top = curves.distances.item.viewRange()[1]
        assert 10**bottom < min(near, 1)
        assert 10**top > max(far, 1)
    assert curves.losses.limit is None


@pytest.mark.parametrize("distance", [1e-9, 0.3, 4.6, 1e308])
def test_distances_of_any_size_are_labelled(curves: Curves, distance: float) -> None:
    curves.add([report(1, quality(distance, distance, distance))])
    curves.redraw()
    plot = curves.distances
    bottom, top = plot.item.viewRange()[1]
    assert bottom <= math.log10(max(distance, SMALLEST)) + 1e-6
    assert top >= min(math.log10(max(distance, 1)), 300) - 1e-6
    (ticks,) = plot.item.getAxis("left")._tickLevels  # noqa: SLF001 no other way
    assert 2 <= len(ticks) <= 3
    assert all(10**place == pytest.approx(float(label)) for place, label in ticks)


def test_a_plot_that_fails_is_reported_once_and_leaves_the_others_alone(
    curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexError("no such label")

    sentences: list[str] = []
    curves.guard.failed.connect(sentences.append)
    monkeypatch.setattr(curves.distances, "draw", fail)
    for step in range(2):
        curves.add([report(step, quality(0.5, 2, 3))])
        curves.redraw()
    (sentence,) = sentences
    assert "no such label" in sentence
    assert drawn(curves.losses) == [(0, -0.5), (1, -0.5)]
    assert len(curves.chart.value()) == 3


def test_a_range_and_a_verdict_that_fail_leave_the_plots_alone(
    curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexError("no such label")

    sentences: list[str] = []
    curves.guard.failed.connect(sentences.append)
    monkeypatch.setattr(curves.losses.item, "setXRange", fail)
    monkeypatch.setattr(curves_module, "verdict_of", fail)
    curves.add([report(1, quality(0.5, 2, 3))])
    curves.redraw()
    assert [text.partition(" cannot")[0] for text in sentences] == [
        "The range of the plots",
        "The verdict",
    ]
    assert drawn(curves.distances) == [(1, 0.5)]


def test_the_losses_differ_by_more_than_their_colours(curves: Curves) -> None:
    critic, generator = (curve.opts["pen"].style() for curve in curves.losses.curves)
    assert (critic, generator) == (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)


def test_a_spike_does_not_flatten_the_losses(curves: Curves) -> None:
    """All are drawn, but the range is that of the others."""
    curves.add(report(step) for step in range(1, 200))
    curves.add([replace(report(200), generator_loss=40.0)])
    curves.refresh()
    assert drawn(curves.losses, 1)[-1] == (200, 40)
    (_, (low, high)) = curves.losses.item.getViewBox().viewRange()
    assert low < -0.5 < 0.7 < high < 1


def test_title_says_what_is_not_measured_yet(curves: Curves) -> None:
    title = curves.distances.item.titleLabel
    assert "not measured yet" in title.text
    curves.add([report(1, quality(0.5, 2, 3))])
    curves.redraw()
    assert "not measured yet" not in title.text
    curves.clear(CURVES)
    assert drawn(curves.distances) == []
    assert "not measured yet" in title.text


def test_runs_of_images_have_plots_of_their_own(curves: Curves) -> None:
    """Both kinds after each other; a similarity has no noise floor."""
    for _ in range(2):
        curves.clear(CURVES)
        assert (curves.judged, [*curves.others]) == ([*CURVES], [])
        curves.clear((DISTANCE, SIMILARITY))
        assert (curves.judged, [*curves.others]) == ([DISTANCE], [SIMILARITY])
    curves.add([report(7, ImageQuality(20.0, 5.0, 0.3, 0.7))])
    curves.redraw()
    (ssim,) = curves.others.values()
    assert drawn(curves.distances) == [(7, 4)]
    assert drawn(ssim) == [(7, 0.3)]
    assert ssim.limit is None
    assert curves.verdict.text() == (
        "Images are 4.0 noise floors off: continue for 5 more minutes."
    )


@pytest.mark.parametrize("dark", [True, False])
def test_colours_follow_the_theme(curves: Curves, dark: bool) -> None:
    palette = curves.palette()
    behind, text = ("#20242b", "#f0f1f2") if dark else ("#efebe9", "#3b3a39")
    palette.setColor(QPalette.ColorRole.Window, QColor(behind))
    palette.setColor(QPalette.ColorRole.WindowText, QColor(text))
    curves.setPalette(palette)
    (canvas,) = curves.losses.item.scene().views()
    assert canvas.backgroundBrush().color().name() == behind
    axis = curves.losses.item.getAxis("left")
    assert axis.textPen().color().name() == FOREGROUND[0 if dark else 1]


def test_the_font_size_follows_that_of_labels(curves: Curves) -> None:
    """As napari sets it."""
    (canvas,) = curves.losses.item.scene().views()
    heights = []
    for points in (9, 14):
        curves.setStyleSheet(f"QLabel {{ font-size: {points + 1}pt; }}")
        curves.show()
        assert f"{points}pt" in curves.losses.item.titleLabel.item.toHtml()
        heights.append(canvas.minimumHeight())
    assert heights[1] > 1.4 * heights[0]


# The series behind the curves


def test_series_grows_and_skips_non_finite_values() -> None:
    series = Series()
    for n in range(1000):
        series.append(n, n**2)
    assert len(series) == 1000
    assert series.x.tolist() == list(range(1000))
    assert series.y[-1] == 999**2
    for value in (math.nan, math.inf):
        series.append(1000, value)
    assert len(series) == 1000


def test_quality_is_kept_where_it_was_measured() -> None:
    series = RunSeries()
    series.add([report(1), report(2, quality(0.5, 2, 3)), report(3)])
    assert series.critic_loss.x.tolist() == [1, 2, 3]
    assert series.of("correlation_distance").x.tolist() == [2]
    assert series.of("correlation_distance").y.tolist() == [0.02]
    assert series.last("correlation_floor") == 0.005
    assert series.in_floors(CORRELATION).y.tolist() == [2]
    # This monitor does not measure it.
    assert len(series.of("swd")) == 0


def test_the_history_of_an_earlier_release_is_judged_by_its_noise_floors() -> None:
    """It has no distances in noise floors; a resumed run has them from then on."""
    series = RunSeries()
    row = {"critic_loss": "1", "generator_loss": "1", "elapsed_s": "60"}
    old = {"fraction_distance": "0.06", "fraction_floor": "0.04"}
    series.add_history([{**row, **old, "step": str(step)} for step in (10, 20)])
    assert series.in_floors(FRACTION).y.tolist() == pytest.approx([1.5, 1.5])
    assert verdict_of(series, CURVES) == (
        "Phase fractions are 1.5 noise floors off: continue for 1 more minute."
    )
    series.add([report(30, quality(0.7, 2, 3))])
    assert series.in_floors(FRACTION).x.tolist() == [10, 20, 30]
    assert series.in_floors(FRACTION).y.tolist() == pytest.approx([1.5, 1.5, 0.7])


def test_history_of_a_run_gives_the_same_losses(toy_run: Path) -> None:
    rows = RunFolder.open(toy_run).history()
    series = RunSeries()
    series.add_history(rows)
    assert series.critic_loss.x.tolist() == [1, 2, 3, 4]
    losses = [float(row["critic_loss"]) for row in rows]
    assert series.critic_loss.y.tolist() == pytest.approx(losses)
    # Nothing was measured in four steps.
    assert len(series.of("correlation_distance")) == 0


def test_verdict_and_chart_follow_the_newest_preview(curves: Curves) -> None:
    curves.add([report(1, quality(0.8, 0.9, 2.4))])
    curves.redraw()
    # After 4.75 minutes.
    assert curves.verdict.text() == (
        "Phase fractions and correlations agree; interfaces are 19 % too high: "
        "continue for 5 more minutes."
    )
    assert curves.chart.value() == [
        ("Interface density", 2.4),
        ("Two-point correlation", 0.9),
        ("Phase fraction", 0.8),
    ]
    # A bar has the colour of its curve.
    assert curves.chart.colours() == [MEASURES[2], MEASURES[1], MEASURES[0]]
    curves.add([report(2, quality(0.8, 0.9, 1))])
    curves.redraw()
    assert curves.verdict.text() == (
        "Phase fractions, correlations and interfaces agree with the real material: "
        "generate a volume and measure it."
    )
    curves.clear(GRAY_CURVES)
    assert curves.verdict.text() == ""
    assert curves.verdict.isHidden()
    assert curves.chart.isHidden()


def test_no_bar_is_cut_off_below_a_long_verdict(qtbot: QtBot) -> None:
    """In a scroll area, as in the panel."""
    view = RunView()
    area = QScrollArea()
    area.setWidget(view)
    area.setWidgetResizable(True)
    qtbot.addWidget(area)
    area.resize(440, 300)
    area.show()
    view.setVisible(True)
    curves = view.curves
    curves.clear((*CURVES, SECTION_EULER))
    for step in range(1, 3):
        # One more measure is known at the second preview.
        floors = 4.3 if step == 2 else math.nan
        found = replace(quality(2.7, 3.4, 7.8), section_euler_in_floors=floors)
        curves.add([report(step, found)])
        curves.redraw()
        QApplication.processEvents()
    assert len(curves.chart.value()) == 4
    chart, verdict = curves.chart, curves.verdict
    (canvas,) = curves.losses.item.scene().views()
    qtbot.waitUntil(lambda: chart.height() >= chart.sizeHint().height())
    qtbot.waitUntil(lambda: canvas.height() >= canvas.minimumHeight())
    assert verdict.height() >= verdict.heightForWidth(verdict.width())


def test_names_of_bars_are_whole_in_the_dock(qtbot: QtBot) -> None:
    chart = FloorChart()
    qtbot.addWidget(chart)
    chart.resize(460, 100)
    names = ["Euler number density of sections, eroded by r", "Phase fraction"]
    chart.set_metrics(
        [
            Judged("", f"{name} (1/pixel)", floors)
            for name, floors in zip(names, (0.9, 0.1), strict=True)
        ]
    )
    assert chart.shown_names() == names


def test_the_titles_of_the_lower_axes_are_whole(curves: Curves) -> None:
    """In the least height of the plots, as in a window of 800 pixels."""
    curves.resize(440, curves.minimumSizeHint().height())
    curves.show()
    curves.grab()
    for plot in (curves.distances, curves.losses):
        title = plot.item.getAxis("bottom").label
        area = plot.item.getViewWidget().viewport().rect()
        assert title.sceneBoundingRect().bottom() <= area.height()


def test_layouts_leave_all_plots_their_height(curves: Curves) -> None:
    """Also beside wrapped labels, for which layouts ask for a height by width."""
    for measured in (CURVES, (DISTANCE, SIMILARITY)):
        curves.clear(measured)
        least = curves.minimumSizeHint().height()
        assert curves.heightForWidth(440) >= least


def test_columns_are_of_equal_width(curves: Curves) -> None:
    """Also while their titles are of different lengths."""
    curves.resize(440, 400)
    curves.show()
    curves.grab()
    plots = (curves.distances, curves.losses)
    widths = [plot.item.size().width() for plot in plots]
    assert widths[0] == pytest.approx(widths[1], abs=2)
    assert sum(widths) < 440


def test_more_measures_than_colours_have_different_lines(curves: Curves) -> None:
    """Eight: those of a volume as the real material, with distances of slices."""
    measured = (*CURVES, *CONNECTIVITY, SLICE_CURVE)
    assert len(measured) > len(MEASURES)
    curves.clear(measured)
    assert all(curve.title in curves.legend.text() for curve in measured)
    pens = [curve.opts["pen"] for curve in curves.distances.curves]
    assert len(pens) == len(measured)
    looks = {(pen.color().name(), pen.style()) for pen in pens}
    assert len(looks) == len(measured)
    many = {(colour_of(n), line_of(n)) for n in range(4 * len(MEASURES))}
    assert len(many) == 4 * len(MEASURES)
    floors = {curve.in_floors: 2.0 + n for n, curve in enumerate(measured)}
    row = {name: str(value) for name, value in floors.items() if name}
    row |= {"swd": "9", "swd_floor": "1", "step": "3", "elapsed_s": "9"}
    curves.add_history([{**row, "critic_loss": "0", "generator_loss": "0"}])
    assert drawn(curves.distances, len(measured) - 1) == [(3, 9.0)]


def test_a_verdict_that_a_run_has_left_behind_names_its_step(curves: Curves) -> None:
    """The last check of a run may be older than its last step."""
    curves.add([report(20, quality(0.8, 0.9, 1)), report(21)])
    curves.is_over = True
    curves.redraw()
    assert curves.verdict.text().startswith("Phase fractions, ")
    curves.add([report(60)])
    curves.is_over = False
    curves.redraw()
    assert curves.verdict.text().startswith("Phase fractions, ")
    curves.is_over = True
    curves.redraw()
    assert curves.verdict.text().startswith("At step 20: phase fractions, ")
