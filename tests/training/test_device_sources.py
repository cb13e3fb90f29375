"""Crops cut on a device are those cut from the files, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import ImageSampler, PatchSampler, Symmetries
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.models.cost import META
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.point_task import Unchanged
from napari_slicegan.training import sources as device_sources
from napari_slicegan.training.sources import (
    CropsOnDevice,
    ImagesOnDevice,
    move_to_device,
)
from tests.image_toys import ellipses
from tests.toys import TOY_LABELS, phases_image

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.data.patch_sampler import Source

CPU = torch.device("cpu")


def assert_same_samples(one: Source, other: Source) -> None:
    """Of the same random numbers, which both use up alike."""
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    for n in (1, 50):
        expected, found = one.sample(n, first), other.sample(n, second)
        assert found.shape == expected.shape
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
    assert torch.equal(first.get_state(), second.get_state())


@pytest.mark.parametrize("symmetries", ["none", "flips", "rotations"])
def test_crops_of_images_of_several_sizes(symmetries: Symmetries) -> None:
    """One of them has exactly the size of a crop."""
    shapes = ((40, 48), (16, 16), (17, 90))
    images = [phases_image(*shape, seed=i) for i, shape in enumerate(shapes)]
    source = PatchSampler(images, OneHotPhases(TOY_LABELS), 16, symmetries)
    assert_same_samples(source, CropsOnDevice(source, CPU))


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_crops_of_a_volume(axis: Axis) -> None:
    source = PatchSampler(
        [phases_image(18, 20, 23)], OneHotPhases(TOY_LABELS), 16, "rotations", axis
    )
    assert_same_samples(source, CropsOnDevice(source, CPU))


def test_crops_in_colour() -> None:
    values = np.random.default_rng(0).integers(0, 256, (30, 25, 3)).astype(np.uint8)
    image = Micrograph.from_array(values, "colour")
    source = PatchSampler([image], ScaleMinMax(0, 255, 3, "uint8"), 8, "rotations")
    assert_same_samples(source, CropsOnDevice(source, CPU))


def test_whole_images_and_points() -> None:
    images = ImageSampler(ellipses(20), ScaleMinMax(0, 255, 1, "uint8"))
    assert_same_samples(images, ImagesOnDevice(images, CPU))
    mixture = nine_gaussians()
    points = ImageSampler(mixture.values, Unchanged.fit(mixture))
    assert_same_samples(points, ImagesOnDevice(points, CPU))


def test_only_gpus_get_images_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only those that fit, and are not rolled before they are transformed."""
    crops = PatchSampler([phases_image(40, 48)], OneHotPhases(TOY_LABELS), 16)
    transform = ScaleMinMax(0, 255, 1, "uint8")
    images, rolled = (ImageSampler(ellipses(20), transform, roll) for roll in (0, 3))
    for source in (crops, images, rolled):
        assert move_to_device(source, CPU) is source
    assert isinstance(move_to_device(crops, META), CropsOnDevice)
    assert isinstance(move_to_device(images, META), ImagesOnDevice)
    assert move_to_device(rolled, META) is rolled
    monkeypatch.setattr(device_sources, "MAX_DEVICE_BYTES", 40 * 48 * 2 * 4)
    assert isinstance(move_to_device(crops, META), CropsOnDevice)
    monkeypatch.setattr(device_sources, "MAX_DEVICE_BYTES", 40 * 48 * 2 * 4 - 1)
    assert move_to_device(crops, META) is crops
    assert move_to_device(images, META) is images
