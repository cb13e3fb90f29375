"""Memory and time of a run, estimated before it starts."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import Tensor

from napari_slicegan.config import AXES, VOLUMES, RunConfig
from napari_slicegan.config.presets import DEFAULT_PRESET, preset
from napari_slicegan.models import (
    build_generator,
    check_training_size,
    generator_spec,
    output_of,
    volume_spec,
)
from napari_slicegan.models.cost import META, Counter, StepCost
from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.runtime.memory import MEMORY_SETTINGS
from napari_slicegan.runtime.quantities import bytes_in_words, duration
from napari_slicegan.training.adversarial_step import Game
from napari_slicegan.training.tasks import build_task

if TYPE_CHECKING:
    from napari_slicegan.models import Output
    from napari_slicegan.training.tasks import Task, TrainingData

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


LARGEST_PATCH = 256
PROBE_S = 0.3
# The program with its libraries; on a GPU torch's kernels and work spaces.
OVERHEAD_BYTES = 500 * 2**20
MOST_VOLUMES = 16
# The rest is for previews, work spaces of kernels and gaps between tensors.
USED_SHARE = 0.8


@dataclass(frozen=True)
class Estimate:
    """What a run will need; see `estimate`.

    Attributes
    ----------
    step_s
        Seconds of a training step.
    steps, minutes
        Length of the run, whichever limit it reaches first.
    memory_bytes, free_bytes
        Memory that the run needs, and what the device has left.
    """

    step_s: float
    steps: int
    minutes: float
    memory_bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the memory suffices."""
        return self.memory_bytes < self.free_bytes

    def sentence(self) -> str:
        """One or two sentences for people; where memory lacks, what to lower."""
        needed, free = (bytes_in_words(n) for n in (self.memory_bytes, self.free_bytes))
        text = (
            f"About {duration(self.minutes)} for {_rounded(self.steps)} steps of "
            f"{_few_digits(self.step_s)} s, {needed} of {free} free memory."
        )
        if self.fits:
            return text
        return f"{text} That is too much: lower {MEMORY_SETTINGS}."


def estimate(config: RunConfig, data: TrainingData) -> Estimate:
    """What a run with these settings and data will need.

    Takes a second, the first time on a device a little more. The thread that calls
    decides how many cores are measured (``torch.set_num_threads``).

    Raises
    ------
    ValueError
        If settings and data do not fit together, as `Trainer` would.
    """
    device = choose_device(config.training.device)
    config = with_volumes(config, data)
    task = build_task(config, data)
    cost = _cost(config, task)
    step_s = _seconds(config, task, cost, device)
    steps, minutes = task.training.steps, task.training.minutes
    if minutes is not None:
        steps = min(steps, math.ceil(60 * minutes / step_s))
    memory = cost.memory_bytes + OVERHEAD_BYTES
    return Estimate(step_s, steps, steps * step_s / 60, memory, free_memory(device))


def with_volumes(config: RunConfig, data: TrainingData) -> RunConfig:
    """Settings of a new run, with the volumes of a step as numbers if a GPU has a say.

    On a CUDA device as many as its free memory holds by the estimate, a power of two
    up to `MOST_VOLUMES`. The estimate is that of float32, so that bfloat16 needs less.
    On other devices, and where the settings say a number, nothing is changed.

    Raises
    ------
    ValueError
        If settings and data do not fit together.
    """
    training = config.training
    device = choose_device(training.device)
    given = training.critic_batch_size or training.generator_batch_size
    if device.type != "cuda" or given:
        return config
    usable = USED_SHARE * free_memory(device) - OVERHEAD_BYTES
    task, n = build_task(config, data), MOST_VOLUMES
    while True:
        config = config.changed(critic_batch_size=n, generator_batch_size=n)
        if n <= VOLUMES or _cost(config, task).memory_bytes <= usable:
            return config
        n //= 2


def _cost(config: RunConfig, task: Task[Any, Any]) -> StepCost:
    channels, values = task.transform.channels, task.transform.range
    return step_cost(config, channels, output_of(values), task.isotropic)


def _seconds(
    config: RunConfig, task: Task[Any, Any], cost: StepCost, device: torch.device
) -> float:
    """Seconds of a step: by the speed for volumes, or by steps of few images."""
    threads = torch.get_num_threads()
    lacks = cost.memory_bytes > free_memory(device)
    if lacks or config.architecture.dimensions == len(AXES):
        return cost.seconds(machine_speed(device, threads))
    most = max(config.training.volumes)
    channels, output = task.transform.channels, output_of(task.transform.range)
    found = probe(timed_settings(config, most), channels, output, device, threads)
    operations = {
        n: step_cost(timed_settings(config, n), channels, output, True).operations
        for n in (found.few.images, found.more.images)
    }
    game = config.objective
    moves = game.critic_steps + game.generator_steps
    return found.seconds(operations, cost.operations, moves)


def step_cost(
    config: RunConfig, channels: int, output: Output, isotropic: bool
) -> StepCost:
    """Count what a training step takes, without computing it.

    Parameters
    ----------
    channels, output
        See `generator_spec`.
    isotropic
        Whether one set of images stands for all axes.

    Raises
    ------
    ValueError
        If the settings do not fit together.
    """
    spec = generator_spec(config, channels, output)
    patch = config.architecture.patch_size
    edges: tuple[int, ...] = (patch, patch)
    if config.architecture.dimensions == 1:
        edges = ()
    else:
        check_training_size(spec, patch)

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.empty(n, channels, *edges, device=META)

    counter = Counter()
    with counter:
        game = Game(config, spec, isotropic, META)
        alive = counter.bytes
        game.step(real, 0.0)
        first, moments = counter.take(), counter.bytes - alive
        game.step(real, 0.0)
        second = counter.take()
    share = 1 / config.objective.penalty_interval
    return StepCost(
        share * first.operations + (1 - share) * second.operations,
        share * first.calls + (1 - share) * second.calls,
        # The first step has a penalty, but Adam's moments come only at its end.
        max(first.memory_bytes + moments, second.memory_bytes),
    )


@functools.cache
def machine_speed(device: torch.device, threads: int) -> float:
    """Operations per second that training reaches; measured once and remembered.

    Parameters
    ----------
    threads
        Threads that torch uses at the moment.
    """
    spec = volume_spec(preset(DEFAULT_PRESET), 2, "phases")
    shape = (1 if device.type == "cpu" else 8, spec.latent_channels)
    latents = torch.zeros((*shape, *(spec.latent_size,) * 3))
    with Counter() as counter:
        build_generator(spec).to(META)(latents.to(META)).mean().backward()
    generator = build_generator(spec, torch.Generator()).to(device)
    latents = latents.to(device)
    seconds: list[float] = []
    while sum(seconds) < PROBE_S or len(seconds) < 2:
        started = time.perf_counter()
        generator(latents).mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        elif device.type == "mps":
            torch.mps.synchronize()
        seconds.append(time.perf_counter() - started)
    # The first pass also sets up kernels.
    return float(counter.take().operations / min(seconds[1:]))


def free_memory(device: torch.device) -> int:
    """Bytes that the device has left."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def patch_sizes(config: RunConfig) -> dict[int, int]:
    """Patch sizes that the networks can have: patch size -> latent size.

    Empty if the other settings of the networks do not fit together.
    """
    try:
        with META:
            # The channels of the material do not change any size.
            rule = build_generator(volume_spec(config, 2, "phases")).size_rule
    except ValueError:
        return {}
    halved = 2 ** len(config.architecture.critic_widths)
    sizes = {rule.output_size(n): n for n in range(2, LARGEST_PATCH)}
    return {
        patch: latent
        for patch, latent in sizes.items()
        if halved <= patch <= LARGEST_PATCH and patch % halved == 0
    }


def _few_digits(seconds: float) -> str:
    return f"{seconds:.2g}" if seconds < 99 else _rounded(round(seconds))


def _rounded(n: int) -> str:
    """Two digits are more than an estimate knows."""
    digits = max(len(str(n)) - 2, 0)
    return f"{round(n, -digits):,}"
