"""Figures of `time_to_quality`: quality against training time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.quality_table import (
    QUALITIES,
    Rows,
    by_seed,
    groups,
    is_known,
    label_of,
)
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.quality_table import Quality

COLOURS = colormaps["tab10"]
DOTS_PER_INCH = 120


def draw_material(material: str, rows: Rows, file: Path) -> None:
    """Write a figure: each seed thin, their median bold, a colour for each preset."""
    own = [row for row in rows if row["material"] == material]
    figure = Figure(figsize=(14, 8), layout="constrained")
    figure.suptitle(f"{material}: quality against seconds of training")
    panels = figure.subplots(2, 3).flat
    for panel, quality in zip(panels, QUALITIES, strict=False):
        if all(is_known(quality, row) for row in own):
            _draw_quality(panel, quality, groups(own))
        elif quality.column == "percolating_error":
            _draw_percolation(panel, groups(own))
        else:
            panel.set_axis_off()
            continue
        panel.set_xlabel("seconds")
        panel.grid(alpha=0.3)
    figure.axes[-1].set_axis_off()
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.savefig(file, dpi=DOTS_PER_INCH)


def _draw_quality(panel: Axes, quality: Quality, found: Sequence[Rows]) -> None:
    """An error on a logarithmic scale, with its limit and noise floor."""
    for number, own in enumerate(found):
        _draw_seeds(panel, own, [row[quality.column] for row in own], number)
    first = found[0][0]
    limit = quality.limit(first["material"], first)
    panel.axhline(limit, color="black", linestyle="--", label="limit")
    panel.axhline(
        first[quality.floor], color="gray", linestyle=":", label="noise floor"
    )
    panel.set_yscale("log")
    panel.set_ylim(bottom=limit / 30)
    panel.set_title(quality.title)


def _draw_percolation(panel: Axes, found: Sequence[Rows]) -> None:
    """Without a truth there is no error: the share itself, along the worst axis."""
    for number, own in enumerate(found):
        shares = [min(row[f"percolating_{axis}"] for axis in AXES) for row in own]
        _draw_seeds(panel, own, shares, number)
    panel.set_title("percolating fraction, lowest of the axes")


def _draw_seeds(panel: Axes, rows: Rows, values: list[float], number: int) -> None:
    """One thin line for each seed and a bold one for their median."""
    colour = COLOURS(number % COLOURS.N)
    value_of = {id(row): value for row, value in zip(rows, values, strict=True)}
    seeds = by_seed(rows)
    for seed in seeds:
        seconds = [row["seconds"] for row in seed]
        drawn = [value_of[id(row)] for row in seed]
        panel.plot(seconds, drawn, color=colour, linewidth=0.8, alpha=0.5)
    moments = list(zip(*seeds, strict=False))
    panel.plot(
        [statistics.median(row["seconds"] for row in moment) for moment in moments],
        [statistics.median(value_of[id(row)] for row in moment) for moment in moments],
        color=colour,
        linewidth=2.2,
        label=label_of(rows[0]),
    )
