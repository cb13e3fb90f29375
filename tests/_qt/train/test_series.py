"""Numbers behind the curves, without Qt."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from napari_slicegan._qt.train.curves import RunSeries, Series
from napari_slicegan.training.clock import StepReport
from napari_slicegan.training.monitors import Quality
from napari_slicegan.training.run_folder import RunFolder


def report(step: int, quality: Quality | None = None) -> StepReport:
    return StepReport(step, 0.5, 0.7, 0, 2.0 * step, 1, 0.1, 3.0, 1, 1, quality)


def test_points_grow_beyond_the_first_block() -> None:
    series = Series()
    for n in range(1000):
        series.append(n, n**2)
    assert len(series) == 1000
    assert series.x.tolist() == list(range(1000))
    assert series.y[-1] == 999**2


def test_points_that_are_not_finite_are_left_out() -> None:
    series = Series()
    for value in (1.0, math.nan, math.inf, 2.0):
        series.append(0, value)
    assert series.y.tolist() == [1, 2]


def test_quality_is_kept_where_it_was_measured() -> None:
    series = RunSeries()
    series.add([report(1), report(2, Quality(0.1, 0.02, 0.3, 0.04, 0.005)), report(3)])
    assert series.critic_loss.x.tolist() == [1, 2, 3]
    assert series.of("correlation_distance").x.tolist() == [2]
    assert series.of("correlation_distance").y.tolist() == [0.02]
    assert series.of("fraction_distance").y.tolist() == [0.1]
    assert series.last("correlation_floor") == 0.005
    assert series.last("fraction_floor") == 0.04
    # Not asked for, so nan.
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
