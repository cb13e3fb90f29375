"""OME-Zarr images against the specification 0.5, and as other programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan.data.volume_files import own_attributes
from napari_slicegan.volumes.block_tree import Block, BlockTree
from napari_slicegan.volumes.ome_zarr import (
    BlockedImage,
    ImageFacts,
    create_image,
    set_own_attributes,
)

zarr = pytest.importorskip("zarr", reason="needs the extra scale")

RNG = np.random.default_rng(0)
TREE = BlockTree((20, 17, 9), (8, 8, 8), 3)
FACTS = {
    "phases": ImageFacts("rock", "phases", np.dtype("uint8"), 12.5),
    "no voxel size": ImageFacts("rock", "phases", np.dtype("int16"), None),
    "grayscale": ImageFacts("rock", "grayscale", np.dtype("float32"), 3.0),
    "colour": ImageFacts("rock", "colour", np.dtype("uint8"), 3.0),
}


def created(path: Path, facts: ImageFacts) -> BlockedImage:
    create_image(path, TREE, facts, {"seed": 1})
    return BlockedImage(path, TREE)


def metadata(path: Path) -> dict[str, Any]:
    """A zarr.json, read as any program would."""
    found: dict[str, Any] = json.loads((path / "zarr.json").read_text("utf-8"))
    return found


def test_the_specification_is_kept(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    """Every MUST and SHOULD of the sections axes, multiscales and transformations."""
    for name in FACTS:
        with subtests.test(name):
            folder = tmp_path_factory.mktemp("case")
            facts = FACTS[name]
            path = folder / "rock.ome.zarr"
            created(path, facts)
            group = metadata(path)
            assert (group["zarr_format"], group["node_type"]) == (3, "group")
            ome = group["attributes"]["ome"]
            assert ome["version"] == "0.5"
            [image] = ome["multiscales"]
            assert {"axes", "datasets", "name", "type", "metadata"} <= set(image)
            names = [axis["name"] for axis in image["axes"]]
            assert names == (["c", *"zyx"] if facts.kind == "colour" else [*"zyx"])
            # Channels come before space.
            assert [axis["type"] for axis in image["axes"]][-3:] == ["space"] * 3
            units = {
                axis.get("unit") for axis in image["axes"] if axis["type"] == "space"
            }
            assert units == ({"nanometer"} if facts.voxel_size_nm else {None})
            sizes = []
            for level, dataset in enumerate(image["datasets"]):
                array = metadata(path / dataset["path"])
                assert array["node_type"] == "array"
                assert array["dimension_names"] == names
                assert len(array["shape"]) == len(names)
                sizes.append(np.prod(array["shape"]))
                scale, translation = dataset["coordinateTransformations"]
                assert (scale["type"], translation["type"]) == ("scale", "translation")
                edge = facts.voxel_size_nm or 1.0
                assert scale["scale"][-3:] == [edge * 2**level] * 3
                assert (
                    len(scale["scale"]) == len(translation["translation"]) == len(names)
                )
                # The first voxel of a level lies in the middle of those it stands for.
                middle = edge * (2**level - 1) / 2
                assert translation["translation"][-3:] == [middle] * 3
            assert sizes == sorted(sizes, reverse=True)


def test_blocks_come_back_and_are_one_file_each(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for name in ["no voxel size", "grayscale", "colour"]:
        with subtests.test(name):
            folder = tmp_path_factory.mktemp("case")
            facts = FACTS[name]
            path = folder / "rock.ome.zarr"
            image = created(path, facts)
            whole = RNG.integers(0, 100, (20, 17, 9, *facts.channels)).astype(
                facts.dtype
            )
            blocks = [block for block in TREE.in_order() if block.level == 0]
            for block in blocks:
                assert not image.has(block)
                image.write(block, whole[TREE.target(block)])
                assert image.has(block)
            files = [file for file in (path / "0" / "c").rglob("*") if file.is_file()]
            assert sorted(files) == sorted(map(image.file, blocks))
            everything = (slice(None),) * 3
            np.testing.assert_array_equal(image.read(0, everything), whole)
            # Channels first on the disk.
            stored = np.asarray(zarr.open_array(str(path / "0"), mode="r")[...])
            back = np.moveaxis(stored, 0, -1) if facts.channels else stored
            np.testing.assert_array_equal(back, whole)


def test_planes_with_any_buffer(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    for buffer_bytes in [1, 400, 2**20]:
        with subtests.test(buffer_bytes=buffer_bytes):
            folder = tmp_path_factory.mktemp("case")
            image = created(folder / "rock.ome.zarr", FACTS["phases"])
            whole = RNG.integers(0, 100, (20, 17, 9), np.uint8)
            for block in TREE.in_order():
                if block.level == 0:
                    image.write(block, whole[TREE.target(block)])
            planes = list(image.planes(buffer_bytes))
            np.testing.assert_array_equal(np.stack(planes), whole)


def test_a_block_of_zeros_is_a_block(tmp_path: Path) -> None:
    image = created(tmp_path / "rock.ome.zarr", FACTS["phases"])
    block = Block(0, (0, 0, 0))
    image.write(block, np.zeros((8, 8, 8), np.uint8))
    assert image.has(block)


def test_chunks_lie_in_compressed_shards(tmp_path: Path) -> None:
    """192 voxels per block are one file of 27 chunks."""
    tree = BlockTree((200, 200, 200), (192, 192, 192), 1)
    create_image(tmp_path / "a.zarr", tree, FACTS["phases"], {})
    array = zarr.open_array(str(tmp_path / "a.zarr" / "0"), mode="r")
    assert (array.shards, array.chunks) == ((192,) * 3, (64,) * 3)
    image = BlockedImage(tmp_path / "a.zarr", tree)
    values = np.zeros((192, 192, 192), np.uint8)
    values[:96] = 7
    image.write(Block(0, (0, 0, 0)), values)
    assert image.file(Block(0, (0, 0, 0))).stat().st_size < values.nbytes / 100


def test_own_attributes(tmp_path: Path) -> None:
    path = tmp_path / "rock.ome.zarr"
    own = {"kind": "phases", "labels": [7], "levels": 2, "voxel_size_nm": None}
    own |= {"complete": False, "seed": 1}
    create_image(path, TREE, FACTS["phases"], own)
    assert own_attributes(path) == own
    set_own_attributes(path, {**own, "seed": 2})
    assert own_attributes(path) == {**own, "seed": 2}
    assert "multiscales" in metadata(path)["attributes"]["ome"]
    # What others made is not ours.
    assert own_attributes(tmp_path) is None
    zarr.create_group(str(tmp_path / "other.zarr"))
    assert own_attributes(tmp_path / "other.zarr") is None


def test_a_failed_creation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(zarr.Group, "create_array", fail)
    with pytest.raises(OSError, match="disk full"):
        create_image(tmp_path / "rock.ome.zarr", TREE, FACTS["phases"], {})
    assert not list(tmp_path.iterdir())
