"""Generators whose voxels become several: the same volume, longer along an axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.edits import Edit
from napari_slicegan.generation.estimates import operations
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import box_values
from napari_slicegan.generation.memory import memory_bytes
from napari_slicegan.generation.regions import Box
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator
from tests.streams import levels, stream
from tests.toys import random_generator

STRETCH = (1, 2, 4)


@pytest.fixture(scope="module")
def plain() -> TrainedGenerator:
    return random_generator(OneHotPhases([7, 207]))


@pytest.fixture(scope="module")
def long() -> TrainedGenerator:
    return random_generator(OneHotPhases([7, 207]), stretch=STRETCH)


def stretched(values: NDArray[Any]) -> NDArray[Any]:
    for axis, factor in enumerate(STRETCH):
        values = values.repeat(factor, axis)
    return values


def test_each_voxel_becomes_several(
    plain: TrainedGenerator, long: TrainedGenerator
) -> None:
    """Also where a size is no multiple of them, and where tiles join."""
    expected = stretched(generate(plain, (12, 20, 24), seed=3).values)
    for size in [(12, 40, 96), (9, 31, 77), (1, 1, 2)]:
        z, y, x = size
        for tile_latents in (0, 3):
            made = generate(long, size, seed=3, tile_latents=tile_latents).values
            np.testing.assert_array_equal(made, expected[:z, :y, :x])
    assert generate(long, (8, 8, 8)).voxel_size_nm == long.voxel_size_nm


def test_a_box_is_a_part_of_the_volume(long: TrainedGenerator) -> None:
    plan = VolumePlan(long, (16, 40, 96), 3)
    whole = plan.generate().values
    for z, y, x in [
        ((0, 16), (0, 40), (0, 96)),
        ((3, 4), (5, 38), (1, 95)),
        ((2, 9), (7, 8), (63, 70)),
    ]:
        part = whole[slice(*z), slice(*y), slice(*x)]
        np.testing.assert_array_equal(box_values(plan, (z, y, x)), part)


def test_a_periodic_axis_is_a_multiple_of_longer_steps(
    plain: TrainedGenerator, long: TrainedGenerator
) -> None:
    made = generate(long, (16, 16, 96), seed=3, periodic="zx").values
    same = generate(plain, (16, 8, 24), seed=3, periodic="zx").values
    np.testing.assert_array_equal(made, stretched(same))
    with pytest.raises(ValueError, match=r"multiple of 32 .* 40 along x. Use 32 or 64"):
        generate(long, (16, 16, 40), periodic="x")


def test_regions_of_edits_are_in_voxels_of_the_volume(
    plain: TrainedGenerator, long: TrainedGenerator
) -> None:
    push = {"block2": np.random.default_rng(0).standard_normal(6)}
    there = Edit(push, Box((0, 0, 32), (16, 32, 64)))
    same = Edit(push, Box((0, 0, 8), (16, 16, 16)))
    made = generate(long, (16, 32, 96), seed=3, edits=[there]).values
    expected = generate(plain, (16, 16, 24), seed=3, edits=[same]).values
    np.testing.assert_array_equal(made, stretched(expected))
    unchanged = generate(long, (16, 32, 96), seed=3).values
    assert (made != unchanged).any()


def test_a_streamed_volume_is_that_in_memory(
    long: TrainedGenerator, tmp_path: Path
) -> None:
    plan = VolumePlan(long, (20, 50, 130), 3, tile_latents=4)
    stream(plan, tmp_path / "long.ome.zarr")
    finest = levels(tmp_path / "long.ome.zarr")[0]
    np.testing.assert_array_equal(finest, plan.generate().values)


def test_the_forecast_counts_the_voxels_of_the_network(
    plain: TrainedGenerator, long: TrainedGenerator
) -> None:
    size = (64, 64, 64)
    of_long = operations(VolumePlan(long, size))
    assert of_long == operations(VolumePlan(plain, (64, 32, 16)))
    assert memory_bytes(VolumePlan(long, size)) < memory_bytes(VolumePlan(plain, size))


def test_a_file_keeps_it_and_that_of_others_is_as_before(
    plain: TrainedGenerator, long: TrainedGenerator, tmp_path: Path
) -> None:
    assert plain.fingerprint() != long.fingerprint()
    for trained, stretch in ((plain, (1, 1, 1)), (long, STRETCH)):
        file = tmp_path / "one.safetensors"
        trained.save(file)
        assert (b"stretch" in file.read_bytes()) == (trained is long)
        read = load_generator(file)
        assert read.network.spec.stretch == stretch
        assert read.fingerprint() == trained.fingerprint()
