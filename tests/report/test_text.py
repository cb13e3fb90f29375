"""What the report says of a comparison."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_slicegan.metrics.comparison import Row, compare
from napari_slicegan.report.text import findings, summary, verdict
from napari_slicegan.volumes.volume import Volume
from tests.reports import case, made_of, row


@pytest.mark.parametrize(
    ("rows", "grade"),
    [
        ([row(0.009, 0.01)], "agrees"),
        ([row(0.009, 0.01), row(0.02, 0.01, axis="y")], "close"),
        ([row(0.031, 0.01), row(0.009, 0.01, axis="y")], "differs"),
        # All real pieces agree, and the volume does not.
        ([row(0.01, 0.0)], "differs"),
        ([row(0.0, 0.0)], "agrees"),
        # 0.5 % of the real value is nothing to complain of.
        ([row(0.0005, 0.0), row(0.001, 0.01, axis="y")], "agrees"),
        # Depends on the size of the piece.
        ([row(9.0, 0.1, metric="chord_length"), row(0.001, 0.01)], "agrees"),
        ([row(0.01, None), row(None, 0.01)], "unknown"),
        ([], "unknown"),
    ],
)
def test_verdicts(rows: list[Row], grade: str) -> None:
    assert verdict(made_of(*rows)).grade == grade


def test_the_worst_row_of_each_metric_is_told() -> None:
    rows = [
        row(0.02, 0.01),
        row(0.05, 0.01, axis="y", phase=7),
        row(0.03, 0.01, metric="phase_fraction", axis=None),
    ]
    found = findings(made_of(*rows))
    assert [finding.floors for finding in found] == pytest.approx([5, 3])
    assert verdict(made_of(*rows)).largest == (
        "Largest distances in noise floors: interface density 5.0 x (phase 7, along y)"
        "; phase fraction 3.0 x (phase 1)."
    )
    assert math.isinf(findings(made_of(row(0.1, 0.0)))[0].floors)


@pytest.mark.parametrize("name", ["anisotropic", "truth"])
def test_a_summary_tells_the_rows_of_the_comparison(name: str) -> None:
    comparison, _, _ = case(name)
    text = summary(comparison)
    lines = text.splitlines()
    assert 5 <= len(lines) <= 8
    assert max(map(len, lines)) <= 120
    flat = " ".join(text.split())
    phase = int(flat.partition("Of phase ")[2].split()[0])
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


def test_of_two_phases_the_rarer_one_is_told() -> None:
    values = np.zeros((8, 8, 8), dtype=np.uint8)
    values[:3] = 5  # 3 / 8 of the voxels
    image = np.roll(values[:, :, 0], 2, axis=0)
    text = summary(compare([image], Volume(values, "phases"), 2))
    assert "Of phase 5" in text
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
