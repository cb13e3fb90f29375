"""Read image files: TIFF, NPY, the formats of Pillow, and those of `formats`.

The first bytes of a file select the reader; the ending of the name does so only for the
formats of microscopes and tomography. A folder of numbered slices is a volume.
"""

from __future__ import annotations

import functools
import logging
import re
import struct
import threading
import tokenize
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree.ElementTree import ParseError

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from napari_slicegan.config.images import NotApplicableError
from napari_slicegan.data.data_bars import header_lines, scanned_rows
from napari_slicegan.data.formats import (
    FORMATS,
    Signal,
    check_expansion,
    choose_signal,
    format_of,
    is_list,
    npy_header,
    read_raw,
)
from napari_slicegan.data.pixel_sizes import (
    Edges,
    edges_beside,
    edges_of_log,
    picture_edges,
    pixel_edges_nm,
)
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    SMALLEST_EDGE,
    arrange,
    distinct_values,
    has_channels,
    most_probable,
    native,
    overlapping_masks,
    stored_colours,
    without_alpha,
)
from napari_slicegan.data.tables import read_list
from napari_slicegan.data.volume_files import own_attributes, own_volume
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.memory import in_words, memory_explained, too_large

if TYPE_CHECKING:
    from napari_slicegan.config import MicrographSettings

T = TypeVar("T")

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ZARR = (".zattrs", ".zgroup", ".zarray", "zarr.json")
"""Files that show a folder to be a Zarr store."""
NPY_START = b"\x93NUMPY"
SLICE_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".npy")
MOST_OF_A_STACK = 0.75
"""Fraction of the images in a folder whose names differ by a number only."""
ENDINGS = tuple(
    dict.fromkeys([*SLICE_ENDINGS, *(e for f in FORMATS for e in f.endings), ".raw"])
)
"""Endings that the file dialogs offer."""
WHITE_IS_ZERO, MIN_IS_BLACK, PALETTE = 0, 1, 3  # TIFF 6.0, PhotometricInterpretation
ALPHA = {1, 2}
"""Associated and unassociated alpha (TIFF 6.0, ExtraSamples)."""
MOSAIC = 32803  # TIFF/EP, colour filter array
BY_PILLOW = (5, 6, 8)
"""CMYK, YCbCr and L*a*b* of it, which Pillow converts to RGB."""
PILLOW_TYPES = {"I;16": np.uint16, "I": np.int32, "F": np.float32}
"""Modes of Pillow with more than a byte in each band."""
LIMIT_LOCK = threading.Lock()
INVERTED = "White is stored as 0: values inverted."
REDUCED = (
    "Only 8 of the 16 bits per channel are read; save it as uncompressed TIFF to keep "
    "all."
)
# TIFF 6.0, Orientation: the stored rows and columns as flips and a transposition.
ORIENTATIONS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
"""Orientation -> whether rows and columns change places, then flips of both axes."""
# What the readers raise on damaged files, found by cutting and altering files.
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
    zipfile.BadZipFile,
)


@dataclass(frozen=True, eq=False)
class SourceImage:
    """Values as a file or a layer holds them, with facts from its header.

    Attributes
    ----------
    values
        ``[Y, X]``, ``[Z, Y, X]``, or with colour channels at the end; in the type of
        the source; possibly lazy.
    name
        For messages.
    edges_nm
        Pixel edges along X, Y and, where known, Z in nanometres; None if unknown.
    size_source
        Where the edges come from, in words.
    scanned_rows
        Rows of a micrograph above its data bar, if its header states them.
    colours
        Colour of each label, ``"#rrggbb"``, if there is a palette.
    channels, datasets
        Names to choose from, if there is more than one.
    notes
        Choices and conversions made while reading, a sentence each.
    warnings
        Probable faults, a sentence each.
    path
        Of the file, if there is one.
    axes
        One letter per axis where they are known: Z, Y, X, and S for channels. Of bare
        arrays empty: the shape decides.
    origin
        The object that the values belong to, such as a layer.
    is_raw
        Whether they are from a file without a header.
    """

    values: Any = field(repr=False)
    name: str
    edges_nm: Edges | None = None
    size_source: str = ""
    scanned_rows: int | None = None
    colours: Mapping[int, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    path: Path | None = None
    axes: str = ""
    origin: Any = field(default=None, repr=False)
    is_raw: bool = False

    @property
    def pixel_size_nm(self) -> float | None:
        """Edge of a pixel in its plane, the shorter one if it is not square."""
        return None if self.edges_nm is None else min(self.edges_nm[:2])

    def with_header(self) -> SourceImage:
        """Facts of the file's header, for values of a layer that was opened from it."""
        is_sized = self.edges_nm is not None
        if self.path is None or (is_sized and not self.is_colour):
            return self
        try:
            shape, file = _header(self.path, self.path.stat().st_mtime_ns)
        except (ValueError, OSError):
            return self  # a format of another reader
        return replace(
            self,
            edges_nm=self.edges_nm if is_sized else file.edges_nm,
            size_source=self.size_source if is_sized else file.size_source,
            scanned_rows=file.scanned_rows if shape == np.shape(self.values) else None,
            colours=self.colours or file.colours,
        )

    @property
    def size(self) -> str:
        """Number of pixels per axis, as text."""
        return " x ".join(map(str, self.shape))

    @property
    def is_colour(self) -> bool:
        """Whether the last axis holds channels."""
        known = np.ndim(self.values) == 4 or self.axes.endswith("S")
        return known or (not self.axes and has_channels(self.values))

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of pixels per axis, without the channels: ``([Z,] Y, X)``."""
        whole: tuple[int, ...] = np.shape(self.values)
        return whole[:-1] if self.is_colour else whole

    @property
    def is_volume(self) -> bool:
        """Whether there is a third spatial axis."""
        return len(self.shape) == 3


@functools.lru_cache(maxsize=16)
def _header(path: Path, changed_ns: int) -> tuple[tuple[int, ...], SourceImage]:
    """Shape and facts of a file without its values; read anew when it changes."""
    file = read_image(path)
    return np.shape(file.values), replace(file, values=None)


def read_image(
    path: str | Path,
    settings: MicrographSettings | None = None,
    *,
    is_volume: bool = False,
) -> SourceImage:
    """Read an image or a volume.

    Parameters
    ----------
    path
        TIFF (several pages are a volume), NPY, PNG, JPEG, BMP, one of `FORMATS`, or a
        folder of slices (a volume, in the order of the numbers in their names).
    settings
        Its dataset, channel and, for files without a header, shape and type are used.
    is_volume
        Whether bare arrays with three axes are volumes, also of three or four planes
        or columns, which otherwise are channels.

    Raises
    ------
    ValueError
        If there is no such file, or it is damaged, or holds no image; one sentence
        with the name of the file.
    """
    path = Path(path)
    dataset = settings.dataset if settings else ""
    channel = settings.channel if settings else "auto"
    if path.is_dir() and own_attributes(path) is None:
        return _read_folder(path, settings)
    start = b"" if path.is_dir() else _start_of(path)
    if settings is not None and settings.raw_shape and is_list(path):
        return _read_plain(path, settings)
    try:
        with memory_explained(too_large(path.name)):
            image = _read(path, start, dataset, channel)
    except UnidentifiedImageError as error:
        if settings is not None and settings.raw_shape:
            return _read_plain(path, settings)
        what, advice = _other_kind(path)
        raise ValueError(
            f"{path.name}: expected an image (TIFF, PNG, JPEG, BMP, NPY ...), got "
            f"{what}; {advice}."
        ) from error
    except PermissionError as error:
        # Of a file that belongs to this one, such as the values of a header.
        raise ValueError(in_words(error)) from error
    except DAMAGE as error:
        if isinstance(error, ValueError) and str(error).startswith(f"{path.name}: "):
            raise
        raise ValueError(
            f"{path.name}: expected a complete image, got a damaged file or an unknown "
            f"variant ({_reason(error)}); save it again as uncompressed TIFF or as PNG."
        ) from error
    if settings is not None and settings.raw_shape:
        raise NotApplicableError(
            "raw_shape",
            f"{path.name}: expected a file without a header for 'Raw shape', got an "
            "image file; leave 'Raw shape' and 'Raw type' out.",
        )
    if dataset and not image.datasets and (path.is_dir() or format_of(path) is None):
        raise NotApplicableError(
            "dataset",
            f"{path.name}: expected a file of several images for 'Dataset' {dataset}, "
            "got one with a single image; leave 'Dataset' empty.",
        )
    kind = settings.kind if settings else "auto"
    if channel == "auto" and kind in ("auto", "phases") and not is_volume:
        image = _classes(image)
    image = _with_channel(image, channel)
    values, is_colour, notes = _arranged(image, is_volume)
    if values.dtype.kind in "iufc":
        values = native(values)
    warnings: tuple[str, ...] = ()
    if is_colour:
        values, dropped, warnings = without_alpha(values)
        notes += dropped
        is_colour = values.shape[-1] == 3 and values.ndim > 2
    # A bare array with few columns may as well have too many channels.
    is_known = bool(image.axes) or is_volume or is_colour or values.ndim == 2
    is_known = is_known or values.shape[-1:] >= (SMALLEST_EDGE,)
    beside = header_lines(path)
    source, edges = image.size_source, image.edges_nm
    if edges is None:
        source, edges = edges_beside(beside)
    rows = image.scanned_rows
    if rows is None and values.ndim >= 2 + is_colour:
        rows = scanned_rows(None, beside, values.shape[-2 - is_colour])
    return replace(
        image,
        values=values,
        axes="ZYX"[is_colour - values.ndim :] + "S" * is_colour if is_known else "",
        edges_nm=edges,
        size_source=source,
        scanned_rows=rows,
        notes=(*image.notes, *notes),
        warnings=(*image.warnings, *warnings),
        path=path,
    )


def _classes(image: SourceImage) -> SourceImage:
    """Labels of one-hot arrays and probabilities; a warning about other masks."""
    labels, notes = most_probable(image.values)
    if not notes:
        found = overlapping_masks(image.values, image.axes)
        return replace(image, warnings=(*image.warnings, *found))
    axes = "ZYX"[-labels.ndim :]
    return replace(image, values=labels, axes=axes, notes=(*image.notes, *notes))


def _arranged(
    image: SourceImage, is_volume: bool
) -> tuple[NDArray[Any], bool, tuple[str, ...]]:
    """Values as `arrange` returns them; of a bare array all axes may be a volume's."""
    axes = image.axes
    if is_volume and not axes and image.values.ndim == 3:
        axes = "ZYX"
    return arrange(image.values, axes)


def _read_plain(path: Path, settings: MicrographSettings) -> SourceImage:
    """Values of a file without a header."""
    if is_list(path):
        values = read_list(path, settings.raw_shape)
        note = "The numbers of a text are read in their order."
    else:
        values = read_raw(path, settings.raw_shape, settings.raw_type)
        skipped = path.stat().st_size - values.nbytes
        note = f"Plain values of type {values.dtype.name} are read"
        note += f"; {skipped:,} bytes before them are skipped." if skipped else "."
    axes = "ZYX"[-values.ndim :]
    return SourceImage(
        native(values), path.name, notes=(note,), path=path, axes=axes, is_raw=True
    )


OTHER_KINDS = {
    b"ZISRAWFILE": ("a Zeiss CZI file", "export it as TIFF"),
    b"\x70\0\0\0": ("a Leica LIF file", "export it as TIFF"),
    b"\xda\xce\xbe\x0a": ("a Nikon NIS-Elements file", "export it as TIFF"),
    b"\xd0\xcf\x11\xe0": ("a Zeiss TXM or Office file", "export the image as TIFF"),
    b"%PDF": ("a PDF document", "save the picture in it as PNG or TIFF"),
    b"<!DOCTYPE": ("a web page", "download the image again"),
    b"<html": ("a web page", "download the image again"),
    b"<svg": ("a drawing (SVG)", "export it as PNG"),
    b"<?xml": ("an XML file", "choose the image that it belongs to"),
    b"PK\3\4": ("an archive or a document", "extract the image first"),
    b"\x1f\x8b": ("a compressed file (gzip)", "extract the image first"),
    b"Rar!": ("an archive", "extract the image first"),
    b"7z\xbc\xaf": ("an archive", "extract the image first"),
    b"version https://git-lfs": (
        "a placeholder of Git LFS",
        "fetch the file with 'git lfs pull'",
    ),
}
"""Starts of files that are no image: what they are, and what to do."""
ADDRESS = re.compile(r"[a-z][a-z\d]+:[/\\]", re.I)
"""Start of a URL as a path; a drive of Windows has one letter."""


def _other_kind(path: Path) -> tuple[str, str]:
    """What a file is that no reader knows, and what to do."""
    with path.open("rb") as file:
        start = file.read(132)
    if start.endswith(b"DICM"):
        return "a DICOM file", "convert it to TIFF or NIfTI"
    if start[4:8] == b"ftyp":
        return "a HEIC picture or a film", "save it as PNG or TIFF"
    for mark, found in OTHER_KINDS.items():
        if start.lstrip(b"\xef\xbb\xbf \r\n").startswith(mark):
            return found
    return (
        "a file of another kind or a damaged one",
        "choose an image file, or give 'Raw shape' and 'Raw type' if it holds plain "
        "values",
    )


def _start_of(path: Path) -> bytes:
    """First bytes of a file that is there and not empty."""
    if path.exists() and not path.is_file():
        raise ValueError(
            f"{path.name}: expected an image file, got a pipe or a device; save the "
            "image as a file."
        )
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        if found := ADDRESS.match(str(path)):
            raise ValueError(
                f"{path.name}: expected the path of a file, got an address "
                f"({found[0]}...); download the file and give its path."
            ) from error
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


def _reason(error: Exception) -> str:
    """Message of a reader, on one line; those of Python itself are replaced."""
    if isinstance(error, OSError | ValueError | EOFError | SyntaxError | zlib.error):
        return " ".join(str(error).split()).rstrip(".").replace(". ", ", ")
    return "its parts contradict each other"


def _read(path: Path, start: bytes, dataset: str, channel: str) -> SourceImage:
    """Contents of a file, by its first bytes, else by the ending of its name."""
    if path.is_dir():
        return _read_own_zarr(path)
    if start.startswith(TIFF_STARTS):
        return _read_tiff(path, dataset, channel)
    if start.startswith(NPY_START):
        with path.open("rb") as file:
            check_memory(*npy_header(file), path.name)
        # No pickled objects: reading them can execute code.
        try:
            values = np.load(path, allow_pickle=False)
        except ValueError as error:
            if "Object arrays" not in str(error):
                raise
            raise ValueError(
                f"{path.name}: expected an array of numbers, got one of Python "
                "objects; save an array of uint8, uint16 or float32."
            ) from error
        return SourceImage(values, path.name)
    known = format_of(path)
    if known is not None:
        signals = _from_library(lambda: known.signals(path))
        chosen = choose_signal(signals, dataset, path.name)
        values = _checked(chosen, path)
        if not dataset and values.size and values.min() == values.max():
            # Such as the phases of a polycrystal.
            rest = [
                s for s in signals if s is not chosen and s.n_pixels == chosen.n_pixels
            ]
            if rest:
                chosen = choose_signal(rest, "", path.name)
                values = _checked(chosen, path)
        names = tuple(signal.name for signal in signals)
        notes = chosen.notes
        if len(names) > 1:
            notes += (_others(names, chosen.name),)
        return SourceImage(
            values,
            path.name,
            chosen.edges_nm,
            f"header of the {path.suffix} file" if chosen.edges_nm else "",
            axes=chosen.axes,
            datasets=names if len(names) > 1 else (),
            notes=notes,
        )
    with _pillow_limit(None):
        picture = Image.open(path)
    with picture:
        shape = (picture.height, picture.width, len(picture.getbands()))
        dtype = np.dtype(PILLOW_TYPES.get(picture.mode, np.uint8))
        check_expansion(shape, dtype, path.stat().st_size, path.name)
        # Pillow keeps 16 bits of gray values only.
        is_reduced = "16B" in str(picture.tile) and not picture.mode.startswith("I")
        oriented = ImageOps.exif_transpose(picture)
        notes = ()
        if oriented.size != picture.size or picture.getexif().get(274, 1) != 1:
            notes = ("The image is turned as its header (EXIF) says.",)
        if (n_frames := getattr(picture, "n_frames", 1)) > 1:
            notes += (f"The first of {n_frames} frames is read.",)
        values, colours = _pixels(oriented)
        axes = "YX" if values.ndim == 2 else "YXS"
        source, edges = picture_edges(picture)
        if oriented.size != picture.size and edges is not None:
            edges = edges[::-1]
        return SourceImage(
            values,
            path.name,
            edges,
            source,
            colours=colours,
            notes=notes,
            warnings=(REDUCED,) * is_reduced,
            axes=axes,
        )


@contextmanager
def _pillow_limit(n_pixels: int | None) -> Iterator[None]:
    """Raise the limit of Pillow, which mosaics of micrographs exceed; None: none.

    Callers use `check_expansion` before they read values. The limit is one of the
    process, so one thread at a time raises it.
    """
    with LIMIT_LOCK:
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None:
            Image.MAX_IMAGE_PIXELS = n_pixels and max(limit, n_pixels)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _checked(signal: Signal, path: Path) -> NDArray[Any]:
    """Values of one image of a file."""
    if signal.dtype is not None:
        check_expansion(signal.shape, signal.dtype, path.stat().st_size, path.name)
    return _from_library(signal.read)


def _read_own_zarr(path: Path) -> SourceImage:
    """Finest level of a volume that this program wrote as OME-Zarr."""
    values, own = own_volume(path)
    edge = own["voxel_size_nm"]
    return SourceImage(
        values,
        path.name,
        None if edge is None else (edge,) * 3,
        "" if edge is None else "attributes of the volume",
        colours=stored_colours(own.get("colours", {})),
        axes="ZYX" + "S" * (own["kind"] == "colour"),
    )


def _others(names: Sequence[str], chosen: str) -> str:
    """Which of several images is read."""
    others = ", ".join(n for n in names[:8] if n != chosen)
    more = ", ..." if len(names) > 8 else ""
    return f"The dataset '{chosen}' is read (others: {others}{more})."


def _from_library(read: Callable[[], T]) -> T:
    """What a reader returns; libraries raise exceptions of their own."""
    try:
        return read()
    except (ValueError, OSError):
        raise
    except Exception as error:  # any: readers of formats have no base class for theirs
        raise ValueError(str(error)) from error


@functools.lru_cache(maxsize=16)
def tiff_axes(path: Path, shape: tuple[int, ...]) -> str:
    """A letter for each axis of a TIFF's values; empty if they have another shape.

    Also of a file that is no TIFF.
    """
    try:
        with _tiff_faults(), tifffile.TiffFile(path) as tiff:
            series = max(tiff.series, key=_n_pixels)
            known = tuple(series.shape) == shape
            return _with_planes(series.axes, shape) if known else ""
    except DAMAGE:
        return ""


def _read_tiff(path: Path, dataset: str, channel: str) -> SourceImage:
    """Largest image of a TIFF, or the one called `dataset`.

    It is one page, or the pages that belong together.
    """
    with _tiff_faults() as faults, tifffile.TiffFile(path) as tiff:
        _check_pages(tiff)
        if not tiff.series:
            raise ValueError("it has no pages")
        images = _images_of(tiff)
        # The first of the largest; thumbnails may come before.
        series = main = max(images, key=_n_pixels)
        is_pair = channel == "auto" and _is_image_with_mask(images)
        alike = [] if is_pair else [one for one in images if _is_alike(one, main)]
        named = {
            f"image {number}": one
            for number, one in enumerate(images, start=1)
            if not any(one is other for other in alike[1:])
        }
        if dataset and len(named) > 1:
            signals = [
                Signal(name, one.shape, one.dtype, one.asarray)
                for name, one in named.items()
            ]
            series = named[choose_signal(signals, dataset, path.name).name]
        n_bytes = path.stat().st_size
        # Samples of 4, 10 or 12 bits have no type of numpy.
        dtype = series.dtype or np.dtype(np.uint16)
        check_expansion(series.shape, dtype, n_bytes, path.name)
        source, edges = pixel_edges_nm(tiff)
        if series is not images[0] and not is_pair:
            # They are those of the first page.
            source, edges = "", None
        page = series.keyframe
        if page.photometric == MOSAIC:
            raise ValueError(
                f"{path.name}: expected gray values or colours, got the mosaic of a "
                "colour sensor (CFA); convert it to RGB with the camera's program."
            )
        orientation = page.tags.valueof("Orientation") or 1
        turned = ORIENTATIONS.get(orientation)
        values = _unpacked(series)
        others = alike if series is main else []
        axes = series.axes
        notes: tuple[str, ...] = ()
        if values is not None and len(others) > 1 and axes == "YX":
            # Planes, or detectors, that were written one after the other.
            values, axes = np.stack([other.asarray() for other in others]), "QYX"
            notes = (f"{len(others)} images of one size are read as a volume.",)
        if len(named) > 1:
            chosen = next(name for name, one in named.items() if one is series)
            notes += (_others(tuple(named), chosen),)
        if _has_detectors(page):
            if values is None:
                packing = tifffile.COMPRESSION(page.compression).name
                raise ValueError(
                    f"{path.name}: expected several channels without compression, got "
                    f"{packing}; save it as uncompressed TIFF."
                )
            axes = axes.replace("S", "C")
        if values is None:
            indices = [p.index for p in series.pages if p is not None]
            stored = _read_pages(path, indices, _n_pixels(series))
            if stored.values.dtype == np.uint8 and dtype == np.uint16:
                stored = replace(stored, warnings=(REDUCED,))
            turned = None  # by Pillow
        else:
            stored = SourceImage(values, path.name, axes=axes)
            if page.photometric == PALETTE and page.colormap is not None:
                stored = _with_palette(stored, page.colormap >> 8)
            elif page.photometric == WHITE_IS_ZERO and not _is_numpy_mask(page):
                stored = _inverted(stored, page.bitspersample)
        if turned is not None:
            stored = _turned(stored, *turned)
        if orientation > 4 and edges is not None:
            edges = (edges[1], edges[0], *edges[2:])
        stored = replace(stored, notes=(*notes, *stored.notes))
        stored = _signed(stored, tiff.imagej_metadata or {})
        rows = None
        if orientation == 1:
            n_rows = stored.values.shape[stored.axes.index("Y")]
            rows = scanned_rows(tiff, {}, n_rows)
    if any("invalid page offset" in fault for fault in faults):
        raise ValueError("pages are missing at its end")
    return replace(
        stored,
        edges_nm=edges,
        size_source=source,
        scanned_rows=rows,
        datasets=tuple(named) if len(named) > 1 else (),
    )


def _images_of(tiff: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """Series of a TIFF; two pages that other programs wrote are series of their own."""
    images = list(tiff.series)
    if len(images) == 1 and images[0].axes == "IYX" and len(images[0]) == 2:
        pages = [page for page in images[0].pages if page is not None]
        images = [
            tifffile.TiffPageSeries([p], p.shape, p.dtype, "YX", parent=tiff)
            for p in pages
        ]
    return images


def _is_image_with_mask(images: Sequence[tifffile.TiffPageSeries]) -> bool:
    """Whether of two images of one size one has few values, the other many."""
    if len(images) != 2 or not _is_alike(*images):
        return False
    planes = [_unpacked(image) for image in images]
    found = [None if p is None else distinct_values(p, MAX_PHASES) for p in planes]
    n_few = [len(values) for values in found if values is not None]
    is_read = all(plane is not None for plane in planes)
    return is_read and len(n_few) == 1 and n_few[0] > 1


def _signed(stored: SourceImage, facts: Mapping[str, Any]) -> SourceImage:
    """Signed values, which ImageJ stores without a sign and with a calibration.

    Its straight line (``cf`` 0) with the offset ``c0`` of -32768 and the slope ``c1``.
    """
    line = facts.get("cf"), facts.get("c0"), facts.get("c1")
    if line != (0, -32768, 1) or stored.values.dtype != np.uint16:
        return stored
    values = (stored.values.astype(np.int32) - 2**15).astype(np.int16)
    note = "The values are signed: 32768 is subtracted, as ImageJ shows them."
    return replace(stored, values=values, notes=(*stored.notes, note))


def _unpacked(series: tifffile.TiffPageSeries) -> NDArray[Any] | None:
    """Values by tifffile; None where Pillow has the codec or converts the colours."""
    if series.keyframe.photometric in BY_PILLOW or series.dtype is None:
        return None
    try:
        return np.asarray(series.asarray())
    except (ImportError, NotImplementedError):
        return None  # the module of a codec, or of packed samples
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return None


def _is_alike(other: tifffile.TiffPageSeries, series: tifffile.TiffPageSeries) -> bool:
    """Whether two grayscale images of a file can be channels of one."""
    a, b = other.keyframe, series.keyframe
    is_gray = a.photometric == b.photometric == MIN_IS_BLACK and a.samplesperpixel == 1
    is_reduced = bool((a.subfiletype | b.subfiletype) & 1)
    same = other.shape == series.shape and other.dtype == series.dtype
    return is_gray and same and other.axes == series.axes and not is_reduced


def _has_detectors(page: tifffile.TiffPage) -> bool:
    """Whether the samples of a gray pixel are channels, none of them alpha."""
    is_gray = page.photometric in (WHITE_IS_ZERO, MIN_IS_BLACK)
    has_alpha = not ALPHA.isdisjoint(page.extrasamples)
    return is_gray and page.samplesperpixel > 1 and not has_alpha


def _n_pixels(series: tifffile.TiffPageSeries) -> int:
    """Rows times columns of one page."""
    page = series.keyframe
    return int(page.imagelength) * int(page.imagewidth)


def _check_pages(tiff: tifffile.TiffFile) -> None:
    """Refuse pages that follow each other in a circle."""
    seen: set[int] = set()
    for page in tiff.pages:
        if page.offset in seen:
            raise ValueError("its pages follow each other in a circle")
        seen.add(page.offset)


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


def _read_pages(path: Path, indices: list[int], n_pixels: int) -> SourceImage:
    """Pages by Pillow, which brings the codecs LZW, JPEG and CCITT with it.

    Pillow inverts pages whose white is zero itself, except those of 16 bits.
    """
    planes: list[NDArray[Any]] = []
    colours: dict[int, str] = {}
    notes: tuple[str, ...] = ()
    with _pillow_limit(None):
        pages = Image.open(path)
    with pages:
        for index in indices:
            with _pillow_limit(n_pixels):
                pages.seek(index)
                pages.load()
            plane, colours = _pixels(pages)
            is_inverted = pages.tag_v2.get(262) == WHITE_IS_ZERO  # type: ignore[attr-defined]
            if is_inverted and plane.dtype != bool:
                notes = (INVERTED,)
            if is_inverted and pages.mode.startswith("I;16"):
                plane = np.iinfo(plane.dtype).max - plane
            planes.append(plane)
    if len(planes) == 1:
        axes = "YX" if planes[0].ndim == 2 else "YXS"
        values = planes[0]
    else:
        axes = "QYX" if planes[0].ndim == 2 else "QYXS"
        values = np.stack(planes)
    return SourceImage(values, path.name, colours=colours, notes=notes, axes=axes)


def _is_numpy_mask(page: tifffile.TiffPage) -> bool:
    """Whether tifffile wrote truth values: its default is white for False."""
    return page.bitspersample == 1 and page.software.startswith("tifffile")


def _inverted(stored: SourceImage, bits: int) -> SourceImage:
    """Values of a page whose white is zero, as every viewer shows them."""
    values = stored.values
    if values.dtype.kind == "b":
        return replace(stored, values=~values)
    if values.dtype.kind != "u":
        return stored
    top = values.dtype.type(2**bits - 1)
    return replace(stored, values=top - values, notes=(INVERTED,))


def _turned(stored: SourceImage, swap: bool, rows: bool, columns: bool) -> SourceImage:
    """Rows and columns as the orientation tag says."""
    y, x = stored.axes.find("Y"), stored.axes.find("X")
    if y < 0 or x < 0:
        return stored
    values = np.swapaxes(stored.values, y, x) if swap else stored.values
    values = np.flip(values, tuple(axis for axis, f in ((y, rows), (x, columns)) if f))
    notes = (*stored.notes, "The image is turned as its orientation tag says.")
    return replace(stored, values=values, notes=notes)


def _pixels(picture: Image.Image) -> tuple[NDArray[Any], dict[int, str]]:
    """Gray values, labels or colours, ``[Y, X]`` or ``[Y, X, C]``; label colours."""
    if picture.mode == "P":
        index = np.asarray(picture)
        table = np.asarray(picture.getpalette("RGB"), np.uint8).reshape(-1, 3)
        coloured = _with_palette(SourceImage(index, "", axes="YX"), table.T)
        return coloured.values, dict(coloured.colours)
    if picture.mode == "PA":
        return np.asarray(picture.convert("RGBA")), {}
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(picture.convert("RGB")), {}
    values = np.asarray(picture)
    # Gray with alpha: as RGBA, so that one rule drops the alpha channel.
    return (
        (values[..., (0, 0, 0, 1)], {})
        if picture.mode in ("LA", "La")
        else (values, {})
    )


def _with_palette(stored: SourceImage, table: NDArray[Any]) -> SourceImage:
    """Labels with their colours if few colours mark phases, else the colours.

    Parameters
    ----------
    stored
        Indices into the palette.
    table
        ``[3, N]``, 0 to 255.
    """
    index, table = stored.values, np.asarray(table, np.uint8).T
    if index.dtype.kind == "b":
        index = index.astype(np.uint8)
    used = np.unique(index)
    if used.max(initial=0) >= len(table):
        raise ValueError("its palette is shorter than its indices")
    is_gray = (table[used] == table[used][:, :1]).all()
    if is_gray or len(used) > MAX_PHASES:
        return replace(stored, values=table[index], axes=f"{stored.axes}S")
    colours = {int(n): "#" + bytes(table[n]).hex() for n in used}
    return replace(stored, values=index, colours=colours)


def _with_planes(axes: str, shape: tuple[int, ...]) -> str:
    """Axes with Z for planes of a stack that the file names channels."""
    is_stack = "C" in axes[:-1] and shape[axes.find("C")] >= SMALLEST_EDGE
    return axes.replace("C", "Z") if is_stack and "Z" not in axes else axes


def _with_channel(image: SourceImage, channel: str) -> SourceImage:
    """Values as ``[(Z,) Y, X(, C)]``, C being 3 or 4."""
    values, axes, name = image.values, image.axes, image.name
    if not axes or len(axes) != values.ndim:
        return replace(image, axes="")
    kept = [i for i, n in enumerate(values.shape) if n != 1 or axes[i] in "YX"]
    values = values.reshape([values.shape[i] for i in kept])
    axes = "".join(axes[i] for i in kept)
    axes = _with_planes(axes, values.shape)
    if "T" in axes and "Z" not in axes:
        note = f"The {values.shape[axes.index('T')]} times are read as planes."
        image = replace(image, notes=(*image.notes, note))
    places = [i for i, axis in enumerate(axes) if axis in "SC"]
    if not places:
        if channel.isdigit() and values.ndim == 3:
            return _one_plane(image, values, channel)
        return replace(image, values=values, axes=axes)
    if len(places) > 1:
        shape = " x ".join(map(str, values.shape))
        raise ValueError(
            f"{name}: expected one axis of channels, got {shape} values with the axes "
            f"{axes}; save one channel, or RGB."
        )
    values = np.moveaxis(values, places[0], -1)
    n, letter = values.shape[-1], axes[places[0]]
    axes = axes.replace(letter, "")
    if n == 2 and letter == "S":
        # Gray with alpha.
        return replace(image, values=values[..., (0, 0, 0, 1)], axes=f"{axes}S")
    if n == 3 and letter == "C" and channel == "auto":
        note = "Three channels are read as red, green and blue ('Channel' selects one)."
        image = replace(image, notes=(*image.notes, note))
    if (n in (3, 4) and letter == "S") or (n == 3 and not channel.isdigit()):
        return replace(image, values=values, axes=f"{axes}S")
    number = 1 if channel == "auto" else int(channel) if channel.isdigit() else 0
    if not 1 <= number <= n:
        raise ValueError(
            f"{name}: expected a channel from 1 to {n}, got {channel}; correct "
            "'Channel'."
        )
    note = f"Channel {number} of {n} is read."
    names = tuple(str(i + 1) for i in range(n))
    return replace(
        image,
        values=values[..., number - 1],
        axes=axes,
        channels=names,
        notes=(*image.notes, note),
    )


def _one_plane(image: SourceImage, values: NDArray[Any], channel: str) -> SourceImage:
    """One page of several: of detectors that were stored as pages."""
    number = int(channel)
    if not 1 <= number <= len(values):
        raise ValueError(
            f"{image.name}: expected a page from 1 to {len(values)}, got {number}; "
            "correct 'Channel'."
        )
    note = f"Page {number} of {len(values)} is read."
    return replace(
        image,
        values=values[number - 1],
        axes="YX",
        channels=tuple(str(i + 1) for i in range(len(values))),
        notes=(*image.notes, note),
    )


def _read_folder(folder: Path, settings: MicrographSettings | None) -> SourceImage:
    """Slices of a volume, in the order of the numbers in their names."""
    paths = slices_in(folder)
    series = [name for name, n in _series_of(paths).items() if n > 1]
    warnings: tuple[str, ...] = ()
    if len(series) > 1:
        more = ", ..." if len(series) > 4 else ""
        warnings = (
            f"The names are those of {len(series)} series of images "
            f"({', '.join(series[:4])}{more}), which follow each other as planes of "
            "one volume; keep one series in the folder.",
        )
    if any((folder / name).is_file() for name in ZARR):
        raise ValueError(
            f"{folder.name}: expected an image file or a folder of slices, got a Zarr "
            "store; save the image as TIFF, or use it as a layer of the window."
        )
    if len(paths) < 2:
        raise ValueError(
            f"{folder}: expected an image file or a folder of slices, got a folder "
            f"with {len(paths)} image{'s' * (not paths)}; choose a file in it."
        )
    first = read_image(paths[0], settings)
    check_memory((len(paths), *np.shape(first.values)), first.values.dtype, folder.name)
    slices = [first, *(read_image(path, settings) for path in paths[1:])]
    for image in slices:
        if image.is_volume:
            raise ValueError(
                f"{folder.name}: expected slices, got {image.name}, a volume of "
                f"{image.size} voxels; choose that file."
            )
        if np.shape(image.values) != np.shape(first.values):
            raise ValueError(
                f"{folder.name}: expected slices of one size, got "
                f"{' x '.join(map(str, np.shape(first.values)))} ({first.name}) and "
                f"{' x '.join(map(str, np.shape(image.values)))} ({image.name}); move "
                "the other images elsewhere, or name the files instead of the folder."
            )
        types = np.asarray(first.values).dtype, np.asarray(image.values).dtype
        if types[0] != types[1]:
            raise ValueError(
                f"{folder.name}: expected slices of one number format, got {types[0]} "
                f"({first.name}) and {types[1]} ({image.name}); save them alike, or "
                "name the files instead of the folder."
            )
    note = f"{len(slices)} slices are read as a volume, {paths[0].name} first"
    others = len(list(_images_in(folder))) - len(paths)
    note += f"; {others} with other names are left out." if others else "."
    source, edges = first.size_source, first.edges_nm
    if edges is None:
        source, edges = edges_of_log(folder)
    stated = [n for n in (image.scanned_rows for image in slices) if n is not None]
    colours: dict[int, str] = {}
    for image in slices:
        if any(
            image.colours[n] != colours.get(n, image.colours[n]) for n in image.colours
        ):
            raise ValueError(
                f"{folder.name}: expected slices with one palette, got another one in "
                f"{image.name}; save them with the same colours."
            )
        colours.update(image.colours)
    return replace(
        first,
        edges_nm=edges,
        size_source=source,
        colours=colours,
        values=np.stack([image.values for image in slices]),
        name=folder.name,
        # All planes are cropped alike.
        scanned_rows=min(stated, default=None),
        notes=(note, *first.notes),
        warnings=(*warnings, *first.warnings),
        path=folder,
        axes=f"Z{first.axes}",
    )


def slices_in(folder: Path) -> list[Path]:
    """Images in a folder, in the order of the numbers in their names.

    Of a stack whose names differ by their last number, others are left out, such as
    the overview that a scanner puts beside its slices.
    """
    files = sorted(_images_in(folder), key=_natural)
    if not files:
        return []
    common, n = _series_of(files).most_common(1)[0]
    is_stack = "#" in common and n >= MOST_OF_A_STACK * len(files)
    if not is_stack:
        return files
    return [path for path in files if _series_name(path) == common]


def _series_of(files: Sequence[Path]) -> Counter[str]:
    """Names without their last number, and how many files have them."""
    return Counter(map(_series_name, files))


def _series_name(path: Path) -> str:
    return re.sub(r"\d+(?=\D*$)", "#", path.name.lower())


def _images_in(folder: Path) -> Iterator[Path]:
    found = (p for p in folder.iterdir() if p.suffix.lower() in SLICE_ENDINGS)
    return (p for p in found if not p.name.startswith(".") and not p.is_dir())


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sorts ``slice_9`` before ``slice_10``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]
