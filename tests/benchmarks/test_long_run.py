"""The long run, in a short form, and its verdict."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.long_run import EVENTS, Row, growth, main, quality_kept, verdict
from tests.benchmarks.test_benchmarks import TOY

ROW = Row(0, 0, 1, "none", 9, 10, 1000, 500, 10, 7, (0.010, 0.012), (0.05, 0.06))


@pytest.mark.slow
def test_a_disturbed_run_and_many_generations_need_no_more_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [argument for text in TOY for argument in ("--set", text)]
    asked = "--hours 0.001 --intervals 8 --pause-s 0.05 --size 32".split()
    more = "--generations 30 --edges 8 16".split()
    main(["--out", str(tmp_path), *asked, *more, *settings])
    with (tmp_path / "long-run.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["event"] for row in rows} == {*EVENTS}
    steps = [int(row["step"]) for row in rows]
    assert steps == sorted({*steps})
    assert max(int(row["n_files"]) for row in rows) <= 9
    printed = capsys.readouterr().out
    assert "ok    memory of 30 generations" in printed
    assert "ok    memory " in printed.splitlines()[0]


def test_growth_leaves_the_warm_up_out() -> None:
    assert growth([1, 5, *[10] * 5, *[11] * 3]) == pytest.approx(0.1)
    assert growth([1]) == 0


def test_each_fault_is_found(
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[str, object]] = [
        ("resident_bytes", 1030),
        ("steps_per_cpu_s", 8.5),
        ("disk_bytes", 520),
        ("s2", (0.014, 0.016)),
        ("face_error", (0.15, 0.16)),
    ]
    for field, value in cases:
        with subtests.test(field):
            good = [ROW] * 20
            assert all(verdict(good).values())
            bad = [*[ROW] * 10, *[replace(ROW, **{field: value})] * 10]  # type: ignore[arg-type]
            assert [*verdict(bad).values()].count(False) == 1


def test_speed_is_judged_without_a_second_program() -> None:
    slow = replace(ROW, event="load", steps_per_cpu_s=5)
    assert all(verdict([*[ROW] * 10, *[ROW, slow, slow] * 4]).values())


def test_quality_within_the_noise_is_kept() -> None:
    """Two volumes of a variance of 2: their mean has a variance of 1."""
    text, is_kept = quality_kept([(3, 5), (5, 7)] * 2 + [(5, 7)])
    assert text == "5.3333 at the end, 4.6667 at best, noise 1.0000"
    assert is_kept
