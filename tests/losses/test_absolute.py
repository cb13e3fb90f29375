"""Scores judged one by one, against the formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_slicegan.losses.absolute import (
    BINARY_CROSS_ENTROPY,
    HINGE,
    LEAST_SQUARES,
    AbsoluteScores,
    ScoreLosses,
)

REAL_SCORES = torch.tensor([-2.0, -0.5, 0.0, 0.3, 1.7, 4.0], dtype=torch.float64)
FAKE_SCORES = torch.tensor([-3.0, -1.0, 0.0, 2.5], dtype=torch.float64)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def as_images(scores: Tensor) -> Tensor:
    """Images of one pixel, which the critic below takes for their scores."""
    return scores.clone().view(-1, 1, 1, 1).requires_grad_(True)


def identity(images: Tensor) -> Tensor:
    return images.flatten(1)


def begun(losses: ScoreLosses, weight: float = 0, every: int = 1) -> AbsoluteScores:
    objective = AbsoluteScores(losses, weight, every)
    objective.begin_step(rng())
    return objective


def gradients(losses: ScoreLosses) -> tuple[Tensor, Tensor, Tensor]:
    """Of the critic's loss by its two sets of scores, and of the generator's by one."""
    objective = begun(losses)
    given: list[Tensor] = []

    def critic(images: Tensor) -> Tensor:
        given.append(images.detach().flatten(1).requires_grad_(True))
        return given[-1]

    real, fake = as_images(REAL_SCORES), as_images(FAKE_SCORES)
    objective.critic_loss(critic, real, fake).total.backward()
    objective.generator_loss(critic, real, fake).backward()
    found = [scores.grad for scores in given]
    of_real, of_fake, of_generator = (g.flatten() for g in found if g is not None)
    return of_real, of_fake, of_generator


def test_bce_at_zero() -> None:
    """An undecided critic: 2 ln 2 for itself, ln 2 for the generator."""
    zeros = torch.zeros(5, 1, 1, 1)
    objective = begun(BINARY_CROSS_ENTROPY)
    loss = objective.critic_loss(identity, zeros, zeros)
    assert loss.total.item() == pytest.approx(2 * math.log(2))
    assert loss.penalty == 0
    made = objective.generator_loss(identity, zeros, zeros)
    assert made.item() == pytest.approx(math.log(2))


def test_bce_gradient_is_sigmoid_minus_label() -> None:
    """Labels: real 1, generated 0 for the critic and 1 for the generator."""
    of_real, of_fake, of_generator = gradients(BINARY_CROSS_ENTROPY)
    torch.testing.assert_close(of_real, (REAL_SCORES.sigmoid() - 1) / 6)
    torch.testing.assert_close(of_fake, FAKE_SCORES.sigmoid() / 4)
    torch.testing.assert_close(of_generator, (FAKE_SCORES.sigmoid() - 1) / 4)


def test_bce_is_finite_for_a_sure_critic() -> None:
    """Not minus infinity: log sigmoid(-1000) = -1000."""
    sure = torch.tensor([[[[-1000.0]]], [[[1000.0]]]])
    loss = begun(BINARY_CROSS_ENTROPY).critic_loss(identity, sure, sure).total
    assert loss.item() == pytest.approx(1000)


def test_lsgan_gradient_is_score_minus_label() -> None:
    of_real, of_fake, of_generator = gradients(LEAST_SQUARES)
    torch.testing.assert_close(of_real, (REAL_SCORES - 1) / 6)
    torch.testing.assert_close(of_fake, FAKE_SCORES / 4)
    torch.testing.assert_close(of_generator, (FAKE_SCORES - 1) / 4)


def test_lsgan_losses() -> None:
    """Halves of mean squares: of real scores less 1, and of generated ones."""
    real, fake = as_images(torch.tensor([1.0, 3.0])), as_images(torch.tensor([2.0]))
    loss = begun(LEAST_SQUARES).critic_loss(identity, real, fake).total
    assert loss.item() == pytest.approx((0 + 4) / 2 / 2 + 4 / 2)
    assert begun(LEAST_SQUARES).generator_loss(identity, real, fake).item() == 0.5


def test_hinge_pushes_only_to_the_margin() -> None:
    """Real scores above 1 and generated ones below -1 are left alone."""
    of_real, of_fake, of_generator = gradients(HINGE)
    expected = torch.tensor([-1, -1, -1, -1, 0, 0], dtype=torch.float64) / 6
    torch.testing.assert_close(of_real, expected)
    expected = torch.tensor([0, 0, 1, 1], dtype=torch.float64) / 4
    torch.testing.assert_close(of_fake, expected)
    torch.testing.assert_close(of_generator, torch.full_like(FAKE_SCORES, -1 / 4))


def test_penalty_on_real_images() -> None:
    """D = |x|^2 / 2 has the gradient x: weight / 2 times the mean of |x|^2."""
    real = torch.randn(5, 2, 3, 3, generator=rng(), dtype=torch.float64)
    fake = torch.randn(7, 2, 3, 3, generator=rng(), dtype=torch.float64)
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def critic(images: Tensor) -> Tensor:
        return scale * images.flatten(1).square().sum(dim=1, keepdim=True) / 2

    loss = begun(HINGE, weight=3).critic_loss(critic, real, fake)
    squares = real.flatten(1).square().sum(dim=1)
    expected = 3 / 2 * 0.7**2 * squares.mean()
    assert loss.penalty.item() == pytest.approx(expected.item())
    (slope,) = torch.autograd.grad(loss.total, scale)
    plain = begun(HINGE).critic_loss(critic, real, fake).total
    (plain_slope,) = torch.autograd.grad(plain, scale)
    # The penalty's own derivative by the scale: weight * scale * mean of |x|^2.
    difference = 3 * 0.7 * squares.mean()
    assert (slope - plain_slope).item() == pytest.approx(difference.item())
