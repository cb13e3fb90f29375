"""Running average of the generator's weights, with its own batch-norm statistics."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

if TYPE_CHECKING:
    from napari_slicegan.models import GeneratorNetwork

WARM_UP = 3
"""After n steps the average reaches back over the last n / 3."""
PROBED = 3
"""Odd, so that the voxels stand at all places of a stride of 2."""


class AveragedGenerator:
    """Exponential moving average of a generator.

    Batch-norm statistics of the trained network do not fit averaged weights; they
    are measured anew with :meth:`recalibrate` before the average is used.
    """

    def __init__(self, generator: GeneratorNetwork, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(generator).requires_grad_(False).eval()
        self.n_updates = 0

    @torch.no_grad()
    def update(self, generator: GeneratorNetwork) -> None:
        """Move the average towards the trained weights.

        The decay rises from 0 over the first steps, so that the average soon
        forgets the initial weights.
        """
        self.n_updates += 1
        decay = min(self.decay, self.n_updates / (self.n_updates + WARM_UP))
        averages: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averages, list(generator.parameters()), 1 - decay)

    @torch.no_grad()
    def recalibrate(self, batches: Iterable[Tensor]) -> None:
        """Measure the batch-norm statistics of the averaged weights.

        Parameters
        ----------
        batches
            Latent fields [B, C, z, y, x]; all batches count equally.
        """
        norms = [m for m in self.network.modules() if isinstance(m, BatchNorm)]
        if not norms:
            return
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        self.network.train()
        try:
            for latents in batches:
                self.network(latents)
        finally:
            self.network.eval()
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum

    @torch.no_grad()
    def logits(self, batches: Iterable[Tensor]) -> Tensor:
        """Logits of the phases at every ``PROBED``-th voxel along each axis.

        Parameters
        ----------
        batches
            Latents, of volumes [B, C, z, y, x].

        Returns
        -------
        Tensor
            [phases, N], on the CPU.
        """
        every, probed = slice(None), slice(None, None, PROBED)
        volumes = (self.network(latents, logits=True) for latents in batches)
        made = [
            each[(every, every, *(probed,) * (each.dim() - 2))].cpu()
            for each in volumes
        ]
        return torch.cat(made).transpose(0, 1).flatten(1)

    @torch.no_grad()
    def take_statistics(self, generator: GeneratorNetwork) -> None:
        """Take over the running statistics of the trained network."""
        pairs = zip(self.network.buffers(), generator.buffers(), strict=True)
        for mine, theirs in pairs:
            mine.copy_(theirs)

    @torch.no_grad()
    def follow(self, generator: GeneratorNetwork) -> None:
        """Become the trained network as it is, statistics included."""
        self.network.load_state_dict(generator.state_dict())

    def state_dict(self) -> dict[str, object]:
        """State that a resumed run needs; without averaging no copy of the weights."""
        if self.decay == 0:
            return {"n_updates": self.n_updates}
        return {"network": self.network.state_dict(), "n_updates": self.n_updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over what :meth:`state_dict` gave."""
        if self.decay > 0:
            weights = state["network"]
            self.network.load_state_dict(weights)  # type: ignore[arg-type]
        self.n_updates = int(state["n_updates"])  # type: ignore[call-overload]
