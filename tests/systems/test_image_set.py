"""Sets of images: folders, cut volumes, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.config import ImageSettings
from napari_slicegan.data.patch_sampler import ImageSampler
from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.systems.image_set import ImageSet
from tests.image_toys import ellipses
from tests.refusals import Refusal, assert_all_refused

DEFAULT = ImageSettings()
CUT = ImageSettings(cut_axis="z")


def written(folder: Path, images: NDArray[Any]) -> Path:
    """A folder of PNG files, one of them in a folder inside."""
    (folder / "more").mkdir(parents=True)
    for number, image in enumerate(images):
        home = folder / "more" if number == 1 else folder
        Image.fromarray(image).save(home / f"{number}.png")
    return folder


def test_a_folder_with_all_folders_in_it(tmp_path: Path) -> None:
    images = ellipses(3)
    found = ImageSet.open(written(tmp_path / "brains", images), 28, DEFAULT)
    assert found.values.dtype == np.uint8
    assert found.name == "brains"
    # By path: "0.png", "2.png", then "more/1.png".
    np.testing.assert_array_equal(found.values, images[[0, 2, 1]])


def test_images_are_resized(tmp_path: Path) -> None:
    """Halving a checkerboard of 2 x 2 pixels keeps it; gray stays within its range."""
    image = np.kron(np.indices((28, 28)).sum(axis=0) % 2, np.ones((2, 2))) * 200
    folder = written(tmp_path / "set", image[None].astype(np.uint8))
    made = ImageSet.open(folder, 28, DEFAULT).values[0]
    assert made.shape == (28, 28)
    even = np.indices((28, 28)).sum(axis=0) % 2 == 0
    assert made[even].mean() < made[~even].mean()
    assert made.mean() == pytest.approx(100, abs=2)


def test_a_volume_is_cut_along_an_axis(tmp_path: Path) -> None:
    for axis, number in [("z", 5), ("y", 28), ("x", 28)]:
        volume = ellipses(5)
        tifffile.imwrite(tmp_path / "brain.tif", volume)
        settings = ImageSettings(cut_axis=axis)
        found = ImageSet.open(tmp_path / "brain.tif", 28, settings)
        assert found.values.shape == (number, 28, 28)
        if axis == "z":
            np.testing.assert_array_equal(found.values, volume)


def test_a_part_of_a_set_is_evenly_spread(tmp_path: Path) -> None:
    volume = ellipses(10)
    tifffile.imwrite(tmp_path / "brain.tif", volume)
    settings = ImageSettings(cut_axis="z", max_images=3)
    found = ImageSet.open(tmp_path / "brain.tif", 28, settings)
    np.testing.assert_array_equal(found.values, volume[[0, 3, 6]])


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    images = ImageSet(ellipses(4), "brains")
    images.save(tmp_path / "kept")
    again = ImageSet.load(tmp_path / "kept")
    assert again.name == "brains"
    np.testing.assert_array_equal(again.values, images.values)
    (tmp_path / "kept" / "values.npy").write_bytes(b"\x93NUMPY cut off")
    with pytest.raises(ValueError, match="expected the images of a run"):
        ImageSet.load(tmp_path / "kept")


def test_batches_have_shape_type_and_range() -> None:
    """The extremes of the whole set, not of the batch, become -1 and 1."""
    values = ellipses(30)
    values[7, 3, 4], values[8, 5, 6] = 0, 255
    transform = ScaleMinMax(0, 255, 1, "uint8", (-1, 1))
    sampler = ImageSampler(values, transform)
    batch = sampler.sample(500, torch.Generator().manual_seed(0))
    assert batch.shape == (500, 1, 28, 28)
    assert batch.dtype == torch.float32
    assert batch.min() == -1
    assert batch.max() == 1
    # Every image comes about as often: 500 / 30 = 16.7.
    found = transform.inverse(batch, 1).reshape(500, -1)
    counts = [(found == image.ravel()).all(axis=1).sum() for image in values]
    assert sum(counts) == 500
    assert min(counts) > 3


CASES: list[Refusal] = [
    (
        "empty folder",
        lambda folder: ImageSet.open(folder, 28, DEFAULT),
        "expected a folder of images",
    ),
    (
        "damaged file",
        lambda folder: ImageSet.open(damaged(folder), 28, DEFAULT),
        r"2\.png: expected",
    ),
    (
        "volume not cut",
        lambda folder: ImageSet.open(volume_file(folder), 28, DEFAULT),
        "got a file; say with 'Cut along'",
    ),
    (
        "image to cut",
        lambda folder: ImageSet.open(flat_file(folder), 28, CUT),
        "expected a volume to cut along z",
    ),
    (
        "gray and colour",
        lambda folder: ImageSet.open(mixed(folder), 28, DEFAULT),
        r"b\.png: .*all grayscale or all in colour",
    ),
    (
        "volume among images",
        lambda folder: ImageSet.open(volume_file(folder).parent, 28, DEFAULT),
        r"brain\.tif: expected a 2-D image",
    ),
    (
        "constant",
        lambda _: ImageSet(np.ones((4, 28, 28))),
        "images that show something",
    ),
    (
        "not finite",
        lambda _: ImageSet(np.full((4, 28, 28), np.nan)),
        "expected finite values",
    ),
    ("single image", lambda _: ImageSet(np.eye(28)), r"shape \(28, 28\)"),
]


def damaged(folder: Path) -> Path:
    written(folder / "set", ellipses(3))
    file = folder / "set" / "2.png"
    file.write_bytes(file.read_bytes()[:60])
    return folder / "set"


def volume_file(folder: Path) -> Path:
    tifffile.imwrite(folder / "brain.tif", ellipses(5))
    return folder / "brain.tif"


def flat_file(folder: Path) -> Path:
    tifffile.imwrite(folder / "flat.tif", ellipses(1)[0])
    return folder / "flat.tif"


def mixed(folder: Path) -> Path:
    gray = ellipses(1)[0]
    Image.fromarray(gray).save(folder / "a.png")
    Image.fromarray(np.stack([gray, gray // 2, gray], axis=-1)).save(folder / "b.png")
    return folder


def test_refused(tmp_path: Path) -> None:
    assert_all_refused(CASES, tmp_path)
