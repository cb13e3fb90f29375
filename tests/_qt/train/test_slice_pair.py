"""The real crop and the generated slice beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.train.run_view import SlicePair, coloured, real_crop
from napari_slicegan._qt.viewer.colours import phase_colours
from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.volumes.volume import Volume
from tests.toys import TOY_LABELS, phases_image

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.qt


def test_phases_have_the_colours_of_the_layers() -> None:
    low, high = TOY_LABELS
    rgb = coloured(np.array([[low, high]]), "phases", TOY_LABELS, 0, 1)
    colours = phase_colours(TOY_LABELS)
    expected = [[[255 * part for part in colours[each][:3]] for each in TOY_LABELS]]
    assert rgb.tolist() == np.rint(expected).tolist()


def test_gray_values_are_stretched_over_the_range() -> None:
    rgb = coloured(np.array([[10.0, 15.0, 20.0]]), "grayscale", (), 10, 20)
    assert rgb.shape == (1, 3, 3)
    # Half of 255 is rounded to the even number.
    assert rgb[0, :, 0].tolist() == [0, 128, 255]


def test_colours_stay_colours() -> None:
    values = np.array([[[255, 0, 51]]], np.uint8)
    assert coloured(values, "colour", (), 0, 255).tolist() == [[[255, 0, 51]]]


def test_crop_is_a_part_of_the_image_and_always_the_same(
    toy_images: TrainingImages,
) -> None:
    crop = real_crop(toy_images, "y", 16)
    assert crop.shape == (16, 16)
    assert contains(toy_images, "z", crop)
    assert (real_crop(toy_images, "y", 16) == crop).all()


def contains(images: TrainingImages, axis: Axis, crop: NDArray[Any]) -> bool:
    image = images.views[axis][0].values
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return bool((windows == crop).all(axis=(2, 3)).any())


def test_a_small_image_is_shown_whole() -> None:
    images = TrainingImages.isotropic(phases_image(20, 30))
    assert real_crop(images, "z", 100).shape == (20, 30)


def test_each_direction_shows_its_own_image(toy_views: TrainingImages) -> None:
    for axis in AXES:
        crop = real_crop(toy_views, axis, 40)
        found = [other for other in AXES if contains(toy_views, other, crop)]
        assert found == [axis]


@pytest.fixture
def pair(qtbot: QtBot) -> SlicePair:
    pair = SlicePair()
    qtbot.addWidget(pair)
    pair.resize(380, 240)
    return pair


def test_nothing_is_shown_before_both_are_there(
    pair: SlicePair, toy_images: TrainingImages
) -> None:
    pair.set_images(toy_images)
    assert pair.isHidden()
    values = np.full((24, 24, 24), TOY_LABELS[0], np.uint8)
    pair.set_volume(Volume(values, "phases", 5.0, TOY_LABELS), step=50)
    assert not pair.isHidden()
    assert pair.generated_title.text() == "Generated slice, step 50"
    # 24 pixels of 5 nm.
    assert pair.scale.text() == "24 px = 120 nm"
    pair.set_images(toy_images)
    assert pair.isHidden()


def test_the_chosen_direction_is_sliced(
    qtbot: QtBot, pair: SlicePair, toy_images: TrainingImages
) -> None:
    low, high = TOY_LABELS
    values = np.full((24, 24, 24), low, np.uint8)
    # Only the middle plane seen along x has the second phase.
    values[:, :, 12] = high
    pair.set_images(toy_images)
    pair.set_volume(Volume(values, "phases", None, TOY_LABELS), step=1)
    colours = phase_colours(TOY_LABELS)

    def share_of_high() -> float:
        image = pair.generated.pixmap().toImage()
        red = round(255 * colours[high][0])
        pixels = [image.pixelColor(x, 5).red() == red for x in range(image.width())]
        return float(np.mean(pixels))

    assert share_of_high() == pytest.approx(1 / 24, abs=0.02)
    pair.axis.setCurrentIndex(AXES.index("x"))
    assert share_of_high() == 1


def test_gray_images_and_volumes(pair: SlicePair) -> None:
    gray = np.random.default_rng(0).random((40, 40))
    images = TrainingImages.isotropic(Micrograph.from_array(gray, "grayscale"))
    pair.set_images(images)
    pair.set_volume(Volume(np.ones((16, 16, 16)), "grayscale"), step=1)
    assert pair.scale.text() == "16 px"
