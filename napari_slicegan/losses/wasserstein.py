"""Wasserstein distance with weight clipping or a gradient penalty."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from napari_slicegan.losses.base import (
    Critic,
    CriticLoss,
    LazyPenalty,
    Objective,
    input_gradient,
)
from napari_slicegan.runtime.devices import to_device


class WassersteinClipping(Objective):
    """min_G max_D E D(real) - E D(fake) with all weights of D in [-clip, clip]."""

    def __init__(self, clip: float) -> None:
        self.clip = clip

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """E D(fake) - E D(real)."""
        distance = critic(fake.detach()).mean() - critic(real).mean()
        return CriticLoss(distance, torch.zeros_like(distance))

    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """-E D(fake)."""
        return -critic(fake).mean()

    def after_critic_step(self, critic: torch.nn.Module) -> None:
        """Clip the weights (algorithm 1, line 7)."""
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp_(-self.clip, self.clip)


class WassersteinGradientPenalty(LazyPenalty):
    """min_G max_D E D(real) - E D(fake) with a critic of gradient norm 1."""

    draws = True

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """Eq. 3: E D(fake) - E D(real) + weight E (|grad D(mix)| - 1)^2."""
        distance = critic(fake).mean() - critic(real).mean()
        penalty = torch.zeros_like(distance)
        if self.due:
            penalty = self.weight * self._penalty(critic, real, fake)
        return CriticLoss(distance + penalty, penalty.detach())

    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """-E D(fake)."""
        return -critic(fake).mean()

    def warning(self, critic: nn.Module) -> str:
        """Critics with batch normalisation do not suit the penalty."""
        mixes = any(isinstance(m, _BatchNorm) for m in critic.modules())
        if not mixes or self.weight == 0:
            return ""
        return (
            "The gradient penalty is defined per image, but the critic's batch "
            "normalisation mixes the images of a batch; set 'Penalty weight' to 0 or "
            "choose a critic without normalisation."
        )

    def _penalty(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """Penalty on random interpolates of real and generated images.

        Equal numbers are paired in order. If there are more generated images, which are
        ordered by volume and plane, a random subset is used.
        """
        n = min(len(real), len(fake))
        order = torch.arange(n)
        if len(fake) > n:
            order = torch.randperm(len(fake), generator=self._rng)[:n]
        order = to_device(order, fake.device)
        # [n, 1, 1, 1] for images, [n, 1] for points.
        shape = (n, *(1,) * (fake.dim() - 1))
        weight = to_device(torch.rand(shape, generator=self._rng), fake.device)
        mixed = weight * real[:n] + (1 - weight) * fake[order]
        mixed.requires_grad_(True)
        norm = input_gradient(critic(mixed), mixed).norm(dim=1)
        penalty: Tensor = (norm - 1).square().mean()
        return penalty
