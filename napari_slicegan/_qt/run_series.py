"""Measured values of a run over its steps, and what they say in a sentence."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.report.text import Judged
    from napari_slicegan.training.clock import StepReport
    from napari_slicegan.training.monitors import MonitoredCurve

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
    """Measured values of a run over its steps, from its reports or its folder.

    Attributes
    ----------
    n_measured
        Number of measurements of the quality.
    """

    def __init__(self) -> None:
        self.critic_loss = Series()
        self.generator_loss = Series()
        self.elapsed_s = 0.0
        self.n_measured = 0
        self._quality: dict[str, Series] = {}

    def add(self, reports: Iterable[StepReport]) -> None:
        """Append reports."""
        for report in reports:
            self.critic_loss.append(report.step, report.critic_loss)
            self.generator_loss.append(report.step, report.generator_loss)
            self.elapsed_s = report.elapsed_s
            if report.quality is not None:
                self._add_quality(report.step, vars(report.quality))

    def add_history(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Append the rows of ``history.csv``."""
        for row in rows:
            step = int(row["step"])
            self.critic_loss.append(step, float(row["critic_loss"]))
            self.generator_loss.append(step, float(row["generator_loss"]))
            self.elapsed_s = float(row["elapsed_s"])
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

    def in_floors(self, curve: MonitoredCurve) -> Series:
        """Distances of a measure in noise floors; empty if it is not judged."""
        known = self.of(curve.in_floors) if curve.in_floors else Series()
        floor, found = self.last(curve.floor) if curve.floor else math.nan, Series()
        if floor > 0:
            # Measured by an earlier release, or without a comparison.
            points = self.of(curve.column)
            first = known.x[0] if len(known) else math.inf
            for x, y in zip(points.x, points.y, strict=True):
                if x < first:
                    found.append(x, y / floor)
        for x, y in zip(known.x, known.y, strict=True):
            found.append(x, y)
        return found

    def _add_quality(self, step: int, quality: Mapping[str, float]) -> None:
        self.n_measured += 1
        for column, value in quality.items():
            self.of(column).append(step, value)


def judged_of(series: RunSeries, measured: Iterable[MonitoredCurve]) -> list[Judged]:
    """Newest distances in noise floors of the measures that have been judged."""
    from napari_slicegan.report.text import Judged

    found = []
    for curve in measured:
        floors = series.in_floors(curve)
        if len(floors):
            difference = series.last(curve.difference) if curve.difference else math.nan
            known = None if math.isnan(difference) else difference
            last = float(floors.y[-1])
            found.append(Judged(curve.words, curve.title, last, known))
    return found


def verdict_of(
    series: RunSeries, measured: Iterable[MonitoredCurve], *, with_advice: bool = True
) -> str:
    """Which measures agree with the real material, and what to do, in a sentence.

    Empty before they are measured, and for measures without a noise floor.
    """
    from napari_slicegan.report.text import training_verdict

    judged = judged_of(series, measured)
    return training_verdict(judged, series.elapsed_s / 60 if with_advice else None)
