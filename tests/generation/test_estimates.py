"""Estimates before a volume is generated, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation import estimates as costs_module
from napari_slicegan.generation import through as through_module
from napari_slicegan.generation.estimates import (
    GenerationCosts,
    fit_costs,
    fit_operations_per_second,
    generation_costs,
    operations,
    operations_per_second,
    time_sentence,
)
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.memory import memory_bytes
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.generation.through import (
    FIT_COPIES,
    STEPS,
    Section,
    pass_cost,
    pass_through,
)
from napari_slicegan.models import build_generator, volume_spec
from napari_slicegan.models.cost import META, CostCounter
from napari_slicegan.models.generator_file import TrainedGenerator
from napari_slicegan.runtime.limits import PROGRAM_BYTES
from napari_slicegan.runtime.quantities import bytes_in_words
from tests.progress import cancelled_after
from tests.refusals import assert_refused
from tests.toys import random_generator

GB = 10**9


def test_1024_voxels_per_axis_need_less_than_2_gb() -> None:
    """And no more than any larger volume: memory depends on the tile alone."""
    network = build_generator(volume_spec(preset("slicegan-paper"), 2, "phases"))
    trained = TrainedGenerator(network.eval(), OneHotPhases([0, 255]), None)
    large = memory_bytes(VolumePlan(trained, (1024,) * 3))
    assert 0.5 * GB < large < 2 * GB
    assert memory_bytes(VolumePlan(trained, (10_000,) * 3)) == large
    assert memory_bytes(VolumePlan(trained, (64,) * 3)) < large


def test_operations_are_those_of_all_tiles() -> None:
    trained = random_generator(OneHotPhases([7, 207]))
    network = build_generator(trained.network.spec).to(META)
    for size in ((1, 1, 1), (20, 41, 9), (16, 32, 33)):
        plan = VolumePlan(trained, size, tile_latents=4)
        with CostCounter() as counter, torch.no_grad():
            for tile in plan.tiles():
                shape = [last - first for first, last in tile.latents]
                network(torch.empty(1, 4, *shape, device=META))
        assert operations(plan) == counter.take().operations


def test_a_sentence_before_the_start(tmp_path: Path) -> None:
    plan = VolumePlan(random_generator(OneHotPhases([7, 207])), (256, 256, 256))
    costs = generation_costs(plan, tmp_path / "a.ome.zarr")
    assert costs.seconds > 0
    # Labels take less than their raw bytes, however noisy.
    assert 0 < costs.disk_bytes <= 256**3 * 8 / 7
    sentence = costs.sentence()
    for words in ("on this machine", "B of memory", "on the disk ("):
        assert words in sentence
    half = generation_costs(plan, tmp_path / "a.ome.zarr", missing=0.5)
    assert half.disk_bytes < costs.disk_bytes


def test_the_time_is_proportional_to_the_operations() -> None:
    plan = VolumePlan(random_generator(OneHotPhases([7, 207])), (64, 64, 64))
    speed = operations(plan) / 300
    # 64 ** 3 voxels of one byte.
    memory = bytes_in_words(memory_bytes(plan) + 64**3)
    assert time_sentence(plan, speed) == (
        f"About 5 min on this machine; needs about {memory} of memory, 0.26 MB of it "
        "for the volume."
    )
    assert operations_per_second(plan) > 0


def test_a_fit_takes_forward_and_backward_passes_of_the_plane() -> None:
    """Counted while it runs, besides a pass and an estimate before."""
    trained = random_generator(OneHotPhases([7, 207]))
    trained.network.requires_grad_(False)
    plan = VolumePlan(trained, (24, 24, 24))
    section = Section(np.full((16, 20), 7), "y", 9)
    finished: list[float] = []
    with CostCounter() as counter:
        pass_through(plan, [section], 12, finished.append)
    per_pass = counter.take().operations / len(finished)
    assert pass_cost(plan, [section]).operations == pytest.approx(per_pass, rel=0.15)
    speed = fit_operations_per_second(trained)
    expected = pytest.approx(STEPS * per_pass / speed, rel=0.15)
    assert fit_costs(plan, speed, [section]).seconds == expected


def test_a_fit_keeps_copies_of_its_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of L-BFGS, of all images at once."""
    trained = random_generator(OneHotPhases([7, 207]))
    trained.network.requires_grad_(False)
    plan = VolumePlan(trained, (24, 24, 24))
    sections = [Section(np.full((16, 20), 7), axis, 9) for axis in ("y", "x")]
    fixed = pass_through(plan, sections, 1).fixed
    assert fixed is not None
    boxes = [box for each in fixed.boxes.values() for box in each]
    speed = STEPS * pass_cost(plan, sections).operations / 120
    costs, tensors = fit_costs(plan, speed, sections), pass_cost(plan, sections)
    with monkeypatch.context() as patch:
        patch.setattr(through_module, "FIT_COPIES", 0)
        without = pass_cost(plan, sections)
    copies = tensors.memory_bytes - without.memory_bytes
    assert costs.memory_bytes > PROGRAM_BYTES + tensors.memory_bytes
    assert copies == FIT_COPIES * sum(box.values.nbytes for box in boxes)
    memory = bytes_in_words(costs.memory_bytes)
    assert costs.sentence() == (
        f"About 2 min on this machine to fit 2 images; needs about {memory} of memory."
    )
    one = replace(costs, n_images=1)
    assert time_sentence(plan, operations(plan) / 60, one).startswith(
        f"About 3 min (2 min of it, with {memory} of memory, to fit the image) on this "
    )


def test_files_need_room_for_their_tiles_too(tmp_path: Path) -> None:
    plan = VolumePlan(random_generator(OneHotPhases([7, 207])), (64, 64, 64))
    sizes = [
        generation_costs(plan, tmp_path / f"a{ending}").disk_bytes
        for ending in (".ome.zarr", ".tif", ".npy")
    ]
    assert sizes[0] < sizes[1] <= sizes[2]
    assert sizes[2] > math.prod(plan.size)


def test_a_disk_that_is_too_small_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs_module, "free_disk_bytes", lambda path: 1000)
    plan = VolumePlan(random_generator(OneHotPhases([7, 207])), (64, 64, 64))
    path = tmp_path / "a.ome.zarr"
    costs = generation_costs(plan, path)
    refusal = (
        "small disk",
        lambda _: costs.check(path),
        r"of free disk space for a\.ome\.zarr, got 0\.001 MB; free some",
    )
    assert_refused(refusal, tmp_path)
    GenerationCosts(1, 1, disk_bytes=10, free_bytes=1000).check(path)


def test_what_is_there_is_not_counted_again(tmp_path: Path) -> None:
    plan = VolumePlan(
        random_generator(OneHotPhases([7, 207])), (32, 32, 32), tile_latents=4
    )
    volume = StreamedVolume.begin(plan, tmp_path / "a.ome.zarr")
    assert volume.missing_fraction() == 1
    cancelled_after(4, lambda progress: volume.write(progress=progress))
    assert volume.missing_fraction() == 0.5
