"""Micrographs: what values mean, and what is done to them before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_slicegan.config import AXES, Kind, MicrographSettings
from napari_slicegan.data.micrograph import Micrograph

RNG = np.random.default_rng(2)
GRAY = RNG.integers(0, 256, (40, 60), dtype=np.uint8)
RGB = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
LABELS = RNG.choice(np.array([0, 127, 255], dtype=np.uint8), (40, 60))


KINDS: list[tuple[Any, Kind]] = [
    (GRAY > 9, "phases"),
    (LABELS.astype(np.int64) - 127, "phases"),
    (np.arange(2400).reshape(40, 60) % 16, "phases"),
    (np.arange(2400).reshape(40, 60) % 17, "grayscale"),
    (LABELS.astype(np.float32), "phases"),
    (GRAY + RNG.random((40, 60)), "grayscale"),
    (RGB / 255, "colour"),
    (np.stack([GRAY] * 3, axis=-1), "grayscale"),
    (np.stack([LABELS] * 3, axis=-1), "phases"),
    (np.stack([GRAY] * 9), "grayscale"),
    (np.stack([RGB] * 9), "colour"),
]


def test_kind_is_found_from_the_values(subtests: pytest.Subtests) -> None:
    for values, kind in KINDS:
        with subtests.test(kind=kind, dtype=values.dtype, shape=values.shape):
            micrograph = Micrograph.from_array(values)
            assert micrograph.kind == kind
            assert micrograph.is_volume == (values.shape[0] == 9)


TYPES: list[tuple[tuple[int, ...], Any]] = [
    ((0, 127, 255), np.uint8),
    ((1, 70_000), np.uint32),
    ((-128, 127), np.int8),
    ((-1, 200), np.int16),
]


def test_labels_keep_their_values_in_the_smallest_type(
    subtests: pytest.Subtests,
) -> None:
    for labels, dtype in TYPES:
        with subtests.test(labels=labels):
            values = RNG.choice(np.array(labels, dtype=np.int64), (20, 20))
            micrograph = Micrograph.from_array(values)
            assert micrograph.labels == labels
            assert micrograph.values.dtype == dtype
            np.testing.assert_array_equal(micrograph.values, values)


def test_whole_numbers_in_floating_point_can_be_phases() -> None:
    micrograph = Micrograph.from_array(LABELS.astype(np.float32), "phases")
    assert micrograph.labels == (0, 127, 255)


def test_asked_for_kind_counts() -> None:
    assert Micrograph.from_array(LABELS, "grayscale").kind == "grayscale"
    prepared = Micrograph.from_array(LABELS).prepared(
        MicrographSettings(kind="grayscale")
    )
    assert prepared.kind == "grayscale"
    gray_as_rgb = np.stack([GRAY] * 3, axis=-1)
    assert Micrograph.from_array(gray_as_rgb, "colour").values.shape == (40, 60, 3)


def test_byte_order_of_other_machines_is_translated() -> None:
    values = GRAY.astype(">u2") * 200
    micrograph = Micrograph.from_array(values)
    assert micrograph.values.dtype.isnative
    np.testing.assert_array_equal(micrograph.values, values)


def test_phase_fractions() -> None:
    # 2 rows of 10 are 7, one of them half: 1.5 / 10; the rest is 3.
    values = np.full((10, 10), 3)
    values[0], values[1, :5] = 7, 7
    fractions = Micrograph.from_array(values).phase_fractions()
    assert fractions == {3: pytest.approx(0.85), 7: pytest.approx(0.15)}


def test_phases_of_stray_pixels_cause_a_warning() -> None:
    """Each phase gets an output channel; one of 0.1 % and more is none of them."""
    values = np.zeros((100, 100), np.uint8)
    values[:50] = 255
    honest, stray = values.copy(), values.copy()
    honest[0, :10] = 128  # 10 of 10,000 pixels
    stray[0, 0] = 128
    assert Micrograph.from_array(honest).warnings == ()
    (warning,) = Micrograph.from_array(stray).warnings
    assert "128 (1 pixel) covers less than 0.1% of the image" in warning
    assert "by 'Smallest object'" in warning
    assert Micrograph.from_array(stray).cleaned(2, 0).warnings == ()
    # A hot pixel against all others.
    hot = RNG.normal(100, 5, (100, 100)).astype(np.uint16)
    hot[5, 5] = 65535
    gray = Micrograph.from_array(hot, "grayscale")
    otsu = gray.segmented(MicrographSettings(segmentation="otsu"))
    assert "set 'Denoising' to median" in otsu.summary()[-1]
    assert (
        gray.denoised("median", 1)
        .segmented(MicrographSettings(segmentation="otsu"))
        .warnings
        == ()
    )


def test_planes_of_a_volume_have_the_agreed_orientation() -> None:
    z, y, x = np.indices((9, 10, 11))
    volume = Micrograph.from_array(10_000 * z + 100 * y + x)
    # Row and column numbers of a plane along each axis, as parts of the value.
    row_and_column = {"z": (100, 1), "y": (10_000, 1), "x": (10_000, 100)}
    plane_step = {"z": 10_000, "y": 100, "x": 1}
    for axis in AXES:
        planes = volume.planes(axis)
        row, column = row_and_column[axis]
        n, i, j = np.indices(planes.shape)
        expected = plane_step[axis] * n + row * i + column * j
        np.testing.assert_array_equal(planes, expected)
        assert np.shares_memory(planes, volume.values)


def test_planes_of_colour_keep_the_channels_last() -> None:
    volume = Micrograph.from_array(RNG.random((9, 10, 11, 3)))
    shapes = [volume.planes(axis).shape for axis in AXES]
    assert shapes == [(9, 10, 11, 3), (10, 9, 11, 3), (11, 9, 10, 3)]


def test_image_is_its_own_only_plane() -> None:
    image = Micrograph.from_array(GRAY)
    for axis in AXES:
        np.testing.assert_array_equal(image.planes(axis), GRAY[np.newaxis])


def test_crop() -> None:
    micrograph = Micrograph.from_array(RGB, pixel_size_nm=3)
    part = micrograph.crop((5, 40), (0, 59))
    np.testing.assert_array_equal(part.values, RGB[5:40, 0:59])
    assert part.pixel_size_nm == 3


def test_crop_of_a_volume_keeps_all_planes() -> None:
    volume = RNG.random((9, 20, 30))
    part = Micrograph.from_array(volume).crop((5, 15), (1, 29))
    np.testing.assert_array_equal(part.values, volume[:, 5:15, 1:29])


def test_labels_are_enlarged_exactly() -> None:
    micrograph = Micrograph.from_array(LABELS, pixel_size_nm=6)
    larger = micrograph.rescaled(3)
    np.testing.assert_array_equal(larger.values, np.kron(LABELS, np.ones((3, 3))))
    assert larger.pixel_size_nm == pytest.approx(2)
    assert larger.phase_fractions() == pytest.approx(micrograph.phase_fractions())


def test_labels_never_mix(subtests: pytest.Subtests) -> None:
    for factor in [0.3, 2.2]:
        with subtests.test(factor=factor):
            rescaled = Micrograph.from_array(LABELS).rescaled(factor)
            assert set(rescaled.labels) <= {0, 127, 255}
            assert rescaled.values.shape == (round(40 * factor), round(60 * factor))


def test_nearest_neighbour_does_not_shift() -> None:
    # A disc in the middle stays in the middle, at every factor.
    y, x = np.indices((61, 61)) - 30
    disc = Micrograph.from_array(y**2 + x**2 < 20**2)
    for factor in (0.5, 0.8, 1.7):
        values = disc.rescaled(factor).values
        centre = (np.array(values.shape) - 1) / 2
        np.testing.assert_allclose(np.argwhere(values).mean(axis=0), centre, atol=0.26)
        # Its area grows with the square of the factor.
        area = disc.values.sum() * factor**2
        assert values.sum() == pytest.approx(area, rel=0.05)


def test_gray_values_are_interpolated_in_their_own_type(
    subtests: pytest.Subtests,
) -> None:
    for dtype in ["u1", "i4", "f4"]:
        with subtests.test(dtype):
            # A ramp of slope 2 per pixel becomes one of slope 4 at half the pixels.
            ramp = (2 * np.arange(64))[np.newaxis].repeat(32, axis=0).astype(dtype)
            smaller = Micrograph.from_array(ramp, "grayscale").rescaled(0.5)
            assert smaller.values.dtype == dtype
            assert smaller.values.shape == (16, 32)
            inner = smaller.values[8, 4:-4].astype(float)
            np.testing.assert_allclose(np.diff(inner), 4, atol=1)
            assert inner.mean() == pytest.approx(63, abs=1)


def test_reduction_averages_instead_of_picking() -> None:
    # A fine checkerboard of 0 and 200 is an even gray of 100 from afar.
    board = (200 * (np.indices((64, 64)).sum(axis=0) % 2)).astype(np.uint8)
    board[:4] = 255
    smaller = Micrograph.from_array(board, "grayscale").rescaled(0.25)
    np.testing.assert_allclose(smaller.values[4:].astype(float), 100, atol=12)


def test_colours_and_volumes_are_rescaled_in_space_only() -> None:
    assert Micrograph.from_array(RGB).rescaled(0.5).values.shape == (20, 30, 3)
    volume = Micrograph.from_array(RNG.random((10, 20, 30)))
    assert volume.rescaled(1.5).values.shape == (15, 30, 45)


def test_open_reads_name_and_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "gold.tif"
    tifffile.imwrite(
        path, GRAY, imagej=True, resolution=(4, 4), metadata={"unit": "um"}
    )
    micrograph = Micrograph.open(path)
    assert (micrograph.name, micrograph.kind) == ("gold.tif", "grayscale")
    assert micrograph.pixel_size_nm == pytest.approx(250)


def test_open_crops_denoises_segments_and_rescales(tmp_path: Path) -> None:
    # Left half 50, right half 200, with specks; below it a data bar of 0 and 255.
    clean = np.repeat([50, 200], 30)[np.newaxis].repeat(40, axis=0)
    specks = clean.copy()
    specks[4::8, 4::8] = 125
    bar = RNG.choice([0, 255], (10, 60))
    Image.fromarray(np.vstack([specks, bar]).astype(np.uint8)).save(tmp_path / "s.png")
    settings = MicrographSettings(
        crop=(0, 40, 0, 60),
        denoise="median",
        segmentation="otsu",
        rescale=2,
        pixel_size_nm=8,
    )
    micrograph = Micrograph.open(tmp_path / "s.png", settings)
    expected = np.kron(clean > 100, np.ones((2, 2)))
    np.testing.assert_array_equal(micrograph.values, expected)
    assert micrograph.kind == "phases"
    # 8 nm is the pixel of the file; twice as many pixels are 4 nm each.
    assert micrograph.pixel_size_nm == pytest.approx(4)


def test_what_is_cropped_away_is_not_judged(tmp_path: Path) -> None:
    values = GRAY.astype(np.float32)
    values[30:] = np.nan
    np.save(tmp_path / "map.npy", values)
    settings = MicrographSettings(crop=(0, 30, 0, 60))
    np.testing.assert_array_equal(
        Micrograph.open(tmp_path / "map.npy", settings).values, GRAY[:30]
    )


def test_segmentation_makes_phases_of_any_gray_image(tmp_path: Path) -> None:
    Image.fromarray(GRAY).save(tmp_path / "sem.png")
    kinds: list[Any] = ["phases", "grayscale"]
    for kind in kinds:
        settings = MicrographSettings(
            kind=kind, segmentation="thresholds", thresholds=(99, 180)
        )
        micrograph = Micrograph.open(tmp_path / "sem.png", settings)
        assert micrograph.labels == (0, 1, 2), kind
        fraction = micrograph.phase_fractions()[0]
        assert fraction == pytest.approx((GRAY <= 99).mean()), kind


def test_image_of_few_gray_values_is_segmented_as_gray() -> None:
    # Twelve gray values would count as phases; a segmentation thresholds them.
    values = (GRAY // 22).astype(np.uint8)
    settings = MicrographSettings(segmentation="otsu", denoise="gaussian")
    assert Micrograph.from_array(values).prepared(settings).labels == (0, 1)


def test_prepared_equals_open(tmp_path: Path) -> None:
    settings = MicrographSettings(
        crop=(2, 38, 4, 60), segmentation="otsu", rescale=0.5, pixel_size_nm=5
    )
    np.save(tmp_path / "a.npy", GRAY)
    opened = Micrograph.open(tmp_path / "a.npy", settings)
    prepared = Micrograph.from_array(GRAY).prepared(settings)
    np.testing.assert_array_equal(opened.values, prepared.values)
    assert opened.kind == prepared.kind
    assert opened.pixel_size_nm == prepared.pixel_size_nm


def test_patch_of_exactly_the_image_is_fine() -> None:
    Micrograph.from_array(GRAY[:, :40]).check_patch(40)
    with pytest.raises(ValueError, match="41 x 41"):
        Micrograph.from_array(GRAY[:, :40]).check_patch(41)
