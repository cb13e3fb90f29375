"""A verdict in words for each metric of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_slicegan.metrics import METRICS
from napari_slicegan.reporting.rows import (
    distance_in_floors,
    number,
    phase_name,
    rows_of,
)
from napari_slicegan.reporting.text import (
    FAR_FLOORS,
    NOT_JUDGED,
    Grade,
    is_negligible,
    times,
    told_phase,
)

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row

UNKNOWN_IN_2D = "Not known of the real material: two-dimensional images do not show it."
NO_FLOOR = "No verdict: too little real material for a noise floor."


@dataclass(frozen=True)
class MetricVerdict:
    """What a metric says of the generated material.

    Attributes
    ----------
    metric, title
        Name in `METRICS` (or ``"histogram"``), and title with unit.
    grade
        ``"agrees"``, ``"close"``, ``"differs"`` or ``"unknown"``.
    words
        The verdict.
    real, generated
        Values of the phase and axis that are furthest off; of curves, words.
    where
        That phase and axis.
    floors
        Distance there in noise floors; None if there is no floor.
    """

    metric: str
    title: str
    grade: Grade
    words: str
    real: str
    generated: str
    where: str
    floors: float | None


def metric_verdicts(comparison: Comparison) -> list[MetricVerdict]:
    """One for each metric that was measured, in the order of the comparison."""
    names = dict.fromkeys(row.metric for row in comparison.rows)
    told = told_phase(comparison) if names else ""
    return [_verdict(rows_of(comparison, name), told) for name in names]


def _verdict(rows: Sequence[Row], told: int | str) -> MetricVerdict:
    # Where nothing is judged, the phase that is told of elsewhere.
    row = max(rows, key=lambda row: (_judged_floors(row), row.phase == told))
    grade, words = _words(row)
    axis = f", along {row.axis}" if row.axis else ""
    return MetricVerdict(
        metric=row.metric,
        title=row.title,
        grade=grade,
        words=words,
        real=_value(row.real),
        generated=_value(row.generated),
        where=f"{phase_name(row.phase)}{axis}",
        floors=distance_in_floors(row),
    )


def _judged_floors(row: Row) -> float:
    floors = distance_in_floors(row)
    if floors is None:
        return -1.0
    return 0.0 if is_negligible(row) else floors


def _words(row: Row) -> tuple[Grade, str]:
    floors = distance_in_floors(row)
    if row.real is None:
        return "unknown", UNKNOWN_IN_2D
    if floors is None:
        return "unknown", NO_FLOOR
    if row.metric in NOT_JUDGED:
        return "unknown", "For information: depends on the size of what is measured."
    if floors <= 1 or is_negligible(row):
        return "agrees", f"Indistinguishable from another {_piece(row)}."
    apart = f"{times(floors)} the noise floor" if floors < 1e6 else times(floors)
    if floors <= FAR_FLOORS:
        return "close", f"Close: {_difference(row)}{apart}."
    return "differs", f"Differs: {_difference(row)}{apart}."


def _piece(row: Row) -> str:
    metric = METRICS.get(row.metric)
    what = "block" if metric is not None and metric.only_3d else "slice"
    return f"{what} of the same material"


def _difference(row: Row) -> str:
    """Such as ``12 % too high, ``; empty for curves."""
    if not (isinstance(row.real, float) and isinstance(row.generated, float)):
        return ""
    if not row.real:
        return ""
    percent = (row.generated / row.real - 1) * 100
    return f"{abs(percent):.2g} % too {'high' if percent > 0 else 'low'}, "


def _value(value: object) -> str:
    return "curve" if isinstance(value, tuple) else number(value)
