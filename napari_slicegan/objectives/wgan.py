"""Wasserstein distance with clipped weights (Arjovsky et al. 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_slicegan.objectives.base import Critic, CriticLoss


class WassersteinClipping:
    """min_G max_D E D(real) - E D(fake) with all weights of D in [-clip, clip]."""

    outputs = 1
    pairs_images = False

    def __init__(self, clip: float) -> None:
        self.clip = clip

    def begin_step(self, rng: torch.Generator) -> None:
        """Nothing to do: the game draws no random numbers."""

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """E D(fake) - E D(real)."""
        distance = critic(fake.detach()).mean() - critic(real).mean()
        return CriticLoss(distance, torch.zeros_like(distance))

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """-E D(fake)."""
        return -critic(fake).mean()

    def after_critic_step(self, critic: torch.nn.Module) -> None:
        """Clip the weights (algorithm 1, line 7)."""
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp_(-self.clip, self.clip)

    def state_dict(self) -> dict[str, Any]:
        """Empty: each step is like the first."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take over."""
