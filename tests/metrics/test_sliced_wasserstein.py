from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter

from napari_slicegan.metrics.sliced_wasserstein import (
    RealPatches,
    laplacian_pyramid,
    mean_shift,
    ordered_projections,
    random_directions,
)

# A binomial of five along both axes.
KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def textures(
    n: int, channels: int, edge: int, sigma: float, seed: int = 0
) -> NDArray[Any]:
    noise = rng(seed).standard_normal((n, channels, edge, edge))
    return np.asarray(gaussian_filter(noise, (0, 0, sigma, sigma), mode="wrap"))


def distances(real: NDArray[Any], generated: NDArray[Any]) -> NDArray[np.float64]:
    return RealPatches(real).distances(generated)


def distance_along(
    first: NDArray[Any], second: NDArray[Any], lines: NDArray[Any]
) -> float:
    one, other = (ordered_projections(points, lines) for points in (first, second))
    return mean_shift(one, other, len(lines))


def doubled(image: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """One channel, enlarged: zeros between the pixels, then four times the kernel."""
    spread = np.zeros(shape)
    spread[::2, ::2] = image
    return np.asarray(convolve(spread, 4 * KERNEL, mode="mirror"))


def test_moved_gaussian() -> None:
    """|m| G(d/2) / (sqrt(pi) G((d+1)/2)): 0.1146 for |m| = 1, d = 49."""
    dimensions = 49
    move = np.zeros(dimensions)
    move[:2] = 3, 4  # length 5
    first = rng(1).standard_normal((5000, dimensions))
    second = rng(2).standard_normal((5000, dimensions)) + move
    lines = random_directions(2000, dimensions, rng(3))
    log_ratio = math.lgamma(dimensions / 2) - math.lgamma((dimensions + 1) / 2)
    expected = 5 * math.exp(log_ratio) / math.sqrt(math.pi)
    assert distance_along(first, second, lines) == pytest.approx(expected, rel=0.05)


def test_lines_are_averaged_however_many() -> None:
    """Against sorting one projection after the other; more lines than a block."""
    n = 33
    first, second = rng(1).random((40, 6)), rng(2).random((40, 6)) ** 2
    lines = random_directions(n, 6, rng(3))
    slow = [
        np.abs(np.sort(first @ line) - np.sort(second @ line)).mean() for line in lines
    ]
    assert distance_along(first, second, lines) == pytest.approx(np.mean(slow))


def test_directions() -> None:
    """Of length 1, and no preferred side."""
    lines = random_directions(4000, 3, rng())
    np.testing.assert_allclose(np.linalg.norm(lines, axis=1), 1)
    # The mean of a coordinate's square on the sphere is 1/3.
    np.testing.assert_allclose((lines**2).mean(axis=0), 1 / 3, atol=0.02)
    np.testing.assert_allclose(lines.mean(axis=0), 0, atol=0.04)


def test_pyramid_holds_the_image() -> None:
    """Level by level down to 16 pixels; enlarged and added it is the image again."""
    rows: list[tuple[tuple[int, int], list[int]]] = [
        ((33, 33), [33, 17]),
        ((16, 128), [16]),
    ]
    for shape, edges in rows:
        image = rng().random(shape)
        pyramid = laplacian_pyramid(image[np.newaxis, np.newaxis])
        assert [level.shape[2] for level in pyramid] == edges
        restored = pyramid[-1][0, 0]
        for level in pyramid[-2::-1]:
            finer = level[0, 0]
            restored = finer + doubled(restored, finer.shape)
        np.testing.assert_allclose(restored, image, atol=1e-5)


def slow_descriptors(
    level: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]
) -> NDArray[Any]:
    """Patch by patch, then channel by channel."""
    patches = np.array(
        [
            image[:, row : row + 7, column : column + 7]
            for image, its_rows, its_columns in zip(level, rows, columns, strict=True)
            for row, column in zip(its_rows, its_columns, strict=True)
        ]
    )
    for channel in range(level.shape[1]):
        values = patches[:, channel]
        patches[:, channel] = (values - values.mean()) / values.std()
    return patches.reshape(len(patches), -1)


def test_against_a_slow_reference() -> None:
    """The same definition, written out, with the same random numbers."""
    real, fake = textures(3, 2, 32, 1), textures(3, 2, 32, 2, seed=1)
    found = distances(real, fake)
    numbers = rng()
    for level, edge in enumerate((32, 16)):
        rows = numbers.integers(edge - 6, size=(3, 128))
        columns = numbers.integers(edge - 6, size=(3, 128))
        lines = numbers.standard_normal((512, 98))
        lines /= np.linalg.norm(lines, axis=1, keepdims=True)
        sets = []
        for images in (real, fake):
            small = [
                [convolve(c, KERNEL, mode="mirror")[::2, ::2] for c in image]
                for image in images
            ]
            large = [[doubled(c, (32, 32)) for c in image] for image in small]
            values = np.array(small) if level else images - np.array(large)
            sets.append(slow_descriptors(values, rows, columns))
        ordered = [np.sort(each @ lines.T, axis=0) for each in sets]
        expected = 1000 * np.abs(ordered[0] - ordered[1]).mean()
        assert found[level] == pytest.approx(expected, rel=1e-5)
    assert len(found) == 2


def test_several_channels() -> None:
    """The same material is near, another one far; the same images are at 0."""
    channels = 3
    real, same = (textures(24, channels, 32, 1, seed) for seed in (1, 2))
    other = textures(24, channels, 32, 3, seed=3)
    near = distances(real, same)
    far = distances(real, other)
    assert near.shape == far.shape == (2,)
    assert (far > 1.5 * near).all()
    assert (near > 0).all()
    np.testing.assert_array_equal(distances(real, real.copy()), 0)


def test_the_distance_is_the_mean_of_the_scales() -> None:
    """One real set and several others."""
    real = textures(6, 2, 32, 1)
    patches = RealPatches(real)
    for seed in (1, 2):
        fake = textures(6, 2, 32, 2, seed)
        assert patches.distance(fake) == distances(real, fake).mean()
    with pytest.raises(ValueError, match="same shape"):
        patches.distance(fake[:5])


def test_brightness_and_contrast_do_not_count() -> None:
    """Each channel of each set is brought to mean 0 and standard deviation 1."""
    real, fake = textures(8, 2, 16, 1), textures(8, 2, 16, 2, seed=1)
    expected = distances(real, fake)
    brighter = fake * np.array([3.0, 0.1]).reshape(2, 1, 1) + 0.5
    found = distances(real, brighter)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_collapsed_generator_is_far_away() -> None:
    """Flat images have no contrast to scale; the result is a number."""
    real = textures(8, 1, 16, 1)
    (far,) = distances(real, np.zeros_like(real))
    (near,) = distances(real, textures(8, 1, 16, 1, seed=1))
    assert math.isfinite(far)
    assert far > 3 * near


def test_refused() -> None:
    rows: list[tuple[tuple[int, ...], tuple[int, ...], str]] = [
        ((4, 1, 16, 16), (5, 1, 16, 16), r"same shape; got \(4, 1.*\(5, 1"),
        ((0, 1, 16, 16), (0, 1, 16, 16), r"images, channels, rows and columns"),
        ((4, 1, 15, 40), (4, 1, 15, 40), r"at least 16 x 16 pixels; got 15 x 40"),
    ]
    for first, second, words in rows:
        with pytest.raises(ValueError, match=words):
            distances(np.zeros(first), np.zeros(second))
