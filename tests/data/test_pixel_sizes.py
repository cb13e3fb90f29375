"""A pixel of 250 nm, said in as many ways as there are programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.pixel_sizes import NM_PER_UNIT, common_edge_nm

GRAY = np.random.default_rng(1).integers(0, 256, (20, 30), dtype=np.uint8)


def test_ome_pixel_size(tmp_path: Path) -> None:
    for unit, per_pixel in [("nm", 250), ("m", 2.5e-7)]:
        metadata: dict[str, Any] = {"axes": "YX"}
        for axis in "XY":
            metadata[f"PhysicalSize{axis}"] = per_pixel
            metadata[f"PhysicalSize{axis}Unit"] = unit
        tifffile.imwrite(tmp_path / "a.tif", GRAY, ome=True, metadata=metadata)
        assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(250), unit


def test_ome_sizes_without_unit_are_micrometres(tmp_path: Path) -> None:
    metadata = {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(tmp_path / "a.tif", GRAY, ome=True, metadata=metadata)
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(250)


def test_imagej_pixel_size(tmp_path: Path) -> None:
    for unit, pixels_per_unit in [("mm", 4000), ("\\u00B5m", 4)]:
        tifffile.imwrite(
            tmp_path / "a.tif",
            GRAY,
            imagej=True,
            resolution=(pixels_per_unit, pixels_per_unit),
            metadata={"unit": unit},
        )
        assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(250), unit


def test_imagej_pixels_without_scale_have_no_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, imagej=True, resolution=(1, 1))
    assert read_image(tmp_path / "a.tif").pixel_size_nm is None


def test_plain_resolution_in_centimetres(tmp_path: Path) -> None:
    # 1 cm / 250 nm = 40,000 pixels per centimetre.
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GRAY, resolution=(4e4, 4e4), resolutionunit="CENTIMETER")
    assert read_image(path).pixel_size_nm == pytest.approx(250)


def test_printing_resolutions_are_no_pixel_sizes(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    units: list[tuple[float, Any]] = [(72, "INCH"), (300 / 2.54, "CENTIMETER")]
    for density, unit in units:
        tifffile.imwrite(path, GRAY, resolution=(density, density), resolutionunit=unit)
        assert read_image(path).pixel_size_nm is None, unit


def test_zeiss_header(tmp_path: Path) -> None:
    # Tag 34118: lines "key", "name = value unit", as Zeiss SmartSEM writes them.
    header = "\r\n".join(
        ["0", "0", "0", "AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 543.0 pm", ""]
    ).encode("cp1252")
    extra = [(34118, 2, len(header) + 1, header + b"\0", True)]
    tifffile.imwrite(tmp_path / "a.tif", GRAY, extratags=extra)
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(0.543)


def test_fei_header(tmp_path: Path) -> None:
    # Tag 34682: an INI file, lengths in metres.
    header = b"[Scan]\r\nPixelWidth=1.25e-009\r\nPixelHeight=1.25e-009\r\n\0"
    extra = [(34682, 2, len(header), header, True)]
    tifffile.imwrite(tmp_path / "a.tif", GRAY, extratags=extra)
    assert read_image(tmp_path / "a.tif").pixel_size_nm == pytest.approx(1.25)


def test_given_pixel_size_counts_more_than_the_header(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, GRAY, imagej=True, resolution=(2, 4), metadata={"unit": "um"}
    )
    settings = MicrographSettings(pixel_size_nm=40)
    assert Micrograph.open(path, settings).pixel_size_nm == 40


def test_spacing_of_planes_counts_for_volumes_only(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        GRAY,
        imagej=True,
        resolution=(4, 4),
        metadata={"unit": "um", "spacing": 9},
    )
    assert read_image(path).pixel_size_nm == pytest.approx(250)


def test_edges_within_one_percent_are_equal() -> None:
    assert common_edge_nm((100.0, 100.9), "a.tif") == 100.0
    with pytest.raises(ValueError, match="square pixels"):
        common_edge_nm((100.0, 102.0), "a.tif")


def test_units_are_consistent() -> None:
    units = NM_PER_UNIT
    assert units["inch"] == pytest.approx(2.54 * units["cm"])
    assert units["m"] == pytest.approx(1e12 * units["pm"])
    assert units["um"] == units["µm"] == units["micron"] == 1e3 * units["nm"]
    assert units["mm"] == 1e6 * units["nm"]
