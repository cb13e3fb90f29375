from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_slicegan.volumes import vtk_image
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(0)
NUMPY_TYPES = {name: kind for kind, name in vtk_image.VTK_TYPES.items()}


def read_by_hand(path: Path) -> tuple[NDArray[Any], float]:
    """Values and spacing, read as the description of the format says."""
    text, _, raw = path.read_bytes().partition(b'encoding="raw">\n_')
    extent = [int(n) for n in re.findall(rb'<Piece Extent="([^"]*)"', text)[0].split()]
    spacing = [float(n) for n in re.findall(rb'Spacing="([^"]*)"', text)[0].split()]
    kind = NUMPY_TYPES[re.findall(rb'DataArray type="(\w+)"', text)[0].decode()]
    components = int(re.findall(rb'NumberOfComponents="(\d)"', text)[0])
    count, block, rest = struct.unpack_from("=3Q", raw)
    sizes = struct.unpack_from(f"={count}Q", raw, 24)
    at, data = 24 + 8 * count, b""
    for size in sizes:
        data += zlib.decompress(raw[at : at + size])
        at += size
    assert len(data) == count * block - (block - rest if rest else 0)
    assert len(set(spacing)) == 1
    # x runs fastest; a row of n cells lies between n + 1 points.
    x, y, z = extent[1], extent[3], extent[5]
    shape = (z, y, x) if components == 1 else (z, y, x, components)
    return np.frombuffer(data, kind).reshape(shape), spacing[0]


VOLUMES = {
    "phases": Volume(RNG.choice(np.array([0, 127, 255]), (4, 5, 6)), "phases", 12.5),
    "no voxel size": Volume(RNG.random((3, 4, 2)).astype(np.float32), "grayscale"),
    "colour": Volume(RNG.integers(0, 256, (3, 4, 5, 3), np.uint8), "colour", 2.0),
    "one voxel": Volume(np.zeros((1, 1, 1), np.uint8), "phases"),
    "big endian": Volume(RNG.random((3, 4, 2)).astype(">f8"), "grayscale", 0.1),
}


def test_values_and_spacing(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for name in VOLUMES:
        with subtests.test(name):
            folder = tmp_path_factory.mktemp("case")
            volume = VOLUMES[name]
            volume.save(folder / "volume.vti")
            values, spacing = read_by_hand(folder / "volume.vti")
            np.testing.assert_array_equal(values, volume.values)
            assert spacing == (volume.voxel_size_nm or 1.0)


def test_any_number_of_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for block in [7, 1000]:
        with subtests.test(block=block):
            monkeypatch.setattr(vtk_image, "BLOCK_BYTES", block)
            VOLUMES["phases"].save(tmp_path / "volume.vti")  # 120 bytes
            values, _ = read_by_hand(tmp_path / "volume.vti")
            np.testing.assert_array_equal(values, VOLUMES["phases"].values)


def test_vtk_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    xml = pytest.importorskip("vtkmodules.vtkIOXML", reason="needs the package vtk")
    support = pytest.importorskip("vtkmodules.util.numpy_support")
    for name in VOLUMES:
        with subtests.test(name):
            folder = tmp_path_factory.mktemp("case")
            volume = VOLUMES[name]
            volume.save(folder / "volume.vti")
            reader = xml.vtkXMLImageDataReader()
            reader.SetFileName(str(folder / "volume.vti"))
            reader.Update()
            image = reader.GetOutput()
            read = support.vtk_to_numpy(image.GetCellData().GetArray(volume.kind))
            np.testing.assert_array_equal(
                read.reshape(volume.values.shape), volume.values
            )
            assert image.GetSpacing() == (volume.voxel_size_nm or 1.0,) * 3
            z, y, x = volume.values.shape[:3]
            assert image.GetDimensions() == (x + 1, y + 1, z + 1)


def test_types_that_vtk_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="got float16"):
        Volume(np.zeros((2, 2, 2), np.float16), "grayscale").save(tmp_path / "v.vti")
    assert not list(tmp_path.iterdir())
