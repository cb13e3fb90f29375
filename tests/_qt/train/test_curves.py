"""Curves of a run and the series behind them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPalette

from napari_slicegan._qt.run_series import RunSeries, Series, next_step_of
from napari_slicegan._qt.train import curves as curves_module
from napari_slicegan._qt.train.curves import SMALLEST, Curves, Plot
from napari_slicegan._qt.widgets.basics import FOREGROUND
from napari_slicegan.systems.image_task import DISTANCE, SIMILARITY, ImageQuality
from napari_slicegan.training.clock import StepReport
from napari_slicegan.training.monitors import CURVES, Quality
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


def correlation(curves: Curves) -> Plot:
    """The first plot of the quality."""
    return curves.quality[CURVES[0]]


def report(step: int, quality: Any = None) -> StepReport:
    return StepReport(step, -0.5, 0.7, 0, step, 1, 0.1, 3.0, 1, 1, quality)


def drawn(plot: Plot, number: int = 0) -> list[tuple[float, float]]:
    """Points of a curve, in the units of the data."""
    curve = plot.curves[number]
    x, y = curve.xData, curve.yData
    return [] if x is None else list(zip(x.tolist(), y.tolist(), strict=True))


def test_reports_are_drawn_by_the_timer(qtbot: QtBot, curves: Curves) -> None:
    curves.add([report(1), report(2)])
    curves.add([report(3, Quality(0.1, 0.02, 0.3, 0.04, 0.005))])
    assert drawn(curves.losses) == []
    qtbot.waitUntil(lambda: bool(drawn(curves.losses)), timeout=5000)
    assert drawn(curves.losses, 0) == [(1, -0.5), (2, -0.5), (3, -0.5)]
    assert drawn(curves.losses, 1) == [(1, 0.7), (2, 0.7), (3, 0.7)]
    assert drawn(correlation(curves)) == [(3, 0.02)]
    assert drawn(curves.quality[CURVES[1]]) == [(3, 0.1)]
    assert drawn(curves.speed) == [(1, 3), (2, 3), (3, 3)]


def test_noise_floor_is_a_band_up_to_its_value(curves: Curves) -> None:
    curves.add([report(1, Quality(0.1, 0.02, 0.3, 0.04, 0.005))])
    curves.redraw()
    band = correlation(curves).band
    assert band is not None
    assert band.isVisible()
    # The plot is logarithmic: 10 ** -2.30 = 0.005.
    assert 10 ** band.getRegion()[1] == pytest.approx(0.005)
    bottom, top = correlation(curves).item.viewRange()[1]
    assert bottom < math.log10(0.005)
    assert top > math.log10(0.02)
    # Band and curve are on the same axis.
    assert curves.losses.band is None


@pytest.mark.parametrize(
    ("distance", "floor"), [(1e-9, 1e-12), (0.3, 5e8), (1e308, 1e-12)]
)
def test_distances_of_any_size_are_labelled(
    curves: Curves, distance: float, floor: float
) -> None:
    curves.add([report(1, Quality(distance, distance, 0.3, floor, floor))])
    curves.redraw()
    plot = correlation(curves)
    bottom, top = plot.item.viewRange()[1]
    shown = [max(distance, SMALLEST), max(floor, SMALLEST)]
    assert bottom <= math.log10(min(shown)) + 1e-6
    assert top >= min(math.log10(max(shown)), 300) - 1e-6
    (ticks,) = plot.item.getAxis("left")._tickLevels  # noqa: SLF001 no other way
    assert 1 <= len(ticks) <= 3
    assert all(10**place == pytest.approx(float(label)) for place, label in ticks)


def test_a_plot_that_fails_is_reported_once_and_leaves_the_others_alone(
    curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexError("no such label")

    sentences: list[str] = []
    curves.guard.failed.connect(sentences.append)
    monkeypatch.setattr(correlation(curves), "draw", fail)
    curves.add([report(1, Quality(0.1, 0.02, 0.3, 0.04, 0.005))])
    for _ in range(2):
        curves.redraw()
    (sentence,) = sentences
    assert "no such label" in sentence
    assert drawn(curves.quality[CURVES[1]]) == [(1, 0.1)]
    assert drawn(curves.speed) == [(1, 3)]


def test_a_range_and_a_verdict_that_fail_leave_the_plots_alone(
    curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise IndexError("no such label")

    sentences: list[str] = []
    curves.guard.failed.connect(sentences.append)
    monkeypatch.setattr(curves.losses.item, "setXRange", fail)
    monkeypatch.setattr(curves_module, "verdict_of", fail)
    curves.add([report(1, Quality(0.1, 0.02, 0.3, 0.04, 0.005))])
    curves.redraw()
    assert [text.partition(" cannot")[0] for text in sentences] == [
        "The range of the plots",
        "The verdict",
    ]
    assert drawn(curves.speed) == [(1, 3)]


def test_the_losses_differ_by_more_than_their_colours(curves: Curves) -> None:
    critic, generator = (curve.opts["pen"].style() for curve in curves.losses.curves)
    assert (critic, generator) == (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)
    assert "generator (dashed)" in curves.losses.item.titleLabel.text


def test_without_a_floor_there_is_no_band(curves: Curves) -> None:
    curves.add([report(1, Quality(0.1, 0.02, math.nan, math.nan, math.nan))])
    curves.redraw()
    band = correlation(curves).band
    assert band is not None
    assert not band.isVisible()


def test_a_distance_of_zero_is_drawn_at_the_bottom(curves: Curves) -> None:
    curves.add([report(1, Quality(0.0, 0.0, 0.3, 0.04, 0.005))])
    curves.redraw()
    assert drawn(correlation(curves)) == [(1, SMALLEST)]


def test_title_says_what_is_not_measured_yet(curves: Curves) -> None:
    plot = correlation(curves)
    assert "not measured yet" in plot.item.titleLabel.text
    curves.add([report(1, Quality(0.1, 0.02, 0.3, 0.04, 0.005))])
    curves.redraw()
    assert "not measured yet" not in plot.item.titleLabel.text
    curves.clear(CURVES)
    assert drawn(correlation(curves)) == []
    assert "not measured yet" in correlation(curves).item.titleLabel.text


def test_runs_of_images_have_plots_of_their_own(curves: Curves) -> None:
    """Both kinds after each other; a similarity is no distance, so it is linear."""
    for _ in range(2):
        curves.clear(CURVES)
        assert [*curves.quality] == [*CURVES]
        curves.clear((DISTANCE, SIMILARITY))
        assert [*curves.quality] == [DISTANCE, SIMILARITY]
    curves.add([report(7, ImageQuality(20.0, 5.0, 0.3, 0.7))])
    curves.redraw()
    swd, ssim = curves.quality.values()
    assert drawn(swd) == [(7, 20)]
    assert swd.band is not None
    assert 10 ** swd.band.getRegion()[1] == pytest.approx(5)
    assert drawn(ssim) == [(7, 0.3)]
    assert ssim.band is None


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
    series.add([report(1), report(2, Quality(0.1, 0.02, 0.3, 0.04, 0.005)), report(3)])
    assert series.critic_loss.x.tolist() == [1, 2, 3]
    assert series.of("correlation_distance").x.tolist() == [2]
    assert series.of("correlation_distance").y.tolist() == [0.02]
    assert series.of("fraction_distance").y.tolist() == [0.1]
    assert series.last("correlation_floor") == 0.005
    assert series.last("fraction_floor") == 0.04
    # This monitor does not measure it.
    assert len(series.of("swd")) == 0


def test_history_of_a_run_gives_the_same_losses(toy_run: Path) -> None:
    rows = RunFolder.open(toy_run).history()
    series = RunSeries()
    series.add_history(rows)
    assert series.critic_loss.x.tolist() == [1, 2, 3, 4]
    losses = [float(row["critic_loss"]) for row in rows]
    assert series.critic_loss.y.tolist() == pytest.approx(losses)
    # Nothing was measured in four steps.
    assert len(series.of("correlation_distance")) == 0


def test_speed_of_a_history_is_that_of_its_times() -> None:
    series = RunSeries()
    row = dict.fromkeys(("critic_loss", "generator_loss"), "1")
    row["correlation_distance"] = ""
    # Four steps a second.
    series.add_history(
        row | {"step": str(n), "elapsed_s": str(n / 4)} for n in range(1, 60)
    )
    assert series.steps_per_s.y.tolist() == pytest.approx([4.0] * 58)


def test_the_verdict_names_what_agrees_and_what_does_not(curves: Curves) -> None:
    floors = {"interface_density_floor": 0.1}
    curves.add([report(1, Quality(0.02, 0.005, 0.35, 0.04, 0.005, **floors))])
    curves.redraw()
    assert curves.verdict.text() == (
        "Agrees with the real image: two-point correlation, phase fraction. Not yet: "
        "interface density (3.5 x the noise floor)."
    )
    assert next_step_of(curves.series, CURVES) == (
        "Next: continue this run until the interface density agrees, too."
    )
    curves.add([report(2, Quality(0.02, 0.005, 0.1, 0.04, 0.005, **floors))])
    curves.redraw()
    assert curves.verdict.text() == (
        "Agrees with the real image: two-point correlation, phase fraction, interface "
        "density. Measure a generated volume to confirm it."
    )
    assert "generate a volume" in next_step_of(curves.series, CURVES)
    curves.clear(CURVES)
    assert curves.verdict.text() == ""
    assert next_step_of(curves.series, CURVES) == ""


def test_columns_are_of_equal_width(curves: Curves) -> None:
    """Also while their titles are of different lengths."""
    curves.resize(440, 400)
    curves.show()
    curves.grab()
    plots = (correlation(curves), curves.quality[CURVES[1]])
    widths = [plot.item.size().width() for plot in plots]
    assert widths[0] == pytest.approx(widths[1], abs=2)
    assert sum(widths) < 440


def test_a_floor_below_all_distances_is_seen(curves: Curves) -> None:
    curves.add([report(1, Quality(0.1, 0.2, 0.3, 0.04, 0.1))])
    curves.redraw()
    bottom, _ = correlation(curves).item.viewRange()[1]
    assert 10**bottom < 0.06
