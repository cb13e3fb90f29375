"""Volumes of a generator with noise inputs and anti-aliasing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_slicegan.data.transforms import ScaleMinMax
from napari_slicegan.generation.edits import Edit
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.generation.lazy import box_values
from napari_slicegan.models import build_generator
from tests.toys import random_generator

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator

# 8 (L - 3) voxels from L latent positions.
SCALE, OVERLAP = 8, 3
SIZE = (20, 41, 9)


def noisy(gain: float) -> TrainedGenerator:
    """Writes out the network's own values, 0 to 1."""
    toy = random_generator(ScaleMinMax(0, 1, 1, "float64"), "slicegan-aa")
    spec = replace(toy.network.spec, noise=True, voxel_noise=True, normalisation="none")
    network = build_generator(spec, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("gain"):
                weight.fill_(gain)
            else:
                weight.mul_(6)
    return replace(toy, network=network.eval())


@pytest.fixture(scope="module")
def grainy() -> TrainedGenerator:
    return noisy(gain=1.0)


def values(trained: TrainedGenerator, *given: Any, **settings: Any) -> NDArray[Any]:
    made: NDArray[Any] = generate(trained, *given, **settings).values
    assert made.std() > 0.01
    return made


def test_noise_matters(grainy: TrainedGenerator) -> None:
    apart = values(grainy, SIZE, 3) - values(noisy(gain=0.0), SIZE, 3)
    assert np.abs(apart).mean() > 0.01


def test_tiles_join_exactly(
    grainy: TrainedGenerator, subtests: pytest.Subtests
) -> None:
    for tile_latents in [4, 5, 8]:
        with subtests.test(tile_latents=tile_latents):
            whole = values(grainy, SIZE, 3, tile_latents=100)
            tiled = values(grainy, SIZE, 3, tile_latents=tile_latents)
            np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_the_inference_form_makes_what_the_network_makes(
    grainy: TrainedGenerator,
) -> None:
    plan = VolumePlan(grainy, SIZE, 3)
    latents = plan.latents(*((0, -(-n // SCALE) + OVERLAP) for n in SIZE))
    with torch.no_grad():
        whole = grainy.network(latents[None])[0, 0].double().numpy()
    z, y, x = SIZE
    np.testing.assert_allclose(values(grainy, SIZE, 3), whole[:z, :y, :x], atol=1e-5)


def test_boxes_are_parts_of_the_volume(grainy: TrainedGenerator) -> None:
    """From any voxel; each block makes only what the box needs."""
    plan = VolumePlan(grainy, SIZE, 3)
    whole = values(grainy, SIZE, 3)
    for z, y, x in [((0, 20), (0, 41), (0, 9)), ((13, 14), (3, 40), (2, 7))]:
        found = box_values(plan, (z, y, x))
        expected = whole[slice(*z), slice(*y), slice(*x)]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_periodic_axes_repeat(grainy: TrainedGenerator) -> None:
    """The last voxels fit to the first: shifted by one latent position, the same."""
    volume = values(grainy, (16, 24, 16), 5, periodic="yx", tile_latents=100)
    tiled = values(grainy, (16, 24, 16), 5, periodic="yx", tile_latents=4)
    np.testing.assert_allclose(tiled, volume, atol=1e-5)
    plan = VolumePlan(grainy, (16, 24, 16), 5, "yx")
    shifted = plan.latents((0, 5), (1, 7), (0, 5))
    with torch.no_grad():
        made = grainy.network(shifted[None])[0, 0].double().numpy()
    expected = np.roll(volume, -SCALE, axis=1)
    np.testing.assert_allclose(made[:, :24, :16], expected, atol=1e-5)


def test_truncation_leaves_the_noise(grainy: TrainedGenerator) -> None:
    """Without latents what is left is the noise of the seed, each time the same."""
    still = values(grainy, SIZE, 3, truncation=0.0)
    np.testing.assert_array_equal(still, values(grainy, SIZE, 3, truncation=0.0))
    assert np.abs(still - values(grainy, SIZE, 4, truncation=0.0)).mean() > 0.01


def test_edits_leave_the_noise(grainy: TrainedGenerator) -> None:
    """A small step along a latent changes little: the noise stays where it is."""
    before = values(grainy, SIZE, 3)
    edit = Edit({"latent": np.array([1e-3, 0.0, 0.0, 0.0])})
    after = values(grainy, SIZE, 3, edits=[edit])
    assert 0 < np.abs(after - before).max() < 0.05
