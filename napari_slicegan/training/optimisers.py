"""The optimisers by name, and the learning rates of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from napari_slicegan.architectures import GeneratorNetwork
    from napari_slicegan.config import OptimiserSettings

Optimisers = tuple[torch.optim.Optimizer, torch.optim.Optimizer]
Groups = Iterable[nn.Parameter] | list[dict[str, Any]]
Build = Callable[[Any, float, tuple[float, float], bool], torch.optim.Optimizer]

FINAL_RATE = 0.05
RATE_SHARE = "rate_share"

# The last argument: all arithmetic of a weight in one pass. With the smallest networks
# that saves a seventh of a step.
OPTIMISERS: Mapping[str, Build] = {
    "adam": lambda weights, rate, betas, fused: torch.optim.Adam(
        weights, rate, betas, fused=fused
    ),
    # Its only decay is that of the second moment.
    "rmsprop": lambda weights, rate, betas, _: torch.optim.RMSprop(
        weights, rate, alpha=betas[1]
    ),
    "sgd": lambda weights, rate, _, fused: torch.optim.SGD(weights, rate, fused=fused),
}


def build_optimisers(
    settings: OptimiserSettings, generator: GeneratorNetwork, critics: nn.Module
) -> Optimisers:
    """The optimisers of generator and critics."""
    fused = not any(weight.is_meta for weight in critics.parameters())
    return (
        OPTIMISERS[settings.generator_optimiser](
            generator_groups(generator, settings.output_lr_scale),
            settings.generator_lr,
            settings.betas,
            fused,
        ),
        OPTIMISERS[settings.critic_optimiser](
            critics.parameters(), settings.critic_lr, settings.betas, fused
        ),
    )


def decay(settings: OptimiserSettings, progress: float) -> float:
    """Factor of the learning rates, which fall linearly in the last part of a run.

    Parameters
    ----------
    progress
        Share of the run that is over.
    """
    if settings.lr_decay_start == 1:
        return 1.0
    rest = (1 - progress) / max(1 - settings.lr_decay_start, 1e-9)
    return min(1.0, max(FINAL_RATE, rest))


def generator_groups(generator: GeneratorNetwork, output_lr_scale: float) -> Groups:
    """The weights of a generator, those of its last layer with a share of the rate.

    Adam moves each weight by about its rate, whatever the gradient. In the last layer,
    which no normalisation follows, all these movements add up in the output.
    """
    if output_lr_scale == 1:
        return generator.parameters()
    blocks = [list(block.parameters()) for block in generator.blocks.children()]
    *before, last = [weights for weights in blocks if weights]
    first: dict[str, Any] = {"params": [weight for each in before for weight in each]}
    return [first, {"params": last, RATE_SHARE: output_lr_scale}]


def set_rates(
    optimisers: Optimisers, settings: OptimiserSettings, progress: float
) -> None:
    """Linear fall of the learning rates in the last part of the run."""
    factor = decay(settings, progress)
    rates = settings.generator_lr, settings.critic_lr
    for optimiser, rate in zip(optimisers, rates, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * factor * group.get(RATE_SHARE, 1.0)
