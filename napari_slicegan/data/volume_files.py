"""Arrays of other programs: Amira, Avizo, Gwyddion, MetaImage, legacy VTK files.

Each of them is a header of text before values, which may lie in another file. Also the
OME-Zarr volumes of this program.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import Kind, parse_json
from napari_slicegan.data.pixel_sizes import Edges, edges_in_nm
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.optional_packages import optional_package

LONGEST_HEADER = 2**20
"""Bytes in which a header must end."""


@dataclass(frozen=True, eq=False)
class StoredArray:
    """An array of a file.

    Attributes
    ----------
    name
        Of the array.
    shape, dtype
        ``[(Z,) Y, X(, C)]``.
    axes
        One letter per axis.
    read
        Reads the values.
    edges_nm
        Pixel edges along X, Y and Z, if the file states them with a unit.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: str
    read: Callable[[], NDArray[Any]]
    edges_nm: Edges | None = None


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LONGEST_HEADER)


def _numbers(text: str, what: str) -> list[float]:
    """Numbers of a line of a header.

    Raises
    ------
    ValueError
        If there are others.
    """
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise ValueError(f"its {what} are not numbers: {text[:40]!r}") from error


def _shape(text: str) -> tuple[int, ...]:
    """Sizes along X, Y and Z as a shape ``(Z, Y, X)``."""
    sizes = [int(n) for n in _numbers(text, "sizes")]
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise ValueError(f"its sizes {text.strip()[:40]!r} are not those of a volume")
    return tuple(reversed(sizes))


def _with_channels(
    shape: tuple[int, ...], n_channels: int
) -> tuple[tuple[int, ...], str]:
    """Shape with several channels at the end, and the letters of its axes."""
    axes = "ZYX"[-len(shape) :]
    return ((*shape, n_channels), f"{axes}C") if n_channels > 1 else (shape, axes)


def _filled(data: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Bytes as an array.

    Raises
    ------
    ValueError
        If there are too few.
    """
    n_bytes = math.prod(shape) * dtype.itemsize
    if len(data) < n_bytes:
        raise ValueError("values are missing at its end")
    return np.frombuffer(data[:n_bytes], dtype).reshape(shape)


def _inflated(data: bytes, limit: int) -> bytes:
    """Bytes without zlib compression, at most `limit`."""
    return zlib.decompressobj().decompress(data, limit)


# --- Amira and Avizo ------------------------------------------------------------------

AMIRA_TYPES = {
    "byte": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "int32": "i4",
    "float": "f4",
    "double": "f8",
}


def amira_arrays(path: Path) -> list[StoredArray]:
    """Labels and gray values of a uniform lattice (``.am``).

    Source: Amira user's guide, "Amiramesh".
    """
    head = _head_of(path)
    end = re.search(rb"^@\d+[ \t]*\r?\n", head, re.MULTILINE)
    if not head.startswith((b"# AmiraMesh", b"# Avizo")) or end is None:
        raise ValueError("it is no Amira mesh, or its header is too long")
    text = head[: end.start()].decode("latin-1")
    first = text.split("\n", 1)[0]
    order = "<" if "LITTLE-ENDIAN" in first else ">"
    lattice = re.search(r"define\s+Lattice\s+([\d ]+)", text)
    if lattice is None:
        raise ValueError("it holds no lattice of voxels")
    shape = _shape(lattice[1])
    found = []
    for kind, n, name, mark, code in re.findall(
        r"Lattice\s*\{\s*(\w+)(?:\[(\d+)\])?\s+(\w+)\s*\}\s*=?\s*@(\d+)(?:\((.*?)\))?",
        text,
    ):
        if kind not in AMIRA_TYPES:
            continue
        full, axes = _with_channels(shape, int(n or 1))
        dtype = np.dtype(order + AMIRA_TYPES[kind])
        stored = _AmiraArray(
            path, int(mark), code, dtype, full, is_text="ASCII" in first
        )
        edges = _amira_edges(text, shape)
        found.append(StoredArray(name, full, dtype, axes, stored.read, edges))
    return found


def _amira_edges(text: str, shape: tuple[int, ...]) -> Edges | None:
    """The box reaches from the centre of the first voxel to that of the last."""
    box = re.search(r"BoundingBox\s+([^\n,}]+)", text)
    unit = re.search(r"Coordinates\s+\"([^\"]+)\"", text)
    if box is None or unit is None or min(shape) < 2:
        return None
    ends = _numbers(box[1].strip(), "bounds")
    sizes = shape[::-1]
    if len(ends) != 2 * len(sizes):
        return None
    spans = [ends[2 * i + 1] - ends[2 * i] for i in range(len(sizes))]
    lengths = [(s / (n - 1), unit[1]) for s, n in zip(spans, sizes, strict=True)]
    return edges_in_nm(lengths)


@dataclass(frozen=True)
class _AmiraArray:
    """Where an array is and how it is encoded."""

    path: Path
    mark: int
    code: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_text: bool

    def read(self) -> NDArray[Any]:
        content = self.path.read_bytes()
        start = re.search(rb"^@%d[ \t]*\r?\n" % self.mark, content, re.MULTILINE)
        if start is None:
            raise ValueError(f"its values @{self.mark} are missing")
        data = content[start.end() :]
        n = math.prod(self.shape)
        if self.is_text:
            words = data.split(None, n)[:n]
            return np.array(words, float).astype(self.dtype).reshape(self.shape)
        kind, _, size = self.code.partition(",")
        if size.strip().isdigit():
            data = data[: int(size)]
        if kind == "HxZip":
            data = _inflated(data, n * self.dtype.itemsize)
        elif kind == "HxByteRLE":
            data = _run_lengths(data, n * self.dtype.itemsize)
        elif kind:
            raise ValueError(f"its encoding {kind} is unknown")
        return _filled(data, self.shape, self.dtype)


def _run_lengths(data: bytes, limit: int) -> bytes:
    """HxByteRLE: a count and a byte to repeat, or 128 + a count and as many bytes."""
    parts: list[bytes] = []
    at = n = 0
    while at + 1 < len(data) and n < limit:
        count = data[at]
        if count >= 128:
            count -= 128
            parts.append(data[at + 1 : at + 1 + count])
            at += 1 + count
        else:
            parts.append(data[at + 1 : at + 2] * count)
            at += 2
        n += count
    return b"".join(parts)


# --- MetaImage ------------------------------------------------------------------------

META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def meta_images(path: Path) -> list[StoredArray]:
    """MetaImage of ITK (``.mha``, ``.mhd``); its lengths have no unit.

    Source: ITK, "MetaIO documentation".
    """
    head = _head_of(path)
    facts: dict[str, str] = {}
    at = 0
    while "ElementDataFile" not in facts:
        end = head.find(b"\n", at)
        if end < 0:
            end = len(head)
        name, sign, value = head[at:end].decode("latin-1").partition("=")
        if not sign:
            raise ValueError("its header does not name the file of its values")
        facts[name.strip()] = value.strip()
        at = end + 1
    if facts.get("ElementType") not in META_TYPES:
        raise ValueError(f"its values are of type {facts.get('ElementType')}")
    is_big = _is_true(facts, "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    dtype = np.dtype((">" if is_big else "<") + META_TYPES[facts["ElementType"]])
    n = int(facts.get("ElementNumberOfChannels", "1"))
    shape, axes = _with_channels(_shape(facts.get("DimSize", "")), n)
    name = facts["ElementDataFile"]
    # LIST and patterns are one file for each plane.
    is_beside = Path(name).name == name and path.with_name(name).is_file()
    if name != "LOCAL" and not is_beside:
        raise ValueError(f"its values '{name}' are not in a file of the same folder")

    def read() -> NDArray[Any]:
        source = path if name == "LOCAL" else path.with_name(name)
        data = source.read_bytes()
        skipped = int(facts.get("HeaderSize", "0"))
        n_bytes = math.prod(shape) * dtype.itemsize
        if name == "LOCAL":
            data = data[at:]
        elif skipped < 0:
            data = data[-n_bytes:]
        else:
            data = data[skipped:]
        if not _is_true(facts, "BinaryData", default=True):
            return np.array(data.split(), float).astype(dtype).reshape(shape)
        if _is_true(facts, "CompressedData"):
            data = _inflated(data, n_bytes)
        return _filled(data, shape, dtype)

    return [StoredArray(path.stem, shape, dtype, axes, read)]


def _is_true(facts: Mapping[str, str], *names: str, default: bool = False) -> bool:
    for name in names:
        if name in facts:
            return facts[name].lower() in ("true", "1")
    return default


# --- Gwyddion -------------------------------------------------------------------------


def gsf_arrays(path: Path) -> list[StoredArray]:
    """Gwyddion Simple Field (``.gsf``): one image of 4-byte floats.

    Source: Gwyddion user guide, "Gwyddion Simple Field".
    """
    head, _, _ = _head_of(path).partition(b"\0")
    lines = head.decode("utf-8", "replace").splitlines()
    facts = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition("=") for line in lines[1:])
    }
    if not lines or not lines[0].startswith("Gwyddion Simple Field"):
        raise ValueError("it is no Gwyddion simple field")
    shape = _shape(f"{facts.get('xres', '')} {facts.get('yres', '')}")
    edges = None
    if {"xreal", "yreal", "xyunits"} <= facts.keys():
        x, y = _numbers(f"{facts['xreal']} {facts['yreal']}", "lengths")
        unit = facts["xyunits"]
        edges = edges_in_nm([(x / shape[1], unit), (y / shape[0], unit)])

    def read() -> NDArray[Any]:
        # One to four zeros follow the header, to a multiple of four bytes.
        start = len(head) + 4 - len(head) % 4
        return _filled(path.read_bytes()[start:], shape, np.dtype("<f4"))

    return [StoredArray(path.stem, shape, np.dtype("<f4"), "YX", read, edges)]


# --- Legacy VTK -----------------------------------------------------------------------

VTK_TYPES = {
    "char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "float": "f4",
    "double": "f8",
}


def vtk_arrays(path: Path) -> list[StoredArray]:
    """Structured points of a legacy VTK file (``.vtk``), big-endian or text.

    Source: "The VTK File Formats", section "Simple legacy formats".
    """
    content = path.read_bytes()
    if not content.startswith(b"# vtk DataFile"):
        raise ValueError("it is no VTK file")
    lines = _lines(content)
    next(lines)
    next(lines, None)
    is_text = next(lines, (b"", 0))[0].strip().upper() == b"ASCII"
    points: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    found: list[StoredArray] = []
    skip_to = 0
    n_fields = 0
    for line, end in lines:
        if end <= skip_to:
            continue
        words = line.decode("latin-1").split()
        key = words[0].upper() if words else ""
        if key == "DATASET" and words[1:2] != ["STRUCTURED_POINTS"]:
            raise ValueError(f"its data are {' '.join(words[1:2])}, not an image")
        if key == "DIMENSIONS":
            points = _shape(" ".join(words[1:]))
        elif key in ("POINT_DATA", "CELL_DATA"):
            less = key == "CELL_DATA"
            shape = tuple(max(1, n - less) for n in points)
        elif key == "FIELD" and len(words) == 3:
            n_fields = int(words[2])
        elif key == "SCALARS" and len(words) > 2 and words[2] in VTK_TYPES:
            n = int(words[3]) if len(words) > 3 else 1
            # A line with the name of the table of colours follows.
            after = next(lines, (b"", end))
            start = after[1] if after[0].upper().startswith(b"LOOKUP") else end
            array, skip_to = _vtk_array(
                content, start, words[1], words[2], shape, n, is_text
            )
            found.append(array)
        elif n_fields and len(words) == 4 and words[3] in VTK_TYPES:
            n_fields -= 1
            array, skip_to = _vtk_array(
                content, end, words[0], words[3], shape, int(words[1]), is_text
            )
            found.append(array)
    return found


def _vtk_array(
    content: bytes,
    start: int,
    name: str,
    kind: str,
    shape: tuple[int, ...],
    n: int,
    is_text: bool,
) -> tuple[StoredArray, int]:
    """An array and where it ends, in bytes (0 for text)."""
    if not shape or n < 1:
        raise ValueError("its sizes are missing")
    dtype = np.dtype(">" + VTK_TYPES[kind])
    full, axes = _with_channels(shape, n)
    n_bytes = math.prod(full) * dtype.itemsize

    def read() -> NDArray[Any]:
        if is_text:
            words = content[start:].split(None, math.prod(full))[: math.prod(full)]
            return np.array(words, float).astype(dtype).reshape(full)
        return _filled(content[start:], full, dtype)

    return StoredArray(name, full, dtype, axes, read), 0 if is_text else start + n_bytes


def _lines(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Lines and where each ends; also those within binary values."""
    at = 0
    while at < len(content):
        end = content.find(b"\n", at)
        end = len(content) if end < 0 else end
        yield content[at:end], end + 1
        at = end + 1


# --- OME-Zarr of this program ---------------------------------------------------------

OWN = "napari-slicegan"
"""Key of this program's own attributes, beside "ome"."""


def zarr_package() -> Any:
    """The package zarr.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    return optional_package("zarr", "reads and writes volumes tile by tile", "scale")


def own_attributes(path: Path) -> dict[str, Any] | None:
    """Attributes of this program at an image, None if absent. Loads nothing.

    Raises
    ------
    ValueError
        If those that every volume has are missing or of another type.
    """
    try:
        about = parse_json((path / "zarr.json").read_text("utf-8"))
        own = about["attributes"][OWN]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(own, dict):
        return None
    size, labels = own.get("voxel_size_nm"), own.get("labels")
    if not (
        own.get("complete") in (True, False)
        and isinstance(own.get("levels"), int)
        and own["levels"] > 0
        and own.get("kind") in get_args(Kind)
        and isinstance(labels, list)
        and all(isinstance(label, int) for label in labels)
        and (size is None or isinstance(size, (int, float)))
    ):
        raise ValueError(
            f"{path.name}: expected a volume of this program, got one whose metadata "
            "are damaged; copy it again or generate it anew."
        )
    return own


def own_volume(path: Path) -> tuple[NDArray[Any], dict[str, Any]]:
    """Finest level of a volume that this program wrote, and its own attributes.

    Returns
    -------
    values
        ``[Z, Y, X]``, of colour ``[Z, Y, X, 3]``.
    own
        ``kind``, ``voxel_size_nm``, ``colours`` and others.

    Raises
    ------
    ValueError
        If it is not finished or too large for the memory, or zarr is not installed.
    """
    own = own_attributes(path) or {}
    if not own["complete"]:
        raise ValueError(
            f"{path.name}: expected a finished volume, got an unfinished one; repeat "
            "the command that writes it to resume it."
        )
    try:
        zarr = zarr_package()
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    stored = zarr.open_array(str(path / "0"), mode="r")
    check_memory(stored.shape, stored.dtype, path.name)
    values = np.asarray(stored[...])
    # [C, Z, Y, X] -> [Z, Y, X, C]
    return (np.moveaxis(values, 0, -1) if own["kind"] == "colour" else values), own
