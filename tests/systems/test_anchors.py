"""Anchors: their distributions, their skew, and a new draw in every step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_slicegan.config import ObjectiveSettings
from napari_slicegan.systems.realness_loss import (
    Anchors,
    build_anchors,
    histogram,
    skew_normal,
    skew_normals,
    skewed,
    uniform_and_normal,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_anchor(n: int) -> Tensor:
    anchor = torch.rand(n, generator=rng(n), dtype=torch.float64)
    return anchor / anchor.sum()


def mean_anchors(anchors: Anchors, n: int = 400) -> tuple[Tensor, Tensor]:
    """Expected anchors of real and of generated images."""
    stream = rng()
    draws = [torch.stack(anchors(stream)) for _ in range(n)]
    real, generated = torch.stack(draws).mean(dim=0)
    return real, generated


def projected(anchor: Tensor, skew: float) -> Tensor:
    """Slow reference: mass by mass onto the two neighbours on [-1, 1]."""
    n = len(anchor)
    spacing = 2 / (n - 1)
    result = torch.zeros(n, dtype=torch.float64)
    for index, mass in enumerate(anchor.tolist()):
        value = min(max(-1 + index * spacing + skew, -1), 1)
        place = (value + 1) / spacing
        below = min(math.floor(place + 1e-9), n - 1)
        above = min(below + 1, n - 1)
        result[above] += mass * (place - below)
        result[below] += mass * (1 - (place - below))
    return result


def test_skew_is_a_projection() -> None:
    for outcomes in [2, 5, 10, 51]:
        for skew in [-2.0, -1.0, -0.3, 0.0, 0.77, 1.0]:
            anchor = random_anchor(outcomes)
            moved = skewed(anchor, skew)
            torch.testing.assert_close(moved, projected(anchor, skew))
            assert moved.sum().item() == pytest.approx(1)
        assert torch.equal(skewed(anchor, 0), anchor)


def test_largest_skew_gathers_everything_at_the_end() -> None:
    expected = torch.tensor([0, 0, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(skewed(random_anchor(4), 2), expected)
    torch.testing.assert_close(skewed(random_anchor(4), -2), expected.flip(0))


def test_histogram_is_numpy_s() -> None:
    for outcomes in [2, 7, 51]:
        sample = torch.randn(1000, generator=rng())
        expected, _ = np.histogram(sample.numpy(), outcomes)
        found = histogram(sample, outcomes)
        np.testing.assert_allclose(found.numpy(), expected / 1000, atol=1e-6)


ANCHORS: list[tuple[int, list[float], list[float]]] = [
    # Bins of 1,000 normal numbers end at +-3.24 in the mean: 0.026 0.233 0.483 ...
    # Moved down by two of five bins, three of them meet in the first.
    (5, [0, 0, 0.2, 0.2, 0.6], [0.742, 0.233, 0.026, 0, 0]),
    # By four and a half of ten.
    (
        10,
        [0, 0, 0, 0, 0.05, 0.11, 0.10, 0.09, 0.10, 0.55],
        [0.60, 0.19, 0.11, 0.06, 0.03, 0.01, 0, 0, 0, 0],
    ),
]


def test_published_anchors(subtests: pytest.Subtests) -> None:
    for outcomes, real, generated in ANCHORS:
        with subtests.test(outcomes=outcomes):
            found = mean_anchors(uniform_and_normal(outcomes, 1))
            for anchor, expected in zip(found, (real, generated), strict=True):
                np.testing.assert_allclose(anchor.numpy(), expected, atol=0.03)


def test_real_means_high_and_generated_low(subtests: pytest.Subtests) -> None:
    """Distributions with their weight at opposite ends."""
    for anchors in [uniform_and_normal(10, 1), skew_normals(10, 1)]:
        with subtests.test(anchors=anchors):
            places = torch.linspace(-1, 1, 10)
            for seed in range(20):
                real, generated = anchors(rng(seed))
                for anchor in (real, generated):
                    assert anchor.sum().item() == pytest.approx(1)
                    assert (anchor >= 0).all()
                assert (real * places).sum() > 0.2
                assert (generated * places).sum() < -0.2


def test_peaks_of_the_skewed_anchors() -> None:
    """At the last outcome for real and the first for generated images."""
    for outcomes in [3, 5, 10, 51]:
        for seed in range(20):
            real, generated = uniform_and_normal(outcomes, 1)(rng(seed))
            assert real.argmax() == outcomes - 1
            assert generated.argmax() == 0


def test_skew_normal_anchors_overlap_by_a_quarter() -> None:
    real, generated = mean_anchors(skew_normals(10, 1))
    assert torch.minimum(real, generated).sum().item() == pytest.approx(0.25, abs=0.05)
    # One is the other's mirror image.
    torch.testing.assert_close(real, generated.flip(0), atol=0.01, rtol=0)


def test_skew_normal_moments() -> None:
    """Mean delta sqrt(2 / pi), variance 1 - 2 delta^2 / pi; n = 100,000, 4 sigma."""
    for shape in [-5.0, 0.0, 2.0]:
        sample = skew_normal(shape, 100_000, rng())
        delta = shape / math.sqrt(1 + shape**2)
        assert sample.mean().item() == pytest.approx(
            delta * math.sqrt(2 / math.pi), abs=0.013
        )
        assert sample.var().item() == pytest.approx(
            1 - 2 * delta**2 / math.pi, abs=0.018
        )


def test_each_draw_is_new_and_from_the_given_stream(subtests: pytest.Subtests) -> None:
    for anchors in [uniform_and_normal(10, 1), skew_normals(10, 1)]:
        with subtests.test(anchors=anchors):
            torch.manual_seed(1)
            stream = rng(3)
            first, second = anchors(stream), anchors(stream)
            assert not torch.equal(first[0], second[0])
            assert not torch.equal(first[1], second[1])
            torch.manual_seed(2)
            again = anchors(rng(3))
            assert torch.equal(first[0], again[0])
            assert torch.equal(first[1], again[1])


def custom(real: tuple[float, ...], generated: tuple[float, ...]) -> Anchors:
    settings = ObjectiveSettings(
        anchors="custom", outcomes=3, real_anchor=real, generated_anchor=generated
    )
    return build_anchors(settings)


def test_custom_anchors() -> None:
    """Scaled to a sum of 1; refused if they do not fit the outcomes."""
    real, generated = custom(real=(0, 1, 3), generated=(2, 2, 0))(rng())
    assert real.tolist() == [0, 0.25, 0.75]
    assert generated.tolist() == [0.5, 0.5, 0]
    for real_given, generated_given, words in [
        ((), (1, 0, 0), r"'Anchor, real' must hold 3 numbers.*got 0: none\.$"),
        ((0, 1), (1, 0, 0), r"'Anchor, real' .*got 2: 0, 1\.$"),
        ((0, 0, 1), (1, 0), r"'Anchor, generated' .*got 2: 1, 0\.$"),
        ((0, 0, 0), (1, 0, 0), r"'Anchor, real' .*above 0; got 3: 0, 0, 0\.$"),
    ]:
        with pytest.raises(ValueError, match=words):
            custom(real_given, generated_given)
