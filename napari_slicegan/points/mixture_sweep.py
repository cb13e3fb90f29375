"""RealnessGAN on nine Gaussians, over numbers of outcomes and of steps.

The experiment of the paper (Xiangli et al. 2020, Real or not real, that is the
question) and of a report that repeated it: the generator's steps, or those of both
sides, grow with the outcomes.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.image_sets.generation import generate_samples
from napari_slicegan.machine.atomic_files import replacing
from napari_slicegan.points.monitor import PointMonitor, PointQuality
from napari_slicegan.points.scatter import Scatter
from napari_slicegan.trainer import Trainer

if TYPE_CHECKING:
    from pathlib import Path

    from napari_slicegan.config import RunConfig
    from napari_slicegan.points.gaussian_mixture import GaussianMixture

OUTCOMES = (2, 5, 10, 20, 30, 40)
"""Of the report, and the generator's steps beside each in its scripts."""
GENERATOR_STEPS = (1, 3, 6, 14, 25, 36)
N_POINTS, SEED = 10_000, 1
COLUMNS = "schedule outcomes generator_steps critic_steps high_quality modes seconds"


def steps_for(outcomes: int) -> int:
    """The generator's steps that were published for so many outcomes, or between."""
    return round(float(np.interp(outcomes, OUTCOMES, GENERATOR_STEPS)))


SCHEDULES: Mapping[str, Callable[[int], tuple[int, int]]] = {
    "1 / 1": lambda outcomes: (1, 1),
    "G / 1": lambda outcomes: (steps_for(outcomes), 1),
    "G / G": lambda outcomes: (steps_for(outcomes), steps_for(outcomes)),
}
"""Steps of the generator and of the critic for a number of outcomes."""


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: its settings, and what came of it.

    Attributes
    ----------
    points
        Of the trained generator, [n, 2].
    seconds
        Of training.
    """

    schedule: str
    outcomes: int
    generator_steps: int
    critic_steps: int
    quality: PointQuality
    points: NDArray[Any]
    seconds: float

    def row(self) -> tuple[Any, ...]:
        """Values in the order of ``COLUMNS``."""
        return (
            *(self.schedule, self.outcomes, self.generator_steps, self.critic_steps),
            *(self.quality.high_quality, self.quality.modes, round(self.seconds, 1)),
        )


def sweep(
    config: RunConfig, mixture: GaussianMixture, outcomes: Sequence[int] = OUTCOMES
) -> Generator[SweepRun]:
    """Train with every schedule and number of outcomes, one run after the other.

    Parameters
    ----------
    config
        All other settings; its objective is made to be realness.
    """
    for schedule, steps_of in SCHEDULES.items():
        for n in outcomes:
            generator_steps, critic_steps = steps_of(n)
            changed = config.changed(
                objective="realness",
                outcomes=n,
                generator_steps=generator_steps,
                critic_steps=critic_steps,
                monitor_interval=config.training.steps,
            )
            started = time.perf_counter()
            trainer = Trainer(changed, mixture)
            for _ in trainer.run():
                pass
            seconds = time.perf_counter() - started
            points = generate_samples(trainer.trained_generator(), N_POINTS, SEED)
            quality = PointMonitor(mixture).measure(Scatter(points, mixture))
            yield SweepRun(
                schedule, n, generator_steps, critic_steps, quality, points, seconds
            )


def sweep_table(runs: Sequence[SweepRun]) -> str:
    """High quality and modes: a line for each number of outcomes."""
    lines = [f"{'outcomes':>8}" + "".join(f"{name:>24}" for name in SCHEDULES)]
    cells = {(run.outcomes, run.schedule): run for run in runs}
    for n in dict.fromkeys(run.outcomes for run in runs):
        found = [cells[n, name] for name in SCHEDULES if (n, name) in cells]
        texts = (
            f"{100 * run.quality.high_quality:6.2f} %, {run.quality.modes} modes"
            for run in found
        )
        lines.append(f"{n:8}" + "".join(f"{text:>24}" for text in texts))
    return "\n".join(lines)


def write_sweep(runs: Sequence[SweepRun], path: Path) -> None:
    """Write all runs as CSV."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS.split())
        writer.writerows(run.row() for run in runs)
