"""Sets of training images: agreement, order, storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan.config import AXES
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages

RNG = np.random.default_rng(3)


def phases(*labels: int, shape: tuple[int, ...] = (30, 40), **facts: Any) -> Micrograph:
    return Micrograph.from_array(RNG.choice(np.array(labels), shape), **facts)


def test_isotropic_images_serve_for_all_axes() -> None:
    images = TrainingImages.isotropic(phases(0, 5), phases(0, 9, pixel_size_nm=2))
    assert images.material == "isotropic"
    assert list(images.views) == ["z"]
    assert len(images.views["z"]) == 2
    assert images.kind == "phases"
    assert images.labels == (0, 5, 9)
    assert images.pixel_size_nm == 2


def test_anisotropic_takes_one_image_or_several_per_direction() -> None:
    z, y, x = phases(0, 1), phases(0, 1), phases(0, 1)
    images = TrainingImages.anisotropic(z=z, y=[y, z], x=x)
    assert images.material == "anisotropic"
    assert images.views == {"z": (z,), "y": (y, z), "x": (x,)}
    assert list(images) == [z, y, z, x]


def test_order_of_the_views_does_not_depend_on_the_input() -> None:
    image = phases(0, 1)
    images = TrainingImages({"x": (image,), "z": (image,), "y": (image,)})
    assert tuple(images.views) == AXES


def test_volume_serves_each_direction() -> None:
    volume = phases(0, 1, shape=(12, 14, 16))
    images = TrainingImages.from_volume(volume)
    assert images.views == dict.fromkeys(AXES, (volume,))
    images.check_patch(12)
    with pytest.raises(ValueError, match=r"13 x 13 pixels seen along y, got 12 x 16"):
        TrainingImages(dict.fromkeys(AXES, (volume,))).check_patch(13)


def test_pixel_sizes_may_differ_by_one_percent_or_be_unknown() -> None:
    images = TrainingImages.isotropic(
        phases(0, 1), phases(0, 1, pixel_size_nm=100), phases(0, 1, pixel_size_nm=100.5)
    )
    assert images.pixel_size_nm == 100
    with pytest.raises(ValueError, match="100 nm and 102 nm"):
        TrainingImages.isotropic(
            phases(0, 1, pixel_size_nm=100), phases(0, 1, pixel_size_nm=102)
        )


def test_images_of_one_direction_may_lack_a_phase() -> None:
    # Together, the images of each direction show the phases 0, 1 and 2.
    both = [phases(0, 1), phases(1, 2)]
    assert TrainingImages.anisotropic(both, both, phases(0, 1, 2)).labels == (0, 1, 2)


def test_views_cannot_be_changed() -> None:
    images = TrainingImages.isotropic(phases(0, 1))
    with pytest.raises(TypeError):
        images.views["y"] = ()  # type: ignore[index]


SAVED: list[Any] = [
    RNG.integers(0, 2, (30, 40)).astype(bool),
    RNG.choice(np.array([-5, 70_000]), (30, 40)),
    RNG.integers(0, 65_536, (30, 40), dtype=np.uint16),
    RNG.random((30, 40)).astype(np.float16),
    RNG.random((30, 40, 3), dtype=np.float32),
    RNG.random((9, 30, 40)),
    RNG.integers(0, 256, (9, 30, 40, 3), dtype=np.uint8),
]


def test_saved_images_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for values in SAVED:
        with subtests.test(dtype=values.dtype, shape=values.shape):
            folder = tmp_path_factory.mktemp("case")
            image = Micrograph.from_array(values, pixel_size_nm=0.543, name="gold.tif")
            TrainingImages.isotropic(image).save(folder / "images")
            (back,) = TrainingImages.load(folder / "images")
            np.testing.assert_array_equal(back.values, image.values)
            assert back.values.dtype == image.values.dtype
            assert (back.kind, back.name) == (image.kind, "gold.tif")
            assert back.pixel_size_nm == 0.543


def test_saved_directions_come_back(tmp_path: Path) -> None:
    images = TrainingImages.anisotropic(
        phases(0, 1, name="a"),
        [phases(0, 1, name="b"), phases(0, 1, name="c")],
        phases(0, 1, name="d"),
    )
    images.save(tmp_path)
    back = TrainingImages.load(tmp_path)
    assert [image.name for image in back] == ["a", "b", "c", "d"]
    assert [len(view) for view in back.views.values()] == [1, 2, 1]


def test_volume_is_stored_once(tmp_path: Path) -> None:
    TrainingImages.from_volume(phases(0, 1, shape=(12, 14, 16))).save(tmp_path)
    assert len(list(tmp_path.glob("*.tif"))) == 1
    back = TrainingImages.load(tmp_path)
    assert back.material == "anisotropic"
    assert len({id(image) for image in back}) == 1


def test_images_that_look_like_another_kind_keep_theirs(tmp_path: Path) -> None:
    # Few gray values would be taken for phases if the kind were not stored.
    gray = Micrograph.from_array(RNG.integers(0, 3, (30, 40)), "grayscale")
    TrainingImages.isotropic(gray).save(tmp_path)
    assert TrainingImages.load(tmp_path).kind == "grayscale"


def test_names_with_bytes_that_are_no_text_are_stored(tmp_path: Path) -> None:
    """As Python names a file whose name is Latin-1 where names are UTF-8."""
    image = Micrograph.from_array(np.eye(20, dtype=np.uint8), name="Gef\udcfcge.png")
    TrainingImages.isotropic(image).save(tmp_path)
    (back,) = TrainingImages.load(tmp_path)
    assert back.name == "Gef?ge.png"


def test_damaged_image_is_named(tmp_path: Path) -> None:
    TrainingImages.isotropic(phases(0, 1)).save(tmp_path)
    path = tmp_path / "z-0.tif"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"z-0\.tif.*damaged"):
        TrainingImages.load(tmp_path)
