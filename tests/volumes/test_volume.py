from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.volumes import files as volume_files
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

RNG = np.random.default_rng(0)


def labelled(*labels: int, shape: tuple[int, ...] = (5, 6, 7)) -> NDArray[Any]:
    return RNG.choice(np.array(labels), size=shape)


VOLUMES = {
    "phases": Volume(labelled(0, 1), "phases", 12.5),
    "8-bit labels": Volume(labelled(0, 127, 255), "phases", 0.543),
    "16-bit labels": Volume(labelled(3, 40_000), "phases", 1 / 3),
    "negative labels": Volume(labelled(-1, 1), "phases", 1e5),
    "a phase that does not occur": Volume(labelled(0, 127), "phases", 2, (0, 127, 255)),
    "constant": Volume(np.zeros((4, 4, 4), np.uint8), "phases", 1, (0, 1)),
    "one voxel": Volume(labelled(4, shape=(1, 1, 1)), "phases"),
    "grayscale": Volume(RNG.integers(0, 256, (5, 6, 7), np.uint8), "grayscale", 5.0),
    "few gray values": Volume(labelled(0, 9).astype(np.uint16), "grayscale"),
    "float": Volume(RNG.random((5, 6, 7)).astype(np.float32), "grayscale", 5.0),
    "colour": Volume(RNG.integers(0, 256, (5, 6, 7, 3), np.uint8), "colour", 7.0),
    "colour plane": Volume(RNG.integers(0, 256, (1, 6, 7, 3), np.uint8), "colour"),
}


def test_a_tiff_gives_the_same_volume_back(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for name in VOLUMES:
        with subtests.test(name):
            folder = tmp_path_factory.mktemp("case")
            saved = VOLUMES[name]
            saved.save(folder / "volume.tif")
            read = Volume.open(folder / "volume.tif")
            np.testing.assert_array_equal(read.values, saved.values)
            assert read.values.dtype == saved.values.dtype
            assert read.kind == saved.kind
            assert read.labels == saved.labels
            assert read.voxel_size_nm == saved.voxel_size_nm


def test_labels_are_held_in_the_smallest_type() -> None:
    assert Volume(labelled(0, 127, 255), "phases").values.dtype == np.uint8
    assert Volume(labelled(0, 127, 256), "phases").values.dtype == np.uint16
    assert Volume(labelled(-1, 1), "phases").values.dtype == np.int8
    # The label 300 does not occur, but belongs to the material.
    volume = Volume(labelled(0, 1), "phases", None, (0, 1, 300))
    assert volume.values.dtype == np.uint16
    assert Volume(labelled(0, 1) > 0, "phases").labels == (0, 1)


def test_other_programs_find_the_voxel_size(tmp_path: Path) -> None:
    VOLUMES["phases"].save(tmp_path / "volume.tif")
    with tifffile.TiffFile(tmp_path / "volume.tif") as file:
        assert file.series[0].axes == "ZYX"
        found = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]["Pixels"]
    for axis in "XYZ":
        assert found[f"PhysicalSize{axis}"] == 12.5
        assert found[f"PhysicalSize{axis}Unit"] == "nm"


def test_large_volumes_become_bigtiff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    VOLUMES["phases"].save(tmp_path / "small.tif")
    monkeypatch.setattr(volume_files, "CLASSIC_TIFF_BYTES", 100)
    VOLUMES["phases"].save(tmp_path / "large.tif")
    versions = [
        (tmp_path / name).read_bytes()[2] for name in ("small.tif", "large.tif")
    ]
    assert versions == [42, 43]  # the version numbers of TIFF and BigTIFF
    assert Volume.open(tmp_path / "large.tif").labels == (0, 1)


def test_npy_holds_the_values(tmp_path: Path) -> None:
    VOLUMES["8-bit labels"].save(tmp_path / "volume.npy")
    np.testing.assert_array_equal(
        np.load(tmp_path / "volume.npy"), VOLUMES["8-bit labels"].values
    )
    read = Volume.open(tmp_path / "volume.npy")
    assert (read.kind, read.labels) == ("phases", (0, 127, 255))


FOREIGN: list[tuple[str, NDArray[Any], str]] = [
    (".tif", RNG.integers(0, 16, (9, 12, 13)).astype(np.uint8), "phases"),
    (".npy", RNG.integers(0, 17, (9, 12, 13)).astype(np.uint8), "grayscale"),
    (".tif", RNG.random((9, 12, 13)).astype(np.float32), "grayscale"),
    (".npy", RNG.integers(0, 256, (9, 12, 13, 3)).astype(np.uint8), "colour"),
    (".tif", RNG.integers(0, 256, (9, 12, 13, 3)).astype(np.uint8), "colour"),
]


def test_files_of_other_programs(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for ending, values, kind in FOREIGN:
        with subtests.test(ending=ending, kind=kind):
            folder = tmp_path_factory.mktemp("case")
            path = folder / f"stack{ending}"
            if ending == ".npy":
                np.save(path, values)
            else:
                photometric = "rgb" if kind == "colour" else "minisblack"
                tifffile.imwrite(path, values, photometric=photometric)
            read = Volume.open(path)
            assert read.kind == kind
            np.testing.assert_array_equal(read.values, values)
            assert len(read.labels) == (16 if kind == "phases" else 0)


def test_planes_along_each_axis() -> None:
    values = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    volume = Volume(values, "grayscale")
    z, y, x = 1, 2, 3
    # Along z rows are Y and columns X; along y rows Z, columns X; along x rows Z,
    # columns Y.
    assert volume.planes("z").shape == (2, 3, 4)
    assert volume.planes("y").shape == (3, 2, 4)
    assert volume.planes("x").shape == (4, 2, 3)
    for axis, place in (("z", (z, y, x)), ("y", (y, z, x)), ("x", (x, z, y))):
        assert volume.planes(axis)[place] == values[z, y, x]  # type: ignore[arg-type]
    assert VOLUMES["colour"].planes("x").shape == (7, 5, 6, 3)
    assert np.shares_memory(volume.planes("x"), values)


def test_a_failed_save_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "volume.tif"
    VOLUMES["phases"].save(path)
    before = path.read_bytes()

    def fail_half_way(target: Path, *_: Any, **__: Any) -> None:
        target.write_bytes(b"half of it")
        raise OSError("disk full")

    monkeypatch.setattr(tifffile, "imwrite", fail_half_way)
    with pytest.raises(OSError, match="disk full"):
        VOLUMES["8-bit labels"].save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["volume.tif"]


@pytest.mark.parametrize("keep", [0.3, 0.95])
def test_truncated_files_are_refused(keep: float, tmp_path: Path) -> None:
    path = tmp_path / "volume.tif"
    Volume(RNG.integers(0, 2, (40, 40, 40)), "phases").save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ValueError, match=r"volume\.tif"):
        Volume.open(path)


BAD: dict[str, tuple[tuple[Any, ...], str]] = {
    "2-D": ((np.zeros((4, 5)), "grayscale"), r"\[Z, Y, X\]; got 4 x 5"),
    "colour as phases": ((np.zeros((4, 5, 6, 3)), "phases"), r"got 4 x 5 x 6 x 3"),
    "two channels": ((np.zeros((4, 5, 6, 2)), "colour"), r"\[Z, Y, X, 3\]"),
    "empty": ((np.zeros((0, 5, 6)), "grayscale"), "at least one voxel"),
    "text": ((np.full((2, 2, 2), "a"), "grayscale"), "real numbers"),
    "17 phases": ((np.arange(17).reshape(1, 1, 17), "phases"), "at most 16"),
    "fractional labels": ((np.full((2, 2, 2), 0.5), "phases"), "integer labels"),
    "strange label": ((labelled(0, 1, 2), "phases", None, (0, 1)), r"got \[2\] too"),
    "labels of gray": ((labelled(0, 1), "grayscale", None, (0, 1)), "Only a volume of"),
    "voxel size": ((labelled(0, 1), "phases", 0.0), "positive number of nanometres"),
    "tiny voxels": (
        (labelled(0, 1), "phases", 1e-300),
        "at least 1e-09 and .*got 1e-300",
    ),
    "huge voxel": ((labelled(0, 1), "phases", 1e16), r"at most 1e\+15; got 1e\+16"),
    "kind": ((labelled(0, 1), "grey"), "phases, grayscale, colour; got 'grey'"),
}


def test_what_is_not_a_volume_is_refused() -> None:
    for arguments, message in BAD.values():
        with pytest.raises(ValueError, match=message):
            Volume(*arguments)


def test_files_that_are_no_volume(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", labelled(0, 1, shape=(8, 9)))
    colours = RNG.integers(0, 256, (8, 9, 3), np.uint8)
    tifffile.imwrite(tmp_path / "rgb.tif", colours, photometric="rgb")
    for name in ("image.npy", "rgb.tif", "absent.tif", "absent.npy"):
        with pytest.raises(ValueError, match=name):
            Volume.open(tmp_path / name)


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in .* \.vti, got .*volume\.png;"):
        VOLUMES["phases"].save(tmp_path / "volume.png")
    with pytest.raises(ValueError, match="got int64"):
        Volume(labelled(0, 2**40), "grayscale").save(tmp_path / "volume.tif")
    assert not list(tmp_path.iterdir())


def test_rescaled_takes_the_value_at_each_voxel_centre() -> None:
    coarse = VOLUMES["colour"].rescaled(0.5)
    assert coarse.values.shape == (2, 3, 4, 3)
    assert coarse.voxel_size_nm == 14.0
    even = Volume(labelled(0, 7, shape=(6, 4, 8)), "phases", None, (0, 7, 9))
    half = even.rescaled(0.5)
    np.testing.assert_array_equal(half.values, even.values[1::2, 1::2, 1::2])
    assert half.labels == (0, 7, 9)
    assert half.voxel_size_nm is None
    assert even.rescaled(1.0) is even


def test_a_coarse_truth_is_sampled_like_the_micrographs_cut_from_it() -> None:
    cube = Volume(labelled(0, 255, shape=(8, 8, 8)), "phases", 0.543)
    plane = Micrograph.from_array(cube.values[1], "phases", cube.voxel_size_nm)
    coarse = cube.rescaled(0.5)
    np.testing.assert_array_equal(plane.rescaled(0.5).values, coarse.values[0])
    assert plane.rescaled(0.5).pixel_size_nm == coarse.voxel_size_nm


def test_voxels_that_are_no_cubes_are_resampled(tmp_path: Path) -> None:
    """Planes four times as far apart as pixels: each is repeated."""
    values = np.random.default_rng(0).integers(0, 2, (3, 9, 10)).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "scan.tif",
        values,
        imagej=True,
        resolution=(2, 2),
        metadata={"unit": "um", "spacing": 2, "axes": "ZYX"},
    )
    with pytest.warns(UserWarning, match=r"500 x 500 x 2000 nm .* cubes of 500 nm"):
        volume = Volume.open(tmp_path / "scan.tif")
    assert volume.voxel_size_nm == 500
    np.testing.assert_array_equal(volume.values, np.repeat(values, 4, axis=0))


def test_annotations_of_other_content_are_refused(
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """As of a file that another program has changed."""
    cases: list[tuple[str, str]] = [
        ("shape", '{"a": 1}'),
        ("labels", "7"),
        ("labels", "[" * 100_000),
    ]
    for name, value in cases:
        with subtests.test(name):
            facts = {"kind": "phases", "labels": "[0, 1]", "shape": "[3, 4, 5]"}
            facts = {
                "Namespace": volume_files.NAMESPACE,
                "voxel_size_nm": "5.0",
                **facts,
            }
            metadata = {"axes": "ZYX", "MapAnnotation": {**facts, name: value}}
            values = np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 2
            tifffile.imwrite(tmp_path / "a.tif", values, ome=True, metadata=metadata)
            with pytest.raises(ValueError, match=r"a\.tif: expected a complete volume"):
                Volume.open(tmp_path / "a.tif")
