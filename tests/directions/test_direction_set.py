"""Directions in a file: the same back, refused by other generators, reproducible."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions import (
    DirectionSet,
    Gauge,
    Sweeping,
    digest,
    fit_directions,
    load_directions,
    measure_effects,
    reproduce,
    sweep,
    with_example,
)
from napari_slicegan.generation.generate import generate
from napari_slicegan.generation.regions import Box, ramp
from napari_slicegan.models.generator_file import load_generator
from tests.directions.planted import images, volumes
from tests.refusals import Refusal, assert_all_refused
from tests.toys import random_generator

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator

QUICK = Sweeping(strengths=(-2.0, 0.0, 2.0), seeds=(0, 1), n_random=1)


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    return random_generator(OneHotPhases([7, 207]))


@pytest.fixture(scope="module")
def found(trained: TrainedGenerator) -> DirectionSet:
    fitted = fit_directions(trained, n_components=3, n_samples=50)
    return measure_effects(trained, fitted, sweeping=QUICK)


def test_a_file_gives_the_same_back(found: DirectionSet, tmp_path: Path) -> None:
    path = tmp_path / "new" / "found.safetensors"
    found.save(path)
    read = load_directions(path)
    assert read.fit == found.fit
    assert read.model == found.model
    assert read.model.name == "toy"
    for one, other in zip(read, found, strict=True):
        assert (one.name, one.kind, one.share) == (other.name, other.kind, other.share)
        assert one.effects == other.effects
        assert list(one.offsets) == ["latent", "block1", "block2"]
        for block, offset in one.offsets.items():
            np.testing.assert_array_equal(offset, other.offsets[block])
    assert path.stat().st_size < 20_000
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_file(
    found: DirectionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.safetensors"
    found.only("component 1").save(path)

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        found.save(path)
    assert len(load_directions(path)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_names(found: DirectionSet) -> None:
    first, second, third = found
    assert found.named("component 2") is second
    assert [one.name for one in found.only("component 3", "component 1")] == [
        "component 3",
        "component 1",
    ]
    renamed = found.renamed("component 1", "porosity")
    assert [one.name for one in renamed] == ["porosity", "component 2", "component 3"]
    again = renamed.with_(second, first)
    assert [one.name for one in again][-1] == "component 1"
    assert len(again) == 4
    assert third in tuple(again)


EXAMPLES: dict[str, dict[str, Any]] = {
    "range": {"strength": -1.5, "first": "latent", "last": "block2"},
    "box": {"strength": 3, "region": Box((0, 0, 0), (9, 9, 9)), "first": "block1"},
    "ramp": {"strength": 2, "region": ramp("x", 17), "periodic": "z"},
    "truncated": {"strength": 1, "truncation": 0.7},
}


def test_examples_are_made_again_from_the_file(
    trained: TrainedGenerator,
    found: DirectionSet,
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """Bit for bit, from what is in the two files alone."""
    for name in sorted(EXAMPLES):
        with subtests.test(name):
            size = (16, 20, 17)
            values = {"size": size, "seed": 5, **EXAMPLES[name]}
            noted = with_example(trained, found.named("component 1"), **values)
            found.with_(noted).save(tmp_path / "found.safetensors")
            read = load_directions(tmp_path / "found.safetensors").named("component 1")
            assert read.example == noted.example
            made = reproduce(trained, read)
            assert read.example is not None
            assert digest(made.values) == read.example.digest
            plain = generate(trained, size, 5, periodic=str(values.get("periodic", "")))
            assert (made.values != plain.values).any()


def test_examples_are_made_again_in_another_process(
    trained: TrainedGenerator, found: DirectionSet, tmp_path: Path
) -> None:
    noted = with_example(trained, found.named("component 1"), 2.0, (16, 16, 16), 5)
    trained.save(tmp_path / "generator.safetensors")
    found.with_(noted).save(tmp_path / "found.safetensors")
    code = (
        "import sys, pathlib\n"
        "from napari_slicegan.directions import digest, load_directions, reproduce\n"
        "from napari_slicegan.models.generator_file import load_generator\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "one = load_directions(folder / 'found.safetensors').named('component 1')\n"
        "trained = load_generator(folder / 'generator.safetensors')\n"
        "print(digest(reproduce(trained, one).values))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert noted.example is not None
    assert done.stdout.strip() == noted.example.digest


def test_other_weights_are_another_generator(
    trained: TrainedGenerator, found: DirectionSet
) -> None:
    """Other weights of the same networks are refused unless any will do."""
    other = random_generator(OneHotPhases([7, 207]), seed=1)
    with pytest.raises(ValueError, match="got another one of toy"):
        found.check(other)
    found.check(other, of_any_model=True)
    assert found.is_of(trained)
    assert not found.is_of(other)


def test_relatives_are_states_and_descendants_of_the_run(
    trained: TrainedGenerator, tmp_path: Path
) -> None:
    """Not its ancestors; from the files alone."""
    of_run = replace(trained, lineage=("grandmother", "mother"))
    fitted = fit_directions(of_run, n_components=1, n_samples=20)
    fitted.save(tmp_path / "found.safetensors")
    model = load_directions(tmp_path / "found.safetensors").model
    other = random_generator(OneHotPhases([7, 207]), seed=1)
    for lineage, expected in [
        (("grandmother", "mother"), True),
        (("grandmother", "mother", "daughter"), True),
        (("grandmother", "aunt"), False),
        ((trained.weights_digest(), "daughter"), True),
        ((), False),
    ]:
        replace(other, lineage=lineage).save(tmp_path / "other.safetensors")
        read = load_generator(tmp_path / "other.safetensors")
        assert model.is_relative(read) == expected, lineage


def test_components_of_the_latents_are_said_to_be_random() -> None:
    sentence = fit_directions(volumes(), "latent", 2, 200).sentence()
    assert "nearly random" in sentence
    assert "--block block1" in sentence


def test_ranges_share_the_strength(found: DirectionSet) -> None:
    direction = found.named("component 1")
    edit = direction.edit(3.0, "latent", "block2")
    for block, offset in edit.offsets.items():
        np.testing.assert_allclose(offset, direction.offsets[block])
    assert list(direction.edit(1.0, "block1").offsets) == ["block1"]


def damaged(folder: Path) -> object:
    path = folder / "found.safetensors"
    fitted().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return load_directions(path)


def incomplete(folder: Path) -> object:
    metadata = {"format": "napari-slicegan directions 1", "facts": "{}"}
    save_file({"a": np.zeros(1)}, folder / "bare.safetensors", metadata)
    return load_directions(folder / "bare.safetensors")


def strange(folder: Path) -> object:
    volumes().save(folder / "generator.safetensors")
    return load_directions(folder / "generator.safetensors")


def fitted() -> DirectionSet:
    return fit_directions(volumes(), n_components=2, n_samples=20)


REFUSALS: list[Refusal] = [
    ("missing", lambda folder: load_directions(folder / "no"), "there is none"),
    ("cut off", lambda folder: damaged(folder), "cannot be read"),
    ("incomplete", incomplete, "only a part"),
    ("generator", strange, "expected directions"),
    ("name", lambda _: fitted().named("x"), "component 1, component 2"),
    ("taken", lambda _: fitted().renamed("component 1", "component 2"), "no other"),
    ("empty", lambda _: fitted().renamed("component 1", " "), "no other"),
    (
        "strength",
        lambda _: fitted().named("component 1").edit(1e300),
        "from -1000 to 1000 standard deviations, got 1e",
    ),
    (
        "no number",
        lambda _: fitted().named("component 1").edit(math.nan),
        "got nan",
    ),
    (
        "swept",
        lambda _: sweep(Gauge(volumes()), fitted().named("component 1"), [0, -1001]),
        "got -1001",
    ),
    ("block", lambda _: fitted().named("component 1").edit(1, "block7"), "block7"),
    (
        "order",
        lambda _: fitted().named("component 1").edit(1, "block1", "latent"),
        "first to last",
    ),
    ("widths", lambda _: fitted().check(volumes(50)), "expected 40, got 50"),
    (
        "latents",
        lambda _: fitted().check(random_generator(OneHotPhases([0, 1]))),
        "expected 32, got 4",
    ),
    ("kind", lambda _: fitted().check(images()), "expected slicegan, got dcgan-28"),
    (
        "example",
        lambda _: reproduce(volumes(), fitted().named("component 1")),
        "an example",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)
