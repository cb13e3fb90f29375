"""The picture of a preview beside the real material."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.monitors import GAP, PANEL, preview_image
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from tests.toys import phases_image

StartToy = Callable[..., Trainer]
EDGE = 24
FACTOR = PANEL // EDGE


def panel(picture: NDArray[np.uint8], row: int, column: int) -> NDArray[np.uint8]:
    """A panel at its own size; all its enlarged pixels must be equal squares."""
    step = EDGE * FACTOR + GAP
    top, left = row * step, column * step
    part = picture[top : top + EDGE * FACTOR, left : left + EDGE * FACTOR]
    small = part[::FACTOR, ::FACTOR]
    assert np.array_equal(np.kron(small, np.ones((FACTOR, FACTOR), np.uint8)), part)
    return small


def test_isotropic_material() -> None:
    """The middle of the image, then the middle planes along z, y and x."""
    image = phases_image(40, 48)
    values = phases_image(EDGE, EDGE, EDGE, seed=1).values
    picture = preview_image(TrainingImages.isotropic(image), Volume(values, "phases"))
    assert picture.dtype == np.uint8
    assert picture.shape == (EDGE * FACTOR + GAP, 4 * (EDGE * FACTOR + GAP))
    real = image.values[8:32, 12:36]
    expected = [real, values[12], values[:, 12], values[:, :, 12]]
    for column, plane in enumerate(expected):
        found = panel(picture, 0, column)
        # Two shades, the same for the same phase everywhere.
        assert np.array_equal(found, np.where(plane == 7, 0, 230)), column
    assert (picture[:, EDGE * FACTOR : EDGE * FACTOR + GAP] == 255).all()


def test_anisotropic_material() -> None:
    """Above each plane the real crop of its own direction."""
    views = [phases_image(40, 48, seed=seed) for seed in (1, 2, 3)]
    values = phases_image(EDGE, EDGE, EDGE, seed=4).values
    images = TrainingImages.anisotropic(*views)
    picture = preview_image(images, Volume(values, "phases"))
    planes = [values[12], values[:, 12], values[:, :, 12]]
    for column, (view, plane) in enumerate(zip(views, planes, strict=True)):
        real = view.values[8:32, 12:36]
        assert np.array_equal(panel(picture, 0, column), np.where(real == 7, 0, 230))
        assert np.array_equal(panel(picture, 1, column), np.where(plane == 7, 0, 230))


def test_images_of_different_sizes() -> None:
    """A crop smaller than the volume keeps its scale; white fills the rest."""
    views = [phases_image(*shape) for shape in ((16, 48), (40, 48), (20, 18))]
    values = phases_image(EDGE, EDGE, EDGE, seed=4).values
    images = TrainingImages.anisotropic(*views)
    picture = preview_image(images, Volume(values, "phases"))
    step = EDGE * FACTOR + GAP
    assert picture.shape == (2 * step, 3 * step)
    planes = [values[12], values[:, 12], values[:, :, 12]]
    for column, plane in enumerate(planes):
        assert np.array_equal(panel(picture, 1, column), np.where(plane == 7, 0, 230))
    crops = [views[0].values[:, 12:36], views[1].values[8:32, 12:36], views[2].values]
    for column, crop in enumerate(crops):
        rows, columns = crop.shape
        shown = panel(picture, 0, column)
        assert np.array_equal(shown[:rows, :columns], np.where(crop == 7, 0, 230))
        assert (shown[rows:] == 255).all()
        assert (shown[:, columns:] == 255).all()


def test_gray_values_share_one_scale() -> None:
    """Black and white are the darkest and the brightest value of the material."""
    values = np.linspace(1000, 3000, 40 * 40).reshape(40, 40).astype(np.uint16)
    images = TrainingImages.isotropic(Micrograph.from_array(values, "grayscale"))
    volume = Volume(np.full((EDGE,) * 3, 2000, np.uint16), "grayscale")
    picture = preview_image(images, volume)
    # (2000 - 1000) / (3000 - 1000) of 255.
    assert (panel(picture, 0, 2) == 128).all()


def test_colour() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    colours[0, 0], colours[0, 1] = 0, 255
    images = TrainingImages.isotropic(Micrograph.from_array(colours, "colour"))
    volume = Volume(np.full((EDGE, EDGE, EDGE, 3), (9, 90, 200), np.uint8), "colour")
    picture = preview_image(images, volume)
    assert picture.shape[2] == 3
    assert np.array_equal(picture[0, 0], colours[8, 8])
    assert np.array_equal(picture[0, EDGE * FACTOR + GAP], (9, 90, 200))


@pytest.mark.parametrize("monitor_interval", [2, 1000])
def test_runs_keep_their_last_preview(
    start_toy: StartToy, tmp_path: Path, monitor_interval: int
) -> None:
    """Written whenever a preview is made; a run without one has no picture."""
    path = tmp_path / "run" / "preview.png"
    trainer = start_toy(steps=4, monitor_interval=monitor_interval)
    last = None
    for report in trainer.run():
        last = report.preview or last
        assert path.exists() == (last is not None)
    if last is not None:
        with Image.open(path) as picture:
            expected = preview_image(trainer.images, last)
            assert np.array_equal(np.asarray(picture), expected)
    assert not list(path.parent.glob(".*.partial"))
