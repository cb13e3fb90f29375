"""VTK ImageData files (``.vti``), which ParaView opens.

Source: VTK file formats, "XML file formats", ImageData with raw appended data:
https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

VTK_TYPES = {
    "uint8": "UInt8",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "int8": "Int8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}
BLOCK_BYTES = 2**20

HEADER = """<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="{order}" header_type="UInt64"\
 compressor="vtkZLibDataCompressor">
  <ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{edge} {edge} {edge}">
    <Piece Extent="{extent}">
      <CellData Scalars="{name}">
        <DataArray type="{type}" Name="{name}" NumberOfComponents="{components}"\
 format="appended" offset="0"/>
      </CellData>
    </Piece>
  </ImageData>
  <AppendedData encoding="raw">
_"""
FOOTER = b"\n  </AppendedData>\n</VTKFile>\n"


def write_vtk_planes(
    path: Path,
    planes: Iterable[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    edge: float | None,
    name: str,
) -> None:
    """Write voxels as the cells of a regular grid, compressed, plane by plane.

    Parameters
    ----------
    planes
        Along z, ``[Y, X]`` or ``[Y, X, 3]``.
    shape, dtype
        Of the whole volume, ``[Z, Y, X]`` or ``[Z, Y, X, 3]``.
    edge
        Edge of a voxel; 1 if unknown. The format has no units.
    name
        Name of the values in ParaView.

    Raises
    ------
    ValueError
        If VTK has no such data type.
    """
    check_vtk_type(dtype)
    stored = (np.dtype(np.uint8) if dtype.kind == "b" else dtype).newbyteorder("=")
    z, y, x = shape[:3]
    header = HEADER.format(
        order="LittleEndian" if sys.byteorder == "little" else "BigEndian",
        extent=f"0 {x} 0 {y} 0 {z}",
        edge=repr(float(edge or 1)),
        name=name,
        type=VTK_TYPES[stored.name],
        components=3 if len(shape) == 4 else 1,
    )
    native = (np.ascontiguousarray(p, stored).reshape(-1) for p in planes)
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        size = math.prod(shape) * stored.itemsize
        _write_blocks(file, size, (p.view(np.uint8) for p in native))
        file.write(FOOTER)


def check_vtk_type(dtype: np.dtype[Any]) -> None:
    """Refuse a data type that VTK lacks.

    Raises
    ------
    ValueError
        Lists the supported types.
    """
    if dtype.kind != "b" and dtype.name not in VTK_TYPES:
        raise ValueError(
            f"A .vti file holds {', '.join(VTK_TYPES)}; got {dtype}. Convert "
            "the values or save as .npy."
        )


def _write_blocks(
    file: BinaryIO, size: int, pieces: Iterable[NDArray[np.uint8]]
) -> None:
    """Number of blocks, their size, size of a last partial one, compressed sizes."""
    count = -(-size // BLOCK_BYTES)
    start = file.tell()
    file.write(bytes(8 * (3 + count)))
    sizes = [file.write(zlib.compress(block, 6)) for block in _blocks(pieces)]
    end = file.tell()
    file.seek(start)
    head = (count, BLOCK_BYTES, size % BLOCK_BYTES, *sizes)
    file.write(struct.pack(f"={len(head)}Q", *head))
    file.seek(end)


def _blocks(pieces: Iterable[NDArray[np.uint8]]) -> Iterator[bytes]:
    """The same bytes in blocks of equal size; the last one may be shorter."""
    rest = bytearray()
    for piece in pieces:
        rest += piece.tobytes()
        whole = len(rest) // BLOCK_BYTES * BLOCK_BYTES
        for at in range(0, whole, BLOCK_BYTES):
            yield bytes(rest[at : at + BLOCK_BYTES])
        del rest[:whole]
    if rest:
        yield bytes(rest)
