from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from napari_slicegan.sample_data import SAMPLES
from npe2 import PluginManifest

import napari_slicegan
from napari_slicegan import napari_contributions
from napari_slicegan.config import RunConfig
from napari_slicegan.presets import VOLUME_PRESETS

if TYPE_CHECKING:
    from npe2.manifest.contributions import ContributionPoints

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "napari.yaml"
PACKAGED = Path(napari_slicegan.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def contributions() -> ContributionPoints:
    found: ContributionPoints = PluginManifest.from_file(MANIFEST).contributions
    return found


def test_the_packaged_manifest_is_the_one_under_git() -> None:
    """If this fails, `make` copies it again."""
    assert PACKAGED.read_text() == MANIFEST.read_text()


def test_napari_finds_the_manifest_by_the_entry_point() -> None:
    manifest = PluginManifest.from_distribution("napari-slicegan")
    assert manifest.name == "napari-slicegan"


def test_every_command_leads_to_something(contributions: ContributionPoints) -> None:
    pytest.importorskip("qtpy.QtWidgets", reason="needs a Qt binding")
    for command in contributions.commands or ():
        module, _, name = (command.python_name or "").partition(":")
        assert callable(getattr(importlib.import_module(module), name)), command.id


def test_every_sample_is_offered(contributions: ContributionPoints) -> None:
    offered = {each.key: each.display_name for each in contributions.sample_data or ()}
    assert offered == {name: sample.title for name, sample in SAMPLES.items()}


def test_preferences_are_settings_of_the_engine(
    contributions: ContributionPoints,
) -> None:
    page = contributions.configurations["defaults"].properties
    training = RunConfig().training
    assert page["device"].default == training.device
    assert page["preset"].default == RunConfig().preset
    assert page["preset"].enum == list(VOLUME_PRESETS)
    assert page["preview_interval"].default == training.monitor_every


@pytest.mark.parametrize("name", ["bentheimer_slice", "nanoporous_gold", "fibres_z"])
def test_samples_are_layers(name: str) -> None:
    ((values, options, kind),) = napari_contributions.sample(name)
    assert kind == ("labels" if SAMPLES[name].kind == "phases" else "image")
    assert options["name"] == SAMPLES[name].title
    if name == "fibres_z":
        assert options["scale"] == (700.0, 700.0)
        assert set(np.unique(values)) == {0, 255}


def test_reader_takes_runs_and_generators_only(toy_run: Path, tmp_path: Path) -> None:
    reader = napari_contributions.get_run_reader
    open_run = napari_contributions.open_run
    assert reader(str(toy_run)) is open_run
    assert reader([str(toy_run / "generator.safetensors")]) is open_run
    assert reader(str(tmp_path)) is None


def test_writer_keeps_values_and_voxel_size(tmp_path: Path) -> None:
    path = str(tmp_path / "volume.vti")
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    meta = {"scale": (2.5, 2.5, 2.5), "units": ("nm",) * 3}
    assert napari_contributions.write_volume(path, values, meta) == [path]
    text = Path(path).read_bytes()
    assert b'Spacing="2.5 2.5 2.5"' in text
    assert b'WholeExtent="0 4 0 3 0 2"' in text


def test_writer_refuses_a_flat_image(tmp_path: Path) -> None:
    meta = {"scale": (1, 1), "units": ("pixel",) * 2}
    with pytest.raises(ValueError, match="got 4 x 5"):
        napari_contributions.write_volume(
            str(tmp_path / "flat.vti"), np.zeros((4, 5)), meta
        )
