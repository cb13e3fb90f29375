"""RealnessGAN on nine Gaussians: sweep over outcomes and steps."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.systems.gaussian_mixture import N_SIGMAS
from napari_slicegan.systems.point_task import PointMonitor, PointQuality, Scatter
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.systems.gaussian_mixture import GaussianMixture

DATA, MADE = "#9AA5AD", "#B3261E"
SHOWN = 5_000


def draw_mixture(
    points: NDArray[Any], mixture: GaussianMixture, quality: PointQuality, path: Path
) -> None:
    """Draw the mixture in gray, points in red and circles of four sigma, as PNG.

    Of more than two coordinates the first two are drawn.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    panel = figure.add_subplot()
    for values, colour in ((mixture.values, DATA), (points, MADE)):
        panel.plot(*values[:SHOWN, :2].T, ".", markersize=1.5, color=colour)
    for mean in np.array(mixture.means)[:, :2]:
        ring = Circle((mean[0], mean[1]), N_SIGMAS * mixture.sigma, fill=False)
        panel.add_patch(ring)
    panel.set_aspect("equal")
    panel.set_title(f"{len(points):,} points: {quality.sentence()}", fontsize=10)
    _write(figure, path)


# In the order of the schedules.
COLOURS = ("#7A828A", "#2F6DB5", "#D9822B")
SWEEP_FIGURE_SHOWN = 2_000


def draw_sweep(runs: Sequence[SweepRun], path: Path) -> None:
    """Fraction of high quality and recovered modes over the outcomes, as PNG."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    shares, modes = figure.subplots(1, 2)
    for name, colour in zip(SCHEDULES, COLOURS, strict=True):
        own = [run for run in runs if run.schedule == name]
        numbers = [run.outcomes for run in own]
        label = f"steps of generator / critic: {name}"
        shown = [100 * run.quality.high_quality for run in own]
        shares.plot(numbers, shown, "o-", color=colour, label=label)
        modes.plot(numbers, [run.quality.modes for run in own], "o-", color=colour)
    shares.set_ylabel("points of high quality (%)")
    modes.set_ylabel("recovered modes")
    for panel, top in ((shares, 100), (modes, 9)):
        panel.set_xlabel("outcomes")
        panel.set_ylim(-0.04 * top, 1.04 * top)
    figure.legend(loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    _write(figure, path)


def draw_sweep_points(
    runs: Sequence[SweepRun], mixture: GaussianMixture, path: Path
) -> None:
    """Generated points of every run, a row for each schedule, as PNG."""
    numbers = list(dict.fromkeys(run.outcomes for run in runs))
    size = (1.6 * len(numbers) + 0.4, 1.7 * len(SCHEDULES) + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(SCHEDULES), len(numbers), squeeze=False)
    means = np.array(mixture.means)
    for run in runs:
        row, column = list(SCHEDULES).index(run.schedule), numbers.index(run.outcomes)
        panel = panels[row, column]
        panel.plot(*means[:, :2].T, "+", color=DATA)
        panel.plot(
            *run.points[:SWEEP_FIGURE_SHOWN, :2].T, ".", markersize=1, color=MADE
        )
        panel.set_title(f"{run.outcomes} outcomes, {run.schedule}", fontsize=7)
    for panel in panels.flat:
        panel.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


OUTCOMES = (2, 5, 10, 20, 30, 40)
"""Published numbers of outcomes, and the generator's steps for each."""
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
    """Settings of one run, its quality and points [n, 2], and seconds of training."""

    schedule: str
    outcomes: int
    generator_steps: int
    critic_steps: int
    quality: PointQuality
    points: NDArray[Any]
    seconds: float


def sweep(
    config: RunConfig, mixture: GaussianMixture, outcomes: Sequence[int] = OUTCOMES
) -> Generator[SweepRun]:
    """Train with every schedule and number of outcomes, one run after the other.

    The objective of the config is replaced by realness.
    """
    # All settings first: a number that is not allowed is refused before the work.
    runs = [
        (
            schedule,
            config.changed(
                objective="realness",
                outcomes=n,
                generator_steps=steps_of(n)[0],
                critic_steps=steps_of(n)[1],
                monitor_interval=config.training.steps,
            ),
        )
        for schedule, steps_of in SCHEDULES.items()
        for n in outcomes
    ]
    for schedule, changed in runs:
        started = time.perf_counter()
        trainer = Trainer(changed, mixture)
        for _ in trainer.run():
            pass
        seconds = time.perf_counter() - started
        points = generate_samples(trainer.trained_generator(), N_POINTS, SEED)
        quality = PointMonitor(mixture).measure(Scatter(points, mixture))
        objective = changed.objective
        steps = (objective.generator_steps, objective.critic_steps)
        yield SweepRun(schedule, objective.outcomes, *steps, quality, points, seconds)


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
        for run in runs:
            steps = (run.generator_steps, run.critic_steps)
            found = (run.quality.high_quality, run.quality.modes, round(run.seconds, 1))
            writer.writerow((run.schedule, run.outcomes, *steps, *found))
