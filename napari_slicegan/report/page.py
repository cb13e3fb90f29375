"""The report as one self-contained HTML page."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from napari_slicegan.metrics.comparison import value_text
from napari_slicegan.metrics.reference import reference_of
from napari_slicegan.report.figure import (
    AXIS_COLOURS,
    CURVES_PER_ROW,
    DOTS_PER_INCH,
    TEXT_COLOUR,
    bars_of,
    distance_unit,
    draw_bar_panels,
    draw_channel,
    draw_curves,
    draw_planes,
    n_planes,
)
from napari_slicegan.report.provenance import MEASURES, METHOD, PROGRAM
from napari_slicegan.report.text import phase_name, phases_of, rows_of
from napari_slicegan.runtime.atomic_files import check_ending, replacing
from napari_slicegan.runtime.quantities import length_text

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.report.proof import Proof
    from napari_slicegan.report.provenance import Provenance

ENDINGS = (".html", ".htm")
WIDTH = 12.0
# Black is the default colour and would be omitted from the file.
INK = "#010203"
SVG_STYLE: dict[Any, Any] = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "svg.hashsalt": "napari-slicegan",
    "svg.fonttype": "path",
}
INK_COLOURS = re.compile(f"{INK}|{TEXT_COLOUR}|#000000|#333333", re.IGNORECASE)
PAPER_COLOUR = re.compile("#ffffff", re.IGNORECASE)


@dataclass(frozen=True)
class PageFigure:
    """An ``<svg>`` element of the page, and its caption."""

    svg: str
    caption: str


def page_figure(
    draw: Callable[[Figure], object], height: float, name: str, caption: str
) -> PageFigure:
    """Figure of a height in inches, scaled by the page; the name prefixes its ids."""
    with rc_context(SVG_STYLE):
        figure = Figure(
            figsize=(WIDTH, height),
            dpi=DOTS_PER_INCH,
            layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06),
        )
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # One page holds several figures: their ids must differ.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = INK_COLOURS.sub("currentColor", svg)
    svg = PAPER_COLOUR.sub("var(--paper)", svg)
    for axis, colour in AXIS_COLOURS.items():
        variable = f"var(--axis-{axis or 'all'})"
        svg = re.sub(colour, variable, svg, flags=re.IGNORECASE)
    # The page sets the size; the view box keeps the proportions.
    svg = re.sub(r'^<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'^<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    label = html.escape(caption, quote=True)
    # Black elements have no colour in the file: they take that of the page.
    root = f'<svg role="img" aria-label="{label}" fill="currentColor" '
    return PageFigure(svg.replace("<svg ", root, 1).strip(), caption)


CURVES = {
    "two_point_correlation": "Two-point correlation: probability that two voxels at "
    "distance r both lie in the phase.",
    "lineal_path": "Lineal path: probability that a whole segment of length r lies in "
    "the phase.",
    "pore_size": "Pore-size function: fraction of the phase that lies further than r "
    "from every other phase.",
}
BARS = {
    "phase_fraction": "Phase fraction",
    "interface_density": "Interface density by axis",
    "percolating_fraction": "Percolating fraction by axis",
    "effective_diffusivity": "D_eff / D_0 by axis",
    "permeability": "Permeability (voxel^2) by axis",
}
BAND = "The band is one noise floor on either side of the real curve."


def page_figures(proof: Proof) -> Iterator[PageFigure]:
    """Planes, curves and bars of the metrics that were measured."""
    comparison, volume = proof.comparison, proof.volume
    samples = reference_of(proof.source, volume, comparison.max_distance).samples
    facts: dict[str, Any] = {
        "comparison": comparison,
        "samples": samples,
        "volume": volume,
    }
    caption = (
        "Planes of the real and of the generated material, at the same magnification "
        "and in the same colours."
    )
    height = 3.4 if n_planes(samples) <= 4 else 2.6
    yield page_figure(partial(draw_planes, **facts), height, "planes", caption)
    if comparison.kind == "phases":
        yield from _phase_figures(proof)
        return
    for index, channel in enumerate(phases_of(comparison)):
        caption = (
            f"Values of {phase_name(channel)} and their autocovariance, divided by the "
            f"variance of the real material. {BAND}"
        )
        draw = partial(_draw_channel, **facts, channel=channel)
        yield page_figure(draw, 3.0, f"channel-{index}", caption)


def _draw_channel(figure: Figure, **facts: Any) -> None:
    draw_channel(figure, figure.subplots(1, 2), **facts)


def _phase_figures(proof: Proof) -> Iterator[PageFigure]:
    comparison, unit = proof.comparison, distance_unit(proof.volume)
    n_rows = -(-len(phases_of(comparison)) // CURVES_PER_ROW)
    for metric, words in CURVES.items():
        if not rows_of(comparison, metric):
            continue
        draw: Any = partial(_draw_curves, comparison, metric, unit)
        banded = any(row.noise_floor for row in rows_of(comparison, metric))
        caption = f"{words} {BAND}" if banded else words
        yield page_figure(draw, 2.9 * n_rows, metric, caption)
    bars = bars_of(comparison, BARS)
    caption = (
        "Numbers side by side: real in gray with one noise floor as a bracket, "
        "generated in colour."
    )
    # The more phases, the wider the bars' panels.
    beside = 2 if len(phases_of(comparison)) > 2 else len(bars)
    for start in range(0, len(bars), beside):
        draw = partial(draw_bar_panels, bars=bars[start : start + beside])
        yield page_figure(draw, 2.9, f"bars-{start}", caption)


def _draw_curves(
    comparison: Comparison, metric: str, unit: str, figure: Figure
) -> None:
    draw_curves(figure, comparison, metric, unit)
    if metric == "pore_size":  # mostly 0 beyond
        for panel, phase in zip(figure.axes, phases_of(comparison), strict=False):
            panel.set_xlim(0, _last_seen(rows_of(comparison, metric, phase)))


def _last_seen(rows: list[Row]) -> int:
    """Distance beyond which all curves are below a thousandth."""
    curves = [c for r in rows for c in (r.real, r.generated) if isinstance(c, tuple)]
    seen = [r for curve in curves for r, value in enumerate(curve) if value > 1e-3]
    return max([1, *seen]) + 1


# Grade: its sign (colour alone would not do), and its word for metrics and for checks.
MARKS = {
    "agrees": ("\N{CHECK MARK}", "agrees", "good"),
    "close": ("\N{ALMOST EQUAL TO}", "close", "take care"),
    "differs": ("\N{MULTIPLICATION SIGN}", "differs", "a problem"),
    "unknown": ("\N{EN DASH}", "not judged", "for information"),
}
SIGNS, GRADE_WORDS, ANSWER_WORDS = (
    {grade: words[column] for grade, words in MARKS.items()} for column in range(3)
)


def write_report(proof: Proof, provenance: Provenance, path: str | Path) -> Path:
    """Write the page, and the same in JSON beside it.

    Parameters
    ----------
    proof
        What was measured.
    provenance
        Where generator and images come from.
    path
        File to write, ``.html``; both files appear complete or not at all.

    Returns
    -------
    The JSON file.

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    path = Path(path)
    check_ending(path, *ENDINGS)
    facts = {"proof": proof.to_dict(), "provenance": provenance.to_dict()}
    numbers = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page(proof, provenance)
    content = json.dumps(facts, indent=1, allow_nan=False)
    # Neither is replaced before both are written.
    with replacing(path) as unfinished, replacing(numbers) as beside:
        unfinished.write_text(text, encoding="utf-8")
        beside.write_text(content + "\n", encoding="utf-8")
    return numbers


def page(proof: Proof, provenance: Provenance) -> str:
    """Text of the page, from ``templates/report.html``."""
    measured = {check.name for check in proof.checks}
    versions = (
        ("trained with", provenance.trained_with),
        ("measured with", provenance.measured_with),
    )
    return TEMPLATES.get_template("report.html").render(
        proof=proof,
        origin=provenance,
        figures=page_figures(proof),
        settings=json.dumps(provenance.settings, indent=1),
        versions="; ".join(
            f"{words} {', '.join(f'{name} {value}' for name, value in found.items())}"
            for words, found in versions
            if found
        ),
        citations=[
            METHOD,
            PROGRAM,
            *(text for name, text in MEASURES.items() if name in measured),
        ],
        signs=SIGNS,
        grade_words=GRADE_WORDS,
        answer_words=ANSWER_WORDS,
    )


def _floors(floors: float | None) -> str:
    if floors is None:
        return "-"
    return "\N{INFINITY}" if floors > 1e6 else f"{floors:.1f}"


def _cell(text: str) -> str:
    """Text that does not end a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _templates() -> Environment:
    """Templates of the page and the model card; values in HTML are escaped."""
    environment = Environment(
        loader=PackageLoader("napari_slicegan.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cell": _cell,
        "floors": _floors,
        "length_text": length_text,
        "mean": value_text,
        "phase_name": phase_name,
    }
    return environment


TEMPLATES = _templates()
