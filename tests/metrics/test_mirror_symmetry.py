"""Mirror symmetry: materials of known symmetry are told from those that lack it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile
from napari_slicegan.sample_data import path as sample_path
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.mirror_symmetry import (
    antisymmetric_moments,
    are_mirror_symmetric,
)

if TYPE_CHECKING:
    import pytest

SIZE = 256


def of_views(z: NDArray[np.generic], y: NDArray[np.generic]) -> TrainingImages:
    """Views along z and y of an image each, along x that of y."""
    return TrainingImages.anisotropic(*map(Micrograph.from_array, (z, y, y)))


def discs(seed: int) -> NDArray[np.float32]:
    """Smooth gray values without a preferred direction."""
    noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
    smooth = ndimage.gaussian_filter(noise, 3, mode="wrap")
    return np.asarray(smooth, np.float32)


def tilted(degrees: float) -> NDArray[np.uint8]:
    """Stripes that rise to one side."""
    long = np.random.default_rng(0).normal(size=(2 * SIZE, 2 * SIZE))
    long = ndimage.gaussian_filter(long, (3, 30), mode="wrap")
    turned = ndimage.rotate(long, degrees, reshape=False)
    middle = turned[SIZE // 2 : -SIZE // 2, SIZE // 2 : -SIZE // 2]
    return np.asarray(middle > 0, np.uint8)


def comets() -> NDArray[np.uint8]:
    """Heads with tails that all point to the right."""
    random = np.random.default_rng(0)
    image = np.zeros((SIZE, SIZE), np.uint8)
    for y, x in random.integers(0, SIZE, (120, 2)):
        for column in range(24):
            radius = max(1, 6 - column // 4)
            rows = np.arange(y - radius, y + radius + 1) % SIZE
            image[rows, (x + column) % SIZE] = 1
    return image


def shaded() -> NDArray[np.float32]:
    """Particles with one bright edge, as a detector at one side shows them."""
    flat = np.clip(discs(1) / discs(1).std(), 0, 0.5)
    return np.asarray(flat + np.clip(np.gradient(flat, axis=0), 0, None), np.float32)


def test_the_views_of_fibres_are_symmetric_and_so_are_their_planes() -> None:
    truth = np.asarray(tifffile.imread(sample_path("fibres_truth")))
    for number in range(0, 256, 51):
        planes = truth[number], truth[:, number], truth[:, :, number]
        images = TrainingImages.anisotropic(*map(Micrograph.from_array, planes))
        assert are_mirror_symmetric(images)


def test_one_view_that_differs_from_its_mirror_image_is_found(
    subtests: pytest.Subtests,
) -> None:
    cases: dict[str, NDArray[np.generic]] = {
        "5 degrees": tilted(5),
        "-30 degrees": tilted(-30),
        "comets": comets(),
        "comets, turned": comets().T.copy(),
        "shaded": shaded(),
    }
    for name, image in cases.items():
        with subtests.test(name):
            same = discs(0)
            if image.dtype == np.uint8:
                same = (same > 0).astype(np.uint8)
            assert are_mirror_symmetric(of_views(same, same))
            assert not are_mirror_symmetric(of_views(image, same))
            assert not are_mirror_symmetric(of_views(same, image))


def test_a_symmetric_material_is_called_asymmetric_as_often_as_stated() -> None:
    made = [(discs(seed) > 0).astype(np.uint8) for seed in range(40)]
    pairs = zip(made[::2], made[1::2], strict=True)
    wrong = sum(not are_mirror_symmetric(of_views(*pair)) for pair in pairs)
    # One in a hundred: more than 2 of 20 are less probable than 1.1e-3.
    assert wrong <= 2


def test_moments_change_their_sign_in_a_mirror() -> None:
    image = comets().astype(np.float32)
    image = (image - image.mean()) / image.std()
    found = antisymmetric_moments(image).mean(axis=0)
    mirrored = antisymmetric_moments(image[:, ::-1]).mean(axis=0)
    along_columns = slice(-8, None, 2)
    kept = np.ones(len(found), bool)
    kept[along_columns] = False
    np.testing.assert_allclose(mirrored[kept], -found[kept], rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(
        mirrored[along_columns], found[along_columns], rtol=1e-3, atol=2e-3
    )


def test_small_and_uniform_images_are_measured() -> None:
    tiny = np.zeros((40, 33), np.uint8)
    tiny[10:20, 5:30] = 1
    assert are_mirror_symmetric(of_views(tiny, tiny))
    flat = np.full((64, 64), 3.0, np.float32)
    assert np.isfinite(antisymmetric_moments(flat - flat)).all()
