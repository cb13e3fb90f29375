"""Relativistic pairing with two penalties, against the formula."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.losses.r3gan import RelativisticPairing


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=rng(seed), dtype=torch.float64)


class QuadraticCritic(nn.Module):
    """D(x) = a |x|^2 / 2, whose gradient is a x: |grad|^2 = a^2 |x|^2."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return self.a * images.flatten(1).square().sum(dim=1, keepdim=True) / 2


def begun(weight: float, every: int = 1) -> RelativisticPairing:
    objective = RelativisticPairing(weight, every)
    objective.begin_step(rng())
    return objective


REAL, FAKE = normal(5, 2, 2, 2), normal(5, 2, 2, 2, seed=2)
REAL_SQUARES = REAL.flatten(1).square().sum(dim=1)
FAKE_SQUARES = FAKE.flatten(1).square().sum(dim=1)


def test_losses_of_given_scores() -> None:
    """Scores 0 and ln 3 apart: softplus(-ln 3) = ln(4/3), softplus(ln 3) = ln 4."""
    real = torch.full((1, 1, 1, 1), math.log(3), dtype=torch.float64)
    fake = torch.zeros(1, 1, 1, 1, dtype=torch.float64)

    def critic(images: Tensor) -> Tensor:
        return images.flatten(1)

    objective = begun(0)
    critic_loss = objective.critic_loss(critic, real, fake).total
    generator_loss = objective.generator_loss(critic, real, fake)
    assert critic_loss.item() == pytest.approx(math.log(4 / 3))
    assert generator_loss.item() == pytest.approx(math.log(4))


def test_penalties_in_closed_form() -> None:
    """R1 = a^2 E |real|^2, R2 = a^2 E |fake|^2; weighted by half."""
    loss = begun(3).critic_loss(QuadraticCritic(0.7), REAL, FAKE)
    expected = 3 / 2 * 0.7**2 * (REAL_SQUARES.mean() + FAKE_SQUARES.mean())
    torch.testing.assert_close(loss.penalty, expected)
    scores = 0.35 * (FAKE_SQUARES - REAL_SQUARES)
    torch.testing.assert_close(
        loss.total.detach(), functional.softplus(scores).mean() + expected
    )
    assert not loss.penalty.requires_grad


def test_gradient_in_closed_form() -> None:
    """d/da: E sigmoid(a d) d + weight a (E |real|^2 + E |fake|^2), d = half squares."""
    critic = QuadraticCritic(0.7)
    begun(3).critic_loss(critic, REAL, FAKE).total.backward()
    d = (FAKE_SQUARES - REAL_SQUARES) / 2
    expected = (torch.sigmoid(0.7 * d) * d).mean()
    expected += 3 * 0.7 * (REAL_SQUARES.mean() + FAKE_SQUARES.mean())
    torch.testing.assert_close(critic.a.grad, expected)


def test_images_are_compared_pair_by_pair() -> None:
    """Not the means: exchanging two generated images changes the loss."""
    critic = QuadraticCritic(1.0)
    real = torch.tensor([0.0, 3.0]).double().view(2, 1, 1, 1)
    fake = torch.tensor([0.0, 3.0]).double().view(2, 1, 1, 1)
    objective = begun(0)
    # Equal scores give ln 2; scores 4.5 apart give the mean of softplus(+-4.5).
    paired = objective.critic_loss(critic, real, fake).total
    crossed = objective.critic_loss(critic, real, fake.flip(0)).total
    assert paired.item() == pytest.approx(math.log(2))
    expected = (math.log1p(math.exp(4.5)) + math.log1p(math.exp(-4.5))) / 2
    assert crossed.item() == pytest.approx(expected)
    assert RelativisticPairing.pairs_images


def test_gradient_for_the_generator() -> None:
    """-sigmoid(D(real) - D(fake)) grad D(fake) / N; none for the critic's real part."""
    critic = QuadraticCritic(0.7)
    fake = FAKE.clone().requires_grad_(True)
    begun(3).generator_loss(critic, REAL, fake).backward()
    slope = torch.sigmoid(0.35 * (REAL_SQUARES - FAKE_SQUARES))
    expected = -slope.view(5, 1, 1, 1) * 0.7 * FAKE / 5
    torch.testing.assert_close(fake.grad, expected)


def test_known_scores_of_real_images_are_taken() -> None:
    critic, objective = QuadraticCritic(0.7), begun(3)
    known = objective.critic_loss(critic, REAL, FAKE).real_scores
    assert known is not None
    assert not known.requires_grad
    expected = objective.generator_loss(critic, REAL, FAKE)
    found = objective.generator_loss(critic, torch.zeros_like(REAL), FAKE, known)
    torch.testing.assert_close(found, expected)


def test_lazy_penalty() -> None:
    """The interval counts critic steps, however many critics one step asks."""
    for every, due in [(1, [1, 1, 1, 1, 1]), (4, [1, 0, 0, 0, 1])]:
        objective = RelativisticPairing(3, every)
        critic = QuadraticCritic(0.7)
        for expected in due:
            objective.begin_step(rng())
            for _ in range(3):
                loss = objective.critic_loss(critic, REAL, FAKE)
                assert (loss.penalty.item() > 0) == bool(expected)


def test_the_interval_survives_a_resume() -> None:
    """After three steps of four, a resumed objective needs two more to the penalty."""
    first, second = RelativisticPairing(3, 4), RelativisticPairing(3, 4)
    for _ in range(3):
        first.begin_step(rng())
    second.load_state_dict(first.state_dict())
    due = []
    for _ in range(3):
        second.begin_step(rng())
        due.append(second.due)
    assert due == [False, True, False]
