"""The numbers behind the curves of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.step_report import StepReport

SPEED_WINDOW = 20
"""Steps that the speed of a run read from its folder is the mean of."""


class Series:
    """Points (x, y) that grow at the end; appending is cheap, so is drawing."""

    def __init__(self) -> None:
        self._points = np.empty((256, 2))
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def append(self, x: float, y: float) -> None:
        """Add a point; one that is not finite is left out."""
        if not math.isfinite(y):
            return
        if self._n == len(self._points):
            self._points = np.concatenate([self._points, np.empty_like(self._points)])
        self._points[self._n] = x, y
        self._n += 1

    @property
    def x(self) -> NDArray[np.float64]:
        """Positions, [n]."""
        return self._points[: self._n, 0]

    @property
    def y(self) -> NDArray[np.float64]:
        """Values, [n]."""
        return self._points[: self._n, 1]


class RunSeries:
    """All curves of a run over its steps, from its reports or from its folder."""

    def __init__(self) -> None:
        self.critic_loss = Series()
        self.generator_loss = Series()
        self.steps_per_s = Series()
        self._quality: dict[str, Series] = {}

    def add(self, reports: Iterable[StepReport]) -> None:
        """Append what steps reported."""
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
            measured = {name: row[name] for name in row.keys() - OF_EVERY_RUN}
            if all(measured.values()):
                self._add_quality(step, {n: float(x) for n, x in measured.items()})

    def of(self, column: str) -> Series:
        """One number of the quality; empty before it is measured."""
        return self._quality.setdefault(column, Series())

    def last(self, column: str) -> float:
        """Its newest value; nan before it is measured."""
        points = self.of(column)
        return float(points.y[-1]) if len(points) else math.nan

    def _add_quality(self, step: int, quality: Mapping[str, float]) -> None:
        for column, value in quality.items():
            self.of(column).append(step, value)


# Columns of every history; all others are of the quality.
OF_EVERY_RUN = {"step", "elapsed_s", "critic_loss", "generator_loss", "penalty_loss"}
