"""Rows of a comparison, found and named for the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_slicegan.metrics.rows import ALL_PHASES

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row


def phases_of(comparison: Comparison) -> tuple[int | str, ...]:
    """Labels of the phases, or names of the channels, in order."""
    phases = dict.fromkeys(row.phase for row in comparison.rows)
    return tuple(phase for phase in phases if phase != ALL_PHASES)


def rows_of(
    comparison: Comparison, metric: str, phase: int | str | None = None
) -> list[Row]:
    """Rows of one metric, of one phase or all; empty if it was not measured."""
    return [
        row
        for row in comparison.rows
        if row.metric == metric and phase in (None, row.phase)
    ]


def phase_name(phase: int | str) -> str:
    """Such as ``phase 1``, or the name of a channel."""
    return f"phase {phase}" if isinstance(phase, int) else phase


def plain_title(row: Row) -> str:
    """Title of a metric without its unit."""
    return row.title.partition(" (")[0]


def number(value: object) -> str:
    """A number as in the table of the comparison, or a dash."""
    return f"{value:.4g}" if isinstance(value, float) else "-"


def distance_in_floors(row: Row) -> float | None:
    """Distance of a row in multiples of its noise floor; None if it has none."""
    if row.distance is None or row.noise_floor is None:
        return None
    if row.distance == 0:
        return 0.0
    return row.distance / row.noise_floor if row.noise_floor else math.inf
