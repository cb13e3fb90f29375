"""Bars for the report: single numbers, real beside generated, with the noise floor."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.reporting.curves import style_panel
from napari_slicegan.reporting.images import AXIS_COLOURS, REAL_COLOUR
from napari_slicegan.reporting.rows import phase_name
from napari_slicegan.reporting.text import FAR_FLOORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slicegan.metrics.comparison import Row

BAR_WIDTH = 0.4
# With more pairs than these, numbers above the bars stand upright; with still more,
# there are none.
MAX_LEVEL, MAX_NUMBERED = 2, 12
# With more phases than these, their labels alone stand below the bars.
MAX_NAMED = 8
NEAR_COLOUR, FAR_COLOUR = "#5B6770", "#B3261E"
# Distances beyond this many noise floors are all alike: the bar is cut off.
MAX_FLOORS = 20.0


def draw_bars(panel: Axes, rows: Sequence[Row], title: str) -> None:
    """Real (gray) and generated side by side; noise floor as a bracket."""
    places = _places(rows)
    for place, row in zip(places, rows, strict=True):
        _draw_pair(panel, place, row, len(rows))
    unknown = all(row.real is None for row in rows)
    style_panel(panel, f"{title} (real: not known from 2-D)" if unknown else title)
    panel.set_xticks(places, [row.axis or "" for row in rows], fontsize=9)
    panel.tick_params(axis="x", length=0)
    panel.margins(y=0.1 if len(rows) <= MAX_LEVEL else 0.25)
    panel.set_xlim(places[0] - 0.6, places[-1] + 0.6)
    panel.set_ylim(bottom=0)
    if rows[0].metric == "percolating_share":  # whole range: it is often 0 or 1
        panel.set_ylim(0, 1.3)
        panel.set_yticks([0, 0.25, 0.5, 0.75, 1])
    _name_phases(panel, rows, places)


def draw_distances(
    panel: Axes, distances: Sequence[tuple[str, float]], title: str
) -> None:
    """Named distances in multiples of their noise floors, the first on top."""
    shown = [min(floors, MAX_FLOORS) for _, floors in distances]
    panel.set_xlim(0, 1.15 * max([FAR_FLOORS, *shown]))
    colours = [FAR_COLOUR if f > FAR_FLOORS else NEAR_COLOUR for _, f in distances]
    panel.barh(range(len(shown)), shown, 0.6, color=colours)
    for place, (length, (_, floors)) in enumerate(zip(shown, distances, strict=True)):
        text = "\N{INFINITY}" if math.isinf(floors) else f"{floors:.1f}"
        panel.annotate(
            text,
            (length, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=8,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )
    style_panel(panel, title)
    panel.set_yticks(range(len(distances)), [name for name, _ in distances], fontsize=8)
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(distances) - 0.4, -0.6)
    for floors in (1, FAR_FLOORS):
        panel.axvline(floors, color="black", linestyle=":", linewidth=1)


def _places(rows: Sequence[Row]) -> list[float]:
    """Positions of the pairs, with a gap between phases."""
    places = [0.0]
    for before, row in itertools.pairwise(rows):
        gap = 0.4 if row.axis is not None and row.phase != before.phase else 0.0
        places.append(places[-1] + 1 + gap)
    return places


def _draw_pair(panel: Axes, place: float, row: Row, n_pairs: int) -> None:
    """Bars of one row; that of the generated volume alone if nothing else is known."""
    left, right = place - BAR_WIDTH / 2, place + BAR_WIDTH / 2
    if isinstance(row.real, float):
        panel.bar(left, row.real, BAR_WIDTH, color=REAL_COLOUR)
        floor = row.noise_floor or 0.0
        if row.noise_floor is not None:
            panel.errorbar(left, row.real, floor, color="black", capsize=3, linewidth=1)
        _write_number(panel, left, row.real, row.real + floor, n_pairs)
    else:
        right = place
    if isinstance(row.generated, float):
        panel.bar(right, row.generated, BAR_WIDTH, color=AXIS_COLOURS[row.axis])
        _write_number(panel, right, row.generated, row.generated, n_pairs)


def _write_number(
    panel: Axes, place: float, value: float, top: float, n_pairs: int
) -> None:
    """Number above a bar, upright where bars are narrow."""
    if n_pairs > MAX_NUMBERED:
        return
    panel.annotate(
        f"{value:.3g}",
        (place, top),
        (0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=7,
        rotation=0 if n_pairs <= MAX_LEVEL else 90,
    )


def _name_phases(panel: Axes, rows: Sequence[Row], places: Sequence[float]) -> None:
    """Names of the phases under their bars."""
    row_axis = rows[0].axis
    for phase in dict.fromkeys(row.phase for row in rows):
        own = [p for p, row in zip(places, rows, strict=True) if row.phase == phase]
        panel.annotate(
            phase_name(phase) if row_axis or len(rows) <= MAX_NAMED else str(phase),
            (float(np.mean(own)), 0),
            (0, -17 if row_axis else -5),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8,
        )
