"""What the rows of `time_to_quality` amount to."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.materials import CASES
from napari_slicegan.config import AXES

Rows = Sequence[dict[str, Any]]

CORRELATION_FLOORS = 1.5
NAMES = ("material", "preset", "settings", "release")
# Title, column and column of the truth of what is shown axis by axis.
ALONG_AXES = (
    ("interface density, from the images", "face", "face_image"),
    ("interface density, from the truth", "face", "face_real"),
    ("percolating fraction", "percolating", "percolating_real"),
    ("effective diffusivity", "diffusivity", "diffusivity_real"),
)


@dataclass(frozen=True)
class Quality:
    """One line of the table: a column of the CSV, its limit and its noise floor."""

    column: str
    title: str
    limit: Callable[[str, dict[str, Any]], float]
    floor: str


QUALITIES = (
    Quality(
        "fraction_error",
        "phase fraction error",
        lambda material, _row: CASES[material].limits.fraction,
        "fraction_floor",
    ),
    Quality(
        "s2",
        "S2 distance",
        lambda material, row: (
            CASES[material].limits.correlation or CORRELATION_FLOORS * row["s2_floor"]
        ),
        "s2_floor",
    ),
    Quality(
        "face_error",
        "interface density error, worst axis",
        lambda material, _row: CASES[material].limits.face,
        "face_floor",
    ),
    Quality(
        "percolating_error",
        "percolating fraction error, worst",
        lambda material, _row: CASES[material].limits.percolating,
        "percolating_floor",
    ),
    Quality(
        "diffusivity_error",
        "effective diffusivity error, mean",
        lambda material, _row: CASES[material].limits.transport,
        "diffusivity_floor",
    ),
)


def parsed(name: str, value: str) -> Any:
    """Number of a cell of the CSV; names and empty cells stay text."""
    return value if name in NAMES or not value else float(value)


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Rows of the CSV; what looks like a number is one."""
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            {name: parsed(name, value) for name, value in row.items()}
            for row in csv.DictReader(lines)
        ]


def table(rows: Rows) -> str:
    """Final values of each material and preset, and the time they took."""
    return "\n".join(_block(own) for own in groups(rows))


def groups(rows: Rows) -> list[list[dict[str, Any]]]:
    """Rows that differ in the seed only: of one material, preset, settings, length."""
    names = ("material", "preset", "release", "settings", "minutes", "size")
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        key = tuple(str(row.get(name, "")) for name in names)
        found.setdefault(key, []).append(row)
    return [own for _, own in sorted(found.items())]


def label_of(row: dict[str, Any]) -> str:
    """Release if it is another one, preset, and what was changed of it."""
    words = (row.get("release"), row["preset"], row["settings"])
    return " ".join(filter(None, (*words, f"{row['minutes']:g} min")))


def by_seed(rows: Rows) -> list[list[dict[str, Any]]]:
    """Rows of each seed, in the order of time."""
    seeds: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        seeds.setdefault(row["seed"], []).append(row)
    return list(seeds.values())


def seconds_to(rows: Rows, good: Callable[[dict[str, Any]], bool]) -> float:
    """First moment from which all rows of a seed are good, infinite if none is."""
    since = math.inf
    for row in rows:
        if not good(row):
            since = math.inf
        elif since == math.inf:
            since = row["seconds"]
    return since


def is_known(quality: Quality, row: dict[str, Any]) -> bool:
    """Whether a quality was measured."""
    return bool(row.get(quality.column, "") != "")


def is_good(row: dict[str, Any], qualities: Sequence[Quality] = QUALITIES) -> bool:
    """Whether a moment is inside the limits, as far as there is a truth to tell."""
    return not row["collapsed"] and all(
        row[quality.column] <= quality.limit(row["material"], row)
        for quality in qualities
        if is_known(quality, row)
    )


def _block(rows: Rows) -> str:
    """Table of one material and preset."""
    seeds = by_seed(rows)
    last = [own[-1] for own in seeds]
    pace = [row["step"] / row["seconds"] for row in last]
    lines = [
        f"{rows[0]['material']}, {label_of(rows[0])}: {len(seeds)} seeds, "
        f"{statistics.median(pace):.2f} steps/s",
        _line("", ("median", "worst", "limit", "floor", "in time", "worst")),
    ]
    known = [quality for quality in QUALITIES if is_known(quality, last[0])]
    lines += [_quality_line(quality, seeds) for quality in known]
    times = [seconds_to(own, is_good) for own in seeds]
    lines.append(_line("all of them", ("", "", "", "", *_times(times))))
    for title, column, real in ALONG_AXES:
        lines += [_axis_line(title, column, real, axis, last) for axis in AXES]
    lines.append(
        f"collapsed: {sum(row['collapsed'] for row in last):.0f} of {len(last)}"
    )
    return "\n".join(line for line in lines if line) + "\n"


def _quality_line(quality: Quality, seeds: list[list[dict[str, Any]]]) -> str:
    """Final value, and since when it is inside the limit."""
    last = [own[-1] for own in seeds]
    values = [row[quality.column] for row in last]
    numbers = (
        statistics.median(values),
        max(values),
        quality.limit(last[0]["material"], last[0]),
        last[0][quality.floor],
    )
    times = [seconds_to(own, lambda row: is_good(row, [quality])) for own in seeds]
    return _line(quality.title, (*(f"{n:.4f}" for n in numbers), *_times(times)))


def _axis_line(title: str, column: str, real: str, axis: str, last: Rows) -> str:
    """Relative error along one axis; nothing where the truth is not known."""
    pairs = [(row[f"{column}_{axis}"], row[f"{real}_{axis}"]) for row in last]
    errors = [value / truth - 1 for value, truth in pairs if truth]
    if not errors:
        return ""
    numbers = (statistics.median(errors), max(errors, key=abs))
    return _line(f"{title}, {axis}", tuple(f"{n:+.1%}" for n in numbers))


def _times(seconds: list[float]) -> list[str]:
    """Median and worst of times; infinite ones are never reached."""
    both = (statistics.median(seconds), max(seconds))
    return ["never" if time == math.inf else f"{time:.0f} s" for time in both]


def _line(title: str, cells: Sequence[str]) -> str:
    return (f"  {title:32}" + "".join(f"{cell:>10}" for cell in cells)).rstrip()
