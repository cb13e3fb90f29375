"""Transport properties of blocks, beside those of the real material."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from napari_slicegan.cli.parser import main
from napari_slicegan.metrics.permeability import DARCY_M2, permeability
from napari_slicegan.metrics.stored_volume import StoredVolume
from napari_slicegan.metrics.transport import (
    effective_conductivity,
    effective_diffusivity,
)
from napari_slicegan.report import physics as module
from napari_slicegan.report.physics import (
    Estimate,
    Physics,
    PhysicsSettings,
    measure_physics,
)
from napari_slicegan.report.proof import ProofSettings, examine
from napari_slicegan.runtime.progress import Cancelled
from napari_slicegan.volumes.volume import Volume
from tests.reports import phases

ALL = PhysicsSettings(True, (10,), (1.0, 0.01), 12)


@pytest.fixture(scope="module")
def volume() -> Volume:
    return Volume(phases(24, 24, 12, seed=2), "phases", 2000.0)


@pytest.fixture(scope="module")
def found(volume: Volume) -> Physics:
    real = Volume(phases(12, 26, 24, seed=1), "phases")
    gaussian = Volume(phases(12, 24, 12, seed=3), "phases")
    fractions: list[float] = []
    found = measure_physics(volume, ALL, real, gaussian, fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    return found


def test_mean_and_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    known = Estimate.of(list(values))
    assert known.mean == 4
    assert known.standard_error == pytest.approx(values.std(ddof=1) / 2)
    others = [5, 14 / 3, 4, 7 / 3]
    assert known.scatter == pytest.approx(np.abs(values - others).mean())
    assert known.times(2).text == "8 ± 3.6"
    # A ratio of sums: a block through which nothing flows does not make it infinite.
    ratio = Estimate.of([0.5, 0.5, 0.5], [0.2, 0.1, 0.0])
    assert ratio.mean == pytest.approx(5)
    assert ratio.standard_error is not None
    assert ratio.scatter is None
    assert Estimate.of([0.5], [0.0]).text == "infinite"
    assert Estimate.of([math.inf, 1.0]).standard_error is None


def test_values_are_those_of_the_blocks(found: Physics, volume: Volume) -> None:
    assert found.edges == (12, 12, 12)
    assert "12 x 12 x 12 voxels (4 real, 4 generated, 2 Gaussian" in found.caption
    halves = (slice(12), slice(12, 24))
    blocks = [volume.values[z, y] for z in halves for y in halves]
    conductivities = {0: 1.0, 10: 0.01}
    diffusivities = [effective_diffusivity(one == 10, 1) for one in blocks]
    row = found.row("effective_diffusivity", 10, "y")
    # Multigrid begins with random numbers.
    assert row.generated.mean == pytest.approx(np.mean(diffusivities), rel=1e-4)
    assert row.generated.n_blocks == 4
    row = found.row("tortuosity_factor", 10, "y")
    fraction = float(np.mean(volume.values == 10))
    assert row.generated.mean == pytest.approx(
        fraction / np.mean(diffusivities), rel=1e-4
    )
    row = found.row("permeability", 10, "x")
    known = Estimate.of([permeability(one == 10, 2) for one in blocks])
    assert row.generated.mean == pytest.approx(known.mean, rel=1e-4)
    assert row.generated.standard_error == pytest.approx(known.standard_error, rel=1e-3)
    darcy = found.row("permeability_darcy", 10, "x").generated.mean
    assert darcy == pytest.approx(row.generated.mean * (2e-6) ** 2 / DARCY_M2)
    row = found.row("effective_conductivity", None, "z")
    values = [effective_conductivity(one, conductivities, 0) for one in blocks]
    assert row.generated.mean == pytest.approx(np.mean(values), rel=1e-4)
    assert row.real is not None
    assert row.noise_floor == row.real.scatter
    (metric,) = (
        one
        for one in found.comparison_rows()
        if (one.metric, one.phase, one.axis) == ("permeability", 10, "x")
    )
    assert metric.generated == found.row("permeability", 10, "x").generated.mean
    assert metric.distance is not None


def test_table_json_and_csv_agree(found: Physics, tmp_path: Path) -> None:
    lines = found.table().splitlines()
    assert lines[2].split()[:4] == ["property", "phase", "axis", "real"]
    assert len(lines) == 3 + len(found.rows)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    found.write_csv(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert len(written) == len(facts["rows"]) == len(found.rows)
    for line, row in zip(written, facts["rows"], strict=True):
        assert line["property"] == row["name"]
        assert line["block_edge"] == "12x12x12"
        for column in ("mean", "standard_error", "n_blocks"):
            number = row["generated"][column]
            assert line[f"generated_{column}"] == (
                "" if number is None else f"{number}"
            )


def test_without_real_blocks_the_floor_is_that_of_the_generated(volume: Volume) -> None:
    images = [phases(40, 40, seed=1)]
    alone = measure_physics(volume, PhysicsSettings(block_edge=12), images)
    for row in alone.rows:
        assert row.real is None
        assert row.noise_floor == row.generated.scatter
    assert "between a generated block" in alone.caption


def test_a_stored_volume_is_read_by_blocks(volume: Volume) -> None:
    stored = StoredVolume(volume.values, "phases", labels=(0, 10))
    settings = PhysicsSettings(False, conductivities=(1, 2), block_edge=12)
    found = measure_physics(stored, settings)
    for row, one in zip(
        found.rows, measure_physics(volume, settings).rows, strict=True
    ):
        assert row.generated.mean == pytest.approx(one.generated.mean, rel=1e-4)


def layered(n_voxels: int) -> Volume:
    """One layer of phase 10 in the middle of phase 0, of 12 planes along z."""
    values = np.zeros((12, 24, 12), np.uint8)
    values[2 : 2 + n_voxels] = 10
    return Volume(values, "phases", 2000.0)


def test_several_volumes_have_a_standard_deviation(tmp_path: Path) -> None:
    """Layers conduct by their fraction: 1/6, 1/3 and 1/2 of the volume."""
    first, *others = map(layered, (2, 4, 6))
    settings = PhysicsSettings(True, (10,), block_edge=12)
    found = measure_physics(first, settings, others=others)
    row = found.row("effective_diffusivity", 10, "y")
    assert row.generated.mean == pytest.approx(1 / 3)
    assert row.generated.n_blocks == 6
    assert row.between_volumes == pytest.approx(1 / 6)
    # Straight layers: the tortuosity factor is 1; across them nothing flows.
    assert found.row("tortuosity_factor", 10, "x").between_volumes == pytest.approx(0)
    assert found.row("tortuosity_factor", 10, "z").between_volumes is None
    # Plane channels of N voxels: N^2 / 12, by their fraction N / 12.
    known = np.array([2, 4, 6]) ** 3 / 144
    row = found.row("permeability", 10, "y")
    assert row.generated.mean == pytest.approx(known.mean(), rel=1e-4)
    assert row.between_volumes == pytest.approx(known.std(ddof=1), rel=1e-4)
    row = found.row("permeability_m2", 10, "y")
    assert row.between_volumes == pytest.approx(known.std(ddof=1) * 4e-12, rel=1e-4)
    assert "3 generated volumes of 12 x 24 x 12 voxels, each" in found.caption
    assert "the mean of 2 blocks" in found.caption
    assert found.head[-1] == "between volumes"
    assert found.to_dict()["rows"][0]["between_volumes"] is not None
    found.write_csv(tmp_path / "a.csv")
    assert ",n_volumes,between_volumes" in (tmp_path / "a.csv").read_text("utf-8")
    with pytest.raises(
        ValueError, match=r"agree in the phases, got \(0, 10\) and \(0, 7"
    ):
        other = Volume(np.where(first.values == 10, 7, 0), "phases", 2000.0)
        measure_physics(first, settings, others=[other])


def test_what_cannot_be_measured(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    gray = Volume(volume.values, "grayscale")
    closed = np.zeros((8, 8, 8), np.uint8)
    closed[2:4, 2:4, 2:4] = 10
    cases = (
        (gray, PhysicsSettings(), "volume of phases .* 'grayscale'; segment"),
        (volume, PhysicsSettings(permeability=(3,)), "phases 0, 10, got phase 3;"),
        (volume, PhysicsSettings(conductivities=(1,)), "phases 0, 10, got 1; give"),
        (volume, PhysicsSettings(block_edge=13), "1 to 12 voxels .* got 13;"),
        (
            Volume(closed, "phases"),
            PhysicsSettings(permeability=(10,), block_edge=8),
            "got phase 10, which connects none;",
        ),
    )
    for wrong, settings, words in cases:
        with pytest.raises(ValueError, match=words):
            measure_physics(wrong, settings)
    monkeypatch.setattr(module, "available_memory", lambda: 1_000_000)
    with pytest.raises(ValueError, match="12 x 12 x 12 voxels, which need about"):
        measure_physics(volume, ALL)


def test_a_phase_that_is_named_twice_is_measured_once() -> None:
    """Its blocks would count twice, and the standard error would be too small."""
    layers = Volume(np.tile(np.array([0, 10], np.uint8), (4, 4, 2)), "phases")
    once, twice = (
        measure_physics(layers, PhysicsSettings(False, (10,) * n, (), 2))
        for n in (1, 2)
    )
    assert once == twice


def test_refused_before_anything_is_measured(
    volume: Volume,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command and by a report, whose other metrics take minutes."""

    def refuse_work(*_: object) -> None:
        raise AssertionError("Work was begun.")

    for place in ("cli.report", "report.proof"):
        monkeypatch.setattr(f"napari_slicegan.{place}.compare", refuse_work)
    volume.save(file := tmp_path / "volume.tif")
    words = ["measure", str(file), "--against", str(file)]
    for flags, expected in (
        ("--permeability 3", "got phase 3; choose"),
        ("--conductivity 1 -1", "of 0 or at least 1e-100, got -1; correct"),
        ("--transport --block 13", "1 to 12 voxels per edge"),
    ):
        assert main([*words, *flags.split()]) == 2
        assert expected in capsys.readouterr().err
    with pytest.raises(ValueError, match="got phase 3; choose"):
        examine(volume, volume, ProofSettings(permeability=(3,)))


def test_cancellation(volume: Volume) -> None:
    def cancel(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        measure_physics(volume, ALL, progress=cancel)


def test_command(
    volume: Volume, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A volume alone; with a reference the table follows the comparison."""
    volume.save(tmp_path / "volume.tif")
    words = ["measure", str(tmp_path / "volume.tif"), "--block", "12"]
    flags = ["--permeability", "10", "--conductivity", "1", "0"]
    table = tmp_path / "table.csv"
    assert main([*words, *flags, "--csv", str(table), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    names = {row["name"] for row in facts["physics"]["rows"]}
    assert names == {
        "permeability",
        "permeability_m2",
        "permeability_darcy",
        "effective_conductivity",
    }
    assert table.read_text("utf-8").startswith("property,unit,phase,axis,block_edge")
    against = ["--against", str(tmp_path / "volume.tif"), "--transport"]
    assert main([*words, *against]) == 0
    printed = capsys.readouterr().out
    assert printed.index("noise floor") < printed.index("Tortuosity factor")
    # Several volumes together.
    several = [*words[:2], str(tmp_path / "volume.tif"), *words[2:]]
    assert main([*several, "--conductivity", "1", "0"]) == 0
    assert "between 2 generated volumes of 24 x 24 x 12" in capsys.readouterr().out
    assert main(several) == 2
    assert "--transport, --permeability or" in capsys.readouterr().err
    assert main([*words, "--transport", "--transport-seeds", "3"]) == 2
    assert "for --transport-seeds, got a volume in a file" in capsys.readouterr().err
    assert main(words) == 2
    assert "--transport, --permeability or" in capsys.readouterr().err
