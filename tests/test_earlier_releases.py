"""Files of release 0.1.0 are read, resumed and used as that release did it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicegan import (
    RunFolder,
    Trainer,
    Volume,
    compare,
    generate,
    load_generator,
)
from napari_slicegan.cli.parser import main
from napari_slicegan.config import FORMAT, FORMER_NAMES, migrate
from napari_slicegan.config.migration import MIGRATIONS, RENAMED_IN_2, renaming
from napari_slicegan.config.presets import preset
from napari_slicegan.directions import direction_set, load_directions
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.runtime import devices
from napari_slicegan.training.run_folder import read_config
from tests.toys import train

OLD = Path(__file__).parent / "data" / "release_0_1_0"
RUNS = ("phases", "grayscale", "conditional", "anisotropic", "images", "points")
SIZE, SEED = (20, 24, 28), 7


def nested(path: Path) -> dict[str, Any]:
    """Settings as they stand in a file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    settings: dict[str, Any] = data.get("settings", data)
    return settings


def flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted path."""
    found = {"preset": settings["preset"]}
    for group, values in settings.items():
        if isinstance(values, dict):
            found |= {f"{group}.{name}": value for name, value in values.items()}
    return found


def test_every_setting_keeps_its_value() -> None:
    """No setting of the file has its default, so that none can be lost unseen."""
    old = flat(nested(OLD / "settings.json"))
    expected = {RENAMED_IN_2.get(name, name): value for name, value in old.items()}
    config, default = read_config(OLD / "settings.json"), preset("slicegan-fast")
    new, usual = (flat(one.model_dump(mode="json")) for one in (config, default))
    assert {name: new[name] for name in expected} == expected
    assert [name for name in expected if new[name] == usual[name]] == []


def test_former_names_are_taken_by_scripts_and_flags() -> None:
    config = preset("slicegan-fast").changed(averaging=0.5, penalty_every=3)
    assert config == preset("slicegan-fast").changed(ema_decay=0.5, penalty_interval=3)
    assert not set(FORMER_NAMES) & set(FORMER_NAMES.values())


def test_former_flags(tmp_path: Path) -> None:
    """They work like the new ones and are not shown."""
    run = shutil.copytree(OLD / "points", tmp_path / "run")
    assert main(["resume", str(run), "--steps", "3", "--monitor-every", "9"]) == 0
    config = RunFolder.open(run).config()
    assert (config.training.steps, config.training.monitor_interval) == (3, 9)


@pytest.mark.parametrize("name", RUNS)
def test_runs_are_resumed(name: str, tmp_path: Path) -> None:
    """Two more steps; the settings are then written in the present format."""
    path = shutil.copytree(OLD / name, tmp_path / name)
    before = RunFolder.open(path)
    config, steps = before.config(), len(before.history())
    train(Trainer.resume(path, steps=steps + 2))
    folder = RunFolder.open(path)
    assert [int(row["step"]) for row in folder.history()] == [*range(1, steps + 3)]
    assert json.loads((path / "config.json").read_text())["format"] == FORMAT
    assert folder.config() == config.changed(steps=steps + 2)
    load_any_generator(path)


def test_a_resumed_run_goes_the_way_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The losses of two more steps are those that release 0.1.0 got, in float32."""
    monkeypatch.setattr(devices, "bfloat16_gain", lambda: 1.0)
    path = shutil.copytree(OLD / "phases", tmp_path / "run")
    train(Trainer.resume(path, steps=6, monitor_interval=100))
    with (OLD / "phases-resumed.csv").open(encoding="utf-8") as file:
        old = list(csv.DictReader(file))
    new = RunFolder.open(path).history()
    for name in ("critic_loss", "generator_loss", "penalty_loss"):
        losses = [[float(row[name]) for row in rows] for rows in (new, old)]
        np.testing.assert_allclose(losses[0], losses[1], rtol=2e-3, atol=1e-7)


def test_labels_of_a_seed_are_the_same() -> None:
    volume = generate(load_generator(OLD / "phases"), SIZE, SEED)
    expected = tifffile.imread(OLD / "phases-seed7.tif")
    assert len(np.unique(expected)) == 2
    # Where two phases are equally probable another processor may round the other way.
    assert np.mean(volume.values != expected) < 1e-3


def test_gray_values_of_a_seed_are_the_same() -> None:
    volume = generate(load_generator(OLD / "grayscale"), SIZE, SEED)
    expected = tifffile.imread(OLD / "grayscale-seed7.tif").astype(float)
    assert expected.std() > 0
    assert np.abs(volume.values.astype(float) - expected).max() <= 1


def test_images_of_a_seed_are_the_same(tmp_path: Path) -> None:
    out = tmp_path / "images.npy"
    words = ["--count", "4", "--seed", str(SEED), "--out", str(out)]
    assert main(["sample", str(OLD / "images"), *words]) == 0
    new, old = (np.load(path).astype(float) for path in (out, OLD / "images-seed7.npy"))
    assert np.abs(new - old).max() <= 1


def test_a_generator_in_half_precision() -> None:
    volume = generate(load_generator(OLD / "phases-half.safetensors"), SIZE, SEED)
    expected = tifffile.imread(OLD / "phases-seed7.tif")
    assert np.mean(volume.values != expected) < 0.01


def test_directions_move_what_they_moved(tmp_path: Path) -> None:
    out = tmp_path / "edited.tif"
    directions = OLD / "directions.safetensors"
    words = ["--directions", str(directions), "--move", "phase fraction=2"]
    words += ["--size", "24", "--seed", str(SEED), "--out", str(out)]
    assert main(["directions", "apply", str(OLD / "phases"), *words]) == 0
    expected = tifffile.imread(OLD / "edited-seed7.tif")
    assert np.mean(tifffile.imread(out) != expected) < 1e-3


def test_former_names_of_statistics_are_read() -> None:
    """In histories, in files of directions and in calls of `compare`."""
    assert "interface_density_error" in RunFolder.open(OLD / "phases").history()[0]
    found = load_directions(OLD / "directions.safetensors")
    assert "interface_density" in {one.guide for one in found}
    image = np.indices((12, 12)).sum(axis=0) % 2
    volume = Volume(np.stack([image] * 12), "phases")
    former = compare([image], volume, 2, ("face_density",))
    assert {row.metric for row in former.rows} == {"interface_density"}
    assert former.row("face_density", 1, "z").generated == 0


@pytest.mark.parametrize("command", ["measure", "report"])
def test_runs_are_measured(command: str, tmp_path: Path) -> None:
    path = shutil.copytree(OLD / "phases", tmp_path / "run")
    words = ["--json"] if command == "measure" else ["--quick", "--seeds", "2"]
    assert main([command, str(path), "--size", "32", *words]) == 0


def test_migration_steps_through_all_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    """One table for each format; a setting renamed twice ends under its last name."""
    assert set(MIGRATIONS) == set(range(1, FORMAT))
    before = {"optimiser": {"averaging": 0.5}, "training": {"seed": 3}}
    again = renaming({"optimiser.ema_decay": "training.ema"})
    steps = {**MIGRATIONS, FORMAT: (again,)}
    monkeypatch.setattr("napari_slicegan.config.migration.MIGRATIONS", steps)
    monkeypatch.setattr("napari_slicegan.config.migration.FORMAT", FORMAT + 1)
    after = migrate(before)
    assert (after["training"]["seed"], after["training"]["ema"]) == (3, 0.5)
    assert "ema_decay" not in after["optimiser"]
    # Where the file has no value, the default of its release.
    assert after["optimiser"]["lookahead"] == 5
    assert migrate(after, FORMAT + 1) == after
    assert before == {"optimiser": {"averaging": 0.5}, "training": {"seed": 3}}


REFUSED: list[tuple[str, str]] = [
    ('{"format": 99, "settings": {}}', r"format 99.*up to.*; update napari-sl"),
    ('{"format": "two"}', r"Expected a format.*got 'two'"),
    (
        '{"optimiser": {"averaging": 0.5, "ema_decay": 0.5}}',
        r"'optimiser\.ema_decay' and also 'optimiser\.averaging'.*remove one",
    ),
    ('{"optimiser": {"avraging": 1}}', r"'optimiser\.avraging'.*correct the name"),
    # Former names belong to former formats.
    (
        '{"format": 2, "optimiser": {"averaging": 0.5}}',
        r"No setting is called 'optimiser\.averaging'",
    ),
]


def test_refused_settings_files(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for text, words in REFUSED:
        with subtests.test(text=text, words=words):
            path = tmp_path / "config.json"
            path.write_text(text)
            with pytest.raises(ValueError, match=words) as caught:
                read_config(path)
            assert "\n" not in str(caught.value)


def test_files_of_a_later_release_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generators and directions, as settings are."""
    trained, found = (
        load_generator(OLD / "phases"),
        load_directions(OLD / "directions.safetensors"),
    )
    module = "napari_slicegan.models.generator_file.FORMATS"
    with monkeypatch.context() as later:
        later.setattr(module, ("napari-slicegan generator 3",))
        later.setattr(direction_set, "FORMAT", "napari-slicegan directions 2")
        trained.save(tmp_path / "later.safetensors")
        found.save(tmp_path / "directions.safetensors")
    with pytest.raises(ValueError, match=r"format 3.*update napari-slicegan"):
        load_generator(tmp_path / "later.safetensors")
    with pytest.raises(ValueError, match=r"format 2.*update napari-slicegan"):
        load_directions(tmp_path / "directions.safetensors")


def _plus_one(n: int) -> int:
    return n + 1


def test_generators_of_the_first_release_still_return_their_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from napari_slicegan import directions

    monkeypatch.setitem(directions._IN_STEPS, "sweep_in_steps", _plus_one)  # noqa: SLF001
    with pytest.warns(DeprecationWarning, match="with progress="):
        steps = directions.sweep_in_steps(2)
    with pytest.raises(StopIteration) as end:
        assert next(steps) == 1
        next(steps)
    assert end.value.value == 3
