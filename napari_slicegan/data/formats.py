"""Formats of microscopes and tomography besides TIFF, NPY and what Pillow opens.

Each format is one reader in `FORMATS`: it lists the images of a file as `Signal`s, and
reads the values of one of them on request. HDF5, MATLAB and microscope files can hold
several. The packages that read them belong to the extra ``formats``; MATLAB, NPZ, VTK
and raw files need none.
"""

from __future__ import annotations

import base64
import math
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.data.pixel_sizes import (
    COARSEST_PIXEL_NM,
    Edges,
    edges_in_nm,
)
from napari_slicegan.data.tables import is_text, read_table
from napari_slicegan.data.volume_files import (
    StoredArray,
    amira_arrays,
    gsf_arrays,
    meta_images,
    vtk_arrays,
)
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.optional_packages import optional_package

MAX_EXPANSION = 2000
"""Compression ratio that no reader accepts: zlib reaches 1032, TIFF's LZW 1365."""
MOST_COMPONENTS = 4
"""Values per pixel: colours, directions, quaternions."""
SMALL_BYTES = 2**26
"""Values below this size are read at any ratio."""


@dataclass(frozen=True)
class Signal:
    """One image or volume of a file.

    Attributes
    ----------
    name
        By which it is chosen ('Dataset').
    shape, dtype
        Of the values, as the header gives them; the type is None where only
        reading shows it.
    read
        Reads the values.
    axes
        One letter per axis (Z, Y, X; C for channels), empty if the file names none.
    edges_nm
        Pixel edges along X, Y and, where known, Z in nanometres.
    notes
        What was decided while reading, a sentence each.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    read: Callable[[], NDArray[Any]]
    axes: str = ""
    edges_nm: Edges | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_pixels(self) -> int:
        """Number of pixels, each with one value or up to four components."""
        is_wide = len(self.shape) > 2 and self.shape[-1] <= MOST_COMPONENTS
        return math.prod(self.shape[:-1] if is_wide else self.shape)


@dataclass(frozen=True)
class Format:
    """Files of one kind.

    Attributes
    ----------
    title
        For messages.
    endings
        Of the names, in lower case.
    packages
        Modules that the reader imports, none of them in the base install.
    signals
        Lists the images of a file.
    """

    title: str
    endings: tuple[str, ...]
    packages: tuple[str, ...]
    signals: Callable[[Path], list[Signal]]


def format_of(path: Path) -> Format | None:
    """Format by the ending of the name, HDF5 also by its start; None for other files.

    Raises
    ------
    ValueError
        If the packages that read it are not installed.
    """
    name = path.name.lower()
    known = next((known for known in FORMATS if name.endswith(known.endings)), None)
    if known is not None and known.endings is TEXT_ENDINGS and not is_text(path):
        known = None  # values without a header
    if known is None:
        with path.open("rb") as file:
            if not file.read(8).startswith(HDF5_START):
                return None
        known = FORMATS[0]  # HDF5
    for package in known.packages:
        check_package(path, known.title, package)
    return known


def is_list(path: Path) -> bool:
    """Whether a file is a text of numbers, which may have any number of columns."""
    return path.name.lower().endswith(TEXT_ENDINGS) and is_text(path)


def check_package(path: Path, title: str, package: str) -> None:
    """Refuse a file whose reader is not installed.

    Raises
    ------
    ValueError
        Names the extra that installs it.
    """
    try:
        optional_package(package, f"reads {title}", "formats")
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def choose_signal(signals: Sequence[Signal], dataset: str, name: str) -> Signal:
    """The image called `dataset`; with an empty name the largest, first in the file.

    Of arrays of one size, phases go before numbers of features, and both before other
    properties of the cells (DREAM.3D).

    Raises
    ------
    ValueError
        If there is no image, or none of this name; names those that there are.
    """
    if not signals:
        raise ValueError(
            f"{name}: expected an image or a volume of numbers, got a file without "
            "one; choose another file."
        )
    if not dataset:
        return max(signals, key=lambda s: (s.n_pixels, _preference(s)))
    wanted = dataset.strip("/")
    found = [s for s in signals if s.name.strip("/") == wanted] or [
        s for s in signals if s.name.strip("/").split("/")[-1] == wanted
    ]
    found = found or [s for s in signals if s.name.lower() == wanted.lower()]
    if len(found) != 1:
        listed = ", ".join(f"'{s.name}'" for s in (found or signals)[:20])
        raise ValueError(
            f"{name}: expected the name of one of its datasets ({listed}), got "
            f"'{dataset}'; correct 'Dataset'."
        )
    return found[0]


def _preference(signal: Signal) -> int:
    """Higher for labels, by their name."""
    last = signal.name.rsplit("/", 1)[-1].lower()
    if signal.dtype is None or signal.dtype.kind not in "iub":
        return 0
    found = (re.search(words, last) for words in LABELS)
    return next((len(LABELS) - n for n, match in enumerate(found) if match), 0)


LABELS = ("phase", "label|segment", "feature_?id|grain_?id")
"""Names of labels, preferred ones first."""


def check_expansion(
    shape: Sequence[int], dtype: np.dtype[Any], n_bytes: int, name: str
) -> None:
    """Refuse headers whose values cannot be in a file of this size, or in memory.

    Raises
    ------
    ValueError
        If the values would take more than `MAX_EXPANSION` times the file, or more than
        the available memory.
    """
    size = math.prod(shape) * dtype.itemsize
    if size > max(SMALL_BYTES, MAX_EXPANSION * n_bytes):
        text = " x ".join(map(str, shape))
        raise ValueError(
            f"{name}: expected a complete file, got a header that announces {text} "
            f"values in {n_bytes:,} bytes; copy or export it again."
        )
    check_memory(shape, dtype, name)


# --- HDF5, MATLAB, NPZ ---------------------------------------------------------------


def _hdf5(path: Path) -> list[Signal]:
    """Numeric datasets of two to four dimensions, by their path in the file."""
    h5py = import_module("h5py")

    _check_hdf5(path)
    found: list[Signal] = []
    with h5py.File(path, "r") as file:
        is_matlab = _is_matlab_73(path)

        def visit(name: str, item: Any) -> None:
            # Links to other files are not followed, nor data kept outside of this one.
            if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
                return
            if item.dtype.kind not in "biuf" or not 2 <= item.ndim <= 5:
                return
            if min(item.shape) == 0 or item.size <= 16:
                return  # tables of a few numbers, such as a transform
            read = partial(_hdf5_values, path, name, is_matlab)
            if is_matlab:
                found.append(_of_matlab(name, item.shape[::-1], item.dtype, read))
                return
            edges, notes = _hdf5_edges(item), tuple[str, ...]()
            if edges is None:
                edges, notes = _dream3d_edges(item)
            found.append(Signal(name, item.shape, item.dtype, read, "", edges, notes))

        file.visititems(visit)
    return found


def _check_hdf5(path: Path) -> None:
    """Refuse a damaged file in whose list of datasets the library would never end.

    In a process of its own, which can be stopped.
    """
    # -P: no module of the present folder is imported.
    words = [sys.executable, "-P", "-c", LIST_HDF5, str(path)]
    _run(words, LISTING_S, "list of datasets")


def _run(
    words: Sequence[str], limit_s: float, what: str
) -> subprocess.CompletedProcess[str]:
    """Run a reader in a process of its own; a ValueError if it takes too long."""
    try:
        return subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=limit_s
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"its {what} cannot be read within {limit_s:g} s; copy it to a disk of "
            "this computer"
        ) from error


LISTING_S, VARIABLES_S = 15, 600
LIST_HDF5 = """
import sys
import h5py
with h5py.File(sys.argv[1], "r") as file:
    file.visititems(lambda name, item: None)
"""


def _hdf5_values(path: Path, name: str, is_matlab: bool) -> NDArray[Any]:
    h5py = import_module("h5py")

    with h5py.File(path, "r") as file:
        values = np.asarray(file[name][()])
    # MATLAB stores columns first: the file has the axes in reverse order.
    return values.T if is_matlab else values


def _hdf5_edges(dataset: Any) -> Edges | None:
    """``element_size_um`` (ilastik, Fiji; Z, Y, X) of the dataset."""
    sizes = dataset.attrs.get("element_size_um")
    if sizes is None or len(sizes) not in (2, 3):
        return None
    return edges_in_nm([(size, "um") for size in reversed(list(sizes))])


def _dream3d_edges(dataset: Any) -> tuple[Edges | None, tuple[str, ...]]:
    """Spacing (X, Y, Z) of the geometry that the cell data of DREAM.3D belong to.

    DREAM3D-NX stores it as attributes of the group (simplnx, ``ImageGeomIO.cpp``).
    """
    geometry = dataset.parent.parent
    spacing = geometry.attrs.get("_SPACING")
    if spacing is None:
        spacing = _dream3d_6_spacing(geometry)
    if np.shape(spacing) != (3,):
        return None, ()
    unit = NX_UNITS.get(geometry.attrs.get("Units"))
    # The unit of images without one is stored as the metre.
    for name, limit in ((unit, COARSEST_PIXEL_NM), ("um", math.inf)):
        edges = edges_in_nm([(float(length), name) for length in spacing])
        if edges is not None and all(0 < edge < limit for edge in edges):
            return edges, () if name == unit else (NO_UNIT,)
    return None, ()


def _dream3d_6_spacing(place: Any) -> Any:
    """Values of the dataset beside the cell data; None without one."""
    h5py = import_module("h5py")

    for name in ("_SIMPL_GEOMETRY", "SPACING"):
        # Links to other files are not followed.
        if not isinstance(place, h5py.Group) or not isinstance(
            place.get(name, getlink=True), h5py.HardLink
        ):
            return None
        place = place[name]
    is_plain = isinstance(place, h5py.Dataset) and place.shape == (3,)
    return None if not is_plain or place.external or place.is_virtual else place[()]


NX_UNITS = {4: "pm", 5: "nm", 6: "um", 7: "mm", 8: "cm", 10: "m", 21: "angstrom"}
"""Numbers of units of length (simplnx, ``IGeometry::LengthUnit``)."""
NO_UNIT = "The spacing has no unit: micrometres, the custom of DREAM.3D."


def _is_matlab_73(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(19) == b"MATLAB 7.3 MAT-file"


def _matlab(path: Path) -> list[Signal]:
    """Numeric variables; files since version 7.3 are HDF5."""
    if _is_matlab_73(path):
        check_package(path, "MATLAB files since version 7.3", "h5py")
        return _hdf5(path)
    with _matlab_variables(path) as variables:
        return [
            _of_matlab(name, values.shape, values.dtype, partial(np.asarray, values))
            for name, values in variables.items()
            if values.ndim >= 2 and values.size > 1
        ]


def _of_matlab(
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    read: Callable[[], NDArray[Any]],
) -> Signal:
    """A variable: of a volume, rows, columns and planes come in this order.

    Three or four planes are colours; a fourth axis numbers images of colours.
    """
    if not 3 <= len(shape) <= 4 or (len(shape) == 3) == (shape[2] in (3, 4)):
        return Signal(name, shape, dtype, read)
    rows, columns = shape[:2]
    note = f"MATLAB's order of axes is assumed: {rows} rows, {columns} columns and "
    note += f"{shape[-1]} planes."
    return Signal(
        name,
        (shape[-1], *shape[:-1]),
        dtype,
        lambda: np.moveaxis(read(), -1, 0),
        "ZYX" + "C" * (len(shape) - 3),
        notes=(note,),
    )


@contextmanager
def _matlab_variables(path: Path) -> Iterator[dict[str, NDArray[Any]]]:
    """Numeric arrays of a file, read by SciPy in a process of its own.

    SciPy's reader ends the process on some damaged files.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "variables.npz"
        words = [sys.executable, "-c", READ_MATLAB, str(path), str(copy)]
        done = _run(words, VARIABLES_S, "variables")
        if done.returncode or not copy.exists():
            lines = done.stderr.strip().splitlines() or ["its reader failed"]
            raise ValueError(lines[-1].partition(": ")[2] or lines[-1])
        with copy.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            yield {name: archive[name] for name in archive.files}


READ_MATLAB = """
import sys
import numpy
from scipy.io import loadmat
arrays = {}
def visit(name, values):
    if not isinstance(values, numpy.ndarray):
        return
    if values.dtype.kind in "biuf":
        arrays[name] = values
    elif values.dtype.names and values.size == 1:  # a struct
        for field in values.dtype.names:
            visit(name + "/" + field, values[field].item())
for name, values in loadmat(sys.argv[1]).items():
    visit(name, values)
numpy.savez(sys.argv[2], **arrays)
"""


def _npz(path: Path) -> list[Signal]:
    """Arrays of an archive; pickled objects are not read."""
    found = []
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        for name in archive.files:
            with archive.zip.open(f"{name}.npy") as member:
                shape, dtype = npy_header(member)
            if dtype.kind in "biuf" and len(shape) >= 2:
                found.append(
                    Signal(name, shape, dtype, partial(_npz_values, path, name))
                )
    return found


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the values that follow."""
    version = np.lib.format.read_magic(file)
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")
    shape, _, dtype = read(file)
    return shape, dtype


def _npz_values(path: Path, name: str) -> NDArray[Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return np.asarray(archive[name])


def _tables(path: Path) -> list[Signal]:
    """Tables of numbers in text; maps of EBSD have several columns."""
    table = read_table(path)
    return [
        Signal(
            name,
            values.shape,
            values.dtype,
            partial(np.asarray, values),
            "YX",
            table.edges_nm,
            table.notes,
        )
        for name, values in table.images.items()
    ]


# --- Tomography and medical imaging ---------------------------------------------------


def _nrrd(path: Path) -> list[Signal]:
    """NRRD, and NHDR with its data in another file of the same folder."""
    nrrd = import_module("nrrd")

    header = nrrd.read_header(str(path))
    data = header.get("data file", header.get("datafile"))
    if data is not None and Path(str(data)).name != str(data):
        raise ValueError(
            f"its data file '{data}' is not in the same folder, where it is expected"
        )
    axes, edges = "", None
    sizes = [int(n) for n in header["sizes"]]
    kinds = header.get("kinds") or []
    lengths = _nrrd_spacings(header)
    units = header.get("space units") or header.get("units") or []
    spatial = [i for i, length in enumerate(lengths) if math.isfinite(length)]
    if spatial and len(units) >= len(spatial):
        edges = edges_in_nm([(lengths[i], u) for i, u in zip(spatial, units)])  # noqa: B905
    if kinds and "color" in str(kinds[0]).lower():
        axes = "ZYX"[-(len(sizes) - 1) :] + "C"
    return [
        Signal(
            path.stem,
            tuple(reversed(sizes)),
            None,
            lambda: np.asarray(nrrd.read(str(path), index_order="C")[0]),
            axes,
            edges,
        )
    ]


def _nrrd_spacings(header: Mapping[str, Any]) -> list[float]:
    """Distance of neighbouring samples along each axis, NaN where there is none."""
    directions = header.get("space directions")
    if directions is not None:
        return [
            math.nan if row is None else float(np.linalg.norm(row))
            for row in directions
        ]
    return [float(length) for length in header.get("spacings", ())]


def _nifti(path: Path) -> list[Signal]:
    """NIfTI-1 and -2: first axis x, so the array is turned to Z, Y, X."""
    nibabel = import_module("nibabel")

    image = nibabel.load(path)
    header = image.header
    shape = tuple(int(n) for n in image.shape)
    unit = header.get_xyzt_units()[0]
    names = {"mm": "mm", "meter": "m", "micron": "um"}
    edges = None
    if unit in names:
        edges = edges_in_nm([(edge, names[unit]) for edge in header.get_zooms()[:3]])
    dtype = header.get_data_dtype()

    def values() -> NDArray[Any]:
        # Without slope and intercept the stored type is kept: labels stay integers.
        stored = np.asanyarray(image.dataobj)
        if stored.dtype.names:
            stored = np.stack([stored[field] for field in stored.dtype.names], -1)
            return np.asarray(np.moveaxis(stored, [0, 1, 2], [2, 1, 0]))
        return np.asarray(stored.T)

    axes = "ZYXC" if dtype.names else "TZYX"[-len(shape) :] if len(shape) < 5 else ""
    shown = (*shape[::-1], len(dtype.names)) if dtype.names else shape[::-1]
    return [Signal(path.stem, shown, dtype, values, axes, edges)]


def _mrc(path: Path) -> list[Signal]:
    """MRC2014: sections along z, lengths in angstroms."""
    mrcfile = import_module("mrcfile")

    with mrcfile.mmap(path, mode="r") as file:
        shape, dtype, size = file.data.shape, file.data.dtype, file.voxel_size
        lengths = [float(size[axis]) for axis in "xyz"[: len(shape)]]
    edges = edges_in_nm([(length, "angstrom") for length in lengths])
    is_known = edges is not None and min(edges) > 0
    return [
        Signal(
            path.stem,
            shape,
            dtype,
            lambda: _mrc_values(path),
            "ZYX"[-len(shape) :],
            edges if is_known else None,
        )
    ]


def _mrc_values(path: Path) -> NDArray[Any]:
    mrcfile = import_module("mrcfile")

    with mrcfile.open(path, mode="r") as file:
        return np.array(file.data)


def _stored(
    list_arrays: Callable[[Path], list[StoredArray]], path: Path
) -> list[Signal]:
    """Arrays of `volume_files`."""
    return [
        Signal(
            array.name,
            array.shape,
            array.dtype,
            array.read,
            array.axes,
            array.edges_nm,
        )
        for array in list_arrays(path)
    ]


# --- Microscopes ----------------------------------------------------------------------

ROSETTA = {
    ".blo": "blockfile",
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".emd": "emd",
    ".emi": "tia",
    ".hspy": "hspy",
    ".ser": "tia",
    ".sur": "digitalsurf",
    ".bcf": "bruker",
    ".elid": "phenom",
}
"""Ending -> reader of RosettaSciIO."""


def _rosetta(path: Path) -> list[Signal]:
    """Images by RosettaSciIO: Gatan, FEI/Thermo Fisher, MRC, Bruker, HyperSpy ..."""
    reader = import_module(f"rsciio.{ROSETTA[path.suffix.lower()]}")
    found = []
    for index, part in enumerate(reader.file_reader(str(path), lazy=False)):
        values = part["data"]
        if values.dtype.kind not in "biuf" or not 2 <= values.ndim <= 4:
            continue
        axes, edges = _rosetta_axes(part["axes"])
        title = part.get("metadata", {}).get("General", {}).get("title", "")
        found.append(
            Signal(
                str(title or f"image {index}"),
                values.shape,
                values.dtype,
                partial(np.asarray, values),
                axes,
                edges,
            )
        )
    return found


def _rosetta_axes(axes: Sequence[Mapping[str, Any]]) -> tuple[str, Edges | None]:
    """Letters of the axes, and edges along X, Y and Z."""
    ordered = sorted(axes, key=lambda axis: axis.get("index_in_array", 0))
    letters = "".join(str(axis.get("name") or "?")[0].upper() for axis in ordered)
    by_letter = dict(zip(letters, ordered, strict=True))
    unit = by_letter.get("X", {}).get("units")
    edges = None
    if {"X", "Y"} <= by_letter.keys():
        lengths = [by_letter[n] for n in "XYZ" if n in by_letter]
        edges = edges_in_nm(
            [(abs(axis["scale"]), axis.get("units") or unit) for axis in lengths]
        )
    is_known = set(letters) <= set("ZYX") and len(set(letters)) == len(letters)
    return letters if is_known else "", edges


# --- VTK and raw ----------------------------------------------------------------------

VTK_DTYPES = {
    **{f"Int{8 * n}": f"i{n}" for n in (1, 2, 4, 8)},
    **{f"UInt{8 * n}": f"u{n}" for n in (1, 2, 4, 8)},
    "Float32": "f4",
    "Float64": "f8",
}


def _vtk_image(path: Path) -> list[Signal]:
    """Arrays of VTK ImageData, of cells or points, in any of its encodings.

    Source: VTK file formats, "XML file formats"; the format has no unit.
    """
    check_memory((path.stat().st_size,), np.dtype(np.uint8), path.name)
    content = path.read_bytes()
    start = content.find(b"<AppendedData")
    text, tag, raw = content, b"", b""
    if start >= 0:
        tag, _, raw = content[start:].partition(b"_")
        text = content[:start] + b"</VTKFile>"
    root = ElementTree.fromstring(text)
    image = root.find("ImageData")
    pieces = [] if image is None else image.findall("Piece")
    if len(pieces) != 1:
        raise ValueError("it holds no ImageData of one piece")
    extent = [int(n) for n in pieces[0].attrib["Extent"].split()]
    points = [extent[i + 1] - extent[i] + 1 for i in (0, 2, 4)]
    appended = _Appended(raw, is_text=b'"base64"' in tag)
    found = []
    for kind, reduced in (("CellData", 1), ("PointData", 0)):
        # A plane of points is an image; it has no cells across it.
        counts = [max(1, n - reduced) for n in points]
        for node in pieces[0].iterfind(f"{kind}/DataArray"):
            if node.attrib.get("type") not in VTK_DTYPES:
                continue
            dtype = np.dtype(VTK_DTYPES[node.attrib["type"]])
            n = int(node.attrib.get("NumberOfComponents", 1))
            shape = tuple(counts[::-1]) + ((n,) if n > 1 else ())
            check_expansion(shape, dtype, path.stat().st_size, path.name)
            axes = "ZYXC" if n > 1 else "ZYX"
            found.append(
                Signal(
                    node.attrib.get("Name", kind),
                    shape,
                    dtype,
                    _VtkArray(root.attrib, node, dtype, shape, appended).read,
                    axes,
                )
            )
    return found


@dataclass(frozen=True)
class _Appended:
    """The part of the file behind the XML, as bytes or in base64."""

    content: bytes
    is_text: bool


@dataclass(frozen=True)
class _VtkArray:
    """How the values of one array are stored."""

    file: Mapping[str, str]
    node: ElementTree.Element
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    appended: _Appended

    def read(self) -> NDArray[Any]:
        kind = self.node.attrib.get("format", "ascii")
        if kind == "ascii":
            values = np.array((self.node.text or "").split(), self.dtype)
            return values.reshape(self.shape)
        order = "<" if self.file.get("byte_order", "LittleEndian")[0] == "L" else ">"
        if kind == "appended":
            stored = self.appended.content[int(self.node.attrib["offset"]) :]
            is_text = self.appended.is_text
        else:
            stored, is_text = (self.node.text or "").strip().encode(), True
        head = order + ("Q" if self.file.get("header_type") == "UInt64" else "I")
        data = self._content(stored, is_text, head)
        n_bytes = math.prod(self.shape) * self.dtype.itemsize
        if len(data) < n_bytes:
            raise ValueError("values are missing at its end")
        values = np.frombuffer(
            data[:n_bytes], self.dtype.newbyteorder("<" if order == "<" else ">")
        )
        return values.reshape(self.shape)

    def _content(self, stored: bytes, is_text: bool, head: str) -> bytes:
        """Bytes of the values, without header, encoding and compression."""
        size = struct.calcsize(head)

        def part(start: int, n: int) -> bytes:
            """`n` bytes; in base64, `start` counts characters of the text."""
            if not is_text:
                return stored[start : start + n]
            return base64.b64decode(stored[start : start + _base64_length(n)])[:n]

        (count,) = struct.unpack(head, part(0, size))
        if "compressor" not in self.file:
            # The number of bytes and the values are encoded together.
            return part(0, size + count)[size:]
        if "ZLib" not in self.file["compressor"]:
            raise ValueError(f"its compressor is {self.file['compressor']}, not zlib")
        # Number of blocks, size of a block and of the last one, compressed sizes.
        n_header = size * (3 + count)
        header = part(0, n_header)
        if len(header) < n_header:
            raise ValueError("its list of blocks is cut off")
        sizes = struct.unpack(f"{head[0]}{3 + count}{head[1]}", header)[3:]
        start = _base64_length(n_header) if is_text else n_header
        limit = math.prod(self.shape) * self.dtype.itemsize
        return b"".join(_inflated(part(start, sum(sizes)), sizes, limit))


def _base64_length(n_bytes: int) -> int:
    """Characters that encode so many bytes, padded to groups of four."""
    return -(-n_bytes // 3) * 4


def _inflated(data: bytes, sizes: Sequence[int], limit: int) -> Iterator[bytes]:
    """Blocks without their compression, at most `limit` bytes in all."""
    at = 0
    for size in sizes:
        block = zlib.decompressobj().decompress(data[at : at + size], limit + 1)
        limit -= len(block)
        at += size
        yield block
        if limit < 0:
            raise ValueError("its blocks are longer than its header says")


def read_raw(path: Path, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Values without a header, or behind a header of any content, which is skipped.

    Parameters
    ----------
    path
        File of plain values, x running fastest.
    shape
        ``(Y, X)`` or ``(Z, Y, X)``.
    dtype
        As numpy names it, with the byte order: ``"uint8"``, ``">u2"``, ``"<f4"``.

    Raises
    ------
    ValueError
        If the file has another size.
    """
    kind = np.dtype(dtype)
    needed, there = math.prod(shape) * kind.itemsize, path.stat().st_size
    if needed > there:
        text = " x ".join(map(str, shape))
        raise ValueError(
            f"{path.name}: expected {needed:,} bytes for {text} values of type "
            f"{kind.name}, got {there:,}; correct 'Raw shape' or 'Raw type'."
        )
    check_memory(shape, kind, path.name)
    return np.fromfile(path, kind, math.prod(shape), offset=there - needed).reshape(
        shape
    )


TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".asc", ".dat", ".xyz", ".ang", ".ctf")
HDF5_START = b"\x89HDF\r\n\x1a\n"
FORMATS: tuple[Format, ...] = (
    Format(
        "HDF5", (".h5", ".hdf5", ".dream3d", ".nxs", ".ilp", ".ims"), ("h5py",), _hdf5
    ),
    Format("MATLAB files", (".mat",), (), _matlab),
    Format("NPZ", (".npz",), (), _npz),
    Format("text tables", TEXT_ENDINGS, (), _tables),
    Format("NRRD", (".nrrd", ".nhdr"), ("nrrd",), _nrrd),
    Format("NIfTI", (".nii", ".nii.gz"), ("nibabel",), _nifti),
    Format("MRC files", (".mrc", ".mrcs", ".rec"), ("mrcfile",), _mrc),
    Format("VTK images", (".vti",), (), _vtk_image),
    Format("legacy VTK files", (".vtk",), (), partial(_stored, vtk_arrays)),
    Format("Amira meshes", (".am",), (), partial(_stored, amira_arrays)),
    Format("Gwyddion simple fields", (".gsf",), (), partial(_stored, gsf_arrays)),
    Format("MetaImages", (".mha", ".mhd"), (), partial(_stored, meta_images)),
    Format("microscope files", tuple(ROSETTA), ("rsciio",), _rosetta),
)
"""Formats that the ending of the name decides."""
