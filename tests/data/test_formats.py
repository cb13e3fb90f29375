"""Formats of microscopes and tomography: values, axes and pixel sizes."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data import formats
from napari_slicegan.data.formats import (
    check_expansion,
    choose_signal,
    format_of,
    read_raw,
)
from napari_slicegan.data.image_files import read_image
from napari_slicegan.volumes.volume import Volume

VOLUME = np.random.default_rng(0).integers(0, 200, (5, 12, 17)).astype(np.uint8)


def write_hdf5(path: Path) -> None:
    """As ilastik and Fiji write it, beside a table that is no image."""
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    with h5py.File(path, "w") as file:
        file["exported"] = VOLUME
        file["exported"].attrs["element_size_um"] = [0.5, 0.1, 0.1]
        file["transform"] = np.eye(4)
        file["elsewhere"] = h5py.ExternalLink("other.h5", "data")


def write_dream3d(path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    with h5py.File(path, "w") as file:
        cells = file.create_group("DataContainers/ImageDataContainer/CellData")
        cells["EulerAngles"] = np.zeros((*VOLUME.shape, 3), np.float32)
        cells["FeatureIds"] = np.zeros((*VOLUME.shape, 1), np.int32)
        cells["Phases"] = VOLUME[..., np.newaxis]
        geometry = cells.parent.create_group("_SIMPL_GEOMETRY")
        geometry["SPACING"] = np.array([0.5, 0.5, 2], np.float32)


def dream3d_nx(unit: int) -> Callable[[Path], Any]:
    """As DREAM3D-NX writes it; 6 is the micrometre, 7 the millimetre."""

    def write(path: Path) -> None:
        h5py = pytest.importorskip("h5py", reason="needs the extra formats")
        with h5py.File(path, "w") as file:
            cells = file.create_group("DataStructure/Image Geometry/Cell Data")
            cells["Phases"] = VOLUME[..., np.newaxis]
            facts = cells.parent.attrs
            facts["_DIMENSIONS"] = np.array(VOLUME.shape[::-1], np.uint64)
            facts["_ORIGIN"] = np.zeros(3, np.float32)
            facts["_SPACING"] = np.array([0.25, 0.25, 0.5], np.float32)
            facts["Units"] = np.uint32(unit)

    return write


def write_nrrd(path: Path) -> None:
    nrrd = pytest.importorskip("nrrd", reason="needs the extra formats")
    spacings = {"space directions": np.diag([2, 2, 5.0]), "space units": ["um"] * 3}
    nrrd.write(str(path), VOLUME, spacings, index_order="C")


def write_nifti(path: Path) -> None:
    nibabel = pytest.importorskip("nibabel", reason="needs the extra formats")
    image = nibabel.Nifti1Image(VOLUME.T, np.diag([0.002, 0.002, 0.005, 1]))
    image.header.set_xyzt_units("mm")
    image.to_filename(path)


def write_mrc(path: Path) -> None:
    """MRC2014: mode 0 (int8), cell of 20 angstrom a voxel."""
    pytest.importorskip("rsciio", reason="needs the extra formats")
    z, y, x = VOLUME.shape
    head = bytearray(1024)
    struct.pack_into("<10i", head, 0, x, y, z, 6, 0, 0, 0, x, y, z)
    struct.pack_into("<6f3i", head, 40, 20 * x, 20 * y, 20 * z, 90, 90, 90, 1, 2, 3)
    head[208:216] = b"MAP \x44\x44\0\0"
    path.write_bytes(bytes(head) + VOLUME.astype("<u2").tobytes())


def write_dm3(path: Path) -> None:
    """Gatan DigitalMicrograph 3: a tree of tags, here without the thumbnail."""
    pytest.importorskip("rsciio", reason="needs the extra formats")

    def group(**tags: bytes | None) -> bytes:
        body = b"".join(
            (b"\x14" if content and content[:2] == b"\1\0" else b"\x15")
            + struct.pack(">H", 0 if name.startswith("_") else len(name))
            + (b"" if name.startswith("_") else name.encode())
            + (content or b"")
            for name, content in tags.items()
        )
        return b"\1\0" + struct.pack(">I", len(tags)) + body

    def tag(info: list[int], data: bytes) -> bytes:
        return b"%%%%" + struct.pack(f">{1 + len(info)}I", len(info), *info) + data

    def number(value: float) -> bytes:
        return tag([6], struct.pack("<f", value))

    def whole(value: int) -> bytes:
        return tag([5], struct.pack("<I", value))

    def word(text: str) -> bytes:
        return tag([20, 4, len(text)], text.encode("utf-16-le"))

    dimension = group(Origin=number(0), Scale=number(0.5), Units=word("nm"))
    image = VOLUME[0].astype("<u2")
    data = group(
        Calibrations=group(Dimension=group(_x=dimension, _y=dimension)),
        Data=tag([20, 4, image.size], image.tobytes()),
        DataType=whole(10),
        Dimensions=group(_x=whole(image.shape[1]), _y=whole(image.shape[0])),
        PixelDepth=whole(2),
    )
    name = word("HAADF")
    entry = group(ImageData=data, ImageTags=group(), Name=name)
    root = group(ImageList=group(_image=entry))
    path.write_bytes(struct.pack(">3I", 3, len(root), 1) + root + bytes(8))


def write_matlab(path: Path) -> None:
    """Rows, columns and planes, as MATLAB keeps a stack."""
    from scipy.io import savemat

    savemat(path, {"volume": np.moveaxis(VOLUME, 0, -1), "threshold": 3.0})


def write_matlab_73(path: Path) -> None:
    """HDF5 behind a header; MATLAB's axes are in reverse order."""
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    with h5py.File(path, "w", userblock_size=512) as file:
        file["volume"] = np.moveaxis(VOLUME, 0, -1).T
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")


def write_npz(path: Path) -> None:
    np.savez_compressed(path, volume=VOLUME, names=np.array(["a", "b"]))


def write_vti(path: Path) -> None:
    Volume.from_array(VOLUME).save(path)


AMIRA = """# AmiraMesh {} 2.1
define Lattice 17 12 5
Parameters {{ Units {{ Coordinates "um" }}
    BoundingBox 0 8 0 5.5 0 10,
    CoordType "uniform" }}
Lattice {{ byte Labels }} @1{}

# Data section follows
@1
"""


def amira(encoding: str) -> Callable[[Path], Any]:
    """Half a micrometre along x and y, 2.5 along z."""
    data = VOLUME.tobytes()
    if encoding == "HxZip":
        data = zlib.compress(data)
    elif encoding == "HxByteRLE":
        # The first voxel as a run of one, the others as they are.
        rest = [data[i : i + 100] for i in range(1, len(data), 100)]
        runs = [bytes([1]) + data[:1], *(bytes([128 + len(r)]) + r for r in rest)]
        data = b"".join(runs)
    elif encoding == "ASCII":
        data = "\n".join(map(str, VOLUME.ravel())).encode()
    code = f"({encoding},{len(data)})" if encoding.startswith("Hx") else ""
    order = "ASCII" if encoding == "ASCII" else "BINARY-LITTLE-ENDIAN"
    head = AMIRA.format(order, code)
    return lambda path: path.write_bytes(head.encode() + data + b"\n")


def meta_image(order: str, *, local: bool, packed: bool) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        data = VOLUME.astype(f"{order}u2").tobytes()
        data = zlib.compress(data) if packed else data
        facts = {
            "ObjectType": "Image",
            "BinaryDataByteOrderMSB": order == ">",
            "CompressedData": packed,
            "DimSize": "17 12 5",
            "ElementType": "MET_USHORT",
            "ElementDataFile": "LOCAL" if local else "values.raw",
        }
        head = "".join(f"{name} = {value}\n" for name, value in facts.items()).encode()
        path.write_bytes(head + data if local else head)
        path.with_name("values.raw").write_bytes(data)

    return write


def legacy_vtk(kind: str) -> Callable[[Path], Any]:
    """Cells of structured points."""
    data = " ".join(map(str, VOLUME.ravel())).encode()
    if kind == "BINARY":
        data = VOLUME.astype(">i2").tobytes()
    head = f"# vtk DataFile Version 3.0\ntitle\n{kind}\nDATASET STRUCTURED_POINTS\n"
    head += "DIMENSIONS 18 13 6\nSPACING 1 1 1\nCELL_DATA 1020\n"
    head += "SCALARS phase short 1\nLOOKUP_TABLE default\n"
    return lambda path: path.write_bytes(head.encode() + data + b"\n")


# RosettaSciIO leaves closing a file to Python.
WRITTEN: list[
    tuple[str, Callable[[Path], Any], NDArray[Any], tuple[float, ...] | None]
] = [
    ("a.h5", write_hdf5, VOLUME, (100, 100, 500)),
    ("a.dream3d", write_dream3d, VOLUME[..., np.newaxis], (500, 500, 2000)),
    ("nx.dream3d", dream3d_nx(6), VOLUME[..., np.newaxis], (250, 250, 500)),
    ("coarse.dream3d", dream3d_nx(7), VOLUME[..., np.newaxis], (2.5e5, 2.5e5, 5e5)),
    # Metres: no unit was chosen.
    ("metres.dream3d", dream3d_nx(10), VOLUME[..., np.newaxis], (250, 250, 500)),
    ("a.nrrd", write_nrrd, VOLUME, (2000, 2000, 5000)),
    ("a.nhdr", write_nrrd, VOLUME, (2000, 2000, 5000)),
    ("a.nii", write_nifti, VOLUME, (2000, 2000, 5000)),
    ("A.NII.GZ", write_nifti, VOLUME, (2000, 2000, 5000)),
    ("a.mrc", write_mrc, VOLUME, (2, 2, 2)),
    ("a.dm3", write_dm3, VOLUME[0], (0.5, 0.5)),
    ("a.mat", write_matlab, VOLUME, None),
    ("b.mat", write_matlab_73, VOLUME, None),
    ("a.npz", write_npz, VOLUME, None),
    ("a.vti", write_vti, VOLUME, None),
    ("a.am", amira(""), VOLUME, (500, 500, 2500)),
    ("zip.am", amira("HxZip"), VOLUME, (500, 500, 2500)),
    ("runs.am", amira("HxByteRLE"), VOLUME, (500, 500, 2500)),
    ("text.am", amira("ASCII"), VOLUME, (500, 500, 2500)),
    ("a.mha", meta_image("<", local=True, packed=False), VOLUME, None),
    ("packed.mha", meta_image(">", local=True, packed=True), VOLUME, None),
    ("a.mhd", meta_image(">", local=False, packed=False), VOLUME, None),
    ("a.vtk", legacy_vtk("ASCII"), VOLUME, None),
    ("b.vtk", legacy_vtk("BINARY"), VOLUME, None),
]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_values_and_pixel_sizes(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, write, expected, edges in WRITTEN:
        with subtests.test(name):
            path = tmp_path / name
            write(path)
            known = format_of(path)
            assert known is not None
            signal = choose_signal(known.signals(path), "", name)
            np.testing.assert_array_equal(signal.read(), expected)
            assert signal.shape == expected.shape
            if edges is None:
                assert signal.edges_nm is None
            else:
                assert signal.edges_nm == pytest.approx(edges, rel=1e-3)


# VTK's own writer made these three: points, in text, inline and appended base64.
VTK = """<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" {}>
<ImageData WholeExtent="0 2 0 1 0 0"><Piece Extent="0 2 0 1 0 0"><PointData>
<DataArray type="{}" Name="x" format="{}"{}</Piece></ImageData>{}</VTKFile>"""
END = "</DataArray></PointData>"
VTK_TEXT = VTK.format("", "Int16", "ascii", f">\n1 2 3\n4 5 6\n{END}", "")
VTK_INLINE = VTK.format(
    'header_type="UInt32"', "Int16", "binary", f">DAAAAAEAAgADAAQABQAGAA=={END}", ""
)
VTK_APPENDED = VTK.format(
    'header_type="UInt32" compressor="vtkZLibDataCompressor"',
    "Int16",
    "appended",
    f' offset="0">{END}',
    '<AppendedData encoding="base64">_AQAAAACAAAAMAAAAFAAAAA==eF5jZGBiYGZgYWBl'
    "YGMAAAB8ABY=</AppendedData>",
)


def test_encodings_of_vtk(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for text in [VTK_TEXT, VTK_INLINE, VTK_APPENDED]:
        with subtests.test(text):
            path = tmp_path / "a.vti"
            path.write_text(text)
            known = format_of(path)
            assert known is not None
            (signal,) = known.signals(path)
            np.testing.assert_array_equal(signal.read(), [[[1, 2, 3], [4, 5, 6]]])


def test_a_dataset_is_chosen_by_its_name(tmp_path: Path) -> None:
    """By its path or the end of it; unnamed, the largest; no links to other files."""
    path = tmp_path / "a.npz"
    np.savez(path, small=VOLUME[0], large=VOLUME, other=VOLUME + 1)
    known = format_of(path)
    assert known is not None
    signals = known.signals(path)
    assert choose_signal(signals, "", "a.npz").name == "large"
    assert choose_signal(signals, "small", "a.npz").shape == (12, 17)
    with pytest.raises(ValueError, match=r"\('small', 'large', 'other'\), got 'no'; c"):
        choose_signal(signals, "no", "a.npz")


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    write_hdf5(tmp_path / "a.h5")
    (tmp_path / "b").mkdir()
    write_hdf5(tmp_path / "other.h5")
    known = format_of(tmp_path / "a.h5")
    assert known is not None
    names = [signal.name for signal in known.signals(tmp_path / "a.h5")]
    assert names == ["exported"]


def test_a_damaged_list_of_datasets_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In which HDF5 itself searches without an end; nor does SciPy's reader."""
    write_hdf5(tmp_path / "a.h5")
    monkeypatch.setattr(formats, "LISTING_S", 1e-3)
    with pytest.raises(ValueError, match=r"list of datasets cannot be read within"):
        read_image(tmp_path / "a.h5")
    write_matlab(tmp_path / "a.mat")
    monkeypatch.setattr(formats, "VARIABLES_S", 1e-3)
    with pytest.raises(ValueError, match=r"variables cannot be read within"):
        read_image(tmp_path / "a.mat")


def test_a_missing_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nrrd", None)
    with pytest.raises(ValueError, match=r"a.nrrd: .*nrrd.*slicegan\[formats\]"):
        format_of(tmp_path / "a.nrrd")


def test_raw_values(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """X runs fastest; a header of unknown length stands before the values."""
    for dtype, header in [("u1", 0), (">u2", 128), ("<f4", 512)]:
        with subtests.test(dtype=dtype, header=header):
            path = tmp_path / "a.raw"
            path.write_bytes(b"#" * header + VOLUME.astype(dtype).tobytes())
            found = read_raw(path, VOLUME.shape, dtype)
            np.testing.assert_array_equal(found, VOLUME)
            with pytest.raises(
                ValueError, match=r"expected [\d,]+ bytes for 9 x 12 x 17 "
            ):
                read_raw(path, (9, 12, 17), dtype)


def test_headers_that_announce_the_impossible() -> None:
    with pytest.raises(ValueError, match="100000 x 100000 values in 2,000 bytes"):
        check_expansion((100_000, 100_000), np.dtype("u1"), 2000, "a.tif")
    check_expansion((1000, 1000), np.dtype("u1"), 2000, "a.tif")
