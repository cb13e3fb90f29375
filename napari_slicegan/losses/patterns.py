"""Local patterns of sections: a loss of the generator beside the critic's.

The shares of 2x2 pixels that hold one, two (side by side or diagonal) or three pixels
of a phase determine the Minkowski functionals of a section: its phase fraction, the
length of its edges and its Euler number, for either neighbourhood of pixels (Mantz,
Jacobs & Mecke 2008, Journal of Statistical Mechanics P12015). They do not say whether
a pixel is alone: the same squares are in fragments and in rough edges. So the share of
pixels without any neighbour (of eight) of their phase is a further pattern. A critic
with strided convolutions hardly counts single pixels, of which these are the
statistics.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.losses.averages import AveragedStatistics

KINDS = ((1, 2, 4, 8), (3, 5, 10, 12), (7, 11, 13, 14), (6, 9))
"""Squares with one pixel of a phase, two side by side, three and two diagonal ones. The
first bit is the pixel at the upper left; then come upper right and lower left."""
N_PATTERNS = len(KINDS) + 1
"""Kinds of squares, and isolated pixels."""
N_CODES = 16
CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
SMALLEST_OF_SQUARES = 1e-3
SMALLEST_OF_ISOLATED = 3e-4
"""Shares below which patterns are judged by their difference, not by their ratio: of
rarer ones a step has too few for their ratio to mean anything."""


def pattern_shares(images: Tensor) -> Tensor:
    """Shares of 2x2 pixels of each kind, see `KINDS`, and of isolated pixels.

    Parameters
    ----------
    images
        One-hot phases [N, C, Y, X].

    Returns
    -------
    [5, C].
    """
    codes = _codes(images).transpose(0, 1).flatten(1)
    counts = torch.zeros(len(codes), N_CODES, device=codes.device)
    counts.scatter_add_(1, codes, torch.ones_like(codes, dtype=counts.dtype))
    squares = _is_of_kind(codes.device) @ (counts / codes.shape[1]).T
    phase, neighbours = _with_neighbours(images)
    isolated = (phase & (neighbours == 0)).float().mean(dim=(0, 2, 3))
    return torch.cat([squares, isolated.unsqueeze(0)])


def pattern_gradient(images: Tensor, weights: Tensor) -> Tensor:
    """Gradient of a weighted sum of `pattern_shares` by each pixel.

    Pixels are 0 or 1: the derivative is the difference between a pixel of the phase and
    one of another, the other pixels as they are. Isolated pixels that would appear far
    from any pixel of the phase are left out: most pixels are such places, and a small
    change of the image makes none there.

    Parameters
    ----------
    images
        One-hot phases [N, C, Y, X].
    weights
        [5, C].

    Returns
    -------
    [N, C, Y, X].
    """
    codes = _codes(images)
    n, channels, height, width = codes.shape
    of_code = weights[: len(KINDS)].T @ _is_of_kind(codes.device) / (n * height * width)
    every = torch.arange(N_CODES, device=codes.device)
    offsets = N_CODES * torch.arange(channels, device=codes.device).view(-1, 1, 1)
    index = (codes + offsets).flatten()
    gradient = torch.zeros_like(images)
    for number, (y, x) in enumerate(CORNERS):
        bit = 1 << number
        change = of_code[:, every | bit] - of_code[:, every & ~bit]
        part = change.flatten().index_select(0, index).view(codes.shape)
        gradient[..., y : y + height, x : x + width] += part
    return gradient.addcmul_(_isolation_change(images), weights[-1].view(-1, 1, 1))


def _isolation_change(images: Tensor) -> Tensor:
    """Change of the share of isolated pixels by each pixel, [N, C, Y, X].

    A pixel of a phase is one where it has no neighbour, and takes it from each
    neighbour that has no other.
    """
    phase, neighbours = _with_neighbours(images)
    n, _, height, width = phase.shape
    is_lone, is_one_of_two = (phase & (neighbours == number) for number in (0, 1))
    taken_here = _sum_of_3x3(functional.pad(is_lone.to(torch.int8), (2,) * 4))
    taken_there = _sum_of_3x3(functional.pad(is_one_of_two.to(torch.int8), (2,) * 4))
    taken_there[..., 1:-1, 1:-1] -= is_one_of_two.to(torch.int8)
    change = -torch.where(images > 0.5, taken_there, taken_here)
    change[..., 1:-1, 1:-1] += is_lone.to(torch.int8)
    return change.to(images.dtype) / (n * height * width)


def _with_neighbours(images: Tensor) -> tuple[Tensor, Tensor]:
    """Whether each inner pixel is of a phase, and how many of its 8 neighbours are."""
    phases = (images > 0.5).to(torch.int8)
    inner = phases[..., 1:-1, 1:-1]
    return inner.bool(), _sum_of_3x3(phases) - inner


def _sum_of_3x3(numbers: Tensor) -> Tensor:
    rows = numbers[..., :-2, :] + numbers[..., 1:-1, :] + numbers[..., 2:, :]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]


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


class PatternLoss(AveragedStatistics):
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

    smallest: Tensor

    def __init__(
        self,
        parts: int,
        channels: int,
        over_processes: Callable[[Tensor], Tensor] = lambda shares: shares,
        *,
        share_images: bool = False,
    ) -> None:
        groups = parts, channels, over_processes
        shape = N_PATTERNS, channels
        super().__init__(shape, *groups, share_images=share_images)
        squares = [SMALLEST_OF_SQUARES] * len(KINDS)
        smallest = torch.tensor([*squares, SMALLEST_OF_ISOLATED])
        self.register_buffer("smallest", smallest.view(-1, 1), persistent=False)

    def forward(self, real: list[Tensor], generated: list[Tensor]) -> Tensor:
        """Loss of one step, a scalar; each list holds [N, C, P, P] for each part."""
        with torch.no_grad():
            seen = torch.stack([pattern_shares(images) for images in real])
            if self._share_images:
                seen = seen.mean(dim=0, keepdim=True)
            made = torch.stack([pattern_shares(images) for images in generated])
            self.take_step(seen, made)
            scale = torch.maximum(self.real, self.smallest)
            error = ((self.generated - self.real) / scale).clamp(-1, 1)
            # The loss of a pattern far too frequent is its logarithm: were each of its
            # squares to count as much as a few do, they would push all interfaces away.
            weights = error / torch.maximum(scale, self.generated / 2) / error.numel()
            gradients = [*map(pattern_gradient, generated, weights)]
            loss = (weights * made).sum()
        for images, gradient in zip(generated, gradients, strict=True):
            # The value above with these gradients.
            linear = (images * gradient).sum()
            loss = loss + linear - linear.detach()
        return loss
