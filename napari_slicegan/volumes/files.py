"""Files of volumes, written plane by plane."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_slicegan.data.pixel_values import rgb_of
from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_ending,
    replacing,
)
from napari_slicegan.volumes.header_files import (
    META_TYPES,
    MRC_MODES,
    NRRD_TYPES,
    write_meta_image,
    write_mrc,
    write_nrrd,
)
from napari_slicegan.volumes.vtk_image import check_vtk_type, write_vtk_planes

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

NAMESPACE = "napari-slicegan/volume"
# A classic TIFF has 32-bit offsets; leave room for its directories.
CLASSIC_TIFF_BYTES = 2**32 - 2**26
# Pixel types of the OME data model.
OME_TYPES = "uint8 uint16 uint32 int8 int16 int32 float32 float64".split()
TYPES: Mapping[str, Iterable[str]] = {
    ".tif": OME_TYPES,
    ".tiff": OME_TYPES,
    ".nrrd": NRRD_TYPES,
    ".mrc": MRC_MODES,
    ".mha": META_TYPES,
    ".mhd": META_TYPES,
}
"""Ending -> types of values; ``.npy`` holds all, VTK has a check of its own."""
ENDINGS = (".tif", ".tiff", ".npy", ".nrrd", ".mrc", ".mha", ".mhd", ".vti")
BESIDE = {".mhd": ".raw"}
"""Ending -> that of a file that is written beside it."""


@dataclass(frozen=True, eq=False)
class Planes:
    """A volume of any size as its planes along z.

    Attributes
    ----------
    planes
        First to last, [Y, X], of colour [Y, X, 3]; iterated once.
    shape
        [Z, Y, X], of colour [Z, Y, X, 3].
    dtype, kind, voxel_size_nm, labels, colours
        See `Volume`.
    """

    planes: Iterable[NDArray[Any]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kind: Kind
    voxel_size_nm: float | None
    labels: tuple[int, ...]
    colours: Mapping[int, str] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __iter__(self) -> Iterator[NDArray[Any]]:
        native = self.dtype.newbyteorder("=")
        for plane in self.planes:
            yield np.ascontiguousarray(plane, native)


def write_volume(path: Path, planes: Planes) -> None:
    """Write a volume in the format of its ending, one of `ENDINGS`.

    TIFF (OME), NPY (bare values), VTK ImageData (``.vti``), NRRD, MRC, or MetaImage
    (``.mha``, or ``.mhd`` with the values in ``.raw``). No more than a few planes are
    in memory. The TIFF also holds voxel size, kind and labels. The file appears
    complete or not at all.

    Raises
    ------
    ValueError
        If the ending is another one, or the format cannot hold the values.
    """
    check_ending(path, *ENDINGS)
    ending = path.suffix.lower()
    check_type(ending, planes.dtype)
    if ending == ".mrc" and planes.kind == "colour":
        raise ValueError(
            "Expected one value per voxel for an MRC file, got colours; save as .tif, "
            ".nrrd or .mha."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        if ending == ".vti":
            edge = planes.voxel_size_nm
            write_vtk_planes(
                partial, planes, planes.shape, planes.dtype, edge, planes.kind
            )
        elif ending == ".npy":
            _write_npy(partial, planes)
        elif ending == ".nrrd":
            write_nrrd(partial, planes)
        elif ending == ".mrc":
            write_mrc(partial, planes)
        elif ending == ".mha":
            write_meta_image(partial, planes)
        elif ending == ".mhd":
            beside = path.with_suffix(BESIDE[ending])
            with replacing(beside) as values:
                write_meta_image(partial, planes, values, beside.name)
        else:
            _write_tiff(partial, planes)


def check_can_write_volume(path: Path) -> None:
    """Refuse a volume that could not be written, before the work that makes it.

    Raises
    ------
    ValueError
        As `check_can_write`, also of the file that is written beside it.
    """
    check_can_write(path, *ENDINGS)
    for beside in files_of_volume(path)[1:]:
        check_can_write(beside)


def files_of_volume(path: Path) -> list[Path]:
    """Files that `write_volume` writes for a name: itself, and one beside it."""
    ending = BESIDE.get(path.suffix.lower())
    return [path] if ending is None else [path, path.with_suffix(ending)]


def check_type(ending: str, dtype: np.dtype[Any]) -> None:
    """Refuse a data type that a format lacks.

    Raises
    ------
    ValueError
        Lists the supported types.
    """
    if ending == ".vti":
        check_vtk_type(dtype)
    elif ending in TYPES and dtype.name not in TYPES[ending]:
        name = "An OME-TIFF" if ending.startswith(".tif") else f"A {ending} file"
        raise ValueError(
            f"{name} holds {', '.join(TYPES[ending])}; got {dtype}. "
            "Convert the values or save as .npy."
        )


def _write_npy(path: Path, planes: Planes) -> None:
    native = planes.dtype.newbyteorder("=")
    header = {
        "descr": np.lib.format.dtype_to_descr(native),
        "fortran_order": False,
        "shape": tuple(planes.shape),
    }
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for plane in planes:
            file.write(plane.data)


def _write_tiff(path: Path, planes: Planes) -> None:
    """OME-TIFF whose annotation holds what OME has no field for."""
    facts = {
        "kind": planes.kind,
        "labels": json.dumps(planes.labels),
        "shape": json.dumps(planes.shape),
        "voxel_size_nm": json.dumps(planes.voxel_size_nm),
    }
    colour = planes.kind == "colour"
    palette = None
    if planes.colours:
        facts["colours"] = json.dumps(dict(planes.colours))
        if planes.dtype == np.uint8:
            # [3, 256], of 16 bits.
            palette = np.zeros((3, 256), np.uint16)
            for label, name in planes.colours.items():
                palette[:, label] = np.multiply(rgb_of(name), 257)
    metadata: dict[str, Any] = {"axes": "ZYXS" if colour else "ZYX"}
    metadata["MapAnnotation"] = {"Namespace": NAMESPACE, **facts}
    if planes.voxel_size_nm is not None:
        for axis in "XYZ":
            metadata[f"PhysicalSize{axis}"] = planes.voxel_size_nm
            metadata[f"PhysicalSize{axis}Unit"] = "nm"
    kind = "rgb" if colour else "minisblack"
    tifffile.imwrite(
        path,
        iter(planes),
        shape=planes.shape,
        dtype=planes.dtype.newbyteorder("="),
        ome=True,
        bigtiff=planes.nbytes > CLASSIC_TIFF_BYTES,
        photometric="palette" if palette is not None else kind,
        colormap=palette,
        compression="zlib",
        metadata=metadata,
    )
