"""Sweeps: volumes of one sample at several strengths, and their files."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions import Gauge, fit_directions, sweep
from napari_slicegan.generation.generate import generate
from tests.toys import PIXEL_SIZE_NM, random_generator

if TYPE_CHECKING:
    from napari_slicegan.directions.sweep import Sweep


@pytest.fixture(scope="module")
def made() -> Sweep:
    trained = random_generator(OneHotPhases([7, 207]))
    direction = fit_directions(trained, n_components=1, n_samples=30).directions[0]
    gauge = Gauge(trained, ["phase_fraction", "interface_density"], size=(12, 16, 20))
    swept = sweep(gauge, direction, (-2, 0, 2), seed=4)
    for number, strength in enumerate(swept.strengths):
        edits = [direction.edit(strength)]
        alone = generate(trained, (12, 16, 20), 4, edits=edits).values
        np.testing.assert_array_equal(swept.values[number], alone)
    return swept


def test_properties_are_those_of_the_volumes(made: Sweep) -> None:
    assert made.values.shape == (3, 12, 16, 20)
    fractions = [(volume == 207).mean() for volume in made.values]
    assert made.properties["phase_fraction"] == pytest.approx(fractions)
    assert list(made.properties) == ["phase_fraction", "interface_density"]


def test_tiff_has_four_dimensions(made: Sweep, tmp_path: Path) -> None:
    made.save_tiff(tmp_path / "sweep.tif")
    with tifffile.TiffFile(tmp_path / "sweep.tif") as file:
        assert file.series[0].axes == "TZYX"
        np.testing.assert_array_equal(file.asarray(), made.values)
        assert f'PhysicalSizeX="{PIXEL_SIZE_NM}"' in (file.ome_metadata or "")


def test_csv_has_a_row_for_each_strength(made: Sweep, tmp_path: Path) -> None:
    made.save_csv(tmp_path / "sweep.csv")
    rows = list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))
    assert [float(row["strength"]) for row in rows] == [-2, 0, 2]
    fractions = [float(row["phase_fraction"]) for row in rows]
    assert fractions == list(made.properties["phase_fraction"])


def test_figure_is_drawn(made: Sweep, tmp_path: Path) -> None:
    made.save_plot(tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as image:
        assert image.width > 1.5 * image.height > 100


@pytest.mark.skipif(
    importlib.util.find_spec("imageio") is None, reason="imageio not installed"
)
def test_animation_has_a_frame_for_each_strength(made: Sweep, tmp_path: Path) -> None:
    made.save_animation(tmp_path / "sweep.gif")
    with Image.open(tmp_path / "sweep.gif") as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
        assert image.size == (20, 16)
        frame = np.asarray(image.convert("L"))
    shades = np.where(made.values[0, 6] == 207, 255, 0)
    np.testing.assert_allclose(frame, shades, atol=3)


def test_without_imageio_animations_are_refused(
    made: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="imageio"):
        made.save_animation(tmp_path / "sweep.gif")
    assert not list(tmp_path.iterdir())
