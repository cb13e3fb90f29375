"""NRRD, MRC and MetaImage: read back by their packages and by this program."""

from __future__ import annotations

import errno
from pathlib import Path

import mrcfile
import nrrd
import numpy as np
import pytest

from napari_slicegan.volumes.volume import Volume

RNG = np.random.default_rng(0)
ENDINGS = (".nrrd", ".mrc", ".mha", ".mhd")
VOLUMES = {
    "phases": Volume(RNG.choice(np.array([0, 127, 255]), (4, 5, 6)), "phases", 12.5),
    "no voxel size": Volume(RNG.random((3, 4, 2)).astype(np.float32), "grayscale"),
    "big endian": Volume(RNG.random((3, 4, 2)).astype(">f4"), "grayscale", 0.1),
    "colour": Volume(RNG.integers(0, 256, (3, 4, 5, 3), np.uint8), "colour", 2.0),
}


def test_values_and_sizes_come_back(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, volume in VOLUMES.items():
        for ending in ENDINGS:
            if (name, ending) == ("colour", ".mrc"):
                continue
            with subtests.test(name, ending=ending):
                path = tmp_path / f"a{ending}"
                volume.save(path)
                found = Volume.open(path)
                np.testing.assert_array_equal(found.values, volume.values)
                assert found.kind == volume.kind
                # MetaImage has no unit.
                if volume.voxel_size_nm is None or ending in (".mha", ".mhd"):
                    assert found.voxel_size_nm is None
                else:
                    size = pytest.approx(volume.voxel_size_nm)
                    assert found.voxel_size_nm == size


def test_their_packages_read_the_same(tmp_path: Path) -> None:
    volume = VOLUMES["phases"]
    volume.save(tmp_path / "a.mrc")
    assert mrcfile.validate(tmp_path / "a.mrc")
    with mrcfile.open(tmp_path / "a.mrc") as file:
        np.testing.assert_array_equal(file.data, volume.values)
        assert float(file.voxel_size.x) == pytest.approx(125)  # angstroms
        assert file.is_volume()
    volume.save(tmp_path / "a.nrrd")
    values, header = nrrd.read(str(tmp_path / "a.nrrd"), index_order="C")
    np.testing.assert_array_equal(values, volume.values)
    np.testing.assert_array_equal(header["space directions"], np.eye(3) * 12.5)
    assert header["space units"] == ["nm"] * 3


def test_raw_values_lie_beside_their_header(tmp_path: Path) -> None:
    volume = VOLUMES["phases"]
    volume.save(tmp_path / "a.mhd")
    assert (tmp_path / "a.raw").read_bytes() == volume.values.tobytes()
    text = (tmp_path / "a.mhd").read_text()
    assert "DimSize = 6 5 4\nElementSpacing = 12.5 12.5 12.5\n" in text
    assert text.endswith("ElementType = MET_UCHAR\nElementDataFile = a.raw\n")


def test_a_fault_of_the_disk_leaves_header_and_values_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VOLUMES["phases"].save(tmp_path / "a.mhd")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def failing(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("replace", "write_bytes"):
        monkeypatch.setattr(Path, name, failing)
        with pytest.raises(OSError, match="No space"):
            VOLUMES["colour"].save(tmp_path / "a.mhd")
        monkeypatch.undo()
        assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_a_format_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one value per voxel for an MRC file"):
        VOLUMES["colour"].save(tmp_path / "a.mrc")
    wide = Volume(np.array([[[0, 2**40]]]), "grayscale")
    for ending in (".mrc", ".mha"):
        with pytest.raises(ValueError, match=rf"A {ending} file holds .*; got int64"):
            wide.save(tmp_path / f"a{ending}")
    assert not list(tmp_path.iterdir())
