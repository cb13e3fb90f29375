"""Relativistic pairing with two gradient penalties (R3GAN, Huang et al. 2024)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.losses.base import (
    Critic,
    CriticLoss,
    LazyPenalty,
    mean_squared_gradient,
)


class RelativisticPairing(LazyPenalty):
    """The critic ranks a real image above a generated one, pair by pair.

    Penalties on the squared gradient at the real (R1) and the generated images (R2)
    make the training converge locally.
    """

    pairs_images = True

    def critic_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> CriticLoss:
        """E softplus(D(fake) - D(real)) + weight / 2 (R1 + R2).

        Both images of a pair are scored in one batch, one after the other, which takes
        less time than two batches.
        """
        due = self.due
        pairs = torch.stack([real, fake], dim=1).detach().flatten(0, 1)
        scores = critic(pairs.requires_grad_(due))
        real_scores, fake_scores = scores.unflatten(0, (-1, 2)).unbind(1)
        loss = functional.softplus(fake_scores - real_scores).mean()
        penalty = torch.zeros_like(loss)
        if due:
            # As many real as generated images: the mean over both is (R1 + R2) / 2.
            penalty = self.weight * mean_squared_gradient(scores, pairs)
        return CriticLoss(loss + penalty, penalty.detach())

    def generator_loss(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        """E softplus(D(real) - D(fake))."""
        with torch.no_grad():
            real_scores = critic(real)
        return functional.softplus(real_scores - critic(fake)).mean()
