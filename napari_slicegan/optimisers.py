"""The optimisers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

Build = Callable[
    [Iterable[nn.Parameter], float, tuple[float, float]], torch.optim.Optimizer
]

OPTIMISERS: Mapping[str, Build] = {
    "adam": lambda weights, rate, betas: torch.optim.Adam(weights, rate, betas),
    # Its only decay is that of the second moment.
    "rmsprop": lambda weights, rate, betas: torch.optim.RMSprop(
        weights, rate, alpha=betas[1]
    ),
    "sgd": lambda weights, rate, betas: torch.optim.SGD(weights, rate),
}
