"""Figures of a sweep over outcomes: quality and modes as curves, points as scatters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from napari_slicegan.machine.atomic_files import replacing
from napari_slicegan.points.mixture_figure import DATA, MADE
from napari_slicegan.points.mixture_sweep import SCHEDULES

if TYPE_CHECKING:
    from napari_slicegan.points.gaussian_mixture import GaussianMixture
    from napari_slicegan.points.mixture_sweep import SweepRun

# In the order of the schedules.
COLOURS = ("#7A828A", "#2F6DB5", "#D9822B")
SHOWN = 2_000


def draw_sweep(runs: Sequence[SweepRun], path: Path) -> None:
    """Share of high quality and recovered modes over the outcomes, as PNG."""
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
        panel.plot(*run.points[:SHOWN, :2].T, ".", markersize=1, color=MADE)
        panel.set_title(f"{run.outcomes} outcomes, {run.schedule}", fontsize=7)
    for panel in panels.flat:
        panel.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=[], yticks=[])
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
