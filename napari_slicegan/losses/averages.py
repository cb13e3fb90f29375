"""Statistics of real and generated images, averaged over training steps."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

STEPS_OF_GENERATED = 20
"""Training steps over which generated statistics are averaged."""
STEPS_OF_REAL = 1000
"""The same for real ones, which do not change: as many crops as the images hold."""


class AveragedStatistics(nn.Module):
    """Base of losses that compare averages over steps in place of single batches.

    The statistics of the few images of a step scatter, and a distance between those
    would favour images that are all alike.

    Parameters
    ----------
    shape
        Of the statistics of one group of images.
    parts
        Groups of images with averages of their own, such as those of an axis.
    channels
        Channels of an image C.
    over_processes
        Mean of a tensor over the processes that each make a part of a batch.
    share_images
        Whether all groups have the same real images, as the axes of an isotropic
        material.

    Attributes
    ----------
    real, generated
        Averages, [parts, *shape].
    steps
        Training steps so far, a scalar.
    """

    real: Tensor
    generated: Tensor
    steps: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        parts: int,
        channels: int,
        over_processes: Callable[[Tensor], Tensor],
        *,
        share_images: bool,
    ) -> None:
        super().__init__()
        self.channels = channels
        self._share_images = share_images
        self._over_processes = over_processes
        for name in ("real", "generated"):
            self.register_buffer(name, torch.zeros(parts, *shape))
        self.register_buffer("steps", torch.zeros(()))

    def take_step(self, real: Tensor, generated: Tensor) -> None:
        """Average the statistics of a step, [parts, *shape]; shared real ones [1, ...].

        The call is part of a captured step: it needs nothing from the host.
        """
        now = torch.stack([real.expand_as(generated), generated])
        self.steps += 1
        for average, found, n_steps in zip(
            (self.real, self.generated),
            self._over_processes(now),
            (STEPS_OF_REAL, STEPS_OF_GENERATED),
            strict=True,
        ):
            average.lerp_(found, 1 / self.steps.clamp(max=n_steps))
