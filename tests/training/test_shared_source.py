"""Shards of what is drawn for all processes, and their devices; nobody is joined."""

from __future__ import annotations

import pytest
import torch

from napari_slicegan.data.patch_sampler import ImageSampler, PatchSampler
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.runtime.distributed import SINGLE_PROCESS, DistributedContext
from napari_slicegan.training.sources import shard_source
from tests.image_toys import ellipses
from tests.toys import TOY_LABELS, phases_image


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
