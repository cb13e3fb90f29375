"""A comparison as one picture, and as a few lines of text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from napari_slicegan.metrics.reference import Group, Source, reference_of
from napari_slicegan.report.plots import (
    CURVES_PER_ROW,
    TEXT_COLOUR,
    Colouring,
    add_curve_legend,
    draw_bars,
    draw_curve,
    draw_curves,
    draw_distances,
    draw_histogram,
    draw_pictures,
    length_text,
    pictures_of,
)
from napari_slicegan.report.text import (
    distance_in_floors,
    findings,
    number,
    phase_name,
    phases_of,
    plain_title,
    rows_of,
    summary,
    verdict,
)
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.metrics.stored_volume import AnyVolume

__all__ = ["comparison_figure", "draw_comparison", "summary"]

# Height in inches, and what draws that part of the figure.
Section: TypeAlias = tuple[float, Callable[[SubFigure], None]]

WIDTH_INCHES = 14.0
DOTS_PER_INCH = 120
CHARACTERS_PER_LINE = 190
MARGIN = 0.012
# More phases than these get bars over the whole width.
MAX_BESIDE = 3
VERDICT_COLOURS = {
    "agrees": "#00694D",
    "close": "#00527F",
    "differs": "#A34700",
    "unknown": TEXT_COLOUR,
}


def draw_comparison(
    comparison: Comparison, source: Source, volume: AnyVolume, path: Path
) -> None:
    """Draw a comparison: planes, curves and bars beside the noise floor, the verdict.

    Parameters
    ----------
    comparison
        What `compare` gave for `source` and `volume`.
    source, volume
        The real and the generated material.
    path
        File to write, ``.png``; it appears complete or not at all.

    Raises
    ------
    ValueError
        If the ending is another one, or the source does not fit the volume.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(
            f"{path.name}: the figure is saved as .png; got the ending "
            f"'{path.suffix}'. Choose a name that ends in .png."
        )
    figure = comparison_figure(comparison, source, volume)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png")


def comparison_figure(
    comparison: Comparison, source: Source, volume: AnyVolume
) -> Figure:
    """The figure that `draw_comparison` writes; it belongs to no window."""
    samples = reference_of(source, volume, comparison.max_distance).samples
    sections = [
        _header_section(comparison, volume),
        _plane_section(comparison, samples, volume),
    ]
    if comparison.kind == "phases":
        sections += _curve_sections(comparison, volume) + _bar_sections(comparison)
    else:
        sections += _channel_sections(comparison, samples, volume)
    sections.append((0.3, lambda part: _draw_footer(part, comparison)))
    heights = [height for height, _ in sections]
    figure = Figure(
        figsize=(WIDTH_INCHES, sum(heights)),
        dpi=DOTS_PER_INCH,
        layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06),
        facecolor="white",
    )
    grid = (len(sections), 1)
    parts = figure.subfigures(*grid, squeeze=False, height_ratios=heights)[:, 0]
    for part, (_, draw) in zip(parts, sections, strict=True):
        draw(part)
    return figure


def _header_section(comparison: Comparison, volume: AnyVolume) -> Section:
    """Verdict, the largest distances, and the material's numbers."""
    judged = verdict(comparison)
    lines = [
        *([judged.largest] if judged.largest else []),
        f"Generated: {comparison.generated} {_unit(volume)}. {_fractions(comparison)}",
        f"Real: {comparison.reference}.",
    ]
    text = "\n".join(textwrap.fill(line, CHARACTERS_PER_LINE) for line in lines)
    height = 0.55 + 0.2 * (1 + text.count("\n"))

    def draw(part: SubFigure) -> None:
        colour = VERDICT_COLOURS[judged.grade]
        style = {"size": 17, "weight": "bold", "color": colour, "va": "top"}
        headline = f"{judged.headline}: {judged.bound}"
        part.text(MARGIN, 1 - 0.1 / height, headline, style)
        style = {"size": 10, "color": TEXT_COLOUR, "va": "top", "linespacing": 1.4}
        part.text(MARGIN, 1 - 0.48 / height, text, style)

    return (height, draw)


def _draw_footer(part: SubFigure, comparison: Comparison) -> None:
    """What the noise floor is."""
    text = (
        "Noise floor: mean distance of a piece of the real material from the mean of "
        f"the others; {comparison.noise}."
    )
    part.text(MARGIN, 0.5, text, {"size": 8, "color": TEXT_COLOUR, "va": "center"})


def _plane_section(
    comparison: Comparison, samples: Group, volume: AnyVolume
) -> Section:
    """Real and generated planes."""
    pictures = pictures_of(samples, volume)
    found = (label for label in phases_of(comparison) if isinstance(label, int))
    labels = tuple(sorted({*volume.labels, *found}))
    colouring = Colouring.of(comparison.kind, labels, pictures)
    size = volume.voxel_size_nm
    height = 3.1 if len(pictures) <= 4 else 2.7
    return (height, lambda part: draw_pictures(part, pictures, colouring, size))


def _curve_sections(comparison: Comparison, volume: AnyVolume) -> list[Section]:
    """Two-point correlations, if they were measured."""
    metric = "two_point_correlation"
    if not rows_of(comparison, metric):
        return []
    height = 2.7 * -(-len(phases_of(comparison)) // CURVES_PER_ROW)
    unit = _unit(volume)
    return [(height, lambda part: draw_curves(part, comparison, metric, unit))]


def _bar_sections(comparison: Comparison) -> list[Section]:
    """Numbers side by side; of many phases one kind under the other."""
    phases = phases_of(comparison)
    # Two phases share all their faces.
    shared = phases[-1] if len(phases) == 2 else None
    bars = [
        ("Phase fraction (gray: real)", rows_of(comparison, "phase_fraction")),
        ("Interface density by axis", rows_of(comparison, "interface_density", shared)),
        ("Percolating fraction by axis", rows_of(comparison, "percolating_fraction")),
    ]
    bars = [(title, rows) for title, rows in bars if rows]
    if not bars and not findings(comparison):
        return []
    if len(phases) <= MAX_BESIDE:
        return [(2.7, lambda part: _draw_beside(part, bars, comparison))]
    first: Section = (2.7, lambda part: _draw_beside(part, bars[:1], comparison))
    return [first, *(_whole_width(title, rows) for title, rows in bars[1:])]


def _whole_width(title: str, rows: list[Row]) -> Section:
    return (2.2, lambda part: draw_bars(part.subplots(), rows, title))


def _draw_beside(
    part: SubFigure, bars: list[tuple[str, list[Row]]], comparison: Comparison
) -> None:
    """Bars, as wide as there are many, and the distances of all metrics."""
    widths = [1.5 + len(rows) * (1 if rows[0].axis else 1.6) for _, rows in bars]
    worst = [(plain_title(found.row), found.floors) for found in findings(comparison)]
    if worst:
        widths.append(max(5.0, 0.45 * sum(widths)))
    panels = part.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for panel, (title, rows) in zip(panels, bars, strict=False):
        draw_bars(panel, rows, title)
    if worst:
        draw_distances(panels[-1], worst, "Largest distance, in noise floors")


def _channel_sections(
    comparison: Comparison, samples: Group, volume: AnyVolume
) -> list[Section]:
    """Histogram, normalised autocovariance and distances of each channel."""

    def section(place: Any, channel: int | str) -> Section:
        real = np.concatenate([sample.values[place].ravel() for sample in samples])
        generated = volume.values[place].ravel()

        def draw(part: SubFigure) -> None:
            panels = part.subplots(1, 3, width_ratios=(3, 3, 2))
            title = f"Histogram, {phase_name(channel)}"
            draw_histogram(panels[0], real, generated, title)
            _draw_covariance(part, panels[1:], comparison, channel, _unit(volume))

        return (2.7, draw)

    channels = phases_of(comparison)
    if comparison.kind == "grayscale":
        return [section(..., channels[0])]
    return [section((..., index), name) for index, name in enumerate(channels)]


def _draw_covariance(
    part: SubFigure,
    panels: Sequence[Axes],
    comparison: Comparison,
    channel: int | str,
    unit: str,
) -> None:
    """Normalised autocovariance if it was measured, and the distances of a channel."""
    curves = rows_of(comparison, "normalised_autocovariance", channel)
    if curves:
        draw_curve(panels[0], curves, unit)
        add_curve_legend(part, curves)
    else:
        panels[0].set_axis_off()
    named = [
        (f"{plain_title(row)} {row.axis or ''}", floors)
        for row in rows_of(comparison, "histogram", channel) + curves
        if (floors := distance_in_floors(row)) is not None
    ]
    if named:
        draw_distances(panels[1], named, "Distance, in noise floors")
    else:
        panels[1].set_axis_off()


def _fractions(comparison: Comparison) -> str:
    """Phase fractions, or mean gray values, real and generated."""
    phases = comparison.kind == "phases"
    rows = rows_of(comparison, "phase_fraction" if phases else "histogram")
    if len(rows) > MAX_BESIDE:
        return ""  # the bars tell them better
    pairs = [
        f"{phase_name(row.phase)} {number(row.real)} / {number(row.generated)}"
        for row in rows
    ]
    title = "Phase fractions" if phases else "Means"
    return f"{title}, real / generated: {', '.join(pairs)}." if pairs else ""


def _unit(volume: AnyVolume) -> str:
    """Unit of distances."""
    size = volume.voxel_size_nm
    return "voxels" if size is None else f"voxels of {length_text(size)}"
