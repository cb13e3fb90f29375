"""Figures of the report as a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan.metrics.reference import reference_of
from napari_slicegan.reporting.bars import draw_bars
from napari_slicegan.reporting.curves import (
    CURVES_PER_ROW,
    add_curve_legend,
    draw_curve,
    draw_curves,
    draw_histogram,
)
from napari_slicegan.reporting.images import (
    Colouring,
    draw_pictures,
    length_text,
    pictures_of,
)
from napari_slicegan.reporting.rows import phase_name, phases_of, rows_of
from napari_slicegan.reporting.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.metrics.reference import Group
    from napari_slicegan.reporting.proof import Proof

WIDTH = 12.0
CURVES = {
    "two_point_correlation": "Two-point correlation: probability that two voxels at "
    "distance r both lie in the phase.",
    "lineal_path": "Lineal path: probability that a whole segment of length r lies in "
    "the phase.",
    "pore_size": "Pore-size function: share of the phase that lies further than r from "
    "every other phase.",
}
BARS = {
    "phase_fraction": "Phase fraction",
    "face_density": "Face density by axis",
    "percolating_share": "Percolating share by axis",
    "effective_diffusivity": "D_eff / D_0 by axis",
}
BAND = "The band is one noise floor on either side of the real curve."


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page, and what stands below it."""

    svg: str
    caption: str


def page_figures(proof: Proof) -> Iterator[PageFigure]:
    """Pictures, curves and bars, as far as they were measured."""
    comparison = proof.comparison
    samples = reference_of(proof.source, proof.volume, comparison.max_distance).samples
    yield _pictures(proof, samples)
    if comparison.kind == "phases":
        yield from _phase_figures(proof)
    else:
        yield from _channel_figures(proof, samples)


def _pictures(proof: Proof, samples: Group) -> PageFigure:
    volume = proof.volume
    pictures = pictures_of(samples, volume)
    found = (label for label in phases_of(proof.comparison) if isinstance(label, int))
    labels = tuple(sorted({*volume.labels, *found}))
    colouring = Colouring.of(proof.comparison.kind, labels, pictures)
    caption = (
        "Planes of the real and of the generated material, at the same magnification "
        "and in the same colours."
    )
    height = 3.4 if len(pictures) <= 4 else 2.6

    def draw(figure: Figure) -> None:
        draw_pictures(figure, pictures, colouring, volume.voxel_size_nm)  # type: ignore[arg-type]

    return PageFigure(inline_svg(draw, (WIDTH, height), "planes", caption), caption)


def _phase_figures(proof: Proof) -> Iterator[PageFigure]:
    comparison, unit = proof.comparison, _unit(proof)
    n_rows = -(-len(phases_of(comparison)) // CURVES_PER_ROW)
    for metric, words in CURVES.items():
        if not rows_of(comparison, metric):
            continue
        draw: Any = partial(_draw_curves, comparison, metric, unit)
        banded = any(row.noise_floor for row in rows_of(comparison, metric))
        caption = f"{words} {BAND}" if banded else words
        svg = inline_svg(draw, (WIDTH, 2.9 * n_rows), metric, caption)
        yield PageFigure(svg, caption)
    bars = [(title, rows_of(comparison, metric)) for metric, title in BARS.items()]
    bars = [(title, rows) for title, rows in bars if rows]
    caption = (
        "Numbers side by side: real in gray with one noise floor as a bracket, "
        "generated in colour."
    )
    # The more phases, the wider the bars' panels.
    beside = 2 if len(phases_of(comparison)) > 2 else len(bars)
    for start in range(0, len(bars), beside):
        group = bars[start : start + beside]
        svg = inline_svg(
            partial(_draw_bars, group), (WIDTH, 2.9), f"bars-{start}", caption
        )
        yield PageFigure(svg, caption)


def _draw_curves(
    comparison: Comparison, metric: str, unit: str, figure: Figure
) -> None:
    draw_curves(figure, comparison, metric, unit)  # type: ignore[arg-type]
    if metric == "pore_size":  # mostly 0 beyond
        for panel, phase in zip(figure.axes, phases_of(comparison), strict=False):
            panel.set_xlim(0, _last_seen(rows_of(comparison, metric, phase)))


def _last_seen(rows: list[Row]) -> int:
    """Distance beyond which all curves are below a thousandth."""
    curves = [c for r in rows for c in (r.real, r.generated) if isinstance(c, tuple)]
    seen = [r for curve in curves for r, value in enumerate(curve) if value > 1e-3]
    return max([1, *seen]) + 1


def _draw_bars(bars: list[tuple[str, list[Row]]], figure: Figure) -> None:
    widths = [1.5 + len(rows) * (1 if rows[0].axis else 1.6) for _, rows in bars]
    panels = figure.subplots(1, len(bars), squeeze=False, width_ratios=widths)[0]
    for panel, (title, rows) in zip(panels, bars, strict=True):
        draw_bars(panel, rows, title)


def _channel_figures(proof: Proof, samples: Group) -> Iterator[PageFigure]:
    """Histogram and normalised autocovariance of each channel."""
    comparison = proof.comparison
    for index, channel in enumerate(phases_of(comparison)):
        place: Any = (..., index) if comparison.kind == "colour" else ...
        real = np.concatenate([one.values[place].ravel() for one in samples])
        generated = proof.volume.values[place].ravel()
        curves = rows_of(comparison, "normalised_autocovariance", channel)

        def draw(
            figure: Figure,
            real: Any = real,
            generated: Any = generated,
            curves: list[Row] = curves,
        ) -> None:
            panels = figure.subplots(1, 2)
            draw_histogram(panels[0], real, generated, "Histogram")
            draw_curve(panels[1], curves, _unit(proof))
            add_curve_legend(figure, curves)  # type: ignore[arg-type]

        caption = (
            f"Values of {phase_name(channel)} and their autocovariance, divided by the "
            f"variance of the real material. {BAND}"
        )
        svg = inline_svg(draw, (WIDTH, 3.0), f"channel-{index}", caption)
        yield PageFigure(svg, caption)


def _unit(proof: Proof) -> str:
    size = proof.volume.voxel_size_nm
    return "voxels" if size is None else f"voxels of {length_text(size)}"
