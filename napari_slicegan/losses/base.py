"""What every objective offers to the trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class CriticLoss:
    """Terms of a critic step, scalars.

    Attributes
    ----------
    total
        What is minimised, penalty included.
    penalty
        The weighted gradient penalty alone.
    """

    total: Tensor
    penalty: Tensor


class Objective(Protocol):
    """The game between a generator and a critic."""

    outputs: int
    """Scores that the critic gives for each image."""

    pairs_images: bool
    """Whether images are compared pair by pair.

    If so, real and generated images come in equal numbers, in the generator's step too;
    if not, the generator's step gets no real ones.
    """

    def begin_step(self, rng: torch.Generator) -> None:
        """Prepare a critic step; all random numbers come from ``rng``."""

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """Loss of the critic for images [N, C, P, P]; ``fake`` carries no gradient."""

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Loss of the generator, a scalar; ``fake`` carries its gradient."""

    def after_critic_step(self, critic: torch.nn.Module) -> None:
        """Change the critic after its optimiser has moved it."""

    def state_dict(self) -> dict[str, Any]:
        """State that a resumed run needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""


class LazyPenalty:
    """Counts critic steps: a gradient penalty is due in every ``every``-th.

    Lazy penalties (Karras et al. 2020) save most of the second derivatives.
    """

    def __init__(self, weight: float, every: int) -> None:
        self.weight = weight
        self.every = every
        self.count = 0

    def begin_step(self, rng: torch.Generator) -> None:
        """Count the critic step and remember the source of random numbers."""
        self._rng = rng
        self.count += 1

    @property
    def due(self) -> bool:
        """Whether this critic step has a penalty."""
        return self.weight > 0 and (self.count - 1) % self.every == 0

    def state_dict(self) -> dict[str, Any]:
        """State that a resumed run needs."""
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self.count = int(state["count"])


def input_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """Gradient of each image's scores with respect to it, [N, C * P * P]."""
    (gradient,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return gradient.flatten(1)
