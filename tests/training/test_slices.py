"""Slices: the planes that a critic sees of a volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from napari_slicegan.config import AXES
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.training.slices import planes_along, view_of

if TYPE_CHECKING:
    import pytest

B, C, Z, Y, X = 2, 3, 4, 5, 6
# Every voxel its own number.
VOLUMES = torch.arange(float(B * C * Z * Y * X)).view(B, C, Z, Y, X)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_planes_of_each_axis() -> None:
    """Along z: rows Y, columns X; along y: Z, X; along x: Z, Y. One by one by hand."""
    for b in range(B):
        for c in range(C):
            for i in range(Z):
                plane = planes_along(VOLUMES, "z", None)[b * Z + i, c]
                assert torch.equal(plane, VOLUMES[b, c, i, :, :])
            for i in range(Y):
                plane = planes_along(VOLUMES, "y", None)[b * Y + i, c]
                assert torch.equal(plane, VOLUMES[b, c, :, i, :])
            for i in range(X):
                plane = planes_along(VOLUMES, "x", None)[b * X + i, c]
                assert torch.equal(plane, VOLUMES[b, c, :, :, i])


def test_planes_lie_as_in_the_micrographs(subtests: pytest.Subtests) -> None:
    """Generated planes and those cut from a real volume have the same orientation."""
    for axis in AXES:
        with subtests.test(axis=axis):
            volume = np.arange(10 * 11 * 12, dtype=np.uint16).reshape(10, 11, 12)
            real = Micrograph.from_array(volume, "grayscale").planes(axis)
            generated = torch.from_numpy(volume.astype(np.int64))[None, None]
            made = planes_along(generated, axis, None)[:, 0]
            np.testing.assert_array_equal(made.numpy(), real)


def test_all_planes() -> None:
    """None takes every plane, the last one too: 4, 5 and 6 of two volumes."""
    images = view_of(3, isotropic=False).images(torch.zeros(2, 3, 7, 7, 7), None, rng())
    assert [tuple(batch.shape) for batch in images] == [(14, 3, 7, 7)] * 3
    sizes = [planes_along(VOLUMES, axis, None).shape for axis in AXES]
    assert sizes == [(8, 3, 5, 6), (10, 3, 4, 6), (12, 3, 4, 5)]


def cube() -> Tensor:
    """Three volumes of 8^3; every voxel its own number."""
    return torch.arange(3 * 8.0**3).view(3, 1, 8, 8, 8)


def test_random_planes() -> None:
    """No plane twice; the same positions in all volumes; other ones on other axes."""
    batches = view_of(3, isotropic=False).images(cube(), 5, rng())
    chosen = []
    for axis, batch in zip(AXES, batches, strict=True):
        assert batch.shape == (15, 1, 8, 8)
        everything = planes_along(cube(), axis, None)
        numbers = [
            next(i for i, plane in enumerate(everything) if torch.equal(plane, image))
            for image in batch
        ]
        positions = [number % 8 for number in numbers]
        assert [number // 8 for number in numbers] == [0] * 5 + [1] * 5 + [2] * 5
        assert positions[:5] == positions[5:10] == positions[10:]
        assert len(set(positions[:5])) == 5
        chosen.append(positions[:5])
    assert chosen[0] != chosen[1] != chosen[2]


def test_merged_planes_are_the_three_batches_in_one() -> None:
    apart = view_of(3, isotropic=False).images(cube(), 5, rng(3))
    (merged,) = view_of(3, isotropic=True).images(cube(), 5, rng(3))
    assert torch.equal(merged, torch.cat(apart))
    assert view_of(3, isotropic=True).n_batches == 1
    assert view_of(3, isotropic=False).n_batches == 3


def test_every_plane_has_the_same_chance() -> None:
    """2 of 8 planes, 4,000 times: each comes 1,000 times, +- 27 (binomial)."""
    source = rng()
    view = view_of(3, isotropic=False)
    volume = torch.arange(8.0).view(1, 1, 8, 1, 1).expand(1, 1, 8, 8, 8)
    counts = torch.zeros(8)
    for _ in range(4000):
        planes = view.images(volume, 2, source)[0]
        counts[planes[:, 0, 0, 0].long()] += 1
    assert counts.sum() == 8000
    assert (counts - 1000).abs().max() < 5 * 27


def test_the_generator_decides_alone() -> None:
    view = view_of(3, isotropic=True)
    torch.manual_seed(1)
    first = view.images(cube(), 4, rng(5))[0]
    torch.manual_seed(2)
    assert torch.equal(first, view.images(cube(), 4, rng(5))[0])
    assert not torch.equal(first, view.images(cube(), 4, rng(6))[0])


def test_gradients_reach_the_shown_planes_only() -> None:
    volume = cube().requires_grad_(True)
    batch = view_of(3, isotropic=False).images(volume, 3, rng())[0]
    batch.sum().backward()
    assert volume.grad is not None
    # 3 of 8 planes of each of three volumes.
    assert volume.grad.sum() == 3 * 3 * 64
    assert set(volume.grad.unique().tolist()) == {0.0, 1.0}
