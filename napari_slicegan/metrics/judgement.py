"""How far a volume is from the real material, in multiples of the noise floor.

The rule behind every verdict: of the report, the Measure tab and a run that trains.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row

Grade: TypeAlias = Literal["agrees", "close", "differs", "unknown"]

# The mean deviation of a normal distribution is 0.8 sd: three noise floors are 2.4 sd,
# seldom exceeded by chance.
FAR_FLOORS = 3.0
# Real pieces may happen to agree exactly, such as in a percolating fraction of 1: for
# phases, smaller relative differences are neglected.
NEGLIGIBLE = 0.01
# Real pieces of other sizes differ in these by more than the noise floor: no chord is
# longer than the piece, and the scatter of few planes is uncertain.
NOT_JUDGED = ("chord_length", "slice_deviation")


def grade_of(floors: float) -> Grade:
    """Grade of a distance in multiples of its noise floor."""
    return "agrees" if floors <= 1 else "close" if floors <= FAR_FLOORS else "differs"


def distance_in_floors(row: Row) -> float | None:
    """Distance of a row in multiples of its noise floor; None if it has none."""
    if row.distance is None or row.noise_floor is None:
        return None
    if row.distance == 0:
        return 0.0
    return row.distance / row.noise_floor if row.noise_floor else math.inf


def is_negligible(row: Row) -> bool:
    """Whether a difference of phases, whose values are relative, can be neglected."""
    if row.distance is None or row.real is None or not isinstance(row.phase, int):
        return False
    values: Sequence[float] = row.real if isinstance(row.real, tuple) else (row.real,)
    return row.distance <= NEGLIGIBLE * abs(sum(values) / len(values))


def relative_difference(row: Row) -> float | None:
    """(generated - real) / abs(real); None for curves and unknown values."""
    if not (isinstance(row.real, float) and isinstance(row.generated, float)):
        return None
    return (row.generated - row.real) / abs(row.real) if row.real else None


def judged_floors(row: Row) -> float | None:
    """`distance_in_floors`, 0 if it exceeds its floor but is negligible."""
    floors = distance_in_floors(row)
    return 0.0 if floors is not None and floors > 1 and is_negligible(row) else floors


def worst_rows(comparison: Comparison) -> dict[str, tuple[Row, float]]:
    """By name, the judged metrics: the row with the largest distance, and the distance.

    In noise floors; 0 for a negligible one.
    """
    worst: dict[str, tuple[Row, float]] = {}
    for row in comparison.rows:
        floors = judged_floors(row)
        if floors is None or row.metric in NOT_JUDGED:
            continue
        if row.metric not in worst or floors > worst[row.metric][1]:
            worst[row.metric] = row, floors
    return worst
