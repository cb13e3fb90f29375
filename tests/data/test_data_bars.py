"""Data bars under micrographs, by the header and by their look."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from napari_slicegan.data.data_bars import (
    find_data_bar,
    find_scale_bar,
    header_lines,
    scanned_rows,
)
from napari_slicegan.data.micrograph import usable_part

ROWS, COLUMNS = 300, 400


def material() -> NDArray[np.uint8]:
    """Noisy gray values of two phases."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    mask = (np.sin(x / 7) + np.cos(y / 9)) > 0.3
    noise = np.random.default_rng(0).normal(0, 12, mask.shape)
    return np.asarray(np.clip(60 + 120 * mask + noise, 0, 255), np.uint8)


def bar(height: int, background: int, text: int, length: int) -> NDArray[np.uint8]:
    """A strip as microscopes draw it: border, words, scale bar."""
    strip = Image.new("L", (length, height), background)
    draw = ImageDraw.Draw(strip)
    draw.text((5, height // 4), "SEM HV: 10.0 kV  WD: 9.1 mm  20 um", fill=text)
    draw.rectangle((length - 90, height - 8, length - 20, height - 5), fill=text)
    draw.line((0, 0, length, 0), fill=text)
    return np.asarray(strip)


BARS: list[tuple[int, int, int, int | None]] = [
    (20, 0, 255, None),
    (70, 255, 0, None),
    (40, 0, 180, 90),
    (40, 40, 220, 60),
    (70, 0, 255, 60),
    (20, 255, 0, 90),
]


def test_a_bar_is_found_to_the_pixel(subtests: pytest.Subtests) -> None:
    for height, background, text, quality in BARS:
        with subtests.test(
            height=height, background=background, text=text, quality=quality
        ):
            strip = bar(height, background, text, COLUMNS)
            picture = np.vstack([material(), strip])
            tolerance = 0
            if quality is not None:
                file = io.BytesIO()
                Image.fromarray(picture).save(file, "JPEG", quality=quality)
                picture, tolerance = np.asarray(Image.open(file)), 2
            crop = find_data_bar(picture)
            assert crop is not None
            assert crop[0] == 0
            assert crop[2:] == (0, COLUMNS)
            assert abs(crop[1] - ROWS) <= tolerance


def test_other_edges_and_types(subtests: pytest.Subtests) -> None:
    for bits in [8, 16, 32]:
        with subtests.test(bits=bits):
            gray = material().astype({8: "u1", 16: "u2", 32: "f4"}[bits]) * (
                1 + (bits > 8)
            )
            strip = bar(30, 0, 255, COLUMNS).astype(gray.dtype) * (1 + (bits > 8))
            side = bar(30, 0, 255, ROWS).astype(gray.dtype).T * (1 + (bits > 8))
            above = np.vstack([strip, gray])
            assert find_data_bar(above) == (30, 30 + ROWS, 0, COLUMNS)
            assert find_data_bar(np.vstack([above, strip])) == (
                30,
                30 + ROWS,
                0,
                COLUMNS,
            )
            assert find_data_bar(np.hstack([side, gray])) == (0, ROWS, 30, 30 + COLUMNS)


def test_no_bar_is_seen_in_materials(subtests: pytest.Subtests) -> None:
    """Also where a third of the pixels is clipped to black or white."""
    for contrast in [20, 120, 400]:
        for seed in [0, 1]:
            with subtests.test(contrast=contrast, seed=seed):
                field = gaussian_filter(
                    np.random.default_rng(seed).normal(size=(300, 360)), 12
                )
                gray = np.clip(120 + contrast * field / field.std(), 0, 255).astype(
                    np.uint8
                )
                assert usable_part(gray) == (None, "")
                assert find_scale_bar(gray) is None


def compressed(picture: Image.Image, quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_borders_and_scale_bars_survive_compression() -> None:
    """To a few pixels."""
    gray = Image.fromarray(material())
    strips = material()
    strips[:12], strips[:, -9:] = 0, 0
    y, x = np.mgrid[:ROWS, :COLUMNS]
    circle = np.where((x - 200) ** 2 + (y - 150) ** 2 < 145**2, material(), 0)
    # Side of the largest square in the circle: 145 times the root of 2, 205.
    borders = [
        (Image.fromarray(strips), (12, 300, 0, 391)),
        (gray.rotate(10, Image.Resampling.BILINEAR), (30, 270, 18, 382)),
        (Image.fromarray(circle.astype(np.uint8)), (48, 253, 97, 304)),
        (Image.fromarray(np.pad(material(), 20)), (20, 320, 20, 420)),
    ]
    bar = gray.copy()
    draw = ImageDraw.Draw(bar)
    draw.rectangle((250, 262, 380, 292), fill=0)
    draw.rectangle((260, 284, 370, 288), fill=255)
    for quality in (95, 75, 50):
        for picture, expected in borders:
            crop, _ = usable_part(compressed(picture, quality))
            assert crop == pytest.approx(expected, abs=5), (expected, quality)
        box = find_scale_bar(compressed(bar, quality))
        assert box is not None
        assert 260 <= box[0] <= 285
        assert 288 <= box[1] <= 294


def test_the_shortest_scale_bar_is_found_at_any_place() -> None:
    """A twentieth of the width: 20 pixels; words may join it."""
    for first in range(100, 140):
        gray = material()
        gray[250:254, first : first + 20] = 0
        box = find_scale_bar(gray)
        assert box is not None, first
        assert box[2] <= first < first + 20 <= box[3]
        gray[250:254, first : first + 2] = 20
        assert find_scale_bar(gray) is None


def test_no_bar_is_seen_in_the_samples_and_in_flat_images() -> None:
    samples = Path(__file__).parents[2] / "sample_data"
    for path in samples.glob("*.tif"):
        values = tifffile.imread(path)
        if values.ndim == 2:
            assert usable_part(values) == (None, ""), path.name
            assert find_scale_bar(values) is None, path.name
    assert find_data_bar(np.eye(100, dtype="u1")) is None
    assert find_data_bar(np.zeros((10, 10), "u1")) is None


def test_makers_state_the_scanned_rows(tmp_path: Path) -> None:
    """FEI, TESCAN in the file; JEOL, Hitachi in the text file beside it."""
    gray = np.zeros((1094, 64), np.uint8)
    headers: list[tuple[str, dict[str, Any], str, int | None]] = [
        ("fei", {"extratags": [(34682, 2, None, FEI, True)]}, "", 1024),
        ("tescan", {"extratags": [(50431, 7, len(TESCAN), TESCAN, True)]}, "", 1034),
        ("jeol", {}, "$CM_FULL_SIZE 1280 960\n$$SM_MICRON_BAR 100\n", 960),
        ("hitachi", {}, "[SemImageFile]\nDataSize=1280x960\nPixelSize=9.9\n", 960),
        ("other", {}, "Notes of the day\n", None),
        ("absurd", {}, "$CM_FULL_SIZE 1280 5\n", None),
    ]
    for name, tags, beside, expected in headers:
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, gray, **tags)
        if beside:
            path.with_suffix(".txt").write_text(beside)
        with tifffile.TiffFile(path) as tiff:
            found = scanned_rows(tiff, header_lines(path), len(gray))
        assert found == expected, name


FEI = "[Image]\r\nResolutionY=1024\r\n[PrivateFei]\r\nDatabarHeight=70\r\n"
TESCAN = b"\0\0\0[MAIN]\nDevice=MIRA3\nImageStripSize=60\nPixelSizeX=2e-08\n"
