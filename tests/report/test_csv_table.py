"""The numbers of a comparison for other programs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from napari_slicegan.report.text import COLUMNS, write_csv
from tests.reports import case, made_of, row


@pytest.mark.parametrize("name", ["truth", "colour"])
def test_every_number_is_there(name: str, tmp_path: Path) -> None:
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
