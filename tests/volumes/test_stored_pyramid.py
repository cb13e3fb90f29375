"""Volumes that were streamed onto the disk are measured there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicegan.cli.parser import main
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.data.volume_files import own_attributes
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.metrics.stored_volume import StoredVolume
from napari_slicegan.volumes.ome_zarr import is_pyramid, open_levels, set_own_attributes
from tests.toys import phases_image, random_generator

pytest.importorskip("zarr", reason="needs the extra scale")
dask = pytest.importorskip("dask", reason="needs the extra scale")

SIZE = (40, 33, 48)


def plan(transform: Any) -> VolumePlan:
    return VolumePlan(random_generator(transform), SIZE, 3, tile_latents=4)


def begun(transform: Any, path: Path) -> StreamedVolume:
    return StreamedVolume.begin(plan(transform), path)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """Of the labels of `image`."""
    path = tmp_path / "rock.ome.zarr"
    labels = np.unique(phases_image(40, 48).values).tolist()
    begun(OneHotPhases(labels), path).write()
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_gray_and_colour(channels: int, tmp_path: Path) -> None:
    transform = ScaleMinMax(0, 255, channels, "uint8")
    begun(transform, tmp_path / "rock.ome.zarr").write()
    volume = StoredVolume.open(str(tmp_path / "rock.ome.zarr"))
    whole = generate(plan(transform).trained, SIZE, 3, tile_latents=4)
    assert (volume.kind, volume.voxel_size_nm) == (whole.kind, whole.voxel_size_nm)
    np.testing.assert_array_equal(np.asarray(volume.values), whole.values)
    source = read_image(tmp_path / "rock.ome.zarr")
    assert source.is_colour == (channels == 3)
    np.testing.assert_array_equal(source.values, whole.values)


def test_train_reads_it(stored: Path) -> None:
    """With its phases and its voxel size; not before it is finished."""
    image, volume = Micrograph.open(stored), StoredVolume.open(stored)
    assert (image.kind, image.pixel_size_nm) == (volume.kind, volume.voxel_size_nm)
    np.testing.assert_array_equal(image.values, np.asarray(volume.values))
    own = own_attributes(stored) or {}
    set_own_attributes(stored, {**own, "complete": False})
    with pytest.raises(ValueError, match="zarr: expected a finished volume"):
        Micrograph.open(stored)


ZERO_CHUNKS = {"name": "regular", "configuration": {"chunk_shape": [0, 16, 16]}}


def test_damaged_metadata_are_refused_in_one_sentence(
    stored: Path, subtests: pytest.Subtests
) -> None:
    """Of the volume and of its levels, whatever zarr makes of them."""
    changes: list[tuple[str, str, Any]] = [
        ("1/zarr.json", "shape", ["x", [], {}]),
        ("2/zarr.json", "codecs", 7),
        ("1/zarr.json", "chunk_key_encoding", None),
        ("2/zarr.json", "chunk_grid", ZERO_CHUNKS),
        ("zarr.json", "node_type", "x" * 1000),
    ]
    for name, key, value in changes:
        with subtests.test(name, key=key):
            good = (stored / name).read_text("utf-8")
            (stored / name).write_text(json.dumps({**json.loads(good), key: value}))
            # One of them reads the group itself, the other one the chunks.
            readers = {"node_type": (opened_blocks,), "chunk_grid": (open_levels,)}
            for read in readers.get(key, (open_levels, opened_blocks)):
                words = "rock.ome.zarr: .*metadata are damaged .{1,130}; copy"
                with pytest.raises(ValueError, match=words):
                    read(stored)
            (stored / name).write_text(good)
    own = own_attributes(stored) or {}
    damaged: list[dict[str, Any]] = [
        {"levels": "x"},
        {"levels": 0},
        {"levels": 10**30},
        {"colours": 5},
        {"complete": None},
        {"kind": []},
        {"labels": {"7": 1}},
        {"voxel_size_nm": []},
    ]
    for changed in damaged:
        set_own_attributes(stored, {**own, **changed})
        with pytest.raises(ValueError, match="metadata are damaged"):
            open_levels(stored)
        assert is_pyramid(stored)


def opened_blocks(path: Path) -> StreamedVolume:
    return begun(OneHotPhases(np.unique(phases_image(40, 48).values).tolist()), path)


def test_measure_reports_nearly_what_it_reports_of_a_file(
    stored: Path,
    image: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Parts of it have nearly the fractions of all of it."""
    # Each metric reads each plane again, which takes dask's threads 40 ms.
    monkeypatch.setattr("napari_slicegan.metrics.stored_volume.PLANES_PER_AXIS", 4)
    monkeypatch.setitem(dask.config.config, "scheduler", "synchronous")
    file, figure = tmp_path / "rock.tif", tmp_path / "rock.png"
    tifffile.imwrite(file, np.asarray(StoredVolume.open(stored).values))
    fractions = []
    for path in (stored, file):
        asked = ["measure", str(path), "--against", str(image), "--json"]
        assert main([*asked, "--figure", str(figure)]) == 0
        printed = json.loads(capsys.readouterr().out)
        fractions.append(
            [
                row["generated"]
                for row in printed["rows"]
                if row["metric"] == "phase_fraction"
            ]
        )
    parts, whole = fractions
    np.testing.assert_allclose(parts, whole, atol=0.1)
    assert figure.stat().st_size > 10_000


def test_one_in_the_making_is_refused(tmp_path: Path) -> None:
    begun(OneHotPhases([0, 1]), tmp_path / "rock.ome.zarr")
    with pytest.raises(
        ValueError, match=r"finished volume, got the unfinished rock\.ome\.zarr"
    ):
        StoredVolume.open(tmp_path / "rock.ome.zarr")


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="written by 'slicegan generate'"):
        StoredVolume.open(tmp_path)


@pytest.mark.parametrize(
    ("flags", "status", "words"),
    [
        ("--z-step-nm 20", 2, "expected a pixel size for 'Plane distance' 20 nm"),
        ("--pixel-size-nm 5 --z-step-nm 20", 2, "expected cubic voxels"),
        ("--pixel-size-nm 5 --z-step-nm 5", 0, "voxel size 5 nm (as given)"),
    ],
)
def test_planes_at_another_distance_are_refused(
    stored: Path,
    image: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    flags: str,
    status: int,
    words: str,
) -> None:
    """A volume without a size that is read in parts is not resampled to cubes."""
    monkeypatch.setattr("napari_slicegan.metrics.stored_volume.PLANES_PER_AXIS", 2)
    monkeypatch.setitem(dask.config.config, "scheduler", "synchronous")
    own = own_attributes(stored) or {}
    set_own_attributes(stored, {**own, "voxel_size_nm": None})
    command = ["measure", str(stored), "--against", str(image), *flags.split()]
    assert main(command) == status
    assert words in "".join(capsys.readouterr())
