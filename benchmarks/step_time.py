"""What a training step takes, part by part, and how near the machine's peak it comes.

    python -m benchmarks.step_time --preset slicegan-fast
    python -m benchmarks.step_time --a critic_slices=8 --b critic_slices=16

trains on a sample micrograph and prints the milliseconds of each part, the share of the
speed of a large matrix product that is reached, and what the engine costs beside the
torch operations that it calls. Two settings are measured in turns, so that a change of
the machine's pace concerns both; figures are medians over the turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.machine_peak import EDGE, peaks
from benchmarks.materials import CASES, images_of, settings_of
from benchmarks.stopwatch import Stopwatch
from benchmarks.time_to_quality import parse_setting
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training import adversarial_step as hard_phases
from napari_slicegan.training.estimates import step_cost
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.models import Output

CRITIC, GENERATOR = "critic", "generator"
CRITIC_PARTS = ("critic step: loss", "critic step: backward")
PENALTY = "critic penalty"
PARTS = (
    "latents",
    "generator forward",
    "hard phases",
    "planes",
    "patch sampling",
    *CRITIC_PARTS,
    PENALTY,
    "generator step: critic",
    "generator step: backward",
    "optimisers, averaging",
    "rest",
)


class MeasuredTrainer:
    """A trainer whose parts are timed.

    Parameters
    ----------
    config
        Settings of the run; it is neither stopped by time nor monitored.
    material
        Name of the benchmark's material.
    """

    def __init__(self, config: RunConfig, material: str) -> None:
        self.config = config.changed(monitor_interval=10**9, minutes=None, steps=10**9)
        self.trainer = Trainer(self.config, images_of(material, config.micrograph))
        # A step is over when the device has done it: the wait counts as "rest".
        self.trainer.losses.every = 1
        self.watch = Stopwatch()
        self._steps = self.trainer.run()
        self._losses = CRITIC
        self._time_parts()

    def step(self) -> dict[str, float]:
        """Take a step; seconds of each part."""
        self.watch.take()
        with self._timed_functions():
            next(self._steps)
        return self.watch.take()

    def turn(self) -> dict[str, float]:
        """Take steps from one penalty to the next; mean seconds of each part."""
        every = self.config.objective.penalty_interval
        plain: list[dict[str, float]] = []
        with_penalty: list[dict[str, float]] = []
        for _ in range(every):
            due = self._has_penalty()
            (with_penalty if due else plain).append(self.step())
        both = [*plain, *with_penalty]
        means = {part: fmean(one.get(part, 0.0) for one in both) for part in PARTS}
        if plain and with_penalty:
            for part in CRITIC_PARTS:
                without = fmean(one.get(part, 0.0) for one in plain)
                means[PENALTY] += means[part] - without
                means[part] = without
        return means

    def _has_penalty(self) -> bool:
        """Whether the coming step will have a gradient penalty."""
        n = self.config.objective.critic_steps
        return any(self.trainer.gan.objective.coming_penalties(n))

    def cost(self) -> float:
        """Floating-point operations of a step, mean over those with a penalty."""
        transform = self.trainer.transform
        output: Output = "phases" if transform.range == "simplex" else "unit"
        isotropic = self.trainer.images.material == "isotropic"
        device_type = self.trainer.gan.device.type
        cost = step_cost(
            self.config, transform.channels, output, isotropic, device_type
        )
        return cost.operations

    def _time_parts(self) -> None:
        """Put the stopwatch around the parts of this one trainer."""
        game, timed = self.trainer.gan, self.watch.timed
        owners: list[tuple[Any, str, str]] = [
            (game, "latents", "latents"),
            (game.generator, "forward", "generator forward"),
            (game.generator, "features", "generator forward"),
            (game.generator, "planes", "planes"),
            (game.critic_optimiser, "step", "optimisers, averaging"),
            (game.generator_optimiser, "step", "optimisers, averaging"),
            (game.averaged, "update", "optimisers, averaging"),
            *(
                (one, name, "patch sampling")
                for one in self.trainer.samplers
                for name in ("draw", "packed", "unpacked")
            ),
        ]
        for owner, name, part in owners:
            # Generators of images make no planes.
            if hasattr(owner, name):
                setattr(owner, name, timed(part, getattr(owner, name)))
        # A frozen dataclass.
        object.__setattr__(game.view, "images", timed("planes", game.view.images))
        objective: Any = game.objective
        critic = timed("critic step: loss", objective.critic_loss)
        generator = timed("generator step: critic", objective.generator_loss)

        def critic_loss(*args: Any, **kwargs: Any) -> Any:
            self._losses = CRITIC
            return critic(*args, **kwargs)

        def generator_loss(*args: Any, **kwargs: Any) -> Any:
            self._losses = GENERATOR
            return generator(*args, **kwargs)

        objective.critic_loss, objective.generator_loss = critic_loss, generator_loss

    @contextmanager
    def _timed_functions(self) -> Iterator[None]:
        """Put the stopwatch around functions that all trainers share."""
        backward, straight_through = torch.Tensor.backward, hard_phases.straight_through

        def timed_backward(*args: Any, **kwargs: Any) -> Any:
            part = f"{self._losses} step: backward"
            return self.watch.timed(part, backward)(*args, **kwargs)

        torch.Tensor.backward = timed_backward  # type: ignore[method-assign]
        hard_phases.straight_through = self.watch.timed("hard phases", straight_through)
        try:
            yield
        finally:
            torch.Tensor.backward = backward  # type: ignore[method-assign]
            hard_phases.straight_through = straight_through


def measure(
    trainers: Sequence[MeasuredTrainer], n_turns: int, warm_up: int
) -> list[list[dict[str, float]]]:
    """Turns of each trainer, one after the other; the first ones are left out."""
    rounds = [[one.turn() for one in trainers] for _ in range(warm_up + n_turns)]
    return [list(own) for own in zip(*rounds[warm_up:], strict=True)]


def report(
    trainer: MeasuredTrainer,
    turns: Sequence[dict[str, float]],
    peak: dict[str, float],
) -> str:
    """Milliseconds of each part, and the speed."""
    whole = statistics.median(sum(turn.values()) for turn in turns)
    lines = []
    for part in PARTS:
        seconds = statistics.median(turn[part] for turn in turns)
        lines.append(f"  {part:28}{1000 * seconds:9.1f} ms{seconds / whole:8.1%}")
    lines.append(f"  {'step':28}{1000 * whole:9.1f} ms")
    operations = trainer.cost()
    shares = ", ".join(
        f"{operations / whole / speed:.0%} of {name}" for name, speed in peak.items()
    )
    lines.append(
        f"  {operations / 1e9:.1f} GFLOP a step: {operations / whole / 1e9:.0f} "
        f"GFLOP/s, {shares}"
    )
    return "\n".join(lines) + "\n"


def overhead_line(trainer: MeasuredTrainer) -> str:
    """What is not spent inside of torch's operations, under torch's profiler.

    Sums the operations' own times on the processor; on a GPU they only tell how long
    the launches took.
    """
    every = trainer.config.objective.penalty_interval
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        steps = [trainer.step() for _ in range(every)]
    wall = sum(sum(step.values()) for step in steps)
    inside = sum(event.self_cpu_time_total for event in profiled.key_averages()) / 1e6
    return (
        f"  engine overhead {1 - inside / wall:.1%} ({1000 * wall / every:.1f} ms a "
        f"step under the profiler, {1000 * inside / every:.1f} in torch)\n"
    )


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--preset", choices=PRESETS, default="slicegan-fast")
    made.add_argument("--material", choices=CASES, default="bentheimer")
    for name in ("--a", "--b"):
        made.add_argument(
            name, nargs="*", metavar="NAME=VALUE", help="settings to compare"
        )
    made.add_argument("--turns", type=int, default=10, help="penalty to penalty")
    made.add_argument("--warm-up", type=int, default=2, help="turns left out")
    made.add_argument("--threads", type=int, help="of torch; all cores by default")
    made.add_argument("--matrix", type=int, default=EDGE, help="edge for the peak")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one setting, or two in turns, and print the table."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    base = preset(options.preset).changed(**settings_of(options.material))
    variants = [options.a, options.b] if options.b is not None else [options.a or []]
    trainers = [
        MeasuredTrainer(
            base.changed(**dict(map(parse_setting, changes or []))), options.material
        )
        for changes in variants
    ]
    device = trainers[0].trainer.device
    peak = peaks(device, options.matrix)
    turns = measure(trainers, options.turns, options.warm_up)
    sys.stdout.write(
        f"{options.preset}, {options.material}, {torch.get_num_threads()} threads; "
        f"matrix product: {peak['fp32'] / 1e9:.0f} GFLOP/s in fp32, "
        f"{peak['bf16'] / 1e9:.0f} in bf16\n"
    )
    names = [" ".join(changes or []) or "as it is" for changes in variants]
    for name, trainer, taken in zip(names, trainers, turns, strict=True):
        sys.stdout.write(f"\n{name}\n{report(trainer, taken, peak)}")
        sys.stdout.write(overhead_line(trainer))
    if len(turns) == 2:
        ratios = [
            sum(two.values()) / sum(one.values())
            for one, two in zip(*turns, strict=True)
        ]
        sys.stdout.write(f"\nB takes {statistics.median(ratios):.3f} times as long.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
