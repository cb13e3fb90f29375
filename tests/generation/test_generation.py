"""Volumes of any size, in tiles or whole, periodic or not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_slicegan.data import transforms
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import box_values
from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator
from napari_slicegan.models.latent import LatentField
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import EDGE, small_image_config, toy_set
from tests.toys import random_generator

# 8 (L - 2) voxels from L latent positions.
SCALE, OVERLAP = 8, 2
SIZES = [(1, 1, 1), (1, 9, 40), (16, 16, 16), (7, 33, 20)]


@pytest.fixture(scope="module")
def gray() -> TrainedGenerator:
    """Writes out the network's own values, 0 to 1."""
    return random_generator(ScaleMinMax(0, 1, 1, "float64"))


@pytest.fixture(scope="module")
def phases() -> TrainedGenerator:
    return random_generator(OneHotPhases([7, 207]))


def direct(
    trained: TrainedGenerator, field: LatentField, *latents: int
) -> NDArray[Any]:
    """What the network makes of one box of latents from the origin, [Z, Y, X]."""
    z, y, x = latents
    box = torch.from_numpy(field.region((0, z), (0, y), (0, x)))
    with torch.no_grad():
        made = trained.network(box[None])[0, 0].double().numpy()
    return np.asarray(made)


def test_any_size(gray: TrainedGenerator) -> None:
    """The first voxels of the network's own, larger output."""
    for size in SIZES:
        volume = generate(gray, size, seed=3)
        assert volume.values.shape == size
        latents = [-(-n // SCALE) + OVERLAP for n in size]
        expected = direct(gray, LatentField(3, 4), *latents)
        z, y, x = size
        np.testing.assert_allclose(volume.values, expected[:z, :y, :x], atol=1e-5)


def test_tiles_join_exactly(gray: TrainedGenerator, subtests: pytest.Subtests) -> None:
    """Tiles of 8, 16, 24 and 56 voxels: no seam, whatever the size."""
    for tile_latents in [1, 4, 9]:
        with subtests.test(tile_latents=tile_latents):
            size = (20, 41, 9)
            whole = generate(gray, size, seed=3, tile_latents=100)
            tiled = generate(gray, size, seed=3, tile_latents=tile_latents)
            np.testing.assert_allclose(tiled.values, whole.values, atol=1e-5)
            assert whole.values.std() > 0.05


def test_tiled_phases_equal_whole_ones(phases: TrainedGenerator) -> None:
    """Voxel by voxel, but for ties of the probabilities in the last digit."""
    size = (40, 41, 33)
    whole = generate(phases, size, seed=3, tile_latents=100).values
    tiled = generate(phases, size, seed=3, tile_latents=3).values
    assert (whole != tiled).mean() < 1e-4
    assert 0.1 < (whole == 7).mean() < 0.9


def test_larger_volumes_contain_smaller_ones(gray: TrainedGenerator) -> None:
    small = generate(gray, (10, 11, 12), seed=4).values
    large = generate(gray, (30, 31, 32), seed=4, tile_latents=3).values
    np.testing.assert_allclose(large[:10, :11, :12], small, atol=1e-5)


def test_tiles_cover_each_voxel_once_and_stay_small(gray: TrainedGenerator) -> None:
    for size in SIZES:
        plan = VolumePlan(gray, size, tile_latents=4)
        count = np.zeros(size, int)
        for tile in plan.tiles():
            count[tile.target] += 1
            assert all(s.stop <= n for s, n in zip(tile.target, size, strict=True))
            assert all(last - first <= 4 for first, last in tile.latents)
        assert (count == 1).all()


def test_the_size_in_bytes_is_known_before(phases: TrainedGenerator) -> None:
    """Of labels, gray values in double precision, and colours of two bytes."""
    colour = random_generator(ScaleMinMax(0, 1, 3, "uint16"))
    gray = random_generator(ScaleMinMax(0, 1, 1, "float64"))
    for trained, voxel in ((phases, 1), (gray, 8), (colour, 6)):
        plan = VolumePlan(trained, (3, 4, 5))
        assert plan.n_bytes == plan.generate().values.nbytes == 60 * voxel


PERIODIC = [("y", 100), ("x", 3), ("zyx", 3)]


def test_periodic_axes_repeat_exactly(
    gray: TrainedGenerator, subtests: pytest.Subtests
) -> None:
    """Twice as long from the same periodic latents: the volume, and once more."""
    for periodic, tile_latents in PERIODIC:
        with subtests.test(periodic=periodic, tile_latents=tile_latents):
            size = (16, 24, 32)
            volume = generate(gray, size, 5, periodic, tile_latents).values
            periods = [
                n // SCALE if axis in periodic else None
                for axis, n in zip("zyx", size, strict=True)
            ]
            field = LatentField(5, 4, periods=(periods[0], periods[1], periods[2]))
            repeats = [2 if axis in periodic else 1 for axis in "zyx"]
            latents = [
                n * r // SCALE + OVERLAP for n, r in zip(size, repeats, strict=True)
            ]
            twice = direct(gray, field, *latents)
            np.testing.assert_allclose(np.tile(volume, repeats), twice, atol=1e-5)


def test_smallest_period(gray: TrainedGenerator) -> None:
    """One latent position over and over: each copy of 8 voxels is the same."""
    volume = generate(gray, (8, 8, 8), 5, "zyx").values
    field = LatentField(5, 4, periods=(1, 1, 1))
    np.testing.assert_allclose(
        np.tile(volume, (3, 3, 3)), direct(gray, field, 5, 5, 5), atol=1e-5
    )


def test_seeds(phases: TrainedGenerator) -> None:
    """Each seed its own sample, the same each time, whatever else draws numbers."""
    volumes: list[NDArray[Any]] = []
    for seed in (0, 1, 2**63 - 1, 0):
        torch.manual_seed(len(volumes))
        np.random.seed(len(volumes))
        volumes.append(generate(phases, (16, 16, 16), seed).values)
    np.testing.assert_array_equal(volumes[0], volumes[3])
    for a, b in itertools.combinations(volumes[:3], 2):
        assert (a != b).mean() > 0.1


def test_labels_and_voxel_size_come_back(phases: TrainedGenerator) -> None:
    """Also in a single voxel, which shows one phase only."""
    for size in ((16, 16, 16), (1, 1, 1)):
        volume = generate(phases, size)
        assert volume.kind == "phases"
        assert volume.labels == (7, 207)
        assert volume.values.dtype == np.uint8
        assert set(np.unique(volume.values)) <= {7, 207}
        assert volume.voxel_size_nm == 5


def test_smallest_type_that_holds_the_labels() -> None:
    volume = generate(random_generator(OneHotPhases([5, 256, -1])), (8, 8, 8))
    assert volume.values.dtype == "int16"
    assert volume.labels == (-1, 5, 256)


GRAY_AND_COLOUR: list[tuple[ScaleMinMax, tuple[int, ...], str, str]] = [
    (ScaleMinMax(10, 1000, 1, "uint16"), (9, 8, 7), "uint16", "grayscale"),
    (ScaleMinMax(-2, 3, 1, "float32"), (9, 8, 7), "float32", "grayscale"),
    (ScaleMinMax(0, 255, 3, "uint8"), (9, 8, 7, 3), "uint8", "colour"),
]


def test_gray_and_colour(subtests: pytest.Subtests) -> None:
    for transform, shape, dtype, kind in GRAY_AND_COLOUR:
        with subtests.test(dtype=dtype, kind=kind):
            trained = random_generator(transform)
            volume = generate(trained, (9, 8, 7), tile_latents=3)
            assert volume.values.shape == shape
            assert volume.values.dtype == dtype
            assert volume.kind == kind
            assert volume.values.min() >= transform.low
            assert volume.values.max() <= transform.high
            assert volume.values.std() > 0.02 * (transform.high - transform.low)


def test_progress(gray: TrainedGenerator) -> None:
    """Two, two and one tiles of 16 voxels: four quarters, then the volume."""
    shares: list[float] = []
    volume = generate(gray, (32, 20, 16), tile_latents=4, progress=shares.append)
    assert volume.values.shape == (32, 20, 16)
    assert shares == [0.25, 0.5, 0.75, 1.0]


def test_a_trained_run(toy_run: Path) -> None:
    """From the run folder to a volume larger than the training's."""
    volume = generate(load_generator(toy_run), (40, 20, 24), seed=1, periodic="z")
    assert volume.values.shape == (40, 20, 24)
    assert volume.labels == (7, 207)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"size": (0, 8, 8)}, r"three positive sizes.*got \(0, 8, 8\)"),
    ({"size": (10**6,) * 3}, r"The volume: .* got 1000000 x .*; lower its size, or"),
    ({"size": (8, 8)}, r"three positive sizes.*got \(8, 8\)"),
    ({"seed": -1}, "seed of at least 0; got -1"),
    ({"periodic": "t"}, r"out of 'zyx'; got 't'"),
    ({"size": (8, 8, 20), "periodic": "x"}, r"20 along x\. Use 16 or 24"),
    ({"size": (5, 8, 8), "periodic": "zyx"}, r"5 along z\. Use 8"),
]


def test_refusals(gray: TrainedGenerator, subtests: pytest.Subtests) -> None:
    for arguments, words in REFUSED:
        with subtests.test(words):
            with pytest.raises(ValueError, match=words):
                generate(gray, **{"size": (8, 8, 8), **arguments})


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What would be copied from a GPU; torch's device "meta" has no values to copy."""
    tensors: list[torch.Tensor] = []

    def copied(tensor: torch.Tensor) -> NDArray[Any]:
        tensors.append(tensor)
        return torch.zeros_like(tensor, device="cpu").numpy()

    monkeypatch.setattr(transforms, "to_host", copied)
    return tensors


@pytest.mark.parametrize(
    ("transform", "dtype"),
    [
        (OneHotPhases([7, 90, 300], (1, 1.2, 0.9)), torch.uint8),
        (ScaleMinMax(0, 4095, 1, "uint16"), torch.uint16),
        (ScaleMinMax(0, 255, 3, "uint8"), torch.uint8),
    ],
)
def test_a_gpu_hands_over_finished_values(
    transform: OneHotPhases | ScaleMinMax,
    dtype: torch.dtype,
    handed_over: list[torch.Tensor],
) -> None:
    """Not the probabilities of all phases, nor gray values of four bytes."""
    trained = random_generator(transform)
    trained.network.to("meta")
    plan = VolumePlan(trained, (9, 16, 12))
    plan.values(plan.tile((0, 0, 0)))
    box_values(plan, ((0, 1), (2, 9), (3, 12)))
    colours = () if transform.channels != 3 or transform.kind == "phases" else (3,)
    shapes = [(9, 16, 12, *colours), (1, 7, 9, *colours)]
    assert [tuple(tensor.shape) for tensor in handed_over] == shapes
    for tensor in handed_over:
        assert (tensor.device.type, tensor.dtype) == ("meta", dtype)


def test_a_gpu_hands_over_finished_images(handed_over: list[torch.Tensor]) -> None:
    trained = Trainer(small_image_config(), toy_set()).trained_generator()
    trained.network.to("meta")
    generate_samples(trained, 5)
    (images,) = handed_over
    assert images.device.type == "meta"
    assert (images.dtype, images.shape) == (torch.uint8, (5, EDGE, EDGE))
