"""Volumes that were streamed onto the disk, opened in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan._qt.contributions import get_run_reader
from napari_slicegan._qt.viewer.file_layers import read_pyramid
from napari_slicegan._qt.viewer.layers import scale_bar_of
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.streaming import StreamedVolume
from tests.toys import random_generator

pytest.importorskip("zarr", reason="needs the extra scale")

SIZE = (20, 33, 24)
TRANSFORMS = [OneHotPhases([7, 207]), ScaleMinMax(0, 255, 3, "uint8")]


def streamed(transform: Any, folder: Path) -> Path:
    plan = VolumePlan(random_generator(transform), SIZE, 3, tile_latents=4)
    StreamedVolume.begin(plan, folder / "rock.ome.zarr").write()
    return folder / "rock.ome.zarr"


@pytest.mark.parametrize("transform", TRANSFORMS, ids=["phases", "colour"])
def test_levels_scale_and_kind(transform: Any, tmp_path: Path) -> None:
    path = streamed(transform, tmp_path)
    reader = get_run_reader(str(path))
    assert reader is not None
    [(levels, options, kind)] = reader(str(path))
    whole = generate(random_generator(transform), SIZE, 3, tile_latents=4).values
    np.testing.assert_array_equal(np.asarray(levels[0]), whole)
    channels = whole.shape[3:]
    assert [level.shape for level in levels] == [
        (20, 33, 24, *channels),
        (10, 17, 12, *channels),
        (5, 9, 6, *channels),
    ]
    assert (options["name"], list(options["scale"])) == ("rock", [5.0] * 3)
    assert options["units"] == ("nm",) * 3
    assert kind == ("image" if channels else "labels")
    if not channels:
        assert {7, 207} <= set(options["colormap"].color_dict)


@pytest.mark.qt
def test_napari_shows_it(make_napari_viewer_proxy: Any, tmp_path: Path) -> None:
    viewer = make_napari_viewer_proxy()
    [(levels, options, _)] = read_pyramid(streamed(TRANSFORMS[0], tmp_path))
    assert scale_bar_of(viewer).visible
    layer = viewer.add_labels(levels, **options)
    assert layer.multiscale
    assert layer.get_value((50.0, 50.0, 50.0), world=True) is not None


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    other.mkdir()
    assert get_run_reader(str(other)) is None
    (other / "zarr.json").write_text('{"attributes": {}}')
    assert get_run_reader(str(other)) is None
    with pytest.raises(ValueError, match="Expected a volume written by"):
        read_pyramid(other)
