"""A comparison as a table for other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.machine.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row

COLUMNS = (
    *("metric", "phase", "axis", "r", "real", "generated"),
    *("distance", "noise_floor"),
)


def write_csv(comparison: Comparison, path: Path) -> None:
    """Write one line for each number, and for each r of a curve.

    What is not known is left empty. The file appears complete or not at all.

    Parameters
    ----------
    path
        File to write.
    """
    with (
        replacing(path) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for row in comparison.rows:
            table.writerows(_lines(row))


def _lines(row: Row) -> Iterator[tuple[object, ...]]:
    curves = [value for value in (row.real, row.generated) if isinstance(value, tuple)]
    distances = (row.distance, row.noise_floor)
    if not curves:
        axis = row.axis or ""
        yield (row.metric, row.phase, axis, "", row.real, row.generated, *distances)
        return
    unknown = (None,) * len(curves[0])
    real = row.real if isinstance(row.real, tuple) else unknown
    generated = row.generated if isinstance(row.generated, tuple) else unknown
    for r, pair in enumerate(zip(real, generated, strict=True)):
        yield (row.metric, row.phase, row.axis or "", r, *pair, *distances)
