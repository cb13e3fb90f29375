"""Exponential moving average of the generator, calibrated for use.

The average has its own batch-norm statistics and, on request, phase weights that match
the phase fractions of the training images.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.models.slicegan import VolumeGenerator

if TYPE_CHECKING:
    from napari_slicegan.models import GeneratorNetwork

WARM_UP = 3
"""After n steps the average covers about the last n / 3 steps."""
LOGITS_PER_AXIS = 32
"""About so many of a sample's logits are kept along each axis."""
MAX_LOG_WEIGHT = 1.0
"""Bound of the log weights; the fractions of a poor generator are not forced."""
SWEEPS = 10
"""Iterations over the phases if there are more than two."""


def plane_maker(generator: GeneratorNetwork) -> VolumeGenerator | None:
    """The generator, if it can compute single planes of its volumes."""
    if isinstance(generator, VolumeGenerator) and generator.makes_planes:
        return generator
    return None


class AveragedGenerator:
    """Exponential moving average of a generator.

    The batch-norm statistics of the trained network do not match the averaged weights;
    call :meth:`recalibrate` before using the average.
    """

    def __init__(self, generator: GeneratorNetwork, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(generator).requires_grad_(False).eval()
        self.n_updates = 0

    @torch.no_grad()
    def update(self, generator: GeneratorNetwork) -> None:
        """Move the average towards the trained weights.

        The decay increases from 0 over the first steps, so that the initial weights
        are forgotten quickly.
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
            Latent fields [B, C, z, y, x]; all batches have equal weight.
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
                if (maker := plane_maker(self.network)) is not None:
                    maker.features(latents)
                else:
                    self.network(latents)
        finally:
            self.network.eval()
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum

    @torch.no_grad()
    def logits(self, batches: Iterable[Tensor]) -> Tensor:
        """Phase logits at evenly spaced voxels.

        Parameters
        ----------
        batches
            Latent fields [B, C, z, y, x].

        Returns
        -------
        Tensor
            [phases, N], float32, on the CPU.
        """
        # Odd, so that all places of a stride-2 convolution are covered.
        step = max(3, self.network.training_size // LOGITS_PER_AXIS | 1)
        every, sparse = slice(None), slice(None, None, step)
        drawn = list(batches)
        seen = torch.empty(0)
        for number, latents in enumerate(drawn):
            made = self.network(latents, logits=True)
            few = made[(every, every, *(sparse,) * (made.dim() - 2))]
            if number == 0:
                # At once: views keep whole volumes, and copies between the volumes of
                # successive batches fragment the memory.
                seen = torch.empty((len(drawn), *few.shape))
            seen[number] = few
        # [n, B, C, ...] -> [C, n * B * ...]
        return seen.flatten(0, 1).transpose(0, 1).flatten(1)

    def copy_from(self, generator: GeneratorNetwork) -> None:
        """Copy the weights and statistics of the trained network."""
        self.network.load_state_dict(generator.state_dict())

    def state_dict(self) -> dict[str, object]:
        """State needed to resume; without averaging no copy of the weights."""
        if self.decay == 0:
            return {"n_updates": self.n_updates}
        return {"network": self.network.state_dict(), "n_updates": self.n_updates}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state returned by :meth:`state_dict`."""
        if self.decay > 0:
            weights = state["network"]
            self.network.load_state_dict(weights)  # type: ignore[arg-type]
        self.n_updates = int(state["n_updates"])  # type: ignore[call-overload]


def matching_weights(logits: Tensor, fractions: Sequence[float]) -> tuple[float, ...]:
    """Phase weights for which the argmax reproduces the given phase fractions.

    A well-trained generator still misses the fractions by a few percent (relative),
    since only the critic constrains them. Weighting the probabilities shifts all
    interfaces of a phase by a fraction of a voxel, like a different threshold.

    Parameters
    ----------
    logits
        Logits of each phase at many voxels, [C, N].
    fractions
        Target phase fractions, C numbers that sum to 1.

    Returns
    -------
    tuple of float
        One weight per phase, the first one 1, all between exp(-1) and exp(1). Given
        the other weights, the log weight of a phase is a quantile of the margin by
        which its logit falls below the largest other one (coordinate descent).
    """
    levels = torch.zeros(len(fractions), dtype=logits.dtype)
    # Exact after one sweep for two phases.
    for _ in range(SWEEPS if len(fractions) > 2 else 1):
        for phase in range(1, len(fractions)):
            others = logits + levels[:, None]
            others[phase] = -math.inf
            needed = others.amax(dim=0) - logits[phase]
            # The level below which the fraction of the phase lies.
            rank = min(max(round(fractions[phase] * len(needed)), 1), len(needed) - 1)
            above = needed.kthvalue(rank + 1).values
            level = (needed.kthvalue(rank).values + above) / 2
            levels[phase] = level.clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT)
    return tuple(levels.exp().tolist())
