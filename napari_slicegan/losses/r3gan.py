"""Relativistic pairing with two gradient penalties (R3GAN, Huang et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

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
        """E softplus(D(fake) - D(real)) + weight / 2 (R1 + R2)."""
        due = self.due
        # As many real as generated images, [N, 2, C, P, P].
        pairs = torch.stack([real, fake], dim=1).detach().requires_grad_(due)
        real_scores, fake_scores = self._scores(critic, pairs)
        loss = functional.softplus(fake_scores - real_scores).mean()
        penalty = torch.zeros_like(loss)
        if due:
            squares = mean_squared_gradient(real_scores + fake_scores, pairs)
            penalty = 0.5 * self.weight * squares
        return CriticLoss(loss + penalty, penalty.detach(), real_scores.detach())

    def _scores(self, critic: Critic, pairs: Tensor) -> Sequence[Tensor]:
        """Scores of the real and of the generated images of pairs [N, 2, C, P, P]."""
        if self.scores_single_images:
            # One batch takes less time than two.
            scores = critic(pairs.flatten(0, 1)).unflatten(0, (-1, 2))
            return [scores[:, 0], scores[:, 1]]
        return [critic(images) for images in pairs.unbind(1)]

    def generator_loss(
        self,
        critic: Critic,
        real: Tensor,
        fake: Tensor,
        real_scores: Tensor | None = None,
    ) -> Tensor:
        """E softplus(D(real) - D(fake))."""
        if real_scores is None:
            with torch.no_grad():
                real_scores = critic(real)
        return functional.softplus(real_scores - critic(fake)).mean()
