"""How long the steps of a run of images take here, from steps of few images."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_slicegan.architectures import generator_spec
from napari_slicegan.config import RunConfig
from napari_slicegan.game import Game

if TYPE_CHECKING:
    from napari_slicegan.architectures import Output

# Batch norm needs more than one image.
FEWEST = 2
GROWTH = 2
# Steps grow until one takes this long; there are two of them in any case.
ENOUGH_S = 0.3


@dataclass(frozen=True)
class Timed:
    """Seconds of a step that moves critic and generator once, with so many images."""

    images: int
    seconds: float


@dataclass(frozen=True)
class Probe:
    """A timed step and one of more images; the same one if no more are wanted."""

    few: Timed
    more: Timed

    def seconds(self, operations: dict[int, float], wanted: float, moves: int) -> float:
        """Time of another step of the same networks.

        A step takes some time to move the weights, whatever its images, and time that
        grows evenly with what is computed for them.

        Parameters
        ----------
        operations
            Of the timed steps, by their numbers of images.
        wanted
            Operations of the other step.
        moves
            How often it moves the weights of a network; the timed steps do it twice.
        """
        few, more = self.few, self.more
        whole = operations[more.images]
        each = more.seconds / whole
        if more.images > few.images:
            slope = (more.seconds - few.seconds) / (whole - operations[few.images])
            # Noise must not make the time of moving the weights negative.
            each = min(each, max(slope, 0.0))
        return each * wanted + (more.seconds - each * whole) * moves / 2


def timed_settings(config: RunConfig, images: int) -> RunConfig:
    """Settings of a step that moves critic and generator once, with so many images."""
    training = {
        "critic_batch_size": images,
        "generator_batch_size": images,
        "share_batch": False,
    }
    game = {"critic_steps": 1, "generator_steps": 1, "penalty_interval": 1}
    return RunConfig(
        architecture=config.architecture,
        objective=config.objective,
        optimiser=config.optimiser,
    ).changed(**{**training, **game, "critic_heads": False, "straight_through": False})


@functools.lru_cache(maxsize=32)
def probe(
    config: RunConfig, channels: int, output: Output, device: torch.device, threads: int
) -> Probe:
    """Time steps on random numbers; once for the same settings.

    Parameters
    ----------
    config
        `timed_settings`, with the most images that are wanted.
    channels, output
        See `generator_spec`.
    threads
        Threads that torch uses at the moment.
    """
    most, _ = config.training.volumes
    game = Game(config, generator_spec(config, channels, output), True, device)
    edge = config.architecture.patch_size
    # Points have no rows and columns.
    edges = (edge, edge) if config.architecture.dimensions > 1 else ()

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.zeros(n, channels, *edges)

    found = []
    images = min(FEWEST, most)
    while True:
        game.config = timed_settings(config, images)
        started = time.perf_counter()
        # What is read waits for the device.
        game.step(real, 0.0).tolist()
        found.append(Timed(images, time.perf_counter() - started))
        if images == most or (len(found) > 1 and found[-1].seconds > ENOUGH_S):
            return Probe(found[-2] if len(found) > 1 else found[-1], found[-1])
        images = min(GROWTH * images, most)
