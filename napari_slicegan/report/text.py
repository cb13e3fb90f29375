"""A comparison in words: rows, verdicts, summary, CSV table."""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.metrics import METRICS
from napari_slicegan.metrics.judgement import (
    FAR_FLOORS,
    NOT_JUDGED,
    Grade,
    grade_of,
    judged_floors,
    relative_difference,
    worst_rows,
)
from napari_slicegan.metrics.rows import ALL_PHASES
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.quantities import within_sentence

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


GRADES: dict[Grade, tuple[str, str]] = {
    "agrees": ("Agrees with", "no distance exceeds its noise floor"),
    "close": ("Close to", "no distance exceeds three noise floors"),
    "differs": ("Differs from", "some distances exceed three noise floors"),
}
N_WORST = 3
LINE_LENGTH = 120
# Phases whose fractions stand in a summary.
MAX_LISTED = 3
# A space at which no line is broken.
KEEP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Finding:
    """Row with the largest distance of one metric, in noise floors.

    The distance is infinite if the real pieces agree exactly.
    """

    row: Row
    floors: float

    @property
    def text(self) -> str:
        """Such as ``interface density 2.1 x (phase 1, along z)``."""
        name = within_sentence(plain_title(self.row))
        along = f", along {self.row.axis}" if self.row.axis else ""
        return f"{name} {times(self.floors)} ({phase_name(self.row.phase)}{along})"


@dataclass(frozen=True)
class Verdict:
    """Overall verdict of a comparison.

    Attributes
    ----------
    grade
        ``"agrees"``: no distance exceeds its noise floor; ``"close"``: none exceeds
        three of them; ``"differs"``; ``"unknown"`` without any noise floor.
    headline, bound
        The same in words, and its criterion.
    largest
        Sentence that lists the largest distances; empty if there are none.
    """

    grade: Grade
    headline: str
    bound: str
    largest: str


def verdict(comparison: Comparison) -> Verdict:
    """Judge a volume by its largest distances in multiples of their noise floor."""
    worst = findings(comparison)[:N_WORST]
    if not worst:
        bound = "too little real material for a noise floor"
        return Verdict("unknown", "No verdict", bound, "")
    listed = "; ".join(finding.text for finding in worst)
    grade = grade_of(worst[0].floors)
    headline, bound = GRADES[grade]
    largest = f"Largest distances in noise floors: {listed}."
    return Verdict(grade, f"{headline} the real material", bound, largest)


def findings(comparison: Comparison) -> list[Finding]:
    """The worst row of every judged metric, by falling distance."""
    found = [Finding(*worst) for worst in worst_rows(comparison).values()]
    return sorted(found, key=lambda finding: -finding.floors)


def summary(comparison: Comparison) -> str:
    """Summary of a comparison in a few lines.

    Of two phases, whose statistics mirror each other, the rarer one is listed, of more
    phases the one with the largest distance. The verdict covers all of them.
    """
    judged = verdict(comparison)
    described = _phase_lines if comparison.kind == "phases" else _intensity_lines
    lines = described(comparison) if comparison.rows else []
    width = max(len(title) for title, _ in [*lines, ("Verdict", [])]) + 2
    texts = [(title, _joined(parts)) for title, parts in lines]
    words = judged.largest or f"{judged.bound.capitalize()}."
    texts.append(("Verdict", f"{judged.headline}. {words}"))
    return "\n".join(
        textwrap.fill(
            text,
            LINE_LENGTH,
            initial_indent=title.ljust(width),
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        ).replace(KEEP, " ")
        for title, text in texts
    )


def shown_phase(comparison: Comparison) -> int | str:
    """The rarer of two phases, or the one of several with the largest distance."""
    phases = phases_of(comparison)
    if len(phases) == 2:
        fractions = rows_of(comparison, "phase_fraction")
        return min(fractions, key=_real_number).phase if fractions else phases[-1]
    ranked = [one.row.phase for one in findings(comparison) if one.row.phase in phases]
    return ranked[0] if ranked else phases[-1]


def times(floors: float) -> str:
    """Multiple of the noise floor, as text."""
    return (
        "beyond a noise floor of 0" if math.isinf(floors) else f"{in_floors(floors)} x"
    )


def in_floors(floors: float) -> str:
    """One digit, but on the right side of the limits of the verdicts, 1 and 3."""
    text = f"{floors:.1f}"
    limit = float(text)
    if limit not in (1.0, FAR_FLOORS) or floors == limit:
        return text
    return f"{'>' if floors > limit else '<='} {limit:.0f}"


def _phase_lines(comparison: Comparison) -> list[tuple[str, list[str]]]:
    phase = shown_phase(comparison)
    rarer = len(phases_of(comparison)) == 2
    fractions = rows_of(comparison, "phase_fraction")
    lines = [("Phase fraction", _values(fractions))] if fractions else []
    why = "the rarer of the two" if rarer else "the one furthest off"
    lines.append((f"For {phase_name(phase)}", [f"{why}:"]))
    for metric, described in (
        ("two_point_correlation", _distances),
        ("interface_density", _with_percent),
        ("percolating_fraction", _beside_real),
    ):
        rows = rows_of(comparison, metric, phase)
        if rows:
            lines.append((plain_title(rows[0]), described(rows)))
    return lines


def _intensity_lines(comparison: Comparison) -> list[tuple[str, list[str]]]:
    channel = shown_phase(comparison)
    histograms = rows_of(comparison, "histogram")
    sizes = [f"generated {comparison.generated} voxels", f"real {comparison.reference}"]
    lines = [
        ("Compared", sizes),
        ("Mean value", _values(histograms)),
        ("Histogram / real sd", _distances(histograms)),
    ]
    covariances = rows_of(comparison, "normalised_autocovariance", channel)
    if covariances:
        lines.append(
            (f"{plain_title(covariances[0])}, {channel}", _distances(covariances))
        )
    return lines


def _values(rows: Sequence[Row]) -> list[str]:
    """Real and generated values, of many phases those with the largest distances."""
    worst = sorted(rows, key=lambda row: -(row.distance or 0.0))[:MAX_LISTED]
    texts = [
        f"{phase_name(row.phase)} {number(row.real)} / {number(row.generated)}"
        for row in rows
        if row in worst
    ]
    others = ["others nearer"] if len(rows) > len(texts) else []
    return ["real / generated:", *texts, *others]


def _distances(rows: Sequence[Row]) -> list[str]:
    """Distances beside their noise floors."""
    texts = (
        f"{row.axis or phase_name(row.phase)} {number(row.distance)} / "
        f"{number(row.noise_floor)}"
        for row in rows
    )
    return ["distance / noise floor:", *texts]


def _with_percent(rows: Sequence[Row]) -> list[str]:
    """Generated values and their relative differences from the real ones."""
    texts = [f"{row.axis} {number(row.generated)}" for row in rows]
    for index, row in enumerate(rows):
        real, generated = row.real, row.generated
        if isinstance(real, float) and isinstance(generated, float) and real:
            percent = (generated / real - 1) * 100
            texts[index] += f" ({percent:+.1f} % of {number(real)})"
    return texts


def _beside_real(rows: Sequence[Row]) -> list[str]:
    """Generated and real values."""
    if all(row.real is None for row in rows):
        texts = [f"{row.axis} {number(row.generated)}" for row in rows]
        return [*texts, "real not known from 2-D images"]
    return [
        f"{row.axis} {number(row.generated)} (real {number(row.real)})" for row in rows
    ]


def _joined(parts: Sequence[str]) -> str:
    """Parts one after the other, lines to be broken between them only."""
    commas = (part if part.endswith(":") else f"{part}," for part in parts)
    return " ".join(part.strip().replace(" ", KEEP) for part in commas).rstrip(",")


def _real_number(row: Row) -> float:
    return row.real if isinstance(row.real, float) else math.inf


UNKNOWN_IN_2D = "Unknown for the real material: two-dimensional images do not show it."
NO_FLOOR = "No verdict: too little real material for a noise floor."


@dataclass(frozen=True)
class MetricVerdict:
    """Verdict on one metric.

    Attributes
    ----------
    metric, title
        Name in `METRICS` (or ``"histogram"``), and title with unit.
    grade, words
        The verdict.
    where
        Phase and axis with the largest distance.
    real, generated
        Values there; "curve" for curves.
    floors
        Distance there in noise floors, 0 if it is negligible; None without a floor.
    """

    metric: str
    title: str
    grade: Grade
    words: str
    real: str
    generated: str
    where: str
    floors: float | None


def baseline_sentence(comparison: Comparison, baseline: Comparison) -> str:
    """How often a volume is nearer to the real material than the baseline.

    Of the metrics that both have and that are judged; what agrees is equally near.
    """
    own, other = (
        {one.metric: one for one in metric_verdicts(each)}
        for each in (comparison, baseline)
    )
    nearer, farther = 0, []
    judged = [
        name
        for name in own
        if name in other and "unknown" not in (own[name].grade, other[name].grade)
    ]
    for name in judged:
        floors, others = (
            0.0 if one.grade == "agrees" else one.floors or 0.0
            for one in (own[name], other[name])
        )
        nearer += floors < others
        if floors > others:
            farther.append(within_sentence(own[name].title.partition(" (")[0]))
    if not judged:
        return "No metric is judged, so none is compared with the Gaussian field."
    listed = f" ({', '.join(farther)})" if farther else ""
    return (
        "Beside a Gaussian random field with the phase fractions and the two-point "
        f"correlation of the images, of {len(judged)} judged metrics the volume is "
        f"nearer to the real material in {nearer}, as near in "
        f"{len(judged) - nearer - len(farther)}, farther in {len(farther)}{listed}."
    )


def metric_verdicts(comparison: Comparison) -> list[MetricVerdict]:
    """One for each metric that was measured, in the order of the comparison."""
    names = dict.fromkeys(row.metric for row in comparison.rows)
    shown = shown_phase(comparison) if names else ""
    return [_verdict(rows_of(comparison, name), shown) for name in names]


def _verdict(rows: Sequence[Row], shown: int | str) -> MetricVerdict:
    def rank(row: Row) -> tuple[float, bool]:
        floors = judged_floors(row)
        # Where nothing is judged, the phase of the summary.
        return -1.0 if floors is None else floors, row.phase == shown

    row = max(rows, key=rank)
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
        floors=judged_floors(row),
    )


def _words(row: Row) -> tuple[Grade, str]:
    floors = judged_floors(row)
    if row.real is None:
        return "unknown", UNKNOWN_IN_2D
    if floors is None:
        return "unknown", NO_FLOOR
    if row.metric in NOT_JUDGED:
        return "unknown", "For information: depends on the size of what is measured."
    grade = grade_of(floors)
    if grade == "agrees":
        metric = METRICS.get(row.metric)
        piece = "block" if metric is not None and metric.only_3d else "slice"
        return (
            "agrees",
            f"Indistinguishable from another {piece} of the same material.",
        )
    apart = f"{times(floors)} the noise floor" if floors < 1e6 else times(floors)
    return grade, f"{grade.capitalize()}: {_difference(row)}{apart}."


def _difference(row: Row) -> str:
    """Such as ``12 % too high, ``; empty for curves."""
    difference = relative_difference(row)
    return "" if difference is None else f"{off_by(difference)}, "


def off_by(difference: float) -> str:
    """A relative difference in words, such as ``12 % too high``."""
    percent = abs(100 * difference)
    size = f"{percent:.2g}" if percent < 100 else f"{percent:.0f}"
    return f"{size} % too {'high' if difference > 0 else 'low'}"


@dataclass(frozen=True)
class Judged:
    """Largest distance of a measure of a run that trains.

    Attributes
    ----------
    words
        The measure as a plural noun, such as ``interfaces``.
    title
        The measure in a chart.
    floors
        Distance in noise floors.
    difference
        Relative difference from the real value; None for curves.
    """

    words: str
    title: str
    floors: float
    difference: float | None = None

    @property
    def grade(self) -> Grade:
        """Verdict on this measure."""
        return grade_of(self.floors)

    @property
    def text(self) -> str:
        """What is wrong, such as ``interfaces are 19 % too high``."""
        if self.difference is not None:
            off = off_by(self.difference)
        else:
            floors = "" if math.isinf(self.floors) else in_floors(self.floors)
            off = f"{floors} noise floors off" if floors else "off"
        return f"{self.words} are {off}"


def training_verdict(
    judged: Sequence[Judged], trained_minutes: float | None = None
) -> str:
    """What agrees, by how much the rest differs, and what to do, in a sentence.

    Parameters
    ----------
    judged
        Measures of the newest preview.
    trained_minutes
        Training time so far; without it no next step is given.

    Returns
    -------
    str
        Empty if nothing is judged.
    """
    agree = [one.words for one in judged if one.grade == "agrees"]
    apart = sorted(
        (one for one in judged if one.grade != "agrees"), key=lambda one: -one.floors
    )
    parts = []
    if agree:
        names = _listed(agree)
        whole = "" if apart else " with the real material"
        parts.append(f"{names[:1].upper()}{names[1:]} agree{whole}")
    if apart:
        text = _listed([one.text for one in apart])
        parts.append(text if agree else f"{text[:1].upper()}{text[1:]}")
    if not parts:
        return ""
    sentence = "; ".join(parts)
    if trained_minutes is not None:
        sentence += f": {_next_step(apart, trained_minutes)}"
    return f"{sentence}."


def _next_step(apart: Sequence[Judged], trained_minutes: float) -> str:
    """Distances fall about as 1 / time: a distance of f floors needs f times as long.

    No more than as long again, since nobody knows the curve beyond.
    """
    if not apart:
        return "generate a volume and measure it"
    more = trained_minutes * min(apart[0].floors - 1, 1.0)
    minutes = max(1, round(more))
    return f"continue for {minutes} more minute{'s' if minutes > 1 else ''}"


def _listed(texts: Sequence[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))


def _value(value: object) -> str:
    return "curve" if isinstance(value, tuple) else number(value)


COLUMNS = tuple("metric phase axis r real generated distance noise_floor".split())


def write_csv(comparison: Comparison, path: Path) -> None:
    """Write one line for each number, and for each r of a curve.

    Unknown values are left empty. The file appears complete or not at all.
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
