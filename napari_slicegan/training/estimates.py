"""Memory and time that a run needs, estimated before it starts.

`step_cost` counts the operations and the memory of a step on torch's meta device; the
speed of the machine is measured on a short pass (`machine_speed`, volumes) or on steps
with few images (`probe`, images and points).
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from napari_slicegan.config import AXES, VOLUMES, RunConfig
from napari_slicegan.config.presets import DEFAULT_PRESET, preset
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.models import (
    build_generator,
    check_training_size,
    generator_spec,
    output_of,
    volume_spec,
)
from napari_slicegan.models.cost import META, CostCounter, StepCost
from napari_slicegan.models.pretrained import uses_pretrained
from napari_slicegan.runtime.devices import (
    choose_device,
    choose_precision,
)
from napari_slicegan.runtime.distributed import distributed_context
from napari_slicegan.runtime.launcher import local_processes
from napari_slicegan.runtime.limits import (
    PROGRAM_BYTES,
    available_memory,
    check_need,
    free_for_program,
)
from napari_slicegan.runtime.memory import MEMORY_SETTINGS
from napari_slicegan.runtime.quantities import bytes_in_words, duration
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.tasks import TASKS

if TYPE_CHECKING:
    from napari_slicegan.models import Output
    from napari_slicegan.training.tasks import Task, TrainingData

# On a GPU torch's kernels and work spaces.
OVERHEAD_BYTES = 500 * 2**20
# On a CPU, beside the program, work spaces and previews; and by how much the heap
# exceeds the live tensors. Measured (benchmarks/memory.py).
WORK_BYTES, HEAP = 80 * 10**6, 1.15
# The rest is for previews, work spaces of kernels and memory fragmentation.
USABLE_MEMORY_FRACTION = 0.8
MAX_BATCH_SIZE = 16
STARTS_PRETRAINED = "Training starts from weights trained on nanoporous gold"
LARGEST_PATCH = 256
# Shortest measurement of the machine's speed; memory that it needs on a CPU, with the
# program. A smaller step needs 60 MB beside the program.
SPEED_TEST_S = 0.3
SPEED_TEST_BYTES = PROGRAM_BYTES + 150 * 10**6
SMALLER_STEP = {
    "critic_slices": 1,
    "generator_slices": 1,
    "generator_widths": (64, 32, 16, 8),
    "critic_widths": (16, 32, 64, 128),
}
# Batch norm needs more than one image.
FIRST_PROBE_IMAGES = 2
PROBE_GROWTH = 2
# The images of a probe increase until a step takes this long; at least two steps.
PROBE_STEP_S = 0.3


class Choice(NamedTuple):
    """A setting that a run has chosen by itself.

    Attributes
    ----------
    text
        What it means, without a full stop.
    setting, other
        Name of the setting, and what to set in its place.
    """

    text: str
    setting: str
    other: str


@dataclass(frozen=True)
class Estimate:
    """Resources that a run needs.

    Attributes
    ----------
    step_s
        Duration of a training step.
    steps, minutes
        Length of the run, up to the limit that is reached first.
    memory_bytes, free_bytes
        Required memory, and free memory of the device; of the CPU both with the
        program.
    choices
        What the run chooses by itself, see `choices_made`.
    """

    step_s: float
    steps: int
    minutes: float
    memory_bytes: int
    free_bytes: int
    choices: tuple[Choice, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the free memory suffices."""
        return self.memory_bytes < self.free_bytes

    def sentence(self) -> str:
        """Summary in one or two sentences, with advice if the memory is too small."""
        needed, free = (bytes_in_words(n) for n in (self.memory_bytes, self.free_bytes))
        seconds = f"{self.step_s:.2g}" if self.step_s < 99 else _rounded(self.step_s)
        text = (
            f"About {duration(self.minutes)} for {_rounded(self.steps)} steps of "
            f"{seconds} s; needs about {needed} of memory ({free} free)."
        )
        if self.fits:
            return " ".join([text, *(f"{each.text}." for each in self.choices)])
        return f"{text} That is too much: lower {MEMORY_SETTINGS}."


def forecast(config: RunConfig, data: TrainingData) -> Estimate:
    """Estimate a run that has not been started, such as for the window.

    Raises
    ------
    ValueError
        If settings and data do not fit together, as in `Trainer`.
    """
    task = TASKS[config.architecture.task](config, data)
    chosen = complete(config, task)
    choices = tuple(choices_made(config, chosen, task))
    return replace(estimate(chosen, task), choices=choices)


def estimate(config: RunConfig, task: Task[Any, Any]) -> Estimate:
    """Estimate time and memory of a run.

    Takes about a second, longer the first time on a device. The number of cores is that
    of the calling thread (``torch.set_num_threads``).

    Parameters
    ----------
    config
        Settings of the run, see `complete`.
    task
        Task of the run.
    """
    device = choose_device(config.training.device)
    cost = _cost(config, task, device)
    memory_bytes, free_bytes = _memory(config, task, cost, device)
    step_s = _step_s(config, task, cost, device, free_bytes)
    steps, minutes = task.training.steps, task.training.minutes
    if minutes is not None:
        steps = math.ceil(min(steps, 60 * minutes / step_s))
    return Estimate(step_s, steps, steps * step_s / 60, memory_bytes, free_bytes)


def check_training_memory(
    config: RunConfig, task: Task[Any, Any], settings: str = MEMORY_SETTINGS
) -> None:
    """Refuse a run on the CPU that needs more memory than this process may take.

    The system would kill the process, where a GPU reports an error.

    Parameters
    ----------
    settings
        Those to lower.

    Raises
    ------
    ValueError
        Names the settings to lower.
    """
    device = choose_device(config.training.device)
    if device.type == "cpu":
        needed, _ = _memory(config, task, _cost(config, task, device), device)
        advice = f"lower {settings}, or close other programs"
        check_need(needed, "a training", advice)


def _memory(
    config: RunConfig, task: Task[Any, Any], cost: StepCost, device: torch.device
) -> tuple[int, int]:
    """Required and free memory of a run; see `Estimate`."""
    if device.type != "cpu":
        return cost.memory_bytes + OVERHEAD_BYTES, free_memory(device)
    # Processes on one machine share its memory; each trains a part of the batch. What
    # the programs of the others take is not free any more.
    n = local_processes()
    if n > 1:
        world = distributed_context().world_size
        critic, generator = (math.ceil(v / world) for v in config.training.volumes)
        part = config.changed(critic_batch_size=critic, generator_batch_size=generator)
        cost = _cost(part, task, device)
    needed = PROGRAM_BYTES + n * (WORK_BYTES + int(HEAP * cost.memory_bytes))
    return needed, free_for_program()


def complete(config: RunConfig, task: Task[Any, Any]) -> RunConfig:
    """Fill in settings that depend on the images and on the device.

    Noise in each voxel, voxel stretch and symmetries of the crops: as the task has
    them. First weights: random where the pretrained ones do not suit. On a CUDA device,
    empty batch sizes: the largest power of two, up to ``MAX_BATCH_SIZE``, whose
    estimated float32 memory fits into the free memory.
    """
    is_noisy = getattr(task.spec, "voxel_noise", False)
    starts_pretrained = uses_pretrained(config.architecture)
    config = config.changed(
        voxel_noise="on" if is_noisy else "off",
        initial_weights="pretrained" if starts_pretrained else "random",
        augmentation=getattr(task, "augmentation", config.slices.augmentation),
        voxel_stretch=getattr(task.spec, "stretch", config.architecture.voxel_stretch),
    )
    training = config.training
    device = choose_device(training.device)
    given = training.critic_batch_size or training.generator_batch_size
    if device.type != "cuda" or given:
        return config
    usable = USABLE_MEMORY_FRACTION * free_memory(device) - OVERHEAD_BYTES
    n = MAX_BATCH_SIZE
    while True:
        config = config.changed(critic_batch_size=n, generator_batch_size=n)
        if n <= VOLUMES or _cost(config, task, device).memory_bytes <= usable:
            return config
        n //= 2


def choices_made(
    given: RunConfig, chosen: RunConfig, task: Task[Any, Any]
) -> Iterator[Choice]:
    """What a run has chosen where its settings leave it open, see `complete`."""
    slices, architecture = chosen.slices, chosen.architecture
    if given.slices.augmentation == "auto":
        # Of isotropic materials crops are also turned, which needs no word.
        if slices.augmentation == "flips":
            text = "The views look the same in a mirror: crops are mirrored at random"
            yield Choice(text, "augmentation", "none")
        elif slices.augmentation == "none":
            text = "The views differ from their mirror images: crops are not mirrored"
            yield Choice(text, "augmentation", "flips")
    stretch = architecture.voxel_stretch
    if stretch != given.architecture.voxel_stretch and max(stretch) > 1:
        along = ", ".join(
            f"{n} along {axis}" for axis, n in zip(AXES, stretch, strict=True) if n > 1
        )
        text = f"The structure is long: a voxel of the network becomes {along}"
        yield Choice(text, "voxel_stretch", "1 1 1")
    given_weights = given.architecture.initial_weights
    if architecture.initial_weights == "pretrained" != given_weights:
        yield Choice(STARTS_PRETRAINED, "initial_weights", "random")
    is_found = architecture.voxel_noise != given.architecture.voxel_noise == "auto"
    # Gray values and colours always have it.
    has_phases = isinstance(task.transform, OneHotPhases)
    if is_found and architecture.voxel_noise == "on" and has_phases:
        text = "Part of the image is random from pixel to pixel: the generator adds "
        yield Choice(f"{text}noise in each voxel", "voxel_noise", "off")


def _cost(config: RunConfig, task: Task[Any, Any], device: torch.device) -> StepCost:
    channels, output = task.transform.channels, output_of(task.transform.range)
    return step_cost(config, channels, output, task.isotropic, device.type)


@functools.lru_cache(maxsize=32)
def step_cost(
    config: RunConfig,
    channels: int,
    output: Output,
    isotropic: bool,
    device_type: str = "cpu",
) -> StepCost:
    """Count operations and memory of a training step without computing it.

    Parameters
    ----------
    channels, output
        See `generator_spec`.
    isotropic
        Whether all viewing directions share one set of images.
    device_type
        Where the step is computed: "cuda" computes single planes in a form of its own.

    Raises
    ------
    ValueError
        If the settings do not fit together.
    """
    spec = generator_spec(config, channels, output)
    edges = _image_shape(config)
    if edges:
        check_training_size(spec, config.architecture.patch_size)

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.empty(n, gan.critic_channels[critic], *edges, device=META)

    counter = CostCounter()
    with counter:
        gan = AdversarialStep(config, spec, isotropic, META)
        if device_type == "cuda":
            # Positions of planes, otherwise known to the host.
            gan.feed = lambda draw, device: draw().to(META)
        allocated = counter.bytes
        gan.step(real, 0.0)
        first, moments = counter.take(), counter.bytes - allocated
        gan.step(real, 0.0)
        second = counter.take()
    # Only the first step has a penalty; the optimiser's moments are allocated at its
    # end.
    fraction = 1 / config.objective.penalty_interval
    return StepCost(
        fraction * first.operations + (1 - fraction) * second.operations,
        fraction * first.calls + (1 - fraction) * second.calls,
        max(first.memory_bytes + moments, second.memory_bytes),
    )


def _image_shape(config: RunConfig) -> tuple[int, ...]:
    """Rows and columns of a training image; points have none."""
    patch = config.architecture.patch_size
    return (patch, patch) if config.architecture.dimensions > 1 else ()


def _step_s(
    config: RunConfig,
    task: Task[Any, Any],
    cost: StepCost,
    device: torch.device,
    free_bytes: int,
) -> float:
    """Duration of a step: for volumes from the machine's speed, else from a probe."""
    threads = torch.get_num_threads()
    too_large = cost.memory_bytes > free_bytes
    if too_large or config.architecture.dimensions == len(AXES):
        precision = choose_precision(config.training.precision, device)
        is_short = device.type == "cpu" and free_bytes < SPEED_TEST_BYTES
        return cost.seconds(machine_speed(device, threads, precision, is_short))
    most = max(config.training.volumes)
    channels, output = task.transform.channels, output_of(task.transform.range)
    timed = probe(timed_settings(config, most), channels, output, device, threads)
    operations = {
        n: step_cost(timed_settings(config, n), channels, output, True).operations
        for n in timed
    }
    objective = config.objective
    updates = objective.critic_steps + objective.generator_steps
    return extrapolated_s(timed, operations, cost.operations, updates)


@functools.cache
def machine_speed(
    device: torch.device, threads: int, precision: torch.dtype, smaller: bool = False
) -> float:
    """Operations per second reached in steps of the default preset; measured once.

    Parameters
    ----------
    threads
        Threads that torch currently uses.
    precision
        Number format of the convolutions.
    smaller
        Whether the step is a `SMALLER_STEP`, for memory of less than
        `SPEED_TEST_BYTES`.
    """
    n_volumes = 8 if device.type == "cuda" else 1 if smaller else 2
    # All steps alike: without penalties.
    config = preset(DEFAULT_PRESET).changed(
        generator_batch_size=n_volumes,
        critic_batch_size=n_volumes,
        initial_weights="random",
        penalty_weight=0.0,
        precision=str(precision).removeprefix("torch."),
        **SMALLER_STEP if smaller else {},
    )
    spec = generator_spec(config, 2, "phases")
    gan = AdversarialStep(config, spec, True, device)
    edges = _image_shape(config)

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.zeros(n, gan.critic_channels[critic], *edges)

    # The first steps also set up kernels.
    gan.step(real, 0.0).tolist()
    counter = CostCounter()
    with counter:
        gan.step(real, 0.0).tolist()
    cost = counter.take()
    seconds: list[float] = []
    while sum(seconds) < SPEED_TEST_S or len(seconds) < 2:
        started = time.perf_counter()
        # Reading the losses waits for the device.
        gan.step(real, 0.0).tolist()
        seconds.append(time.perf_counter() - started)
    return cost.speed(min(seconds))


def extrapolated_s(
    timed: Mapping[int, float],
    operations: Mapping[int, float],
    step_operations: float,
    updates: int,
) -> float:
    """Duration of another step of the same networks.

    Linear model: a constant time per weight update plus a time proportional to the
    operations.

    Parameters
    ----------
    timed, operations
        Seconds and operations of one or two timed steps, by number of images.
    step_operations
        Operations of the other step.
    updates
        Number of network updates in the other step; timed steps have two.
    """
    few, more = min(timed), max(timed)
    per_operation = timed[more] / operations[more]
    if more > few:
        slope = (timed[more] - timed[few]) / (operations[more] - operations[few])
        # Noise must not make the time of the updates negative.
        per_operation = min(per_operation, max(slope, 0.0))
    constant = timed[more] - per_operation * operations[more]
    return per_operation * step_operations + constant * updates / 2


def timed_settings(config: RunConfig, images: int) -> RunConfig:
    """Settings of a step with one critic and one generator update."""
    return RunConfig(
        architecture=config.architecture,
        objective=config.objective,
        optimiser=config.optimiser,
    ).changed(
        critic_batch_size=images,
        generator_batch_size=images,
        share_batch=False,
        critic_steps=1,
        generator_steps=1,
        penalty_interval=1,
        critic_heads=False,
        straight_through=False,
    )


@functools.lru_cache(maxsize=32)
def probe(
    config: RunConfig, channels: int, output: Output, device: torch.device, threads: int
) -> Mapping[int, float]:
    """Time steps on dummy images; once for the same settings.

    Parameters
    ----------
    config
        `timed_settings` with the largest number of images.
    channels, output
        See `generator_spec`.
    threads
        Threads that torch currently uses.

    Returns
    -------
    Mapping
        Seconds of one or two steps, by number of images.
    """
    most, _ = config.training.volumes
    gan = AdversarialStep(
        config, generator_spec(config, channels, output), True, device
    )
    edges = _image_shape(config)

    def real(critic: int, n: int, rng: torch.Generator) -> Tensor:
        return torch.zeros(n, channels, *edges)

    found: dict[int, float] = {}
    images = min(FIRST_PROBE_IMAGES, most)
    while True:
        gan.config = timed_settings(config, images)
        started = time.perf_counter()
        # Reading the losses waits for the device.
        gan.step(real, 0.0).tolist()
        found[images] = time.perf_counter() - started
        if images == most or (len(found) > 1 and found[images] > PROBE_STEP_S):
            return dict(list(found.items())[-2:])
        images = min(PROBE_GROWTH * images, most)


def free_memory(device: torch.device) -> int:
    """Free memory of the device, in bytes; of the CPU what this process may take."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_memory()


def patch_sizes(config: RunConfig) -> dict[int, int]:
    """Patch sizes that the networks support: patch size -> latent size.

    Empty if the other settings of the networks do not fit together.
    """
    try:
        with META:
            # The number of material channels does not affect any size.
            rule = build_generator(volume_spec(config, 2, "phases")).size_rule
    except ValueError:
        return {}
    stride = 2 ** len(config.architecture.critic_widths)
    sizes = {rule.output_size(n): n for n in range(2, LARGEST_PATCH)}
    return {
        patch: latent
        for patch, latent in sizes.items()
        if stride <= patch <= LARGEST_PATCH and patch % stride == 0
    }


def _rounded(n: float) -> str:
    """Two significant digits, the precision of an estimate."""
    digits = max(len(str(round(n))) - 2, 0)
    return f"{round(round(n), -digits):,}"
