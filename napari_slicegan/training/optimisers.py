"""The optimisers by name, and the fall of their learning rates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_slicegan.config import OptimiserSettings

Build = Callable[
    [Iterable[nn.Parameter], float, tuple[float, float]], torch.optim.Optimizer
]

FINAL_RATE = 0.05

OPTIMISERS: Mapping[str, Build] = {
    "adam": lambda weights, rate, betas: torch.optim.Adam(weights, rate, betas),
    # Its only decay is that of the second moment.
    "rmsprop": lambda weights, rate, betas: torch.optim.RMSprop(
        weights, rate, alpha=betas[1]
    ),
    "sgd": lambda weights, rate, betas: torch.optim.SGD(weights, rate),
}


def decay(settings: OptimiserSettings, progress: float) -> float:
    """Factor of the learning rates, which fall linearly in the last part of a run.

    Parameters
    ----------
    progress
        Share of the run that is over.
    """
    if settings.decay_from == 1:
        return 1.0
    rest = (1 - progress) / max(1 - settings.decay_from, 1e-9)
    return min(1.0, max(FINAL_RATE, rest))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let all weights of an optimiser learn with this rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
