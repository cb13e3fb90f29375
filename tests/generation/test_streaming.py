"""Volumes on disk: the same as in memory, whatever happens in between."""

from __future__ import annotations

import errno
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.generation import streaming
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import (
    StreamedVolume,
    make_block,
    stream_to_file,
    tiles_folder,
)
from napari_slicegan.runtime import atomic_files
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.volumes.block_tree import Block, halved_phases, halved_values
from napari_slicegan.volumes.ome_zarr import BlockedImage, create_image
from napari_slicegan.volumes.volume import Volume
from tests import killed_streams
from tests.killed_streams import killed_plan
from tests.progress import cancelled_after
from tests.refusals import Refusal, assert_refused
from tests.streams import TRANSFORMS, levels, plan_of, stamps, stream

zarr = pytest.importorskip("zarr", reason="needs the extra scale")


def in_memory(plan: VolumePlan) -> NDArray[Any]:
    return plan.generate().values


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_the_same_volume_as_in_memory_and_its_pyramid(
    kind: str, tmp_path: Path
) -> None:
    plan = plan_of(kind)
    volume = stream(plan, tmp_path / "a.ome.zarr")
    whole, *coarser = levels(volume.path)
    expected = in_memory(plan)
    np.testing.assert_array_equal(whole, expected)
    assert whole.dtype == expected.dtype
    # 33 voxels in blocks of 16: two halvings make a single block.
    assert len(coarser) == 2
    half = halved_phases if kind == "phases" else halved_values
    for level in coarser:
        expected = half(expected)
        np.testing.assert_array_equal(level, expected)


def test_a_finished_volume_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = stream(plan_of(), tmp_path / "a.ome.zarr")
    assert volume.is_complete
    # The generator was there for helpers only.
    assert {item.name for item in volume.path.iterdir()} == {"zarr.json", *"012"}
    monkeypatch.setattr(VolumePlan, "values", None)
    # Nor with the larger tiles of a later release.
    for plan in (plan_of(), plan_of(tile_latents=6)):
        again = StreamedVolume.begin(plan, tmp_path / "a.ome.zarr")
        assert again.is_complete
        assert again.missing_fraction() == 0
        again.write()


def test_a_cancelled_write_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.zarr"
    begun = StreamedVolume.begin(plan_of(), path)
    shares = cancelled_after(5, lambda progress: begun.write(progress=progress))
    assert shares == sorted(shares)
    volume = StreamedVolume.begin(plan_of(), path)
    assert not volume.is_complete
    # 12 tiles, of which 5 blocks are there: 4 tiles of 2 x 2 x 2, and one of level 1.
    assert 0 < volume.missing_fraction() < 1
    files = stamps(path)
    rest: list[float] = []
    volume.write(progress=rest.append)
    assert rest[-1] == 1
    assert files.items() <= stamps(path).items()
    np.testing.assert_array_equal(levels(path)[0], in_memory(plan_of()))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Volumes whose processes were killed at different uses of files."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.killed_streams", str(folder)]
    root = Path(__file__).resolve().parents[2]
    subprocess.run(command, check=True, cwd=root)
    return folder


@pytest.mark.parametrize("event", killed_streams.EVENTS)
def test_a_killed_write_is_resumed(event: int, killed: Path) -> None:
    path = killed / f"event-{event}.ome.zarr"
    before = stamps(path)
    assert len(before) >= killed_streams.BLOCKS_BEFORE
    volume = StreamedVolume.begin(killed_plan(), path)
    assert not volume.is_complete
    assert len(before) < volume.tree.count
    volume.write()
    after = stamps(path)
    assert before.items() <= after.items()
    assert len(after) == volume.tree.count
    assert not list(path.rglob("*.partial"))
    np.testing.assert_array_equal(levels(path)[0], in_memory(killed_plan()))


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("phases", ".tif"), ("colour", ".tif"), ("phases", ".vti"), ("colour", ".npy")],
)
def test_files_are_those_of_volumes_in_memory(
    kind: str, ending: str, tmp_path: Path
) -> None:
    plan = plan_of(kind)
    volume = Volume(
        in_memory(plan), plan.trained.transform.kind, plan.trained.voxel_size_nm
    )
    volume.save(tmp_path / f"whole{ending}")
    streamed = tmp_path / f"streamed{ending}"
    shares: list[float] = []
    stream_to_file(plan, streamed, progress=shares.append)
    assert shares[-1] == 1
    # The tiles beside it are gone.
    assert {item.name for item in tmp_path.iterdir()} == {
        f"whole{ending}",
        f"streamed{ending}",
    }
    if ending != ".tif":
        assert streamed.read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
        return
    read, whole = Volume.open(streamed), Volume.open(tmp_path / "whole.tif")
    np.testing.assert_array_equal(read.values, whole.values)
    assert (read.kind, read.labels) == (whole.kind, whole.labels)
    assert read.voxel_size_nm == whole.voxel_size_nm


def test_a_cancelled_file_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    cancelled_after(
        5, lambda progress: stream_to_file(plan_of(), path, progress=progress)
    )
    assert not path.exists()
    before = stamps(tiles_folder(path))
    assert len(before) == 5
    made = []
    write = BlockedImage.write

    def counted(self: BlockedImage, block: Block, values: NDArray[Any]) -> None:
        made.append(block)
        write(self, block, values)

    monkeypatch.setattr(BlockedImage, "write", counted)
    stream_to_file(plan_of(), path)
    # 2 x 3 x 2 tiles, no pyramid.
    assert len(made) == 12 - 5
    np.testing.assert_array_equal(Volume.open(path).values, in_memory(plan_of()))


def test_one_program_at_a_time_writes_a_file(tmp_path: Path) -> None:
    """The first one removes its tiles, which the second would read as zeros.

    The name is the longest that a file can have; those of the helpers are cut.
    """
    path = tmp_path / f"{'é' * 125}a.tif"
    refused: list[str] = []

    def start_another(_: float) -> None:
        with pytest.raises(ValueError, match=r"a\.tif is being written by process"):
            stream_to_file(plan_of(), path)
        refused.append(path.name)

    stream_to_file(plan_of(), path, progress=start_another)
    assert len(refused) == 12
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(Volume.open(path).values, in_memory(plan_of()))


@pytest.mark.parametrize(
    ("name", "removal"), [("a.tif", 1), ("a.tif", 2), ("a.ome.zarr", 1)]
)
def test_a_kill_while_helpers_are_removed(
    name: str, removal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the generator or the tiles; the same command clears the rest away."""
    count = itertools.count(1)

    def killed(folder: Path, **_: Any) -> None:
        if next(count) < removal:
            shutil.rmtree(folder)
            return
        for file in folder.glob("*.*"):
            file.unlink()
        raise KeyboardInterrupt

    def write() -> None:
        if name == "a.tif":
            stream_to_file(plan_of(), tmp_path / name)
        else:
            stream(plan_of(), tmp_path / name)

    with monkeypatch.context() as patch:
        patch.setattr(streaming, "shutil", SimpleNamespace(rmtree=killed))
        # As the files of another machine, long ago.
        patch.setattr(atomic_files, "_machine", lambda: "0" * 8)
        with pytest.raises(KeyboardInterrupt):
            write()
    monkeypatch.setattr(atomic_files, "FOREIGN_AGE_S", 0)
    write()
    assert [item.name for item in tmp_path.iterdir()] == [name]
    assert not list(tmp_path.rglob(".making"))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "cut off": lambda good: good[: len(good) // 2],
    "zeros inside": lambda good: good[:64] + bytes(128) + good[192:],
    "one bit": lambda good: good[:99] + bytes([good[99] ^ 1]) + good[100:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_blocks_are_made_again(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a power failure leaves them where files reach the disk in no order."""
    path = tmp_path / "a.ome.zarr"
    volume = StreamedVolume.begin(plan_of(), path)
    cancelled_after(10, lambda progress: volume.write(progress=progress))
    # 2 x 2 x 2 tiles and the block of level 1 that they make come first.
    for block in (Block(0, (0, 1, 1)), Block(1, (0, 0, 0))):
        file = volume.image.file(block)
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    again = stream(plan_of(), path)
    assert again.is_complete
    expected = levels(stream(plan_of(), tmp_path / "b.ome.zarr").path)
    for made, right in zip(levels(path), expected, strict=True):
        np.testing.assert_array_equal(made, right)
    if damage != "empty":
        assert caplog.text.count("is damaged") == 2


def test_a_block_that_memory_lacks_for_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = stream(plan_of(), tmp_path / "a.ome.zarr")
    block = Block(0, (0, 0, 0))

    def read(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(type(volume.image), "read", read)
    with pytest.raises(RuntimeError, match="thread"):
        volume.image.has_whole(block)
    assert volume.image.has(block)


def test_two_programs_stream_one_volume(tmp_path: Path) -> None:
    """Neither takes away what the other one is writing."""
    path = tmp_path / "a.ome.zarr"
    first = StreamedVolume.begin(plan_of(), path)
    block = Block(0, (0, 0, 0))
    values = first.plan.values(first.plan.tile(block.place))
    first.image.write(block, values)
    file = first.image.file(Block(0, (0, 0, 1)))
    with replacing(file) as temporary:
        temporary.write_bytes(b"unfinished")
        second = StreamedVolume.begin(plan_of(), path)
        assert temporary.exists()
    file.unlink()
    order = second.tree.in_order()

    def make_another(_: float) -> None:
        second.make(next(order))

    first.write(progress=make_another)
    assert first.is_complete
    np.testing.assert_array_equal(levels(path)[0], in_memory(plan_of()))


def test_two_programs_begin_one_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one continues the volume of the first."""
    path = tmp_path / "a.ome.zarr"

    def overtaken(*given: Any) -> None:
        create_image(*given)
        create_image(*given)

    monkeypatch.setattr("napari_slicegan.generation.streaming.create_image", overtaken)
    assert stream(plan_of(), path).is_complete
    assert {item.name for item in tmp_path.iterdir()} == {"a.ome.zarr"}


class FullDisk:
    """Takes so many blocks and no more."""

    def __init__(self, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = blocks
        write = BlockedImage.write

        def limited(image: BlockedImage, block: Block, values: NDArray[Any]) -> None:
            if self.left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            write(image, block, values)

        monkeypatch.setattr(BlockedImage, "write", limited)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence; whole blocks are kept, and the write can be resumed."""
    path = tmp_path / "a.ome.zarr"
    disk = FullDisk(6, monkeypatch)
    full: Refusal = (
        "full disk",
        lambda _: stream(plan_of(), path),
        "more space on the disk, got a full one; what is made is kept in",
    )
    assert_refused(full, tmp_path)
    before = stamps(path)
    assert len(before) == 6
    disk.left = 100
    volume = stream(plan_of(), path)
    assert volume.is_complete
    assert before.items() <= stamps(path).items()
    np.testing.assert_array_equal(levels(path)[0], in_memory(plan_of()))


def test_other_faults_are_not_called_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(BlockedImage, "write", fail)
    with pytest.raises(PermissionError, match="denied"):
        stream(plan_of(), tmp_path / "a.ome.zarr")


def test_helpers_need_the_folder_alone(tmp_path: Path) -> None:
    """Any process makes the same block, and leaves those that are there."""
    path = tmp_path / "a.ome.zarr"
    volume = StreamedVolume.begin(plan_of(), path)
    block = Block(0, (0, 1, 1))
    assert make_block(str(path), volume.stamp, block)
    assert not make_block(str(path), volume.stamp, block)
    target = volume.tree.target(block)
    expected = in_memory(plan_of())[target]
    np.testing.assert_array_equal(volume.image.read(0, target), expected)
    with pytest.raises(ValueError, match="got another one"):
        make_block(str(path), "other", Block(0, (0, 0, 0)))
