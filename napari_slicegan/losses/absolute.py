"""Objectives that score each image independently: BCE, LSGAN and hinge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.losses.base import (
    Critic,
    CriticLoss,
    LazyPenalty,
    mean_squared_gradient,
)

LossOfScores = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ScoreLosses:
    """Elementwise losses of scores.

    Attributes
    ----------
    real, fake
        Loss of the critic for real and for generated images.
    generator
        Loss of the generator.
    """

    real: LossOfScores
    fake: LossOfScores
    generator: LossOfScores


BINARY_CROSS_ENTROPY = ScoreLosses(
    # -log sigmoid(D) and -log(1 - sigmoid(D)); the generator's does not saturate
    # (Goodfellow et al. 2014, section 3).
    real=lambda scores: functional.softplus(-scores),
    fake=functional.softplus,
    generator=lambda scores: functional.softplus(-scores),
)
LEAST_SQUARES = ScoreLosses(
    # Mao et al. 2017, eq. 9: labels 1 and 0, halved.
    real=lambda scores: 0.5 * (scores - 1).square(),
    fake=lambda scores: 0.5 * scores.square(),
    generator=lambda scores: 0.5 * (scores - 1).square(),
)
HINGE = ScoreLosses(
    # Lim & Ye 2017; Miyato et al. 2018, eqs. 16 and 17.
    real=lambda scores: functional.relu(1 - scores),
    fake=lambda scores: functional.relu(1 + scores),
    generator=torch.neg,
)


class AbsoluteScores(LazyPenalty):
    """The critic scores each image independently: real high, generated low.

    Optionally with a penalty on the squared gradient at the real images (R1, Mescheder
    et al. 2018); a weight of 0 gives the published objectives.
    """

    def __init__(self, losses: ScoreLosses, weight: float, every: int) -> None:
        super().__init__(weight, every)
        self.losses = losses

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """E real(D(real)) + E fake(D(fake)) + weight / 2 R1."""
        due = self.due
        real = real.detach().requires_grad_(due)
        scores = critic(real)
        loss = self.losses.real(scores).mean()
        loss = loss + self.losses.fake(critic(fake.detach())).mean()
        penalty = torch.zeros_like(loss)
        if due:
            penalty = 0.5 * self.weight * mean_squared_gradient(scores, real)
        return CriticLoss(loss + penalty, penalty.detach())

    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """E generator(D(fake))."""
        return self.losses.generator(critic(fake)).mean()
