"""Reading image files: TIFF, NPY, PNG, JPEG, BMP and others that Pillow opens.

The content decides, not the extension of the name.
"""

from __future__ import annotations

import logging
import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from napari_slicegan.data.pixel_sizes import common_edge_nm, pixel_edges_nm
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    SMALLEST_EDGE,
    drop_alpha,
    has_channels,
)

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NPY_START = b"\x93NUMPY"
# Raised by the readers for damaged files, found by truncating and altering files.
DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    MemoryError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
    ParseError,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, eq=False)
class ImageFile:
    """Contents of an image file.

    Attributes
    ----------
    values
        ``[Y, X]``, ``[Y, X, 3]`` in colour, or a volume ``[Z, Y, X]``,
        ``[Z, Y, X, 3]``; as stored, in the type of the file.
    pixel_size_nm
        Edge of a pixel in nanometres, None if the file does not contain it.
    path
        Path of the file.
    """

    values: NDArray[Any]
    pixel_size_nm: float | None
    path: Path


def read_image(path: str | Path, pixel_size_nm: float | None = None) -> ImageFile:
    """Read an image or a volume.

    Parameters
    ----------
    path
        TIFF (several pages are a volume), NPY, PNG, JPEG or BMP.
    pixel_size_nm
        Replaces the pixel size of the file.

    Raises
    ------
    ValueError
        If the file is missing, damaged or no image.
    """
    path = Path(path)
    start = _start_of(path)
    try:
        stored, axes, edges_nm = _read(path, start)
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{path.name}: expected an image (TIFF, PNG, JPEG, BMP or NPY), got a file "
            "of another kind or a damaged one; choose an image file."
        ) from error
    except DAMAGE as error:
        reason = "its parts contradict each other"
        if isinstance(
            error, OSError | ValueError | EOFError | SyntaxError | zlib.error
        ):
            reason = " ".join(str(error).split()).rstrip(".").replace(". ", ", ")
        raise ValueError(
            f"{path.name}: expected a complete image, got a damaged file or an unknown "
            f"variant ({reason}); save it again as uncompressed TIFF or as PNG."
        ) from error
    values = _arranged(stored, axes, path.name)
    if pixel_size_nm is None and edges_nm is not None:
        is_volume = values.ndim == (4 if has_channels(values) else 3)
        pixel_size_nm = common_edge_nm(
            edges_nm if is_volume else edges_nm[:2], path.name
        )
    return ImageFile(values, pixel_size_nm, path)


# Values as stored; one letter per axis if the file names them; pixel edges in nm.
Raw = tuple[NDArray[Any], str, tuple[float, ...] | None]


def _start_of(path: Path) -> bytes:
    """First bytes of an existing, non-empty file."""
    if path.is_dir():
        raise ValueError(
            f"{path}: expected an image file, got a folder; choose a file in it."
        )
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ValueError(
            f"{path}: expected a readable image file, got '{error.strerror}'; check "
            "the path."
        ) from error
    if not start:
        raise ValueError(
            f"{path.name}: expected an image, got an empty file (0 bytes); export or "
            "copy it again."
        )
    return start


def _read(path: Path, start: bytes) -> Raw:
    """Contents of a file: of a TIFF its first series, an image or a stack of pages."""
    if start.startswith(NPY_START):
        # No pickled objects: reading them can execute code.
        return np.load(path, allow_pickle=False), "", None
    if not start.startswith(TIFF_STARTS):
        with Image.open(path) as picture:
            return _pixels(picture), "", None
    with _tiff_faults() as faults, tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        edges = pixel_edges_nm(tiff)
        try:
            values, axes = series.asarray(), series.axes
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            # Pillow includes the codecs LZW, JPEG and CCITT.
            with Image.open(path) as pages:
                planes = [_pixels(page) for page in ImageSequence.Iterator(pages)]
            values, axes = np.stack(planes), "QYX" + "S" * (planes[0].ndim - 2)
    if any("invalid page offset" in fault for fault in faults):
        raise ValueError("pages are missing at its end")
    return values, axes, edges


@contextmanager
def _tiff_faults() -> Iterator[list[str]]:
    """Collect what tifffile logs: it does not raise when later pages are cut off."""
    faults: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: faults.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("tifffile")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield faults
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


def _pixels(picture: Image.Image) -> NDArray[Any]:
    """Gray values, labels or colours of a picture: ``[Y, X]`` or ``[Y, X, C]``."""
    if picture.mode == "P":
        # Labels if the palette marks few phases by colours, else the colours.
        colours, index = np.asarray(picture.convert("RGB")), np.asarray(picture)
        is_gray = (colours == colours[..., :1]).all()
        return colours if is_gray or len(np.unique(index)) > MAX_PHASES else index
    if picture.mode == "PA":
        return np.asarray(picture.convert("RGBA"))
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(picture.convert("RGB"))
    values = np.asarray(picture)
    # Gray with alpha as RGBA, so that one rule drops the alpha channel.
    return values[..., (0, 0, 0, 1)] if picture.mode in ("LA", "La") else values


def _arranged(values: NDArray[Any], axes: str, name: str) -> NDArray[Any]:
    """Values as ``[(Z,) Y, X(, 3)]``."""
    if axes and len(axes) == values.ndim:
        kept = [i for i, n in enumerate(values.shape) if n != 1 or axes[i] in "YX"]
        values = values.reshape([values.shape[i] for i in kept])
        axes = "".join(axes[i] for i in kept)
        # Some programs label the planes of a stack as channels.
        if "Z" not in axes and values.shape[axes.find("C")] >= SMALLEST_EDGE:
            axes = axes.replace("C", "Z")
        channels = [i for i, axis in enumerate(axes) if axis in "SC"]
        if channels:
            at, n = channels[0], values.shape[channels[0]]
            if len(channels) > 1 or n not in (2, 3, 4) or axes[at] + str(n) == "C2":
                shape = " x ".join(map(str, values.shape))
                raise ValueError(
                    f"{name}: expected one value or three colour channels per pixel, "
                    f"got {shape} values with the axes {axes}; save one channel, or "
                    "RGB."
                )
            values = np.moveaxis(values, at, -1)
            if n == 2:
                values = values[..., (0, 0, 0, 1)]
    return drop_alpha(values, name)
