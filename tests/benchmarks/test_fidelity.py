"""The fidelity benchmark: its materials, its baseline, its table."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import fidelity
from benchmarks.fidelity_materials import MATERIALS
from benchmarks.time_to_quality import append
from napari_slicegan.metrics.interfaces import interface_density_along
from sample_data.scripts.particles import (
    OTHER,
    PARTICLE,
    PORE,
    binder_bridges,
    speckle,
)


def test_speckle_is_independent_from_voxel_to_voxel() -> None:
    labels = speckle(96)
    between = ndimage.binary_erosion(labels != PARTICLE, iterations=4)
    between &= ndimage.distance_transform_edt(labels != PARTICLE) > 8
    assert between.mean() > 0.2
    first, second = between[:-1] & between[1:], labels == OTHER
    pairs = second[:-1][first], second[1:][first]
    # Of independent voxels 60 % of which are of the phase, 2 * 0.6 * 0.4 differ.
    assert np.mean(pairs[0] != pairs[1]) == pytest.approx(0.48, abs=0.02)
    assert interface_density_along(labels == PARTICLE, 0) < 0.1


def test_bridges_join_particles() -> None:
    labels = binder_bridges(96)
    fractions = [np.mean(labels == label) for label in (PORE, OTHER, PARTICLE)]
    assert 0.03 < fractions[1] < 0.12
    assert min(fractions[0], fractions[2]) > 0.3
    binder, n_bridges = ndimage.label(labels == OTHER)
    beside = ndimage.binary_dilation(labels == PARTICLE)
    touching = np.count_nonzero(np.unique(binder[beside]))
    # The volume is periodic: a bridge may begin beyond the border.
    assert touching > 0.98 * n_bridges > 20


def line(code: str, seed: int, generated: float, phase: str = "255") -> fidelity.Line:
    numbers = (0.2, generated, abs(generated - 0.2), 0.01)
    return fidelity.Line(
        "bentheimer",
        code,
        seed,
        5.0,
        700 + seed,
        0,
        "phase_fraction",
        phase,
        "",
        *numbers,
    )


def test_table_holds_median_and_worst_seed(tmp_path: Path) -> None:
    made = [line("old", seed, 0.2 + 0.02 * (seed + 1)) for seed in range(3)]
    # Two volumes of a seed are averaged; the phase that is worst is shown.
    made += [line("new", 0, 0.21), line("new", 0, 0.23), line("new", 1, 0.2, "0")]
    file = tmp_path / fidelity.FILE
    for part in (made[:2], made[2:]):
        append(file, [asdict(one) for one in part])
    lines = fidelity.read_lines(file)
    assert lines == made
    assert fidelity.Run("bentheimer", "old", 2, 5.0) in fidelity.finished(file)
    text = fidelity.table(lines)
    assert "old, 5 min" in text
    assert "steps 700, 701, 702" in text
    assert "0.24 / 0.2: 4.00 (worst 6.00)" in text
    assert "0.22 / 0.2: 2.00 (worst 2.00)" in text
    fidelity.draw([*lines, replace(made[0], material="gold")], tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 1000


def test_images_exist(tmp_path: Path) -> None:
    for name in ("bentheimer", "fibres", "gold-gray", "aluminium"):
        files = MATERIALS[name].images(tmp_path)
        assert files
        assert all(file.is_file() for file in files)


@pytest.mark.slow
def test_codes_are_trained_and_measured_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    words = ["--out", tmp_path, "--seeds", 0, "--minutes", 0.1, "--volumes", 1]
    words += ["--size", 48, "--code", f"here={root}", "--baseline"]
    assert fidelity.main(list(map(str, words))) == 0
    lines = fidelity.read_lines(tmp_path / fidelity.FILE)
    assert {one.code for one in lines} == {"here", fidelity.BASELINE}
    assert fidelity.TRANSPORT in {one.metric for one in lines}
    assert fidelity.main(list(map(str, words))) == 0
    # As text: nan, where a metric has no real value, is not equal to itself.
    assert str(fidelity.read_lines(tmp_path / fidelity.FILE)) == str(lines)
