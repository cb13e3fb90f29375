"""Arrays and sets of images that cannot be trained on, and some that nearly cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import PatchSampler
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import OneHotPhases, fit_transform
from tests.refusals import Refusal, assert_all_refused

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (70, 80), dtype=np.uint8)
RGB = RNG.integers(0, 256, (70, 80, 3), dtype=np.uint8)
PHASES = RNG.integers(0, 3, (70, 80), dtype=np.uint8)


CASES: dict[str, list[Refusal]] = {}
SECTION = ["arrays"]


def case(title: str, words: str, make: Callable[[Path], Any]) -> None:
    """Add a line to the table: what is wrong, words of the answer, how to cause it."""
    CASES.setdefault(SECTION[-1], []).append((title, make, words))


def array_case(title: str, words: str, values: Any, kind: Any = "auto") -> None:
    """An array that must be refused, by its name."""
    case(
        title,
        f"steel.*{words}",
        lambda folder: Micrograph.from_array(values, kind, name="steel"),
    )


def with_value(value: float) -> NDArray[np.float32]:
    """Gray values, one of them replaced."""
    values = GRAY.astype(np.float32)
    values[3, 4] = value
    return values


def with_pixel_size(size: float, folder: Path) -> Micrograph:
    return Micrograph.from_array(GRAY, "auto", size, "steel")


# Arrays.
array_case("single number", "0 dimensions", 3.0)
array_case("1-D array", "1 dimensions", np.arange(9))
array_case("5-D array", "5 dimensions", np.zeros((2, 2, 2, 2, 2)))
array_case("no rows", "empty one", np.zeros((0, 80)))
array_case("constant", "same value", np.ones((70, 80)))
array_case("one phase", "same value", np.ones((70, 80), dtype=bool))
array_case("NaN", "1 that are NaN or infinite", with_value(np.nan))
array_case("infinite", "1 that are NaN or infinite", with_value(np.inf))
array_case("infinite below", "1 that are NaN or infinite", with_value(-np.inf))
array_case("complex", "complex64", GRAY.astype(np.complex64))
array_case("objects", "type 'object'", GRAY.astype(object))
array_case("letters", "type '<U", np.array([["a", "b"], ["c", "d"]]))
array_case("dates", "type 'datetime64", np.zeros((70, 80), "datetime64[s]"))
array_case("two channels", "2 channels", RNG.random((70, 80, 2)))
array_case("five channels", "5 channels", RNG.random((70, 80, 5)))
array_case("volume with two channels", "2 channels", RNG.random((9, 70, 80, 2)))
array_case(
    "17 phases", "at most 16 phases", np.arange(70 * 80).reshape(70, 80) % 17, "phases"
)
array_case("fractions as phases", "at most 16 phases", RNG.random((70, 80)), "phases")
array_case("RGB as phases", "few flat colours, got an RGB", RGB, "phases")
array_case("grayscale as colour", "three channels", GRAY, "colour")
for size in (0.0, -1.0, float("nan"), float("inf"), 1e18):
    case(
        f"pixel size {size}",
        f"steel.*positive number of nanometres, got {re.escape(str(size))}",
        partial(with_pixel_size, size),
    )


# Images that do not go together, or not with the patch.
SECTION.append("sets of images")


def image(
    values: Any = PHASES, size: float | None = None, name: str = "steel"
) -> Micrograph:
    return Micrograph.from_array(values, pixel_size_nm=size, name=name)


def views(y: Micrograph, z: Micrograph | None = None) -> TrainingImages:
    """Three directions, of which that along y is the odd one."""
    return TrainingImages.anisotropic(z=z or image(), y=y, x=z or image())


case("no image", "got none", lambda f: TrainingImages.isotropic())
case(
    "two of three views",
    "z, y and x.*got",
    lambda f: TrainingImages({"z": (image(),), "y": (image(),)}),
)
case(
    "a view without image",
    "z, y and x",
    lambda f: TrainingImages.anisotropic(image(), [], image()),
)
case(
    "views of two kinds",
    "phases.*grayscale.*seen along y",
    lambda f: views(image(GRAY)),
)
case(
    "other phases",
    r"\[0, 1, 2\] along z and \[0, 1\] along y",
    lambda f: views(image(PHASES > 0)),
)
case("other labels", r"\[0, 127, 254\] along y", lambda f: views(image(PHASES * 127)))
case(
    "other pixel size",
    "10 nm and 20 nm.*seen along y",
    lambda f: views(image(size=20), image(size=10)),
)
case(
    "2-D image as volume",
    "expected a volume",
    lambda f: TrainingImages.from_volume(image()),
)
case("grayscale images' labels", "kind 'phases'", lambda f: image(GRAY).labels)
case(
    "smaller than the patch",
    "72 x 72 pixels, got 70 x 80",
    lambda f: TrainingImages.isotropic(image()).check_patch(72),
)
case(
    "volume too thin along y",
    "steel.*64 x 64 pixels seen along y, got 9 x 80",
    lambda f: TrainingImages.from_volume(image(np.stack([PHASES] * 9))).check_patch(64),
)
case(
    "sampler, smaller than the patch",
    "72 x 72 pixels, got 70 x 80",
    lambda f: PatchSampler([image()], OneHotPhases((0, 1, 2)), 72, "none"),
)
case(
    "label that was not there",
    r"phases \[0, 1\], got also \[2\]",
    lambda f: OneHotPhases((0, 1)).forward(PHASES),
)
case("folder without images", "images.json", lambda f: TrainingImages.load(f))


def damaged_index(folder: Path) -> TrainingImages:
    (folder / "images.json").write_text('[{"axis": "z", "file": "../../secret"}]')
    return TrainingImages.load(folder)


case("damaged list of images", "images.json", damaged_index)


@pytest.mark.parametrize("section", CASES)
def test_refused_with_one_sentence(section: str, tmp_path: Path) -> None:
    assert_all_refused(CASES[section], tmp_path)


@pytest.mark.parametrize("name", ["mask.png", "mask.npy"])
def test_one_bit_images_are_two_phases(name: str, tmp_path: Path) -> None:
    mask = GRAY > 100
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, mask)
    else:
        Image.fromarray(mask).save(path)
    micrograph = Micrograph.open(path)
    assert micrograph.kind == "phases"
    assert micrograph.labels == (0, 1)
    np.testing.assert_array_equal(micrograph.values, mask.astype(np.uint8))


def test_sixteen_phases_are_accepted() -> None:
    values = np.arange(70 * 80).reshape(70, 80) % 16
    images = TrainingImages.isotropic(Micrograph.from_array(values))
    assert fit_transform(images).channels == 16
