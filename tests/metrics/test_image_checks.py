from __future__ import annotations

import numpy as np
import pytest
import scipy
from napari_slicegan.sample_data import path as sample_path

from napari_slicegan.config import AXES
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.image_checks import (
    fraction_uncertainty,
    image_warnings,
    interface_distances,
    rescale_advice,
    view_fractions,
    voxel_stretch,
)
from tests.toys import smooth_field


def material(
    *shape: int, level: float = 0.0, seed: int = 0, pixel_size_nm: float | None = 5.0
) -> Micrograph:
    """Phase 1 where a smooth random field is above a level."""
    values = (smooth_field(*shape, seed=seed) > level).astype(np.uint8)
    return Micrograph.from_array(values, "phases", pixel_size_nm, "toy")


def test_uncertainty_is_the_scatter_among_images() -> None:
    # Oracle: the fractions of 100 windows of as many independent fields.
    windows = [smooth_field(160, 160, seed=s)[:64, :64] > 0.05 for s in range(100)]
    scatter = np.std([window.mean() for window in windows])
    predicted = np.mean([fraction_uncertainty(window) for window in windows])
    assert predicted == pytest.approx(scatter, rel=0.2)
    assert fraction_uncertainty(np.ones((32, 32), bool)) == 0


def test_fractions_of_views_and_of_several_images() -> None:
    views = {axis: material(64, 96, seed=seed) for seed, axis in enumerate(AXES)}
    fractions = view_fractions(TrainingImages.anisotropic(**views))
    for axis, image in views.items():
        assert fractions[axis][1][0] == pytest.approx(image.phase_fractions()[1])
    # Two images are more certain than one.
    one, two = material(64, 64, seed=1), material(64, 64, seed=2)
    alone = view_fractions(TrainingImages.isotropic(one))["z"][1]
    both = view_fractions(TrainingImages.isotropic(one, two))["z"][1]
    assert both[0] == pytest.approx((one.values.mean() + two.values.mean()) / 2)
    assert both[1] < alone[1]


def test_good_images_have_no_warnings() -> None:
    images = TrainingImages.isotropic(material(256, 256))
    assert image_warnings(images, 64) == []
    assert rescale_advice(images, 64) is None


def test_small_image() -> None:
    refused = image_warnings(TrainingImages.isotropic(material(48, 200)), 64)
    assert "at least 64 x 64 pixels, got 48 x 200" in refused[0]
    tight = image_warnings(TrainingImages.isotropic(material(100, 100)), 64)
    assert "only 100 x 100 pixels" in tight[0]


def test_coarse_structure() -> None:
    # One disk is no statistics: A is about the disk's area pi 12^2 = 452 of 128^2
    # pixels, so 2 sd = 2 sqrt(0.028 * 0.972 * 452 / 128^2) = 0.05 of 0.028.
    y, x = np.mgrid[:128, :128]
    disk = ((y - 64) ** 2 + (x - 64) ** 2 < 12**2).astype(np.uint8)
    images = TrainingImages.isotropic(Micrograph.from_array(disk, "phases", 5.0))
    (found,) = image_warnings(images, 64)
    assert "fraction of phase 1 is 0.027 (0.00 to 0.0" in found


def test_views_that_disagree() -> None:
    # A third against two thirds of the field's values: far beyond chance.
    z, y = material(160, 160, level=0.06), material(160, 160, level=-0.06, seed=1)
    images = TrainingImages.anisotropic(z=z, y=y, x=y)
    found = image_warnings(images, 64)
    assert any("seen along z" in text and "along y" in text for text in found)
    assert not any("along y and" in text for text in found)


def test_views_of_one_volume_do_not_disagree() -> None:
    names = {axis: f"fibres_{axis}" for axis in "zyx"}
    views = {axis: Micrograph.open(sample_path(n)) for axis, n in names.items()}
    assert image_warnings(TrainingImages.anisotropic(**views), 64) == []


def test_a_structure_longer_than_a_patch_is_to_be_scaled_down() -> None:
    views = {axis: Micrograph.open(sample_path(f"fibres_{axis}")) for axis in "zyx"}
    images = TrainingImages.anisotropic(**views)
    # Fibres of 64 pixels: interfaces lie 64 / 0.25 / 2 pixels apart along them.
    assert interface_distances(images)[1] == pytest.approx(128, rel=0.1)
    advice = rescale_advice(images, 64)
    assert advice is not None
    assert "a patch has only 64" in advice.text
    assert "to 0.5 to let it show whole pieces" in advice.text
    assert advice.factor == 0.5
    advice = rescale_advice(images, 64, rescale=0.5)
    assert advice is not None
    assert "'Rescale factor' to 0.25 (now 0.5)" in advice.text
    assert advice.factor == 0.25
    halved = {axis: image.rescaled(0.5) for axis, image in views.items()}
    assert rescale_advice(TrainingImages.anisotropic(**halved), 64) is None


def test_unknown_pixel_size() -> None:
    images = TrainingImages.isotropic(material(256, 256, pixel_size_nm=None))
    (found,) = image_warnings(images, 64)
    assert "pixel size" in found


def test_advice_to_scale_down_leaves_room_for_two_patches() -> None:
    stripes = np.tile(np.arange(240) // 30 % 2, (200, 1)).astype(np.uint8)
    images = TrainingImages.isotropic(Micrograph.from_array(stripes, "phases", 1, "a"))
    # 7 steps among 239 pairs of neighbours
    assert interface_distances(images)[0] == pytest.approx(239 / 7)
    advice = rescale_advice(images, 32)
    assert advice is not None
    assert "34 pixels apart" in advice.text
    assert "to 0.4 to learn faster" in advice.text
    # Two patches must fit: at least 0.64; a factor of 0.96 is not advised.
    advice = rescale_advice(images, 64)
    assert advice is not None
    assert "to 0.65 to learn faster" in advice.text
    assert rescale_advice(images, 96) is None


def layered(shape: tuple[int, int, int], lengths: tuple[float, ...]) -> TrainingImages:
    """Two phases whose structures have these lengths along z, y, x."""
    noise = np.random.default_rng(0).normal(size=shape)
    smooth = scipy.ndimage.gaussian_filter(noise, lengths, mode="wrap")
    volume = Micrograph.from_array((smooth > 0).astype(np.uint8), "phases")
    return TrainingImages.from_volume(volume)


def test_the_network_is_stretched_along_long_structures(
    subtests: pytest.Subtests,
) -> None:
    """As far as patches fit into the images, and interfaces stay further apart."""
    for name, shape, lengths, expected in [
        ("fibres", (64, 64, 256), (2, 2, 20), (1, 1, 4)),
        ("layers", (64, 128, 128), (2, 40, 40), (1, 2, 2)),
        ("equal", (64, 96, 96), (2, 2, 2), (1, 1, 1)),
        ("three times as long", (64, 96, 256), (3, 9, 9), (1, 1, 1)),
        ("small", (64, 64, 100), (2, 2, 20), (1, 1, 1)),
    ]:
        with subtests.test(name):
            images = layered(shape, lengths)
            assert voxel_stretch(images, 64) == expected
            assert (rescale_advice(images, 64, stretch=()) is None) or name == "small"
    sample = [Micrograph.open(sample_path(f"fibres_{axis}")) for axis in "zyx"]
    fibres = TrainingImages.anisotropic(*sample)
    assert voxel_stretch(fibres, 64) == (1, 1, 4)
    advice = rescale_advice(fibres, 64)
    assert advice is not None
    assert advice.factor == 0.5
    assert rescale_advice(fibres, 64, stretch=(1, 1, 4)) is None
    assert voxel_stretch(TrainingImages.isotropic(sample[0]), 64) == (1, 1, 1)
    gray = [Micrograph.from_array(image.values, "grayscale") for image in sample]
    assert voxel_stretch(TrainingImages.anisotropic(*gray), 64) == (1, 1, 1)


def test_no_phase_vanishes_by_the_stretch() -> None:
    """A third one in a single pixel: of four along the axis another one is kept."""
    images = layered((64, 64, 256), (2, 2, 20))
    values = images.views["z"][0].values.copy()
    assert voxel_stretch(images, 64) == (1, 1, 4)
    values[20, 20, 40] = 2
    rare = TrainingImages.from_volume(Micrograph.from_array(values, "phases"))
    assert 2 not in rare.reduced((1, 1, 4)).labels
    assert voxel_stretch(rare, 64) == (1, 1, 1)
