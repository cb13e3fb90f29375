"""NRRD, MRC and MetaImage: a header, then the values plane by plane.

Sources: https://teem.sourceforge.net/nrrd/format.html;
https://www.ccpem.ac.uk/mrc_format/mrc2014.php; ITK, "MetaIO documentation".
"""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_slicegan.volumes.files import Planes

NRRD_TYPES = "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64".split()
NRRD_NAMES = {"float32": "float", "float64": "double"}
MRC_MODES = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "uint8": 6}
"""Of MRC2014, which has no uint8: it is written as uint16."""
META_TYPES = {
    "int8": "MET_CHAR",
    "uint8": "MET_UCHAR",
    "int16": "MET_SHORT",
    "uint16": "MET_USHORT",
    "int32": "MET_INT",
    "uint32": "MET_UINT",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}
ANGSTROM_PER_NM = 10


def write_nrrd(path: Path, planes: Planes) -> None:
    """NRRD with compressed values; lengths in nanometres."""
    z, y, x = planes.shape[:3]
    colour = planes.shape[3:]
    sizes = " ".join(map(str, (*colour, x, y, z)))
    kind = planes.dtype.name
    lines = [
        "NRRD0005",
        f"type: {NRRD_NAMES.get(kind, kind)}",
        f"dimension: {3 + len(colour)}",
        "space dimension: 3",
        f"sizes: {sizes}",
        f"kinds: {' '.join(['RGB-color'] * len(colour) + ['domain'] * 3)}",
        f"endian: {sys.byteorder}",
        "encoding: gzip",
    ]
    if (edge := planes.voxel_size_nm) is not None:
        rows = [f"({edge!r},0,0)", f"(0,{edge!r},0)", f"(0,0,{edge!r})"]
        lines += [
            f"space directions: {' '.join(['none'] * len(colour) + rows)}",
            'space units: "nm" "nm" "nm"',
        ]
    with path.open("wb") as file:
        file.write("\n".join([*lines, "", ""]).encode("ascii"))
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            for plane in planes:
                packed.write(plane.data)


def write_mrc(path: Path, planes: Planes) -> None:
    """MRC2014, as electron tomography uses it; lengths in angstroms."""
    z, y, x = planes.shape[:3]
    edge = (planes.voxel_size_nm or 0.0) * ANGSTROM_PER_NM
    head = bytearray(1024)
    size = (x, y, z)
    struct.pack_into(
        "=10i", head, 0, *size, MRC_MODES[planes.dtype.name], 0, 0, 0, *size
    )
    struct.pack_into("=6f", head, 40, *(n * edge for n in size), 90, 90, 90)
    struct.pack_into("=3i", head, 64, 1, 2, 3)
    # Minimum, maximum and mean: not determined. Space group 1: a volume.
    struct.pack_into("=3fi", head, 76, 0, -1, -2, 1)
    struct.pack_into("=i", head, 108, 20140)
    is_little = sys.byteorder == "little"
    head[208:216] = b"MAP " + (b"DD\0\0" if is_little else b"\x11\x11\0\0")
    struct.pack_into("=fi", head, 216, -1, 1)
    head[224:304] = b"napari-slicegan".ljust(80)
    with path.open("wb") as file:
        file.write(head)
        for plane in planes:
            wide = plane.astype(np.uint16) if planes.dtype == np.uint8 else plane
            file.write(wide.data)


def write_meta_image(
    path: Path, planes: Planes, values: Path | None = None, name: str = "LOCAL"
) -> None:
    """MetaImage; the values follow the header, or are written to another file.

    Its lengths have no unit: here they are nanometres, 1 if unknown.

    Parameters
    ----------
    values, name
        File of the values, and what the header calls it.
    """
    z, y, x = planes.shape[:3]
    edge = repr(float(planes.voxel_size_nm or 1))
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        *(["Comment = lengths in nm"] if planes.voxel_size_nm is not None else []),
        "BinaryData = True",
        f"BinaryDataByteOrderMSB = {sys.byteorder == 'big'}",
        "CompressedData = False",
        f"DimSize = {x} {y} {z}",
        f"ElementSpacing = {edge} {edge} {edge}",
        f"ElementNumberOfChannels = {3 if len(planes.shape) == 4 else 1}",
        f"ElementType = {META_TYPES[planes.dtype.name]}",
        f"ElementDataFile = {name}",
    ]
    head = ("\n".join(lines) + "\n").encode()
    if values is None:
        _write_raw(path, planes, head)
        return
    _write_raw(values, planes, b"")
    path.write_bytes(head)


def _write_raw(path: Path, planes: Planes, head: bytes) -> None:
    with path.open("wb") as file:
        file.write(head)
        for plane in planes:
            file.write(plane.data)
