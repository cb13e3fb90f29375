"""Pixel sizes from the headers of TIFF files.

Microscopes and programs write them in different places; the first of OME, ImageJ,
Zeiss, FEI and the plain resolution tags that has one counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import tifffile

NM_PER_UNIT = {
    "fm": 1e-6,
    "pm": 1e-3,
    "å": 0.1,
    "angstrom": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "\\u00b5m": 1e3,  # as ImageJ escapes it
    "micron": 1e3,
    "microns": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "cm": 1e7,
    "m": 1e9,
    "inch": 2.54e7,
}
SIZE_TOLERANCE = 0.01  # edges further apart than 1 % differ
# Resolutions in dots per inch that programs write without knowing the scale.
PRINTING_DPI = (72, 75, 96, 100, 120, 150, 180, 200, 240, 250, 300, 350, 400, 600)
CENTIMETRE = 3  # TIFF 6.0, ResolutionUnit
# A coarser plain resolution is the size of a print, not of a specimen.
COARSEST_PIXEL_NM = 1e6

Edges = tuple[float, ...]


def pixel_edges_nm(tiff: tifffile.TiffFile) -> Edges | None:
    """Edges of a pixel along X, Y and (if known) Z in nanometres; None if unknown."""
    for read in READERS:
        edges = read(tiff)
        if edges and all(0 < edge < math.inf for edge in edges):
            return edges
    return None


def common_edge_nm(edges: Edges, name: str) -> float:
    """The one length of all edges.

    Raises
    ------
    ValueError
        If the pixels are not squares, or the voxels not cubes.
    """
    if all(math.isclose(edge, edges[0], rel_tol=SIZE_TOLERANCE) for edge in edges):
        return edges[0]
    what = "square pixels" if len(edges) == 2 else "cubic voxels"
    text = " x ".join(f"{edge:.4g}" for edge in edges)
    raise ValueError(
        f"{name}: expected {what}, got {text} nm (X x Y{' x Z' * (len(edges) > 2)}); "
        "resample the image, or set 'Pixel size (nm)' if its header is wrong."
    )


def _in_nm(lengths: list[tuple[Any, Any]]) -> Edges | None:
    """Lengths with their units in nanometres; None if a unit is unknown, or pixels."""
    edges = []
    for length, unit in lengths:
        text = str(unit).strip().strip("\0").lower()
        # The Greek letter is often written instead of the micro sign.
        factor = NM_PER_UNIT.get(text.replace("\N{GREEK SMALL LETTER MU}", "µ"))
        if factor is None:
            return None
        edges.append(float(length) * factor)
    return tuple(edges)


def _ome(tiff: tifffile.TiffFile) -> Edges | None:
    """PhysicalSizeX, Y and Z of OME-XML; their unit is micrometres if not given."""
    if not tiff.ome_metadata:
        return None
    root = ElementTree.fromstring(tiff.ome_metadata)
    pixels = root.find(".//{*}Pixels")
    facts = {} if pixels is None else pixels.attrib
    lengths = [
        (facts[f"PhysicalSize{axis}"], facts.get(f"PhysicalSize{axis}Unit", "µm"))
        for axis in "XYZ"
        if f"PhysicalSize{axis}" in facts
    ]
    return _in_nm(lengths) if len(lengths) > 1 else None


def _imagej(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixels per unit in the resolution tags, unit and spacing in the description."""
    facts = tiff.imagej_metadata
    resolution = _resolution(tiff)
    if not facts or resolution is None:
        return None
    unit = facts.get("unit", "pixel")
    lengths = [1 / resolution[0], 1 / resolution[1]]
    if "spacing" in facts:
        lengths.append(abs(float(facts["spacing"])))
    return _in_nm([(length, unit) for length in lengths])


def _zeiss(tiff: tifffile.TiffFile) -> Edges | None:
    """The pixel size of the saved image, else that of the scan."""
    facts = tiff.sem_metadata or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        if len(facts.get(key, ())) == 3:
            _, length, unit = facts[key]
            return _in_nm([(length, unit)] * 2)
    return None


def _fei(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixel width and height in metres."""
    facts = tiff.fei_metadata or {}
    for group in ("Scan", "EScan"):
        scan = facts.get(group, {})
        if "PixelWidth" in scan and "PixelHeight" in scan:
            return _in_nm([(scan["PixelWidth"], "m"), (scan["PixelHeight"], "m")])
    return None


def _plain(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixels per centimetre, unless they are a printer's dots."""
    unit = tiff.pages.first.tags.valueof("ResolutionUnit")
    resolution = _resolution(tiff)
    if unit != CENTIMETRE or resolution is None:
        return None
    dpi = resolution[0] * 2.54
    if any(math.isclose(dpi, printing, rel_tol=0.01) for printing in PRINTING_DPI):
        return None
    edges = _in_nm([(1 / resolution[0], "cm"), (1 / resolution[1], "cm")])
    return edges if edges and max(edges) <= COARSEST_PIXEL_NM else None


def _resolution(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """Pixels per unit along X and Y."""
    tags = tiff.pages.first.tags
    values = [tags.valueof("XResolution"), tags.valueof("YResolution")]
    if any(not isinstance(value, tuple) or 0 in value for value in values):
        return None
    (x, x_divisor), (y, y_divisor) = values
    return x / x_divisor, y / y_divisor


READERS: tuple[Callable[[tifffile.TiffFile], Edges | None], ...] = (
    _ome,
    _imagej,
    _zeiss,
    _fei,
    _plain,
)
