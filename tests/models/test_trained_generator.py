"""The exported generator: one file with all that is needed to use it alone."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.models import build_generator
from napari_slicegan.models.generator_file import (
    FORMAT,
    NOT_STORED,
    TrainedGenerator,
    load_generator,
)
from tests.toys import random_generator

TRAINED: list[tuple[Any, str, float | None]] = [
    (OneHotPhases([3, 90, 250]), "slicegan", 12.5),
    (ScaleMinMax(-4.5, 1e6, 1, "float32"), "slicegan-rc", None),
    (ScaleMinMax(0, 255, 3, "uint8"), "slicegan", 12.5),
]


def test_round_trip(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Network, transform, voxel size and name are the same again."""
    for transform, architecture, voxel_size_nm in TRAINED:
        with subtests.test(architecture=architecture):
            network = random_generator(transform, architecture=architecture).network
            before = TrainedGenerator(network, transform, voxel_size_nm, "my sample")
            path = tmp_path / "generator.safetensors"
            before.save(path)
            after = load_generator(path)
            assert after.network.spec == network.spec
            assert after.transform.state() == transform.state()
            assert (after.voxel_size_nm, after.name) == (voxel_size_nm, "my sample")
            latents = torch.randn(
                1, 4, 4, 5, 3, generator=torch.Generator().manual_seed(0)
            )
            with torch.no_grad():
                assert torch.equal(after.network(latents), network(latents))
            assert not after.network.training
            assert not any(p.requires_grad for p in after.network.parameters())


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    """Plain tensors and JSON."""
    path = tmp_path / "generator.safetensors"
    trained = random_generator(OneHotPhases([7, 207]))
    trained.save(path)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        names = set(file.keys())
    facts = json.loads(metadata["facts"])
    assert facts["transform"]["labels"] == [7, 207]
    assert facts["voxel_size_nm"] == 5.0
    assert facts["spec"]["widths"] == [6, 6]
    assert names == set(trained.network.state_dict())


@pytest.mark.skipif(sys.platform != "linux", reason="others store no such names")
def test_a_file_whose_path_is_no_utf8(tmp_path: Path) -> None:
    """As on disks of older systems; the library of the format opens none of them."""
    path = tmp_path / os.fsdecode(b"Gef\xfcge") / os.fsdecode(b"100 \xb5m.safetensors")
    path.parent.mkdir()
    trained = random_generator(OneHotPhases([7, 207]))
    trained.save(path)
    assert load_generator(path).fingerprint() == trained.fingerprint()
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        load_generator(path)


def test_equal_generators_are_equal_files(tmp_path: Path) -> None:
    """Byte for byte, in each of many saves; the name is no plain ASCII."""
    trained = replace(random_generator(OneHotPhases([7, 207])), name='Größe "2 µm"')
    contents = set()
    for _ in range(12):
        trained.save(tmp_path / "generator.safetensors")
        contents.add((tmp_path / "generator.safetensors").read_bytes())
    assert len(contents) == 1
    assert load_generator(tmp_path / "generator.safetensors").name == trained.name


def test_run_folders_are_generators_too(toy_run: Path) -> None:
    from_folder = load_generator(toy_run)
    from_file = load_generator(toy_run / "generator.safetensors")
    for a, b in zip(
        from_folder.network.parameters(), from_file.network.parameters(), strict=True
    ):
        assert torch.equal(a, b)
    assert from_folder.name == "toy"


def test_saving_again_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "generator.safetensors"
    for seed in (1, 2):
        random_generator(OneHotPhases([0, 1]), seed=seed).save(path)
    expected = random_generator(OneHotPhases([0, 1]), seed=2).network.state_dict()
    found = load_generator(path).network.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert [p.name for p in tmp_path.iterdir()] == ["generator.safetensors"]


Facts = dict[str, Any]


def without_spec(facts: Facts) -> None:
    del facts["spec"]


def unknown_architecture(facts: Facts) -> None:
    facts["spec"]["architecture"] = "biggan"


def wrong_widths(facts: Facts) -> None:
    facts["spec"]["widths"] = [6, 12]


def wrong_type(facts: Facts) -> None:
    facts["spec"]["widths"] = "wide"


def unknown_transform(facts: Facts) -> None:
    facts["transform"] = {"name": "fourier"}


def half_a_transform(facts: Facts) -> None:
    facts["transform"] = {"name": "scale-min-max"}


def uneven_kernels(facts: Facts) -> None:
    facts["spec"]["layers"] = [[5, 2, 3]] * 3


UNFIT: list[tuple[Callable[[Facts], None], str]] = [
    (without_spec, "does not fit this version"),
    (unknown_architecture, "does not fit this version"),
    (wrong_widths, "does not fit this version"),
    (wrong_type, "does not fit this version"),
    (half_a_transform, "with its parameters"),
    (unknown_transform, "fourier"),
    (uneven_kernels, "checkerboard"),
]


def test_metadata_that_does_not_fit(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for change, words in UNFIT:
        with subtests.test(change=change.__name__):
            path = tmp_path / "generator.safetensors"
            random_generator(OneHotPhases([0, 1])).save(path)
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["facts"])
            change(facts)
            save_file(
                load_file(path), path, {"format": FORMAT, "facts": json.dumps(facts)}
            )
            with pytest.raises(ValueError, match=words) as caught:
                load_generator(path)
            assert type(caught.value) is ValueError


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all files, so the refusal is simulated."""
    path = tmp_path / "generator.safetensors"
    random_generator(OneHotPhases([0, 1])).save(path)

    def refused(path: Path, *args: object, **options: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(PermissionError, match="denied"):
        load_generator(path)


FORMATS: list[tuple[dict[str, Any], int]] = [
    ({}, 1),
    ({"noise": True}, 2),
    ({"fields": 2}, 2),
    ({"stretch": (1, 1, 2)}, 2),
    ({"negative_slope": 0.2}, 2),
    ({"architecture": "slicegan-aa"}, 2),
]


def test_the_format_is_the_first_that_knows_the_network(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Release 0.1.0 reads format 1, and asks for an update otherwise."""
    for changes, number in FORMATS:
        with subtests.test(changes=changes, number=number):
            architecture = changes.get("architecture", "slicegan")
            toy = random_generator(OneHotPhases([0, 1]), architecture)
            network = build_generator(
                replace(toy.network.spec, **changes), torch.Generator()
            )
            path = tmp_path / "generator.safetensors"
            replace(toy, network=network.eval()).save(path)
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata()
            assert metadata["format"] == f"napari-slicegan generator {number}"
            stored = json.loads(metadata["facts"])["spec"]
            assert NOT_STORED.keys() & stored.keys() == changes.keys() - {
                "architecture"
            }
            found = load_generator(path)
            assert found.network.spec == network.spec
            assert found.fingerprint() == replace(toy, network=network).fingerprint()


def test_tensors_of_others(
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    cases: list[tuple[dict[str, str] | None, str]] = [
        (None, r"expected a generator in the format .*got 'None'"),
        ({"format": "pt"}, r"expected a generator in the format .*got 'pt'"),
        ({"format": FORMAT}, "does not fit this version"),
        ({"format": FORMAT, "facts": "{"}, "does not fit this version"),
    ]
    for metadata, words in cases:
        with subtests.test(str(metadata)):
            path = tmp_path / "model.safetensors"
            save_file({"weight": torch.zeros(3)}, path, metadata)
            with pytest.raises(ValueError, match=words) as caught:
                load_generator(path)
            assert type(caught.value) is ValueError


def test_damaged_files(tmp_path: Path) -> None:
    for end in [0, 7, 300, -1]:
        path = tmp_path / "generator.safetensors"
        random_generator(OneHotPhases([0, 1])).save(path)
        path.write_bytes(path.read_bytes()[:end])
        with pytest.raises(
            ValueError, match=r"generator\.safetensors: .*, got one that cannot be read"
        ):
            load_generator(path)


def test_missing_files(tmp_path: Path) -> None:
    """Also a folder that is no run."""
    for name in ["nothing.safetensors", "."]:
        with pytest.raises(ValueError, match=r"there is no file.*train first"):
            load_generator(tmp_path / name)
