"""Local patterns of sections: a loss of the generator beside the critic's.

The shares of 2x2 pixels that hold one, two (side by side or diagonal) or three pixels
of a phase determine the Minkowski functionals of a section: its phase fraction, the
length of its edges and its Euler number, for either neighbourhood of pixels (Mantz,
Jacobs & Mecke 2008, Journal of Statistical Mechanics P12015). A critic with strided
convolutions hardly counts single pixels, of which these are the statistics.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn

KINDS = ((1, 2, 4, 8), (3, 5, 10, 12), (7, 11, 13, 14), (6, 9))
"""Squares with one pixel of a phase, two side by side, three and two diagonal ones. The
first bit is the pixel at the upper left; then come upper right and lower left."""
N_CODES = 16
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
STEPS_OF_GENERATED = 20
"""Training steps over which generated patterns are averaged."""
STEPS_OF_REAL = 1000
"""The same for real ones, which do not change: as many crops as the images hold."""
SMALLEST = 1e-3
"""Share below which a pattern is judged by its difference, not by its ratio: of rarer
ones a step has too few for their ratio to mean anything."""


def pattern_shares(images: Tensor) -> Tensor:
    """Shares of 2x2 pixels of each kind, see `KINDS`.

    Parameters
    ----------
    images
        One-hot phases [N, C, Y, X].

    Returns
    -------
    [4, C].
    """
    codes = _codes(images).transpose(0, 1).flatten(1)
    counts = torch.zeros(len(codes), N_CODES, device=codes.device)
    counts.scatter_add_(1, codes, torch.ones_like(codes, dtype=counts.dtype))
    return _is_of_kind(codes.device) @ (counts / codes.shape[1]).T


def pattern_gradient(images: Tensor, weights: Tensor) -> Tensor:
    """Gradient of a weighted sum of `pattern_shares` by each pixel.

    Pixels are 0 or 1: the derivative is the difference between a pixel of the phase and
    one of another, the other pixels as they are.

    Parameters
    ----------
    images
        One-hot phases [N, C, Y, X].
    weights
        [4, C].

    Returns
    -------
    [N, C, Y, X].
    """
    codes = _codes(images)
    n, channels, height, width = codes.shape
    of_code = weights.T @ _is_of_kind(codes.device) / (n * height * width)
    every = torch.arange(N_CODES, device=codes.device)
    offsets = N_CODES * torch.arange(channels, device=codes.device).view(-1, 1, 1)
    index = (codes + offsets).flatten()
    gradient = torch.zeros_like(images)
    for number, (y, x) in enumerate(CORNERS):
        bit = 1 << number
        change = of_code[:, every | bit] - of_code[:, every & ~bit]
        part = change.flatten().index_select(0, index).view(codes.shape)
        gradient[..., y : y + height, x : x + width] += part
    return gradient


def _codes(images: Tensor) -> Tensor:
    """Number of each square, a bit for each of its pixels, [N, C, Y - 1, X - 1]."""
    phases = (images > 0.5).to(torch.uint8)
    rows = phases[..., :-1] + 2 * phases[..., 1:]
    return (rows[..., :-1, :] + 4 * rows[..., 1:, :]).long()


@functools.cache
def _is_of_kind(device: torch.device) -> Tensor:
    """1 where a square is of a kind, [4, 16].

    It is copied to a device before a step is captured there, which could not do so.
    """
    table = [[float(code in kind) for code in range(N_CODES)] for kind in KINDS]
    return torch.tensor(table, device=device)


class PatternLoss(nn.Module):
    """Difference of the local patterns of generated and real images.

    The patterns of the few images of a step scatter, and a squared difference would
    favour images that are all alike. So the differences are those of averages over
    steps, and the loss is linear in the images of a step.

    Parameters
    ----------
    parts
        Groups of images with averages of their own, such as those of an axis.
    channels
        Number of phases C.
    share_images
        Whether all groups have the same real images, as the axes of an isotropic
        material: their real shares are then those of all groups.
    over_processes
        Mean of a tensor over the processes that each make a part of a batch.
    """

    real: Tensor
    generated: Tensor
    steps: Tensor

    def __init__(
        self,
        parts: int,
        channels: int,
        over_processes: Callable[[Tensor], Tensor] = lambda shares: shares,
        *,
        share_images: bool = False,
    ) -> None:
        super().__init__()
        self._share_images = share_images
        self._over_processes = over_processes
        for name in ("real", "generated"):
            self.register_buffer(name, torch.zeros(parts, len(KINDS), channels))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, real: list[Tensor], generated: list[Tensor]) -> Tensor:
        """Loss of one step, a scalar; each list holds [N, C, P, P] for each part."""
        with torch.no_grad():
            seen = torch.stack([pattern_shares(images) for images in real])
            if self._share_images:
                seen = seen.mean(dim=0, keepdim=True).expand_as(seen)
            made = torch.stack([pattern_shares(images) for images in generated])
            now = self._over_processes(torch.stack([seen, made]))
            self.steps += 1
            lengths = STEPS_OF_REAL, STEPS_OF_GENERATED
            for average, shares, steps in zip(
                (self.real, self.generated), now, lengths, strict=True
            ):
                average.lerp_(shares, 1 / self.steps.clamp(max=steps))
            scale = self.real.clamp_min(SMALLEST)
            error = ((self.generated - self.real) / scale).clamp(-1, 1)
            weights = error / scale / error.numel()
            gradients = [*map(pattern_gradient, generated, weights)]
            loss = (weights * made).sum()
        for images, gradient in zip(generated, gradients, strict=True):
            # The value above with these gradients.
            linear = (images * gradient).sum()
            loss = loss + linear - linear.detach()
        return loss
