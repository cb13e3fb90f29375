"""VTK ImageData files (``.vti``), which ParaView opens.

Source: VTK file formats, "XML file formats", ImageData with raw appended data:
https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html
"""

from __future__ import annotations

import struct
import sys
import zlib
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


def write_vtk_image(
    path: Path, values: NDArray[Any], edge: float | None, name: str
) -> None:
    """Write voxels as the cells of a regular grid, compressed.

    Parameters
    ----------
    path
        File to write.
    values
        ``[Z, Y, X]`` or ``[Z, Y, X, 3]``.
    edge
        Edge of a voxel; 1 if unknown. The format has no units.
    name
        What the values are called in ParaView.

    Raises
    ------
    ValueError
        If VTK has no such data type.
    """
    stored = values.astype(np.uint8) if values.dtype == bool else values
    if stored.dtype.name not in VTK_TYPES:
        raise ValueError(
            f"A .vti file holds {', '.join(VTK_TYPES)}; got {values.dtype}. Convert "
            "the values or save as .npy."
        )
    z, y, x = values.shape[:3]
    header = HEADER.format(
        order="LittleEndian" if sys.byteorder == "little" else "BigEndian",
        extent=f"0 {x} 0 {y} 0 {z}",
        edge=repr(float(edge or 1)),
        name=name,
        type=VTK_TYPES[stored.dtype.name],
        components=3 if values.ndim == 4 else 1,
    )
    native = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        _write_blocks(file, native.reshape(-1).view(np.uint8))
        file.write(FOOTER)


def _write_blocks(file: BinaryIO, data: NDArray[np.uint8]) -> None:
    """Number of blocks, their size, size of a last partial one, compressed sizes."""
    count = -(-data.size // BLOCK_BYTES)
    start = file.tell()
    file.write(bytes(8 * (3 + count)))
    sizes = [
        file.write(zlib.compress(data[at : at + BLOCK_BYTES].tobytes(), 6))
        for at in range(0, data.size, BLOCK_BYTES)
    ]
    end = file.tell()
    file.seek(start)
    head = (count, BLOCK_BYTES, data.size % BLOCK_BYTES, *sizes)
    file.write(struct.pack(f"={len(head)}Q", *head))
    file.seek(end)
