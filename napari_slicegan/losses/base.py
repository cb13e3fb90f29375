"""Interface of all objectives, and lazy gradient penalties."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class CriticLoss:
    """Terms of a critic step, scalars.

    Attributes
    ----------
    total
        Loss to minimise, including the penalty.
    penalty
        Weighted gradient penalty.
    real_scores
        Scores of the real images without gradient, before the critic's update; None
        for losses of the generator that need none.
    """

    total: Tensor
    penalty: Tensor
    real_scores: Tensor | None = None


class Objective(ABC):
    """Losses of generator and critic in adversarial training."""

    outputs: int = 1
    """Scores of the critic per image."""

    pairs_images: bool = False
    """Whether real and generated images are compared in pairs.

    If so, both come in equal numbers, also in the generator step; otherwise the
    generator step gets no real images.
    """

    scores_single_images: bool = True
    """Whether a score depends on its image only; not so with batch normalisation."""

    draws: bool = False
    """Whether random numbers are drawn on the CPU while a loss is computed."""

    def begin_step(self, rng: torch.Generator) -> None:  # noqa: B027 optional
        """Prepare a critic step; all random numbers come from ``rng``."""

    def coming_penalties(self, n: int) -> tuple[bool, ...]:
        """Whether each of the next ``n`` critic steps has a penalty."""
        return (False,) * n

    @abstractmethod
    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """Loss of the critic for images [N, C, P, P]; ``fake`` carries no gradient."""

    @abstractmethod
    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """Loss of the generator, a scalar.

        Parameters
        ----------
        fake
            Carries its gradient.
        real_scores
            Scores from the critic step, see `CriticLoss`; None to compute them.
        """

    def after_critic_step(self, critic: torch.nn.Module) -> None:  # noqa: B027
        """Constrain the critic after its optimiser step."""

    def warning(self, critic: torch.nn.Module) -> str:
        """One sentence on a critic that the objective does not suit; else empty."""
        return ""

    def state_dict(self) -> dict[str, Any]:
        """State for checkpoints."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 optional
        """Restore the state from `state_dict`."""


class LazyPenalty(Objective):
    """Gradient penalty in every ``every``-th critic step (Karras et al. 2020)."""

    def __init__(self, weight: float, every: int) -> None:
        self.weight = weight
        self.every = every
        self.count = 0

    def begin_step(self, rng: torch.Generator) -> None:
        """Count the critic step and store the source of random numbers."""
        self._rng = rng
        self.count += 1

    @property
    def due(self) -> bool:
        """Whether this critic step, which is counted already, has a penalty."""
        return self._has_penalty(self.count - 1)

    def coming_penalties(self, n: int) -> tuple[bool, ...]:
        """Whether each of the next ``n`` critic steps has a penalty."""
        return tuple(map(self._has_penalty, range(self.count, self.count + n)))

    def _has_penalty(self, step: int) -> bool:
        """Whether a critic step has a penalty; the first one is number 0."""
        return self.weight > 0 and step % self.every == 0

    def state_dict(self) -> dict[str, Any]:
        """Number of critic steps."""
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue to count the critic steps."""
        self.count = int(state["count"])


def input_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """Gradient of the scores with respect to the images, [N, C * P * P]."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.flatten(1)


def mean_squared_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """R1 or R2: mean over images of the gradient's squared norm (Mescheder 2018)."""
    return input_gradient(scores, images).square().sum(dim=1).mean()
