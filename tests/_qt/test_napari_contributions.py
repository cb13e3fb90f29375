from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari_slicegan.sample_data import MODELS, SAMPLES, model_path
from npe2 import PluginManifest
from npe2.cli import validate

import napari_slicegan
from napari_slicegan._qt import contributions as napari_contributions
from napari_slicegan._qt.viewer import file_layers as sample_layers
from napari_slicegan.config import RunConfig
from napari_slicegan.config.presets import VOLUME_PRESETS, preset
from tests.toys import PIXEL_SIZE_NM

if TYPE_CHECKING:
    from collections.abc import Callable

    from npe2.manifest.contributions import ContributionPoints
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "napari.yaml"
PACKAGED = Path(napari_slicegan.__file__).with_name("napari.yaml")


@pytest.fixture(scope="module")
def contributions() -> ContributionPoints:
    found: ContributionPoints = PluginManifest.from_file(MANIFEST).contributions
    return found


def test_the_packaged_manifest_is_the_one_under_git() -> None:
    """If this fails, `make` copies it again."""
    assert PACKAGED.read_text() == MANIFEST.read_text()


def test_the_installed_manifest_is_valid_with_all_it_imports() -> None:
    """What ``npe2 validate --imports`` does; it exits with 1 if something is wrong."""
    pytest.importorskip("qtpy.QtWidgets", reason="needs a Qt binding")
    validate("napari-slicegan", imports=True, debug=True)


def test_every_sample_is_offered(contributions: ContributionPoints) -> None:
    offered = {each.key: each.display_name for each in contributions.sample_data or ()}
    made = {
        f"generated_{name.replace('-', '_')}": f"{title}, generated"
        for name, title in MODELS.items()
        if model_path(name).is_file()
    }
    assert offered == {name: one.title for name, one in SAMPLES.items()} | made


def test_preferences_are_settings_of_the_engine(
    contributions: ContributionPoints,
) -> None:
    page = contributions.configurations["defaults"].properties
    training = preset("slicegan-fast").training
    assert page["device"].default == training.device
    assert page["preset"].default == preset("slicegan-fast").preset
    assert page["preset"].enum == list(VOLUME_PRESETS)
    assert page["preview_interval"].default == training.monitor_interval
    # With the same names as in the panel.
    fields = {**RunConfig.model_fields, **type(training).model_fields}
    named = {
        "device": "device",
        "preset": "preset",
        "preview_interval": "monitor_interval",
    }
    for name, field in named.items():
        assert page[name].title == fields[field].title


def test_a_sample_is_a_layer_with_its_pixel_size() -> None:
    ((values, options, kind),) = napari_contributions.sample("fibres_z")
    assert kind == ("labels" if SAMPLES["fibres_z"].kind == "phases" else "image")
    assert options["name"] == SAMPLES["fibres_z"].title
    assert options["scale"] == (700.0, 700.0)
    assert set(np.unique(values)) == {0, 255}


def test_generators_that_ship_make_layers(
    toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = toy_run / "generator.safetensors"
    monkeypatch.setattr(sample_layers, "generator_path", lambda name: generator)
    ((values, options, kind),) = napari_contributions.generated("spheres")
    assert kind == "labels"
    assert values.shape == (96, 96, 96)
    assert options["name"] == "Overlapping spheres, three phases, generated"
    assert options["scale"] == (PIXEL_SIZE_NM,) * 3


def test_reader_takes_runs_and_generators_only(toy_run: Path, tmp_path: Path) -> None:
    reader = napari_contributions.get_run_reader
    open_run = napari_contributions.open_run
    assert reader(str(toy_run)) is open_run
    assert reader([str(toy_run / "generator.safetensors")]) is open_run
    # It says what such a folder must hold.
    assert reader(str(tmp_path)) not in (None, open_run)
    assert reader(str(tmp_path / "image.tif")) is None


def read_vti(path: str) -> tuple[NDArray[Any], str, tuple[float, ...]]:
    """Values [Z, Y, X(, 3)], their name and the spacing, read by VTK itself."""
    pytest.importorskip("vtk", reason="vtk is not installed")
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader()
    reader.SetFileName(path)
    reader.Update()
    image = reader.GetOutput()
    array = image.GetCellData().GetArray(0)
    x, y, z = (n - 1 for n in image.GetDimensions())
    values = vtk_to_numpy(array).reshape((z, y, x, -1)).squeeze(-1)  # type: ignore[no-untyped-call]
    return values, array.GetName(), image.GetSpacing()


NM = {"scale": (2.5, 2.5, 2.5), "units": ("nm",) * 3}


@pytest.mark.parametrize(
    ("write", "count", "name"),
    [
        (napari_contributions.write_image, 60, "grayscale"),
        (napari_contributions.write_image, 3, "phases"),
        (napari_contributions.write_labels, 3, "phases"),
        (napari_contributions.write_labels, 60, "labels"),
    ],
)
def test_writers_keep_values_meaning_and_voxel_size(
    write: Callable[..., list[str]], count: int, name: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "volume.vti")
    values = (np.arange(60) % count).astype(np.int32).reshape(3, 4, 5)
    assert write(path, values, NM) == [path]
    stored, kept, spacing = read_vti(path)
    np.testing.assert_array_equal(stored, values)
    assert (kept, spacing) == (name, (2.5, 2.5, 2.5))


def test_a_name_without_an_ending_gets_one(tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    (written,) = napari_contributions.write_labels(str(tmp_path / "grains"), values, {})
    assert written == str(tmp_path / "grains.vti")
    assert read_vti(written)[2] == (1, 1, 1)


@pytest.mark.parametrize(
    ("shape", "meta", "sentence"),
    [
        ((4, 5), {"scale": (1, 1)}, "got 4 x 5"),
        ((4, 5, 6), {"scale": (3, 1, 1)}, "expected cubic voxels, got 1 x 1 x 3"),
        ((4, 5, 6), {"scale": (1, 1, 1e3), "units": ("um", "um", "nm")}, None),
    ],
)
def test_writers_refuse_what_is_no_volume_of_cubes(
    shape: tuple[int, ...], meta: dict[str, Any], sentence: str | None, tmp_path: Path
) -> None:
    """Napari keeps a ValueError of a writer to itself."""
    path = tmp_path / "layer.vti"
    values = np.arange(np.prod(shape)).reshape(shape)
    for write in (napari_contributions.write_image, napari_contributions.write_labels):
        if sentence is None:
            write(str(path), values, meta)
            assert read_vti(str(path))[2] == (1000, 1000, 1000)
            continue
        with pytest.raises(RuntimeError, match=sentence):
            write(str(path), values, meta)
        assert not path.exists()
