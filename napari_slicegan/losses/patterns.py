"""Local patterns of sections: a loss of the generator beside the critic's.

The shares of 2x2 pixels that hold one, two (side by side or diagonal) or three pixels
of a phase determine the Minkowski functionals of a section: its phase fraction, the
length of its edges and its Euler number, for either neighbourhood of pixels (Mantz,
Jacobs & Mecke 2008, Journal of Statistical Mechanics P12015). A critic with strided
convolutions hardly counts single pixels, of which these are the statistics.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

N_PATTERNS = 4
STEPS_OF_GENERATED = 20
"""Training steps over which generated patterns are averaged."""
STEPS_OF_REAL = 1000
"""The same for real ones, which do not change: as many crops as the images hold."""
SMALLEST = 1e-4
"""Share below which a pattern is judged by its difference, not by its ratio."""


def pattern_shares(images: Tensor) -> Tensor:
    """Shares of 2x2 pixels with one, two, three and two diagonal pixels of a phase.

    Parameters
    ----------
    images
        One-hot phases [N, C, Y, X]. A product of pixels is one exactly where all of
        them are of the phase, so the shares are sums of products and have a gradient.

    Returns
    -------
    [4, C].
    """
    left, right = images[..., :-1], images[..., 1:]
    a, b, c, d = (
        left[..., :-1, :],
        right[..., :-1, :],
        left[..., 1:, :],
        right[..., 1:, :],
    )
    upper, lower = a * b, c * d
    one = a + b + c + d
    side = upper + lower + a * c + b * d
    diagonal = a * d + b * c
    three = upper * (c + d) + lower * (a + b)
    four = upper * lower
    # How many of these subsets each square holds -> squares of each kind.
    one, side, diagonal, three, four = (
        each.mean(dim=(0, 2, 3)) for each in (one, side, diagonal, three, four)
    )
    return torch.stack(
        [
            one - 2 * (side + diagonal) + 3 * three - 4 * four,
            side - 2 * three + 4 * four,
            three - 4 * four,
            diagonal - three + 2 * four,
        ]
    )


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
    ) -> None:
        super().__init__()
        self._over_processes = over_processes
        for name in ("real", "generated"):
            self.register_buffer(name, torch.zeros(parts, N_PATTERNS, channels))
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, real: list[Tensor], generated: list[Tensor]) -> Tensor:
        """Loss of one step, a scalar; each list holds [N, C, P, P] for each part."""
        made = torch.stack([pattern_shares(images) for images in generated])
        with torch.no_grad():
            self.steps += 1
            seen = torch.stack([pattern_shares(images) for images in real])
            now = self._over_processes(torch.stack([seen, made]).float())
            lengths = STEPS_OF_REAL, STEPS_OF_GENERATED
            for average, shares, steps in zip(
                (self.real, self.generated), now, lengths, strict=True
            ):
                average.lerp_(shares, 1 / self.steps.clamp(max=steps))
            scale = self.real.clamp_min(SMALLEST)
            error = ((self.generated - self.real) / scale).clamp(-1, 1)
        return (error * made / scale).mean()
