"""Weights of phases that give a generator the phase fractions of its images.

A generator that has all shapes right still misses the fractions by a few percent of
their value, since nothing but the critic holds them. Weighing the probability of a
phase moves all its interfaces by a fraction of a voxel, like another threshold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

MAX_LOG_WEIGHT = 1.0
"""An untrained generator is not forced: its fractions may show that it is none yet."""
SWEEPS = 10


def matching_weights(logits: Tensor, fractions: Sequence[float]) -> tuple[float, ...]:
    """Weights with which each phase is the most probable one in its share of voxels.

    Parameters
    ----------
    logits
        [C, N]: of each phase at many voxels.
    fractions
        Shares of the phases that are wanted, C numbers that sum to 1.

    Returns
    -------
    tuple of float
        A weight for each phase, the first one 1, between exp(-1) and exp(1). The share
        of one phase fixes its weight if the others are known: the quantile of how much
        more probable the best other one is. The phases take turns.
    """
    levels = torch.zeros(len(fractions), dtype=logits.dtype)
    # Two phases are right at once, several after a few turns.
    for _ in range(SWEEPS if len(fractions) > 2 else 1):
        for phase in range(1, len(fractions)):
            others = logits + levels[:, None]
            others[phase] = -math.inf
            needed = others.amax(dim=0) - logits[phase]
            level = _quantile(needed, fractions[phase])
            levels[phase] = level.clamp(-MAX_LOG_WEIGHT, MAX_LOG_WEIGHT)
    return tuple(levels.exp().tolist())


def _quantile(values: Tensor, share: float) -> Tensor:
    """Number between those values that a share lies below and the others."""
    rank = min(max(round(share * len(values)), 1), len(values) - 1)
    return (values.kthvalue(rank).values + values.kthvalue(rank + 1).values) / 2
