"""One generator of random numbers for each purpose of a training run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_slicegan.architectures.network import Prior

PURPOSES = ("weights", "latents", "planes", "patches", "objective", "monitor")


class RandomStreams:
    """Independent generators, so that one purpose never shifts another's numbers.

    All live on the CPU: a run on a GPU draws the same numbers.
    """

    def __init__(self, seed: int) -> None:
        self._streams = {}
        for number, purpose in enumerate(PURPOSES):
            stream = torch.Generator()
            stream.manual_seed((seed * len(PURPOSES) + number) % 2**63)
            self._streams[purpose] = stream

    def __getitem__(self, purpose: str) -> torch.Generator:
        """Generator of a purpose."""
        return self._streams[purpose]

    def state_dict(self) -> dict[str, Tensor]:
        """State of all generators."""
        return {name: stream.get_state() for name, stream in self._streams.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name, stream in self._streams.items():
            stream.set_state(state[name])


def prior_sample(prior: Prior, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Latents of a law: normal, or uniform between -1 and 1; on the CPU."""
    if prior == "uniform":
        return 2 * torch.rand(shape, generator=rng) - 1
    return torch.randn(shape, generator=rng)
