"""Optimizers by name, learning rates, and lookahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from napari_slicegan.config import OptimiserSettings
    from napari_slicegan.models import GeneratorNetwork

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


SHARE = 0.5
"""Share of the way from the old weights that is kept (the authors' alpha)."""


class Lookahead:
    """Takes generator and critics back half of their way after every few steps.

    Two players that learn against each other circle around where they would both be
    content. Steps taken ahead, and the middle between where they began and where they
    ended, damp the circling: w <- w_old + ``SHARE`` (w - w_old), for all weights of
    both at the same time. The optimisers go on as if nothing had happened.

    Parameters
    ----------
    networks
        Both players; their weights are moved in place.
    every
        Steps from one return to the next; 0 for none.
    """

    def __init__(self, networks: Sequence[nn.Module], every: int) -> None:
        self.every = every
        self.count = 0
        self._networks = networks
        self._old: list[Tensor] = []

    def begin_step(self) -> None:
        """Remember the weights from which the next steps are taken, if it is time."""
        if self.every and self.count % self.every == 0:
            self._old = [weight.detach().clone() for weight in self._weights()]

    @torch.no_grad()
    def end_step(self) -> None:
        """Count the step; go back if it was the last of its round."""
        if not self.every:
            return
        self.count += 1
        if self.count % self.every == 0:
            torch._foreach_lerp_(list(self._weights()), self._old, 1 - SHARE)

    def state_dict(self) -> dict[str, object]:
        """State that a resumed run needs; the old weights in the middle of a round."""
        return {"count": self.count, "old": self._old if self._is_within else []}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Take over what :meth:`state_dict` gave, on the device of the weights."""
        self.count = int(state["count"])  # type: ignore[call-overload]
        pairs = zip(self._weights(), state["old"], strict=False)  # type: ignore[call-overload]
        self._old = [old.to(weight.device) for weight, old in pairs]

    @property
    def _is_within(self) -> bool:
        """Whether some steps of a round have been taken, and some not."""
        return bool(self.every) and self.count % self.every != 0

    def _weights(self) -> Iterable[nn.Parameter]:
        for network in self._networks:
            yield from network.parameters()
