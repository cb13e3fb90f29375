"""The benchmarks run, at toy size; what they measure there means nothing."""

from __future__ import annotations

import csv
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import (
    generate,
    gpu,
    gray_and_colour,
    guided_porosity,
    objectives,
    pairs,
    step_time,
    thousand_cubed,
    time_to_quality,
    transport,
)
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.metrics.interfaces import interface_density
from napari_slicegan.metrics.topology import euler_density
from napari_slicegan.training.trainer import Trainer
from tests.toys import TOY_LABELS, phases_image, small_config

TOY = (
    "patch_size=16 latent_channels=4 generator_widths=(6,6) critic_widths=(6,6) "
    "critic_slices=3 generator_slices=3"
).split()


def quality(folder: Path, *more: str) -> None:
    settings = [argument for text in TOY for argument in ("--set", text)]
    asked = "--materials nanoporous-gold --minutes 0.02 --every 0.4 --size 32".split()
    time_to_quality.main(["--out", str(folder), *asked, *settings, *more])


@pytest.mark.slow
def test_time_to_quality_writes_rows_table_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quality(tmp_path, "--seeds", "0")
    first = (tmp_path / "quality.csv").read_text(encoding="utf-8")
    quality(tmp_path, "--seeds", "0", "1", "--beside", f"old={tmp_path}/quality.csv")
    text = (tmp_path / "quality.csv").read_text(encoding="utf-8")
    assert text.startswith(first)  # seed 0 was not trained again
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert float(rows[-1]["seconds"]) >= 1.2
    assert all(0 <= float(row["s2"]) < 1 for row in rows)
    shown = capsys.readouterr().out
    assert shown.count("2 seeds") == 2
    assert "nanoporous-gold, old slicegan-fast" in shown
    assert (tmp_path / "nanoporous-gold.png").stat().st_size > 10_000


def test_wrong_setting_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No setting is called 'speed'"):
        quality(tmp_path, "--set", "speed=2")
    with pytest.raises(ValueError, match="name=value"):
        quality(tmp_path, "--set", "speed")
    assert not (tmp_path / "quality.csv").exists()


def test_the_clock_stands_still_while_a_volume_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]

    def tick() -> float:
        now[0] += 0.001
        return now[0]

    monkeypatch.setattr("napari_slicegan.training.clock.time.perf_counter", tick)
    images = TrainingImages.isotropic(phases_image(48, 48))
    trainer = Trainer(small_config().changed(steps=9), images)
    seconds = []
    for reason in time_to_quality.pauses(trainer, every=0.003):
        seconds.append(trainer.elapsed_s)
        now[0] += 60 if reason is None else 0
    assert len(seconds) > 1
    assert seconds[-1] < 1


@pytest.mark.slow
def test_parts_of_a_step_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    asked = "--turns 1 --warm-up 1 --matrix 64 --material nanoporous-gold".split()
    step_time.main([*asked, "--a", *TOY, "--b", *TOY, "critic_steps=2"])
    text = capsys.readouterr().out
    assert "times as long" in text
    for block in text.split("\n\n")[1:3]:
        parts = re.findall(r"^  (\S.*?) +(-?\d+\.\d) ms", block, re.MULTILINE)
        milliseconds = {name: float(value) for name, value in parts}
        step = milliseconds.pop("step")
        assert set(milliseconds) == set(step_time.PARTS)
        assert sum(milliseconds.values()) == pytest.approx(step, abs=1)
        for part in ("generator forward", "critic step: backward", "patch sampling"):
            assert milliseconds[part] > 0
        assert "engine overhead" in block


@pytest.mark.slow
def test_generation_is_measured_in_a_process_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    generate.main(
        ["--sizes", "32", "--whole", "32", "--repeats", "1", "--matrix", "64"]
    )
    row = capsys.readouterr().out.splitlines()[-1].split()
    edge, seconds, speed = row[:3]
    assert int(edge) == 32
    assert float(speed) == pytest.approx(32**3 / float(seconds), rel=0.05)
    assert row[-1].endswith("%")


def compare_objectives(folder: Path, *names: str) -> None:
    small = "generator_widths=(4,4,4) critic_widths=(4,4,4) evaluation_images=16"
    settings = [word for text in small.split() for word in ("--set", text)]
    asked = "--minutes 0.02 --every 0.4 --seeds 0".split()
    objectives.main(["--out", str(folder), *asked, *settings, "--objectives", *names])


@pytest.mark.slow
def test_objectives_are_compared_by_rows_table_and_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare_objectives(tmp_path, "bce")
    first = (tmp_path / "objectives.csv").read_text(encoding="utf-8")
    compare_objectives(tmp_path, "bce", "r3gan", "wgan-gp")
    text = (tmp_path / "objectives.csv").read_text(encoding="utf-8")
    assert text.startswith(first)  # bce was not trained again
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["objective"] for row in rows} == {"bce", "r3gan", "wgan-gp"}
    assert all(float(row["swd"]) > float(row["swd_floor"]) > 0 for row in rows)
    written = (tmp_path / "objectives.txt").read_text(encoding="utf-8")
    assert written in capsys.readouterr().out
    ends = [float(line.split()[1]) for line in written.splitlines()[1:]]
    assert ends == sorted(ends)
    assert (tmp_path / "objectives.png").stat().st_size > 10_000


def test_objectives_have_their_own_settings() -> None:
    """The same networks and batches; what differs belongs to the objective."""
    other = objectives.settings("bce")
    for name in OBJECTIVES:
        own = objectives.settings(name)
        assert own.objective.objective == name
        assert own.architecture == other.architecture
        assert own.training == other.training


@pytest.mark.slow
def test_gray_and_colour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line with distances and floors, and a picture of a crop and three planes."""
    settings = [argument for text in TOY for argument in ("--set", text)]
    asked = "--minutes 0.01 --size 64".split()
    gray_and_colour.main(["--out", str(tmp_path), *asked, *settings])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["grayscale", "colour"]
    for line in lines:
        numbers = re.findall(r"\d+\.?\d*", line.split(":")[1])
        assert len(numbers) == 6
        assert all(float(number) > 0 for number in numbers)
    colour = np.asarray(Image.open(tmp_path / "colour.png"))
    assert colour.shape == (200, 800, 3)


def test_a_block_of_the_rock_itself_is_as_near_to_it_as_the_floor() -> None:
    rng = np.random.default_rng(0)
    real = rng.random((64, 64, 64)) < 0.3
    coarser = np.kron(rng.random((10, 10, 10)) < 0.3, np.ones((4, 4, 4))) > 0
    same = guided_porosity.Moved(0.0, real[:40, :40, :40], real)
    other = guided_porosity.Moved(1.0, coarser, real)
    assert same.distance < 2 * same.floor
    assert other.distance > 5 * same.floor
    assert "+0.0" in same.row()


@pytest.mark.slow
def test_guided_porosity_compares_the_slider_with_rock_of_its_porosity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "slider.png"
    assert guided_porosity.main(["--out", str(out), "--edge", "48"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [float(row[0]) for row in rows] == list(guided_porosity.STRENGTHS)
    porosities = [float(row[1]) for row in rows]
    assert porosities == sorted(porosities)
    assert porosities[-1] - porosities[0] > 0.1
    with Image.open(out) as picture:
        assert picture.width == 1000


def test_corners_of_a_volume_differ_in_their_diffusivity(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert transport.main(["bentheimer", "--edge", "24"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["mean", "sd"]
    along_z = [float(line.split("z:")[1].split()[0]) for line in lines[:8]]
    assert len(set(along_z)) > 1
    assert all(0 <= one < 1 for one in along_z)


def test_no_diffusivity_of_a_material_without_a_volume(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        transport.main(["nanoporous-gold"])
    assert "only images" in capsys.readouterr().err


@pytest.mark.slow
def test_one_volume_on_the_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time, speed, memory and disk are printed; the volume is deleted."""
    pytest.importorskip("zarr", reason="needs the extra scale")
    out = tmp_path / "a.ome.zarr"
    thousand_cubed.main(["--out", str(out), "--edge", "32", "--matrix", "64"])
    lines = capsys.readouterr().out.splitlines()
    titles = ["voxels", "time", "speed", "of the peak", "most memory", "on the disk"]
    assert [line[:12].strip() for line in lines] == titles
    assert lines[0].endswith("32^3, 1 levels, 3 files")
    assert not out.exists()


@pytest.mark.slow
def test_gpu_measures_what_it_can_and_names_the_rest(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a GPU; one part fails, and the time of another one is over."""
    pytest.importorskip("zarr", reason="needs the extra scale")
    monkeypatch.setattr(
        gpu, "published_step", lambda bench: {"s a step": len(bench.absent)}
    )
    shares = {**gpu.PARTS, "compile": (-9.0, gpu.volume_cases)}
    monkeypatch.setattr(gpu, "PARTS", shares)
    out = tmp_path / "gpu.json"
    asked = "--toy --together --device cpu --budget 120".split()
    assert gpu.main([*asked, "--out", str(out)]) == 0
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    text = capsys.readouterr().out
    for row in rows:
        assert f"{row['part']:11} {row['name']}" in text
        assert bool(row["values"]) != bool(row["note"])
    found = {(row["part"], row["name"]): row for row in rows}
    assert found["steps", "2 volumes, bfloat16"]["values"]["steps/s"] > 0
    assert found["volumes", "labels of 32^3 as on the CPU, float32"]["values"] == {
        "equal": 1.0
    }
    assert found["quality", "within the limits"]["values"]["steps"] > 1
    notes = {key: row["note"] for key, row in found.items()}
    assert "AttributeError: 'Bench' object has" in notes["steps", "slicegan-v1"]
    assert notes["steps", "host waits"] == "left out: needs a CUDA GPU"
    assert notes["compile", "32^3, bfloat16"] == "left out: no time left in the budget"
    for part, name in found:
        if part == "graphs" or "TF32" in name:
            assert notes[part, name] == "left out: needs a CUDA GPU"


def test_pairs_are_compared_with_single_sections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "CELLS", 4)
    toy = ["--out", str(tmp_path), "--seeds", "0", "--steps", "2"]
    assert pairs.main(toy) == 0
    text = (tmp_path / "pairs.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    kinds = {(row["material"], row["trained"]) for row in rows}
    trained = ("truth", "single", "pairs")
    assert kinds == set(itertools.product(pairs.MATERIALS, trained))
    assert capsys.readouterr().out.count("s of the processor") == 4
    assert pairs.main(toy) == 0
    assert "s of the processor" not in capsys.readouterr().out


def test_what_pairs_hold_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "SAMPLES", ("bentheimer_truth_128",))
    monkeypatch.setattr(pairs, "DISTANCES", (1, 4))
    monkeypatch.setattr(pairs, "PLANES", 2)
    assert pairs.main(["--out", str(tmp_path), "--seeds"]) == 0
    assert (tmp_path / "held.png").stat().st_size > 10_000


def test_neighbouring_planes_hold_the_euler_number() -> None:
    """All pairs one voxel apart do exactly; more distant ones miss the throats."""
    pores = np.asarray(phases_image(26, 26, 26).values == TOY_LABELS[1])
    whole = euler_density(pores)
    for axis in range(3):
        planes = np.moveaxis(pores, axis, 0)
        neighbours = [euler_density(planes[p : p + 2]) for p in range(25)]
        assert np.mean(neighbours) == pytest.approx(whole)
    # PLANES pairs of 25.
    assert pairs.euler_of_pairs(pores, 1) == pytest.approx(whole, rel=0.1)
    assert abs(pairs.euler_of_pairs(pores, 8)) < 0.8 * abs(whole)


def test_the_materials_of_pairs_differ_across_cells_only() -> None:
    """Euler number per block, from the shares of vertices, edges, squares and cubes.

    1/2 - 3/4 + 3/16 of both; of the cubes 1/8 are cells, full with a probability of
    1/16 or 0, and the others hold eight independent blocks.
    """
    for material, full, agree in (("twins", 1 / 16, 1), ("opposites", 0, 0)):
        expected = 1 / 2 - 3 / 4 + 3 / 16 - 7 / 8 / 256 - full / 8
        blocks = pairs.cells(material, 24, 0)
        assert euler_density(blocks) == pytest.approx(expected, abs=0.0025)
        # Neighbouring blocks are independent of each other.
        assert np.mean(interface_density(blocks)) == pytest.approx(1 / 2, abs=0.005)
        assert pairs.measured(blocks[:8, :8, :8])["agree"] == agree
