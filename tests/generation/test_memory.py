"""Volumes where the memory is short: smaller tiles, or refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation import memory
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.memory import (
    STREAM_BYTES,
    check_tiles,
    fits_in_memory,
    memory_bytes,
    with_fitting_tiles,
)
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.generation.through import (
    Section,
    fit_bytes,
    pass_cost,
    pass_through,
)
from napari_slicegan.runtime import limits
from tests.toys import random_generator

Pretend = Callable[[int], None]


@pytest.fixture
def free_for(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Let this process have so many bytes, with the program; without swap space."""

    def pretend(free_bytes: int) -> None:
        monkeypatch.setattr(memory, "available_memory", lambda: 0)
        for module in (memory, limits):
            monkeypatch.setattr(module, "free_for_program", lambda: free_bytes)
            monkeypatch.setattr(module, "available_swap", lambda: 0)

    return pretend


def plan_of_two_tiles() -> VolumePlan:
    """40 voxels, that is two tiles of 28 along each axis."""
    trained = random_generator(OneHotPhases([7, 207]))
    return VolumePlan(trained, (40, 40, 40), seed=3)


def test_tiles_become_smaller_where_memory_is_short(free_for: Pretend) -> None:
    """The voxels stay the same."""
    plan = plan_of_two_tiles()
    whole = plan.generate().values
    assert with_fitting_tiles(plan, plan.n_bytes) is plan
    free_for(memory_bytes(plan) + plan.n_bytes - 1)
    smaller = with_fitting_tiles(plan, plan.n_bytes)
    assert smaller.tile_latents < plan.tile_latents
    assert memory_bytes(smaller) < memory_bytes(plan)
    assert np.array_equal(plan.generate().values, whole)


def test_a_volume_whose_smallest_tiles_do_not_fit_is_refused(free_for: Pretend) -> None:
    plan = plan_of_two_tiles()
    free_for(limits.PROGRAM_BYTES)
    smallest = with_fitting_tiles(plan, plan.n_bytes)
    overlap = plan.trained.network.size_rule.overlap
    assert smallest.tile_latents == overlap + 1
    assert not fits_in_memory(plan)
    with pytest.raises(ValueError, match=r"got one that needs about .*; lower its"):
        plan.generate()
    with pytest.raises(ValueError, match=r"a volume that fits .*; close other"):
        check_tiles(plan, STREAM_BYTES, "close other programs")


def test_a_fit_that_does_not_fit_is_refused(free_for: Pretend) -> None:
    """By the function that the command and the window call."""
    plan = plan_of_two_tiles()
    section = Section(np.full((16, 20), 7), "y", 9)
    needed = fit_bytes(plan, pass_cost(plan, [section]))
    free_for(needed - 1)
    with pytest.raises(ValueError, match=r"a fit that fits .*; choose smaller images"):
        pass_through(plan, [section], 1)
    free_for(needed)
    assert pass_through(plan, [section], 1).fixed is not None


def test_a_streamed_volume_keeps_the_tiles_that_it_was_begun_with(
    tmp_path: Path, free_for: Pretend
) -> None:
    pytest.importorskip("zarr", reason="needs the extra scale")
    plan = plan_of_two_tiles()
    free_for(memory_bytes(plan) + STREAM_BYTES)
    begun = StreamedVolume.begin(plan, tmp_path / "a.ome.zarr")
    assert begun.plan.tile_latents == plan.tile_latents
    free_for(memory_bytes(plan) + STREAM_BYTES - 1)
    resumed = StreamedVolume.begin(plan, tmp_path / "a.ome.zarr")
    assert resumed.plan.tile_latents == plan.tile_latents
    other = StreamedVolume.begin(plan, tmp_path / "b.ome.zarr")
    assert other.plan.tile_latents < plan.tile_latents
