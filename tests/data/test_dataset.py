"""Random crops: every position, every symmetry, nothing cut in advance."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import PatchSampler
from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax

if TYPE_CHECKING:
    import pytest

RNG = np.random.default_rng(5)


def numbered(*shape: int, start: int = 0) -> Micrograph:
    """Gray values that identify each pixel: its number, counting from start."""
    values = np.arange(start, start + int(np.prod(shape))).reshape(shape)
    return Micrograph.from_array(values, "grayscale")


def exactly(images: list[Micrograph]) -> ScaleMinMax:
    """Transform that leaves the values of the images as they are."""
    top = max(int(image.values.max()) for image in images)
    return ScaleMinMax(0, top, 1, "int64", output=(0, top))


def drawn(
    images: list[Micrograph],
    patch_size: int,
    n: int,
    symmetries: Any = "none",
    axis: Axis = "z",
) -> NDArray[np.int64]:
    """Crops as whole numbers: [n, P, P]."""
    sampler = PatchSampler(images, exactly(images), patch_size, symmetries, axis)
    crops = sampler.sample(n, torch.Generator().manual_seed(0))
    assert crops.shape == (n, 1, patch_size, patch_size)
    assert crops.dtype == torch.float32
    return crops[:, 0].round().long().numpy()


def assert_uniform(counts: Counter[Any], n_kinds: int) -> None:
    """All kinds occur, as often as chance has it."""
    assert len(counts) == n_kinds
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_every_position_is_equally_probable() -> None:
    # 9 x 7 pixels have 6 x 4 = 24 positions of a patch of 4, the last ones included.
    image = numbered(9, 7)
    crops = drawn([image], 4, 4800)
    corners = Counter(crops[:, 0, 0].tolist())
    assert_uniform(corners, 24)
    assert set(corners) == {7 * row + column for row in range(6) for column in range(4)}
    for crop in crops[:50]:
        row, column = divmod(int(crop[0, 0]), 7)
        np.testing.assert_array_equal(
            crop, image.values[row : row + 4, column : column + 4]
        )


def test_larger_images_are_drawn_from_more_often() -> None:
    # 2 x 3 = 6, 1 and 5 x 1 = 5 positions: 12 in all, each equally probable.
    images = [numbered(5, 6), numbered(4, 4, start=30), numbered(8, 4, start=46)]
    corners = Counter(drawn(images, 4, 3600)[:, 0, 0].tolist())
    assert_uniform(corners, 12)
    assert sum(30 <= corner < 46 for corner in corners) == 1
    assert sum(corner >= 46 for corner in corners) == 5
    sampler = PatchSampler(images, exactly(images), 4)
    assert sampler.n_positions == 12


SYMMETRIES: list[tuple[str, int]] = [("none", 1), ("flips", 4), ("rotations", 8)]


def test_symmetries_of_the_square(subtests: pytest.Subtests) -> None:
    for symmetries, n in SYMMETRIES:
        with subtests.test(symmetries=symmetries, n=n):
            image = numbered(4, 4)
            square = image.values
            group = [square, square[::-1], square[:, ::-1], square[::-1, ::-1]]
            # Quarter turns by an independent function; with the mirrors above, all 8.
            group += [np.rot90(member) for member in group]
            allowed = [member.tobytes() for member in group[:n]]
            crops = drawn([image], 4, 200 * n, symmetries)
            counts = Counter(crop.tobytes() for crop in crops)
            assert set(counts) == set(allowed)
            if n > 1:
                assert_uniform(counts, n)


def test_planes_of_a_volume_seen_along_each_axis(subtests: pytest.Subtests) -> None:
    for axis in AXES:
        with subtests.test(axis=axis):
            volume = numbered(8, 9, 10)
            planes = volume.planes(axis)
            crops = drawn([volume], 7, 4000, axis=axis)
            # The number of the first pixel gives plane, row and column.
            n, rows, columns = planes.shape
            allowed = planes[:, : rows - 6, : columns - 6]
            counts = Counter(crops[:, 0, 0].tolist())
            assert set(counts) == set(allowed.ravel().tolist())
            assert_uniform(counts, n * (rows - 6) * (columns - 6))
            for crop in crops[:30]:
                plane, row, column = np.argwhere(planes == crop[0, 0])[0]
                expected = planes[plane, row : row + 7, column : column + 7]
                np.testing.assert_array_equal(crop, expected)


def test_phases_and_colours_become_channels() -> None:
    labels = RNG.choice(np.array([0, 127, 255]), (20, 30))
    phases = PatchSampler(
        [Micrograph.from_array(labels)], OneHotPhases((0, 127, 255)), 16
    )
    crops = phases.sample(7, torch.Generator().manual_seed(1))
    assert crops.shape == (7, 3, 16, 16)
    torch.testing.assert_close(crops.sum(dim=1), torch.ones(7, 16, 16))

    rgb = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    transform = ScaleMinMax(0, 255, 3, "uint8")
    colours = PatchSampler([Micrograph.from_array(rgb)], transform, 16)
    crop = colours.sample(1, torch.Generator())[0]
    np.testing.assert_allclose(crop, np.moveaxis(rgb, -1, 0) / 255, atol=1e-6)


def test_colours_are_turned_in_space_only() -> None:
    # Every pixel keeps its three channels, whichever way the crop is turned.
    rgb = RNG.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    transform = ScaleMinMax(0, 255, 3, "uint8")
    sampler = PatchSampler([Micrograph.from_array(rgb)], transform, 6, "rotations")
    pixels = sorted(map(tuple, rgb.reshape(-1, 3).tolist()))
    for crop in sampler.sample(20, torch.Generator().manual_seed(0)):
        turned = transform.inverse(crop).reshape(-1, 3)
        assert sorted(map(tuple, turned.tolist())) == pixels


def test_generator_decides_what_is_drawn() -> None:
    image = numbered(40, 40)
    sampler = PatchSampler([image], exactly([image]), 8, "rotations")
    rng = torch.Generator().manual_seed(3)
    sampler.sample(5, rng)
    state = rng.get_state()
    first = sampler.sample(5, rng)
    # Continued from a stored state: the same crops again, bit by bit.
    rng.set_state(state)
    assert torch.equal(sampler.sample(5, rng), first)
    assert not torch.equal(sampler.sample(5, rng), first)
    other = torch.Generator().manual_seed(4)
    assert not torch.equal(sampler.sample(5, other), first)


def test_memory_is_that_of_the_images() -> None:
    # 1000 x 1000 pixels of one byte; all crops of 64 x 64 would be 3.6 GB.
    image = Micrograph.from_array(RNG.integers(0, 2, (1000, 1000), dtype=np.uint8))
    tracemalloc.start()
    sampler = PatchSampler([image], OneHotPhases((0, 1)), 64, "rotations")
    sampler.sample(4, torch.Generator())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
