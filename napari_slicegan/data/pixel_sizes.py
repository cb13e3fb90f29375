"""Pixel sizes from the headers of images.

Microscopes and programs write them in different places; the first of OME, ImageJ,
Zeiss, FEI, TESCAN, Olympus, Gatan and the plain resolution tags that has one counts.
JEOL, Hitachi and TESCAN write a text file beside the image.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from pathlib import Path

    import tifffile
    from PIL import Image

NM_PER_UNIT = {
    "fm": 1e-6,
    "pm": 1e-3,
    "picometer": 1e-3,
    "å": 0.1,
    "a": 0.1,
    "angstrom": 0.1,
    "nm": 1.0,
    "nanometer": 1.0,
    "um": 1e3,
    "µm": 1e3,
    "µ": 1e3,
    "\\u00b5m": 1e3,  # as ImageJ escapes it
    "micron": 1e3,
    "micrometer": 1e3,
    "mm": 1e6,
    "millimeter": 1e6,
    "cm": 1e7,
    "centimeter": 1e7,
    "m": 1e9,
    "meter": 1e9,
    "inch": 2.54e7,
    "inche": 2.54e7,  # inches
}
"""Nanometres per unit, in the singular and in American spelling."""
SIZE_TOLERANCE = 0.01  # edges further apart than 1 % differ
MOST_LOG_BYTES = 2**20
MOST_STRETCHED = 100
"""Larger ratios of pixel edges are faults of a header."""
# Resolutions in dots per inch that programs write without knowing the scale.
PRINTING_DPI = (
    *(72, 75, 96, 100, 120, 144, 150, 180, 192, 200, 220, 240, 250, 288, 300, 350),
    *(400, 600, 720, 800, 1000, 1200, 2400, 4800, 9600),
)
FINEST_PRINT_DPI = 9600
"""In dots per inch only finer resolutions are taken for those of a microscope."""
INCH, CENTIMETRE = 2, 3  # TIFF 6.0, ResolutionUnit
# A coarser plain resolution is the size of a print, not of a specimen.
COARSEST_PIXEL_NM = 1e6

Edges = tuple[float, ...]


def pixel_edges_nm(tiff: tifffile.TiffFile) -> tuple[str, Edges | None]:
    """Edges of a pixel along X and Y, and where known Z, in nanometres.

    Returns
    -------
    The header that has them, in words, and the edges; ``("", None)`` if none has.
    """
    for source, read in READERS.items():
        edges = read(tiff)
        if edges and all(0 < edge < math.inf for edge in edges):
            return source, edges
    return "", None


def edges_beside(facts: Mapping[str, str]) -> tuple[str, Edges | None]:
    """As `pixel_edges_nm`, from the text file beside an image.

    Parameters
    ----------
    facts
        Lines of the file, see `data_bars.header_lines`.
    """
    source, edges = "", None
    marker = re.fullmatch(r"([\d.]+)\s*(\S+)", facts.get("SM_MICRON_MARKER", ""))
    bar = re.fullmatch(r"[\d.]+", facts.get("SM_MICRON_BAR", ""))
    if marker and bar and float(bar[0]) > 0:
        # JEOL: length of the scale bar, in pixels and in units.
        source = "JEOL text file"
        length = float(marker[1]) / float(bar[0])
        edges = edges_in_nm([(length, marker[2])] * 2)
    elif "PixelSize" in facts:
        # Hitachi: nanometres.
        source = "Hitachi text file"
        edges = edges_in_nm([(_number(facts["PixelSize"]), "nm")] * 2)
    elif "PixelSizeX" in facts:
        source = "TESCAN header file"
        sizes = [facts["PixelSizeX"], facts.get("PixelSizeY", facts["PixelSizeX"])]
        edges = edges_in_nm([(_number(size), "m") for size in sizes])
    if edges and all(0 < edge < math.inf for edge in edges):
        return source, edges
    return "", None


def edges_of_log(folder: Path) -> tuple[str, Edges | None]:
    """As `pixel_edges_nm`, from the log that Bruker's NRecon writes beside slices."""
    for log in sorted(folder.glob("*.log")):
        if log.stat().st_size > MOST_LOG_BYTES:
            continue
        text = log.read_text("latin-1")
        # First the size of the scan, then that of the reconstruction.
        found = re.findall(r"^Pixel Size \(um\)\s*=\s*([\d.]+)", text, re.MULTILINE)
        if found and (size := _number(found[-1])) > 0:
            edges = edges_in_nm([(size, "um")] * 3)
            return "Bruker log", edges
    return "", None


def _number(text: Any) -> float:
    """NaN for text that is no number; some programs write a decimal comma."""
    text = str(text).strip()
    if re.fullmatch(r"\d+,\d+e-?\d+|0,\d+", text, re.IGNORECASE):
        text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return math.nan


def _nm_per(unit: Any) -> float | None:
    """Nanometres per unit; None for pixels and unknown units."""
    text = str(unit).strip().strip("\0").lower()
    # The Greek letter is often written instead of the micro sign.
    text = text.replace("\N{GREEK SMALL LETTER MU}", "µ")
    text = re.sub(r"(?<=[a-zµ])metre", "meter", text)
    return NM_PER_UNIT.get(text) or NM_PER_UNIT.get(text.removesuffix("s"))


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
        "resample the image, or set 'Pixel size' if its header is wrong."
    )


def edges_in_nm(lengths: list[tuple[Any, Any]]) -> Edges | None:
    """Lengths with their units in nanometres; None if a unit is not known."""
    edges = []
    for length, unit in lengths:
        factor = _nm_per(unit)
        if factor is None:
            return None
        edges.append(_number(length) * factor)
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
    return edges_in_nm(lengths) if len(lengths) > 1 else None


def _imagej(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixels per unit in the resolution tags, unit and spacing in the description."""
    facts = tiff.imagej_metadata
    resolution = _resolution(tiff)
    if not facts or resolution is None:
        return None
    unit = facts.get("unit", "pixel")
    if str(unit).strip().lower() in ("inch", "inches") and _is_printing(resolution[0]):
        return None
    lengths = [1 / resolution[0], 1 / resolution[1]]
    step = abs(_number(facts.get("spacing")))
    if 0 < step < math.inf:
        lengths.append(step)
    return edges_in_nm([(length, unit) for length in lengths])


def _zeiss(tiff: tifffile.TiffFile) -> Edges | None:
    """The pixel size of the saved image, else that of the scan."""
    facts = tiff.sem_metadata or {}
    for key in ("ap_image_pixel_size", "ap_pixel_size"):
        if len(facts.get(key, ())) == 3:
            _, length, unit = facts[key]
            return edges_in_nm([(length, unit)] * 2)
    return None


def _fei(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixel width and height in metres."""
    facts = tiff.fei_metadata or {}
    for group in ("Scan", "EScan"):
        scan = facts.get(group, {})
        if "PixelWidth" in scan and "PixelHeight" in scan:
            return edges_in_nm([(scan["PixelWidth"], "m"), (scan["PixelHeight"], "m")])
    return None


def _olympus(tiff: tifffile.TiffFile) -> Edges | None:
    """Olympus SIS, in metres."""
    facts = tiff.sis_metadata or {}
    lengths = [(facts.get(f"pixelsize{axis}"), "m") for axis in "xy"]
    return edges_in_nm(lengths) if facts else None


def _lsm(tiff: tifffile.TiffFile) -> Edges | None:
    """Zeiss LSM, in metres."""
    facts = tiff.lsm_metadata or {}
    lengths = [(facts.get(f"VoxelSize{axis}"), "m") for axis in "XYZ"]
    return edges_in_nm(lengths if lengths[2][0] else lengths[:2]) if facts else None


def _gatan(tiff: tifffile.TiffFile) -> Edges | None:
    """Units and scales along X and Y, in the private tags of DigitalMicrograph."""
    value = tiff.pages.first.tags.valueof
    lengths = [(value(65009 + axis), value(65003 + axis)) for axis in (0, 1)]
    return edges_in_nm(lengths)


def picture_edges(picture: Image.Image) -> tuple[str, Edges | None]:
    """As `pixel_edges_nm`, of PNG (pHYs) and BMP files: dots per metre.

    Those of JPEG files are in inches, of printers and cameras.
    """
    if picture.format not in ("PNG", "BMP"):
        return "", None
    dpi = picture.info.get("dpi")
    if dpi is None or min(dpi) <= FINEST_PRINT_DPI * 1.01:
        return "", None
    x, y = (NM_PER_UNIT["inch"] / float(density) for density in dpi)
    return f"resolution in the {picture.format} header", (x, y)


def _plain(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixels per centimetre or inch, unless they are a printer's dots."""
    unit = tiff.pages.first.tags.valueof("ResolutionUnit")
    resolution = _resolution(tiff)
    if unit not in (INCH, CENTIMETRE) or resolution is None:
        return None
    if unit == INCH:
        if min(resolution) <= FINEST_PRINT_DPI * 1.01:
            return None
        return edges_in_nm([(1 / n, "inch") for n in resolution])
    if _is_printing(resolution[0] * 2.54):
        return None
    edges = edges_in_nm([(1 / resolution[0], "cm"), (1 / resolution[1], "cm")])
    return edges if edges and max(edges) <= COARSEST_PIXEL_NM else None


def _is_printing(dpi: float) -> bool:
    """Whether a resolution is that of a printer or scanner, not of a microscope."""
    return any(math.isclose(dpi, printing, rel_tol=0.01) for printing in PRINTING_DPI)


def _tescan(tiff: tifffile.TiffFile) -> Edges | None:
    """Pixel sizes in metres."""
    facts = tescan_header(tiff)
    if "PixelSizeX" not in facts:
        return None
    sizes = [facts["PixelSizeX"], facts.get("PixelSizeY", facts["PixelSizeX"])]
    return edges_in_nm([(_number(size), "m") for size in sizes])


TESCAN_TAG = 50431


def tescan_header(tiff: tifffile.TiffFile) -> dict[str, str]:
    """``key=value`` lines of TESCAN's private tag; empty for other makers."""
    value = tiff.pages.first.tags.valueof(TESCAN_TAG)
    if not isinstance(value, bytes | str):
        return {}
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))


def _resolution(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """Pixels per unit along X and Y."""
    tags = tiff.pages.first.tags
    values = [tags.valueof("XResolution"), tags.valueof("YResolution")]
    if any(not isinstance(value, tuple) or 0 in value for value in values):
        return None
    (x, x_divisor), (y, y_divisor) = values
    return x / x_divisor, y / y_divisor


READERS: Mapping[str, Callable[[tifffile.TiffFile], Edges | None]] = {
    "OME header": _ome,
    "ImageJ header": _imagej,
    "Zeiss header": _zeiss,
    "FEI header": _fei,
    "TESCAN header": _tescan,
    "Olympus header": _olympus,
    "Gatan header": _gatan,
    "Zeiss LSM header": _lsm,
    "resolution tags": _plain,
}
