"""A comparison in words and as a CSV table."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_slicegan.metrics.comparison import Row, compare
from napari_slicegan.report.text import (
    COLUMNS,
    NO_FLOOR,
    UNKNOWN_IN_2D,
    Judged,
    findings,
    metric_verdicts,
    summary,
    training_verdict,
    verdict,
    write_csv,
)
from napari_slicegan.volumes.volume import Volume
from tests.reports import case, made_of, row

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Row


def test_verdicts() -> None:
    cases: list[tuple[list[Row], str]] = [
        ([row(0.009, 0.01)], "agrees"),
        ([row(0.009, 0.01), row(0.02, 0.01, axis="y")], "close"),
        ([row(0.031, 0.01), row(0.009, 0.01, axis="y")], "differs"),
        # All real pieces agree, and the volume does not.
        ([row(0.01, 0.0)], "differs"),
        ([row(0.0, 0.0)], "agrees"),
        # 0.5 % of the real value is nothing to complain of.
        ([row(0.0005, 0.0), row(0.001, 0.01, axis="y")], "agrees"),
        ([row(0.0005, 0.0)], "agrees"),
        # Depends on the size of the piece.
        ([row(9.0, 0.1, metric="chord_length"), row(0.001, 0.01)], "agrees"),
        ([row(0.01, None), row(None, 0.01)], "unknown"),
        ([], "unknown"),
    ]
    for rows, grade in cases:
        assert verdict(made_of(*rows)).grade == grade


def test_findings_are_the_worst_row_of_each_metric() -> None:
    rows = [
        row(0.02, 0.01),
        row(0.05, 0.01, axis="y", phase=7),
        row(0.03, 0.01, metric="phase_fraction", axis=None),
        row(0.04, 0.02, metric="euler_density", axis=None),
    ]
    found = findings(made_of(*rows))
    assert [finding.floors for finding in found] == pytest.approx([5, 3, 2])
    assert verdict(made_of(*rows)).largest == (
        "Largest distances in noise floors: interface density 5.0 x (phase 7, along y)"
        "; phase fraction 3.0 x (phase 1); Euler number density 2.0 x (phase 1)."
    )
    assert math.isinf(findings(made_of(row(0.1, 0.0)))[0].floors)


@pytest.mark.parametrize("name", ["anisotropic", "truth"])
def test_a_summary_lists_the_rows_of_the_comparison(name: str) -> None:
    comparison, _, _ = case(name)
    text = summary(comparison)
    lines = text.splitlines()
    assert 5 <= len(lines) <= 8
    assert max(map(len, lines)) <= 120
    flat = " ".join(text.split())
    phase = int(flat.partition("For phase ")[2].split()[0])
    for metric in (
        "two_point_correlation",
        "interface_density",
        "percolating_fraction",
    ):
        for axis in "zyx":
            found = comparison.row(metric, phase, axis)  # type: ignore[arg-type]
            if metric == "two_point_correlation":
                expected = f"{axis} {found.distance:.4g} / {found.noise_floor:.4g}"
            else:
                expected = f"{axis} {found.generated:.4g}"
            assert expected in flat
            if metric == "interface_density":
                assert isinstance(found.real, float)
                assert isinstance(found.generated, float)
                percent = 100 * (found.generated - found.real) / found.real
                assert f"({percent:+.1f} % of {found.real:.4g})" in flat
            elif metric == "percolating_fraction" and found.real is not None:
                assert f"{axis} {found.generated:.4g} (real {found.real:.4g})" in flat
    fraction = comparison.row("phase_fraction", phase)
    assert f"phase {phase} {fraction.real:.4g} / {fraction.generated:.4g}" in flat
    assert verdict(comparison).headline in flat


def test_of_two_phases_the_rarer_one_is_shown() -> None:
    values = np.zeros((8, 8, 8), dtype=np.uint8)
    values[:3] = 5  # 3 / 8 of the voxels
    image = np.roll(values[:, :, 0], 2, axis=0)
    text = summary(compare([image], Volume(values, "phases"), 2))
    assert "For phase 5" in text
    assert "phase 5 0.375 / 0.375" in text


def test_a_summary_of_gray_values() -> None:
    comparison, _, _ = case("grayscale")
    flat = " ".join(summary(comparison).split())
    histogram = comparison.row("histogram", "gray")
    assert f"gray {histogram.real:.4g} / {histogram.generated:.4g}" in flat
    assert f"gray {histogram.distance:.4g} / {histogram.noise_floor:.4g}" in flat
    for axis in "zyx":
        found = comparison.row("normalised_autocovariance", "gray", axis)  # type: ignore[arg-type]
        assert f"{axis} {found.distance:.4g} / {found.noise_floor:.4g}" in flat


def only(one: Row) -> Any:
    (found,) = metric_verdicts(made_of(one))
    return found


def test_within_the_noise_floor_nothing_can_be_distinguished() -> None:
    found = only(row(0.01, 0.02))
    assert found.grade == "agrees"
    assert found.words == "Indistinguishable from another slice of the same material."
    block = only(row(0.01, 0.02, metric="percolating_fraction"))
    assert "another block of the same material" in block.words


def test_differences_beyond_the_noise_floor_are_quantified() -> None:
    near = only(row(0.02, 0.01, generated=0.12))
    assert near.grade == "close"
    assert near.words == "Close: 20 % too high, 2.0 x the noise floor."
    far = only(row(0.05, 0.01, generated=0.05))
    assert far.grade == "differs"
    assert far.words == "Differs: 50 % too low, 5.0 x the noise floor."
    assert (far.real, far.generated, far.where) == ("0.1", "0.05", "phase 1, along z")
    curve = only(row(0.05, 0.01, real=(0.5, 0.3), generated=(0.5, 0.2)))
    assert curve.words == "Differs: 5.0 x the noise floor."
    assert curve.real == "curve"
    # Real pieces agree exactly; less than 1 % is neglected.
    exact = only(row(0.05, 0.0, generated=0.15))
    assert exact.grade == "differs"
    assert math.isinf(exact.floors)
    assert "beyond a noise floor of 0" in exact.words
    assert only(row(0.0005, 0.0)).grade == "agrees"


def test_what_cannot_be_judged_is_not() -> None:
    rows: list[tuple[Row, str]] = [
        (row(None, None, real=None), UNKNOWN_IN_2D),
        (row(0.01, None), NO_FLOOR),
        (row(0.5, 0.01, metric="chord_length"), "For information"),
    ]
    for given, words in rows:
        found = only(given)
        assert found.grade == "unknown"
        assert found.words.startswith(words)


def test_the_worst_phase_and_axis_speak() -> None:
    rows = [row(0.01, 0.02), row(0.05, 0.02, axis="x"), row(0.03, 0.02, phase=2)]
    (found,) = metric_verdicts(made_of(*rows))
    assert found.where == "phase 1, along x"
    assert found.floors == pytest.approx(2.5)


def test_a_run_is_judged_with_size_direction_and_a_next_step() -> None:
    """Distances fall about as 1 / time, and no more than as long again is advised."""
    fractions = Judged("phase fractions", "Phase fraction", 0.4)
    curves = Judged("correlations", "Correlation", 1.0)
    many = Judged("interfaces", "Interface density", 1.4, 0.19)
    few = Judged("percolating fractions", "Percolating fraction", 7.0, -0.052)
    cases = [
        ([], 10.0, ""),
        (
            [fractions, curves],
            10.0,
            "Phase fractions and correlations agree with the real material: generate "
            "a volume and measure it.",
        ),
        (
            [fractions, curves, many],
            10.0,
            "Phase fractions and correlations agree; interfaces are 19 % too high: "
            "continue for 4 more minutes.",
        ),
        (
            [many, few],
            10.0,
            "Percolating fractions are 5.2 % too low and interfaces are 19 % too "
            "high: continue for 10 more minutes.",
        ),
        ([many], 0.5, "Interfaces are 19 % too high: continue for 1 more minute."),
        ([many], None, "Interfaces are 19 % too high."),
        (
            [Judged("correlations", "Correlation", 3.04)],
            None,
            "Correlations are > 3 noise floors off.",
        ),
    ]
    for judged, minutes, sentence in cases:
        assert training_verdict(judged, minutes) == sentence


def test_every_metric_gets_one() -> None:
    for name in ("truth", "too small", "colour"):
        comparison = case(name)[0]
        found = [one.metric for one in metric_verdicts(comparison)]
        assert found == list(dict.fromkeys(row.metric for row in comparison.rows))


def test_every_number_is_there(tmp_path: Path) -> None:
    for name in ("truth", "colour"):
        comparison = case(name)[0]
        write_csv(comparison, tmp_path / "numbers.csv")
        with (tmp_path / "numbers.csv").open(encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        expected = 0
        for one in comparison.rows:
            curves = [v for v in (one.real, one.generated) if isinstance(v, tuple)]
            expected += len(curves[0]) if curves else 1
        assert len(lines) == expected
        assert tuple(lines[0]) == COLUMNS


def test_curves_have_a_line_for_each_distance(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    known = row(0.1, 0.2, real=(0.5, 0.25), generated=(0.5, 0.3))
    unknown = row(None, None, real=None, generated=(0.5, 0.3), axis=None)
    write_csv(made_of(known, unknown), path)
    assert path.read_text("utf-8").splitlines()[1:] == [
        "interface_density,1,z,0,0.5,0.5,0.1,0.2",
        "interface_density,1,z,1,0.25,0.3,0.1,0.2",
        "interface_density,1,,0,,0.5,,",
        "interface_density,1,,1,,0.3,,",
    ]
