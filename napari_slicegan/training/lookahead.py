"""Lookahead for games (Chavdarova et al. 2021, arXiv:2006.14567)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

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
