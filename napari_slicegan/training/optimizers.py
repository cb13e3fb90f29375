"""Optimizers by name, learning rates, and lookahead."""

from __future__ import annotations

import inspect
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

FINAL_LR_FACTOR = 0.05
LR_SCALE = "lr_scale"


def eager(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """An optimiser without the hooks of torch's compiler, else as in torch.

    When first called, each of these methods imports ``torch._dynamo``: 3 s and 70 MB in
    every process that trains, although nothing is compiled.
    """
    names = "add_param_group", "zero_grad", "state_dict", "load_state_dict", "step"
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    methods["step"] = torch.no_grad()(methods["step"])
    return type(kind.__name__, (kind,), methods)


Adam, RMSprop, SGD = map(
    eager, (torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD)
)

# `fused`: one pass over each weight; 14 % faster steps for the smallest networks.
OPTIMISERS: Mapping[str, Build] = {
    "adam": lambda weights, rate, betas, fused: Adam(weights, rate, betas, fused=fused),
    # RMSprop has only the decay of the second moment.
    "rmsprop": lambda weights, rate, betas, _: RMSprop(weights, rate, alpha=betas[1]),
    "sgd": lambda weights, rate, _, fused: SGD(weights, rate, fused=fused),
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
    """Factor of the learning rates: linear decay in the last part of a run.

    Parameters
    ----------
    progress
        Completed fraction of the run.
    """
    if settings.lr_decay_start == 1:
        return 1.0
    rest = (1 - progress) / max(1 - settings.lr_decay_start, 1e-9)
    return min(1.0, max(FINAL_LR_FACTOR, rest))


def generator_groups(generator: GeneratorNetwork, output_lr_scale: float) -> Groups:
    """Parameter groups of a generator; the last layer has a scaled learning rate.

    The size of an Adam update is about the learning rate, for any gradient. The
    last layer is not normalised, so its updates add up in the output.
    """
    if output_lr_scale == 1:
        return generator.parameters()
    blocks = [list(block.parameters()) for block in generator.blocks.children()]
    *before, last = [weights for weights in blocks if weights]
    first: dict[str, Any] = {"params": [weight for each in before for weight in each]}
    return [first, {"params": last, LR_SCALE: output_lr_scale}]


def set_rates(
    optimisers: Optimisers, settings: OptimiserSettings, progress: float
) -> None:
    """Set the learning rates for the completed fraction of the run."""
    factor = decay(settings, progress)
    rates = settings.generator_lr, settings.critic_lr
    for optimiser, rate in zip(optimisers, rates, strict=True):
        for group in optimiser.param_groups:
            value = rate * factor * group.get(LR_SCALE, 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(value)
            else:
                group["lr"] = value


LOOKAHEAD_ALPHA = 0.5
"""Fraction of the way from the slow to the fast weights (alpha of the paper)."""


class Lookahead:
    """Lookahead for generator and critics (Chavdarova et al. 2021, arXiv:2006.14567).

    Adversarial training rotates around its equilibrium. Every few steps both players
    are interpolated towards their earlier weights, which damps the rotation:
    w <- w_old + alpha (w - w_old). The state of the optimisers is kept.

    Parameters
    ----------
    networks
        Generator and critics; updated in place.
    every
        Steps between two interpolations; 0 for none.
    """

    def __init__(self, networks: Sequence[nn.Module], every: int) -> None:
        self.every = every
        self.count = 0
        self._weights: list[Tensor] = [
            w for network in networks for w in network.parameters()
        ]
        self._old: list[Tensor] = []

    def begin_step(self) -> None:
        """Store the slow weights at the start of a round."""
        if self.every and self.count % self.every == 0:
            self._old = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def end_step(self) -> None:
        """Count the step; interpolate at the end of a round."""
        if not self.every:
            return
        self.count += 1
        if self.count % self.every == 0:
            torch._foreach_lerp_(self._weights, self._old, 1 - LOOKAHEAD_ALPHA)

    def state_dict(self) -> dict[str, object]:
        """State needed to resume; includes the slow weights within a round."""
        is_within = self.every and self.count % self.every
        return {"count": self.count, "old": self._old if is_within else []}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state of :meth:`state_dict` on the device of the weights."""
        self.count = int(state["count"])  # type: ignore[call-overload]
        pairs = zip(self._weights, state["old"], strict=False)  # type: ignore[call-overload]
        self._old = [old.to(weight.device) for weight, old in pairs]
