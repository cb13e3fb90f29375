"""Local patterns of sections."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from napari_slicegan.losses.patterns import (
    SMALLEST_OF_ISOLATED,
    SMALLEST_OF_SQUARES,
    PatternLoss,
    pattern_gradient,
    pattern_shares,
)


def counted(images: torch.Tensor) -> torch.Tensor:
    """As `pattern_shares`, square by square and pixel by pixel."""
    shares = torch.zeros(5, images.shape[1])
    squares = images.unfold(2, 2, 1).unfold(3, 2, 1).flatten(-2)
    for phase, found in enumerate(squares.movedim(1, 0).flatten(1, 3)):
        for square in found:
            n = int(square.sum())
            diagonal = n == 2 and square[0] == square[3]
            if 0 < n < 4:
                shares[3 if diagonal else n - 1, phase] += 1 / len(found)
    inner = images.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)
    for phase, found in enumerate(inner.movedim(1, 0).flatten(1, 3)):
        is_lone = [int(each.sum()) == 1 and bool(each[4]) for each in found]
        shares[4, phase] = sum(is_lone) / len(found)
    return shares


def phases(*shape: int, fraction: float = 0.3) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    last = (torch.rand(shape, generator=rng) < fraction).float()
    return torch.stack([1 - last, last], dim=1)


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_shares_are_those_of_counting(fraction: float) -> None:
    images = phases(2, 9, 7, fraction=fraction)
    torch.testing.assert_close(pattern_shares(images), counted(images))


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_the_gradient_is_the_difference_that_each_pixel_makes(fraction: float) -> None:
    images, rng = phases(2, 7, 6, fraction=fraction), torch.Generator().manual_seed(0)
    weights = torch.randn(5, 2, generator=rng)
    gradient = pattern_gradient(images, weights)
    around = functional.max_pool2d(images, 3, stride=1, padding=1)
    for place in torch.cartesian_prod(*map(torch.arange, images.shape)):
        there, not_there = (
            images.index_put(tuple(place), torch.tensor(value)) for value in (1.0, 0.0)
        )
        change = pattern_shares(there) - pattern_shares(not_there)
        if not around[tuple(place)]:
            # An isolated pixel out of nothing is no small change.
            change[-1] = 0
        torch.testing.assert_close(gradient[tuple(place)], (weights * change).sum())


def test_the_gradient_removes_patterns_that_are_too_frequent() -> None:
    """Isolated pixels: less of the phase there, and no less elsewhere."""
    loss = PatternLoss(1, 2)
    real = torch.zeros(1, 2, 12, 12)
    real[:, 1, 3:9, 3:9] = 1
    generated = real.clone()
    generated[0, 1, 1, 1] = 1
    for images in (real, generated):
        images[:, 0] = 1 - images[:, 1]
    generated.requires_grad_()
    loss([real], [generated]).backward()
    assert generated.grad is not None
    slope = generated.grad[0, 1]
    assert slope[1, 1] > 0
    assert slope[1, 1] == slope.max()


def test_a_rare_pattern_weighs_by_its_difference() -> None:
    """Twice as many of few squares is chance; of many it is a difference."""
    rare, frequent = (_loss_of_doubled_pixels(every) for every in (96, 12))
    # Four squares hold one isolated pixel.
    assert 4 / 96**2 < SMALLEST_OF_SQUARES < 4 / 12**2
    assert 1 / 96**2 < SMALLEST_OF_ISOLATED < 1 / 12**2
    assert rare < 0.3 * frequent


def _loss_of_doubled_pixels(every: int) -> float:
    """Loss of images with two isolated pixels, where real ones have one, per square."""
    n = 96
    real = torch.zeros(1, 2, n, n)
    real[:, 1, every // 4 :: every, every // 4 :: every] = 1
    generated = real.clone()
    generated[:, 1, 3 * every // 4 :: every, 3 * every // 4 :: every] = 1
    for images in (real, generated):
        images[:, 0] = 1 - images[:, 1]
    return float(PatternLoss(1, 2)([real], [generated]))


def test_patterns_far_too_frequent_count_twice_at_most() -> None:
    """Sections of long fibres hold hardly any corners; first generated ones many."""
    real, generated = phases(1, 64, 64, fraction=0.0), phases(1, 64, 64)
    real[:, 1, 20:40] = 1
    real[:, 0] -= real[:, 1]
    ratios = pattern_shares(generated) / pattern_shares(real).clamp(SMALLEST_OF_SQUARES)
    assert ratios[:4].min() > 5
    assert ratios.max() > 300
    assert 1 < float(PatternLoss(1, 2)([real], [generated])) < 2.001


def test_equal_patterns_have_no_loss() -> None:
    loss, real = PatternLoss(3, 2), phases(3, 16, 16)
    generated = real.flip(2).requires_grad_()
    total = loss([*real.split(1)], [*generated.split(1)])
    total.backward()
    assert abs(total.item()) < 1e-6
    assert generated.grad is not None
    assert generated.grad.abs().max() < 1e-6


def test_axes_of_an_isotropic_material_share_real_patterns() -> None:
    first, second = phases(2, 16, 16), phases(2, 16, 16, fraction=0.6)
    shared, own = PatternLoss(2, 2, share_images=True), PatternLoss(2, 2)
    for loss in (shared, own):
        loss([first, second], [first, second])
    of_both = torch.stack([pattern_shares(first), pattern_shares(second)])
    torch.testing.assert_close(own.real, of_both)
    torch.testing.assert_close(shared.real, of_both.mean(0).expand(2, -1, -1))
    torch.testing.assert_close(shared.generated, of_both)


def test_generated_patterns_are_those_of_late_steps_real_ones_of_all() -> None:
    loss, first, later = PatternLoss(1, 2), phases(2, 16, 16), phases(2, 9, 9)
    for images in (first, *[later] * 99):
        loss([images], [images])
    new, old = pattern_shares(later), pattern_shares(first)
    torch.testing.assert_close(loss.real[0], 0.99 * new + 0.01 * old)
    share = 0.95**80 / 20
    torch.testing.assert_close(loss.generated[0], (1 - share) * new + share * old)
