"""Measured values of a run over its steps, and what they say in a sentence."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.training.monitors import MonitoredCurve

SPEED_WINDOW = 20
"""Steps over which the speed of a run read from its folder is averaged."""
COMMON_COLUMNS = {"step", "elapsed_s", "critic_loss", "generator_loss", "penalty_loss"}
"""Columns of every history; all others are quality metrics."""


class Series:
    """Growing series of points (x, y)."""

    def __init__(self) -> None:
        self._x, self._y = array("d"), array("d")

    def __len__(self) -> int:
        return len(self._x)

    def append(self, x: float, y: float) -> None:
        """Add a point; non-finite values are skipped."""
        if math.isfinite(y):
            self._x.append(x)
            self._y.append(y)

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions, [n]."""
        return np.array(self._x)

    @property
    def y(self) -> NDArray[np.float64]:
        """Values, [n]."""
        return np.array(self._y)


class RunSeries:
    """All curves of a run over its steps, from its reports or from its folder."""

    def __init__(self) -> None:
        self.critic_loss = Series()
        self.generator_loss = Series()
        self.steps_per_s = Series()
        self._quality: dict[str, Series] = {}

    def add(self, reports: Iterable[StepReport]) -> None:
        """Append reports."""
        for report in reports:
            self.critic_loss.append(report.step, report.critic_loss)
            self.generator_loss.append(report.step, report.generator_loss)
            self.steps_per_s.append(report.step, report.steps_per_s)
            if report.quality is not None:
                self._add_quality(report.step, vars(report.quality))

    def add_history(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Append the rows of ``history.csv``."""
        times: list[float] = []
        for row in rows:
            step = int(row["step"])
            self.critic_loss.append(step, float(row["critic_loss"]))
            self.generator_loss.append(step, float(row["generator_loss"]))
            times = [*times[-SPEED_WINDOW:], float(row["elapsed_s"])]
            if times[-1] > times[0]:
                speed = (len(times) - 1) / (times[-1] - times[0])
                self.steps_per_s.append(step, speed)
            measured = {name: row[name] for name in row.keys() - COMMON_COLUMNS}
            if all(measured.values()):
                self._add_quality(step, {n: float(x) for n, x in measured.items()})

    def of(self, column: str) -> Series:
        """Series of a quality metric; empty before it is measured."""
        return self._quality.setdefault(column, Series())

    def last(self, column: str) -> float:
        """Newest value of a metric; nan before it is measured."""
        points = self.of(column)
        return float(points.y[-1]) if len(points) else math.nan

    def _add_quality(self, step: int, quality: Mapping[str, float]) -> None:
        for column, value in quality.items():
            self.of(column).append(step, value)


def verdict_of(series: RunSeries, measured: Iterable[MonitoredCurve]) -> str:
    """Which measures of the newest preview agree with the real material.

    Empty before they are measured, and for measures without a noise floor.
    """
    times = _in_floors(series, measured)
    agree = [name for name, floors in times.items() if floors <= 1]
    differ = [
        f"{name} ({floors:.1f} x)" for name, floors in times.items() if floors > 1
    ]
    if differ:
        differ[0] = differ[0].replace(" x)", " x the noise floor)")
    parts = [
        f"Agrees with the real image: {', '.join(agree)}." if agree else "",
        f"Not yet: {', '.join(differ)}." if differ else "",
        "" if differ or not agree else "Measure a generated volume to confirm it.",
    ]
    return " ".join(filter(None, parts))


def next_step_of(series: RunSeries, measured: Iterable[MonitoredCurve]) -> str:
    """What to do after a run, in a sentence; empty if it is not judged."""
    times = _in_floors(series, measured)
    if not times:
        return ""
    worst = max(times, key=lambda name: times[name])
    if times[worst] <= 1:
        return "Next: generate a volume and measure it."
    return f"Next: continue this run until the {worst} agrees, too."


def _in_floors(
    series: RunSeries, measured: Iterable[MonitoredCurve]
) -> dict[str, float]:
    """Newest distances by name, in noise floors, with one digit as they are shown."""
    found: dict[str, float] = {}
    for curve in measured:
        floor = series.last(curve.floor) if curve.floor else math.nan
        value = series.last(curve.column)
        if floor > 0 and not math.isnan(value):
            name = curve.title.partition(",")[0]
            found[name[:1].lower() + name[1:]] = round(value / floor, 1)
    return found
