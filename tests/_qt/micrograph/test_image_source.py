from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from napari_slicegan.sample_data import path as sample_path

from napari_slicegan._qt.micrograph.image_source import (
    attempt,
    prepare_images,
)
from napari_slicegan.config import AXES, Axis, MicrographSettings
from napari_slicegan.data.image_files import SourceImage, read_image
from tests.toys import TOY_LABELS, TOY_PATCH, phases_image, smooth_field

SETTINGS = MicrographSettings()


def source(seed: int = 0, *shape: int) -> SourceImage:
    image = phases_image(*(shape or (48, 64)), seed=seed)
    return SourceImage(image.values, f"toy {seed}", (5.0, 5.0))


def test_reads_a_file_with_its_pixel_size() -> None:
    gold = read_image(sample_path("nanoporous_gold"))
    assert gold.size == "690 x 1024"
    assert gold.pixel_size_nm == pytest.approx(0.543)
    assert not gold.is_volume


def test_pixel_size_of_a_layer_comes_from_its_file(tmp_path: Path) -> None:
    layer = SourceImage(np.zeros((4, 4)), "layer", path=sample_path("nanoporous_gold"))
    assert layer.with_header().pixel_size_nm == pytest.approx(0.543)
    file = tmp_path / "other.czi"
    file.write_bytes(b"a format of another reader")
    assert (
        SourceImage(np.zeros((4, 4)), "layer", path=file).with_header().pixel_size_nm
        is None
    )


def test_colour_is_no_volume() -> None:
    assert not SourceImage(np.zeros((16, 16, 3)), "rgb").is_volume
    assert SourceImage(np.zeros((16, 16, 16)), "cube").is_volume


def test_isotropic_material() -> None:
    prepared = prepare_images({"z": (source(),)}, SETTINGS, TOY_PATCH)
    assert prepared.images.material == "isotropic"
    assert prepared.images.labels == TOY_LABELS
    shares = [prepared.fractions["z"][label][0] for label in TOY_LABELS]
    assert sum(shares) == pytest.approx(1)


def test_three_views() -> None:
    views: dict[Axis, tuple[SourceImage, ...]] = {
        axis: (source(seed),) for seed, axis in enumerate(AXES)
    }
    images = prepare_images(views, SETTINGS, TOY_PATCH).images
    assert images.material == "anisotropic"
    assert [image.name for image in images] == ["toy 0", "toy 1", "toy 2"]


def test_a_lone_volume_is_cut_along_all_axes() -> None:
    views = {"z": (source(0, 20, 24, 28),), "y": (), "x": ()}
    images = prepare_images(views, SETTINGS, TOY_PATCH).images  # type: ignore[arg-type]
    # Seen along x: rows Z (20), columns Y (24).
    assert images.views["x"][0].planes("x").shape == (28, 20, 24)


def test_segmentation_makes_phases_of_gray_values() -> None:
    gray = SourceImage(smooth_field(64, 64).astype(np.float32), "gray")
    otsu = MicrographSettings(segmentation="otsu")
    assert prepare_images({"z": (gray,)}, otsu, TOY_PATCH).images.labels == (0, 1)
    assert prepare_images({"z": (gray,)}, SETTINGS, TOY_PATCH).fractions == {}


def test_errors_are_part_of_the_outcome() -> None:
    flat = SourceImage(np.zeros((64, 64)), "flat")
    given = ({"z": (flat,)}, SETTINGS, TOY_PATCH)
    outcome = attempt("prepare", 7, prepare_images, *given, progress=lambda _: None)
    assert (outcome.topic, outcome.number) == ("prepare", 7)
    assert outcome.result is None
    assert "flat" in outcome.fault
    assert "same value" in outcome.fault


def test_warnings_follow_the_patch() -> None:
    assert prepare_images({"z": (source(),)}, SETTINGS, 48).warnings
    assert prepare_images({"z": (source(0, 160, 160),)}, SETTINGS, 16).warnings == ()
