"""Scores that a critic draws at random around what it thinks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_slicegan.machine.devices import to_device


class ResampledHead(nn.Module):
    """Draws each score from a normal law (feature resampling, Xiangli et al. 2020).

    Parameters
    ----------
    rng
        Source of the noise, on the CPU. Whoever saves the critic saves its state too.
    """

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Means, then logarithms of variances, [N, 2 K] -> scores [N, K]."""
        mean, log_variance = x.chunk(2, dim=1)
        noise = to_device(torch.randn(mean.shape, generator=self._rng), mean.device)
        return mean + (log_variance / 2).exp() * noise.to(mean.dtype)
