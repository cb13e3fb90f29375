"""Sources on the device and sharded across processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import (
    ImageSampler,
    PairSampler,
    PatchSampler,
    Symmetries,
)
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.models.cost import META
from napari_slicegan.runtime.distributed import SINGLE_PROCESS, DistributedContext
from napari_slicegan.systems.gaussian_mixture import nine_gaussians
from napari_slicegan.systems.point_task import Unchanged
from napari_slicegan.training import sources as device_sources
from napari_slicegan.training.sources import (
    CropsOnDevice,
    ImagesOnDevice,
    PairsOnDevice,
    move_to_device,
    shard_source,
)
from tests.image_toys import ellipses
from tests.toys import TOY_LABELS, phases_image

if TYPE_CHECKING:
    from napari_slicegan.data.patch_sampler import Source


CPU = torch.device("cpu")


def assert_same_samples(one: Source, other: Source) -> None:
    """Of the same random numbers, which both use up alike."""
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    for n in (1, 50):
        expected, found = one.sample(n, first), other.sample(n, second)
        assert found.shape == expected.shape
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
    assert torch.equal(first.get_state(), second.get_state())


@pytest.mark.parametrize("symmetries", ["none", "rotations"])
def test_crops_of_images_of_several_sizes(symmetries: Symmetries) -> None:
    """One of them has exactly the size of a crop."""
    shapes = ((40, 48), (16, 16), (17, 90))
    images = [phases_image(*shape, seed=i) for i, shape in enumerate(shapes)]
    source = PatchSampler(images, OneHotPhases(TOY_LABELS), 16, symmetries)
    assert_same_samples(source, CropsOnDevice(source, CPU))


def test_crops_of_a_volume() -> None:
    source = PatchSampler(
        [phases_image(18, 20, 23)], OneHotPhases(TOY_LABELS), 16, "rotations", "y"
    )
    assert_same_samples(source, CropsOnDevice(source, CPU))


def test_crops_in_colour() -> None:
    values = np.random.default_rng(0).integers(0, 256, (30, 25, 3)).astype(np.uint8)
    image = Micrograph.from_array(values, "colour")
    source = PatchSampler([image], ScaleMinMax(0, 255, 3, "uint8"), 8, "rotations")
    assert_same_samples(source, CropsOnDevice(source, CPU))


@pytest.mark.parametrize("symmetries", ["none", "rotations"])
def test_pairs_of_sections(symmetries: Symmetries) -> None:
    """Also of several sizes, in the same order as those cut on the CPU."""
    shapes = ((40, 48), (40, 48), (17, 90), (17, 90))
    images = [phases_image(*shape, seed=i) for i, shape in enumerate(shapes)]
    source = PairSampler(images, OneHotPhases(TOY_LABELS), 16, symmetries)
    assert_same_samples(source, PairsOnDevice(source, CPU))
    assert move_to_device(source, CPU) is source
    assert isinstance(move_to_device(source, META), PairsOnDevice)


def test_whole_images_and_points() -> None:
    images = ImageSampler(ellipses(20), ScaleMinMax(0, 255, 1, "uint8"))
    assert_same_samples(images, ImagesOnDevice(images, CPU))
    mixture = nine_gaussians()
    points = ImageSampler(mixture.values, Unchanged(2))
    assert_same_samples(points, ImagesOnDevice(points, CPU))


def test_only_gpus_get_images_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only those that fit, and are not rolled before they are transformed."""
    crops = PatchSampler([phases_image(40, 48)], OneHotPhases(TOY_LABELS), 16)
    transform = ScaleMinMax(0, 255, 1, "uint8")
    images, rolled = (ImageSampler(ellipses(20), transform, roll) for roll in (0, 3))
    for source in (crops, images, rolled):
        assert move_to_device(source, CPU) is source
    assert isinstance(move_to_device(crops, META), CropsOnDevice)
    assert isinstance(move_to_device(images, META), ImagesOnDevice)
    assert move_to_device(rolled, META) is rolled
    monkeypatch.setattr(device_sources, "MAX_DEVICE_BYTES", 40 * 48 * 2 * 4)
    assert isinstance(move_to_device(crops, META), CropsOnDevice)
    monkeypatch.setattr(device_sources, "MAX_DEVICE_BYTES", 40 * 48 * 2 * 4 - 1)
    assert move_to_device(crops, META) is crops
    assert move_to_device(images, META) is images


def ranks(size: int) -> list[DistributedContext]:
    return [DistributedContext(rank, size, rank) for rank in range(size)]


def test_each_process_has_its_share_of_each_part() -> None:
    """Two parts, three processes, two samples each."""
    batch = torch.arange(12)
    shards = [one.shard(batch, parts=2).tolist() for one in ranks(3)]
    assert shards == [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11]]
    assert torch.equal(SINGLE_PROCESS.shard(batch, parts=2), batch)


def crops() -> PatchSampler:
    images = [phases_image(40, 48), phases_image(30, 30, seed=1)]
    return PatchSampler(images, OneHotPhases(TOY_LABELS), 16, "rotations")


def rolled() -> ImageSampler:
    return ImageSampler(ellipses(20), ScaleMinMax(0, 255, 1, "uint8"), roll=3)


@pytest.mark.parametrize("source", [crops(), rolled()])
def test_shares_are_the_samples_of_one_process(
    source: PatchSampler | ImageSampler,
) -> None:
    """All of them together, in three parts; and all use up the same random numbers."""
    streams = [torch.Generator().manual_seed(5) for _ in range(3)]
    whole = source.sample(24, streams[2])
    first, second = (
        shard_source(source, one, 3).sample(12, stream)
        for one, stream in zip(ranks(2), streams, strict=False)
    )
    parts = zip(first.chunk(3), second.chunk(3), strict=True)
    assert torch.equal(torch.cat([part for pair in parts for part in pair]), whole)
    assert torch.equal(streams[0].get_state(), streams[2].get_state())
    assert torch.equal(streams[1].get_state(), streams[2].get_state())


def test_alone_a_source_stays_as_it_is() -> None:
    source = crops()
    assert shard_source(source, SINGLE_PROCESS, 3) is source


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number on the machine; none is shared."""
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "a GPU")
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    for setting in ("auto", "cuda"):
        devices = [one.device(setting) for one in ranks(2)]
        assert devices == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert chosen == [torch.device("cuda:0"), torch.device("cuda:1")] * 2
    assert ranks(2)[1].device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="GPU of its own, got 2"):
        ranks(3)[2].device("auto")
    with pytest.raises(ValueError, match=r"auto, cpu or cuda.*got 'cuda:1'"):
        ranks(2)[0].device("cuda:1")


def test_without_gpus_processes_share_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert ranks(2)[1].device("auto") == torch.device("cpu")
    with pytest.raises(ValueError, match="GPU of its own, got 0"):
        ranks(2)[0].device("cuda")
