"""The report as one self-contained HTML page."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from napari_slicegan.metrics.reference import reference_of
from napari_slicegan.report.plots import (
    AXIS_COLOURS,
    CURVES_PER_ROW,
    TEXT_COLOUR,
    Colouring,
    add_curve_legend,
    draw_bars,
    draw_curve,
    draw_curves,
    draw_histogram,
    draw_pictures,
    length_text,
    pictures_of,
)
from napari_slicegan.report.provenance import MEASURES, METHOD, PROGRAM
from napari_slicegan.report.text import number, phase_name, phases_of, rows_of
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.metrics.reference import Group
    from napari_slicegan.report.proof import Proof
    from napari_slicegan.report.provenance import ImageFacts, Provenance

STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1d2327; --quiet: #59636b;
  --line: #d5dade; --card: #f5f7f8; --agrees: #00694d; --close: #00527f;
  --differs: #a34700; --unknown: #59636b; --axis-z: #0072b2; --axis-y: #d55e00;
  --axis-x: #009e73; --axis-all: #7b5ea7; }
@media (prefers-color-scheme: dark) { :root { --paper: #15191c; --ink: #e6eaed;
  --quiet: #a3adb5; --line: #3a4349; --card: #1e2428; --agrees: #5fd3ae;
  --close: #7cc4f2; --differs: #ffad66; --unknown: #a3adb5; --axis-z: #5ab4ec;
  --axis-y: #ee8a3c; --axis-x: #2fc79a; --axis-all: #b49ae0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: .5rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.25rem 0 .25rem; }
p, ul { margin: .4rem 0; }
.quiet, figcaption { color: var(--quiet); font-size: .9rem; }
.headline { font-size: 1.25rem; font-weight: 600; margin: .9rem 0 .2rem; }
.agrees { color: var(--agrees); } .close { color: var(--close); }
.differs { color: var(--differs); } .unknown { color: var(--unknown); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .38rem .7rem .38rem 0;
  border-bottom: 1px solid var(--line); }
thead th { border-bottom-width: 2px; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.mark { white-space: nowrap; font-weight: 600; }
figure { margin: 1rem 0 1.5rem; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
.checks { display: grid; gap: .9rem; padding: 0; margin: .75rem 0;
  grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); list-style: none; }
.checks li { background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; padding: .8rem 1rem; }
.checks h3 { margin-top: 0; }
code { font-size: .85em; overflow-wrap: anywhere; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .8rem 1rem; overflow-x: auto; font-size: .82rem; }
summary { cursor: pointer; padding: .35rem 0; font-weight: 600; }
footer { color: var(--quiet); font-size: .9rem; padding-bottom: 2.5rem; }
@media print { :root { --paper: #ffffff; --ink: #000000; --quiet: #444444;
    --line: #bbbbbb; --card: #ffffff; --agrees: #00694d; --close: #00527f;
    --differs: #a34700; --unknown: #444444; --axis-z: #0072b2; --axis-y: #d55e00;
    --axis-x: #009e73; --axis-all: #7b5ea7; }
  body { font-size: 10pt; } main, header, footer { max-width: none; padding: 0; }
  figure, tr, .checks li { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .wide { overflow: visible; } .checks { grid-template-columns: 1fr 1fr; } }
"""


DOTS_PER_INCH = 120
# Black would be left out of the file, where it is the default.
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


def inline_svg(
    draw: Callable[[Figure], None],
    size: tuple[float, float],
    name: str,
    description: str,
) -> str:
    """Draw a figure and give it as an element of a page.

    Parameters
    ----------
    draw
        Draws into an empty figure.
    size
        Width and height in inches; the page scales it.
    name
        Prefix of the ids, unique in the page.
    description
        What a reader who does not see the figure is told.
    """
    svg = _drawn(draw, size)
    # One page holds several figures: their ids must differ.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = INK_COLOURS.sub("currentColor", svg)
    svg = PAPER_COLOUR.sub("var(--paper)", svg)
    for axis, colour in AXIS_COLOURS.items():
        variable = f"var(--axis-{axis or 'all'})"
        svg = re.sub(colour, variable, svg, flags=re.IGNORECASE)
    # The size is the page's matter; the view box keeps the proportions.
    svg = re.sub(r'^<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'^<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    label = html.escape(description, quote=True)
    # What is black has no colour in the file: it takes that of the page.
    root = f'<svg role="img" aria-label="{label}" fill="currentColor" '
    return svg.replace("<svg ", root, 1).strip()


def _drawn(draw: Callable[[Figure], None], size: tuple[float, float]) -> str:
    """The ``<svg>`` element of a figure, without its metadata."""
    with rc_context(SVG_STYLE):
        figure = Figure(
            figsize=size,
            dpi=DOTS_PER_INCH,
            layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06),
        )
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


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
    "interface_density": "Interface density by axis",
    "percolating_fraction": "Percolating fraction by axis",
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


# Not by colour alone.
SIGNS = {
    "agrees": "\N{CHECK MARK}",
    "close": "\N{ALMOST EQUAL TO}",
    "differs": "\N{MULTIPLICATION SIGN}",
    "unknown": "\N{EN DASH}",
}
GRADE_WORDS = {
    "agrees": "agrees",
    "close": "close",
    "differs": "differs",
    "unknown": "not judged",
}
ANSWER_WORDS = {
    "agrees": "good",
    "close": "take care",
    "differs": "a problem",
    "unknown": "for information",
}


def write_report(proof: Proof, provenance: Provenance, path: Path) -> Path:
    """Write the page, and the same in JSON beside it.

    Parameters
    ----------
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
    check_report_ending(path)
    facts = {"proof": proof.to_dict(), "provenance": provenance.to_dict()}
    numbers = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = page(proof, provenance)
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    with replacing(numbers) as unfinished:
        content = json.dumps(facts, indent=1, allow_nan=False)
        unfinished.write_text(content + "\n", encoding="utf-8")
    return numbers


def check_report_ending(path: Path) -> None:
    """Refuse a file that no report is written to.

    Raises
    ------
    ValueError
        If the name does not end in ``.html``.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(
            f"{path.name}: the report is saved as .html; got the ending "
            f"'{path.suffix}'. Choose a name that ends in .html."
        )


def page(proof: Proof, provenance: Provenance) -> str:
    """The whole page."""
    title = f"Report: {_escaped(provenance.name)}"
    sections = (
        _verdicts(proof),
        _figures(proof),
        _checks(proof),
        _origin(provenance),
        _reading(proof),
        _numbers(proof),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{_header(proof, provenance)}\n<main>\n{''.join(sections)}</main>\n"
        f"{_footer(provenance)}\n</body>\n</html>\n"
    )


def _header(proof: Proof, provenance: Provenance) -> str:
    judged = proof.verdict
    voxel = provenance.voxel_size_nm
    unit = "" if voxel is None else f" of {length_text(voxel)}"
    made = f", seed {proof.settings.seed}; {provenance.training}"
    return (
        f"<header>\n<h1>{_escaped(provenance.name)}: generated in 3-D, measured</h1>\n"
        f'<p class="quiet">{_escaped(proof.comparison.generated)} voxels{unit}'
        f"{_escaped(made if provenance.n_weights else '')}; "
        f"{_escaped(provenance.written[:10])}</p>\n"
        f'<p class="headline {judged.grade}">{SIGNS[judged.grade]} '
        f"{_escaped(judged.headline)}: {_escaped(judged.bound)}</p>\n"
        f"<p>{_escaped(judged.largest)}</p>\n</header>"
    )


def _verdicts(proof: Proof) -> str:
    rows = [
        (
            f'<th scope="row">{_escaped(one.title)}</th>',
            f'<td class="mark {one.grade}">{_mark(one.grade, GRADE_WORDS)}</td>',
            _cell(one.words),
            _cell(one.real, "number"),
            _cell(one.generated, "number"),
            _cell(one.where),
            _cell("-" if one.floors is None else _floors(one.floors), "number"),
        )
        for one in proof.metrics
    ]
    head = (
        *("Metric", "Verdict", "In words", "Real", "Generated"),
        *("Furthest off", "Noise floors"),
    )
    caption = (
        "The phase and axis that are furthest off. Distances are told in noise floors: "
        "the same distance between pieces of the real material "
        f"({_escaped(proof.comparison.noise)})."
    )
    return f"<h2>Verdict for each metric</h2>\n{_table(head, rows, caption)}"


def _figures(proof: Proof) -> str:
    parts = [
        f"<figure>\n{figure.svg}\n<figcaption>{_escaped(figure.caption)}</figcaption>\n"
        "</figure>\n"
        for figure in page_figures(proof)
    ]
    return f"<h2>Pictures and curves</h2>\n{''.join(parts)}"


def _checks(proof: Proof) -> str:
    items = "".join(
        f"<li><h3>{_escaped(check.title)}</h3>\n"
        f'<p class="mark {check.grade}">{_mark(check.grade, ANSWER_WORDS)}</p>\n'
        f"<p>{_escaped(check.verdict)}</p></li>\n"
        for check in proof.checks
    )
    return f'<h2>Further checks</h2>\n<ul class="checks">\n{items}</ul>\n'


def _origin(provenance: Provenance) -> str:
    images = [_image_row(image) for image in provenance.images]
    head = ("Image", "Pixels", "Kind", "Seen along", "Pixel", "Licence", "SHA-256")
    table = _table(head, images, "Trained on") if images else ""
    settings = json.dumps(provenance.settings, indent=1)
    versions = "; ".join(
        f"{words} {', '.join(f'{name} {value}' for name, value in found.items())}"
        for words, found in (
            ("trained with", provenance.trained_with),
            ("measured with", provenance.measured_with),
        )
        if found
    )
    details = (
        f"<details><summary>All settings of the run</summary>\n"
        f"<pre>{_escaped(settings)}</pre></details>\n"
        if provenance.settings
        else ""
    )
    generator = (
        f"<p>Generator: {_escaped(provenance.architecture)}, "
        f"{provenance.n_weights:,} weights, SHA-256 "
        f"<code>{provenance.generator_sha256}</code>.</p>\n"
        if provenance.n_weights
        else ""
    )
    return (
        f"<h2>Where it comes from</h2>\n{table}{generator}"
        f"<p>Versions: {_escaped(versions)}.</p>\n{details}"
    )


def _image_row(image: ImageFacts) -> tuple[str, ...]:
    size = image.pixel_size_nm
    return (
        f'<th scope="row">{_escaped(image.name)}</th>',
        _cell(image.size),
        _cell(image.kind),
        _cell(image.axis),
        _cell("unknown" if size is None else length_text(size)),
        _cell(image.licence),
        f"<td><code>{image.sha256[:16]}</code></td>",
    )


def _reading(proof: Proof) -> str:
    measured = {check.name for check in proof.checks}
    works = [text for name, text in MEASURES.items() if name in measured]
    cited = [METHOD, PROGRAM, *works]
    citations = "".join(f"<li>{_escaped(text)}</li>\n" for text in cited)
    return (
        "<h2>How to read it, how to cite</h2>\n"
        "<p><strong>Agrees</strong>: no farther from the images than another piece of "
        "the same material (one noise floor), or less than 1 % off. "
        "<strong>Close</strong>: within three noise floors. <strong>Differs</strong>: "
        "beyond. Two-dimensional images cannot show everything: what is not known of "
        "the real material is given for information.</p>\n"
        f"<ul>\n{citations}</ul>\n"
    )


def _numbers(proof: Proof) -> str:
    head = ("Metric", "Phase", "Axis", "Real", "Generated", "Distance", "Noise floor")
    rows = [_number_row(row) for row in proof.comparison.rows]
    table = _table(head, rows, "Of curves the mean over r")
    return f"<details><summary>All numbers</summary>\n{table}</details>\n"


def _number_row(row: Row) -> tuple[str, ...]:
    values = (row.real, row.generated, row.distance, row.noise_floor)
    means = (
        sum(value) / len(value) if isinstance(value, tuple) else value
        for value in values
    )
    return (
        f'<th scope="row">{_escaped(row.title)}</th>',
        _cell(phase_name(row.phase)),
        _cell(row.axis or "-"),
        *(_cell(number(mean), "number") for mean in means),
    )


def _footer(provenance: Provenance) -> str:
    return (
        f"<footer>Licence of the data: {_escaped(provenance.licences)}. Written "
        f"{_escaped(provenance.written)} by napari-slicegan.</footer>"
    )


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = ""
) -> str:
    titles = "".join(f'<th scope="col">{_escaped(title)}</th>' for title in head)
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in rows)
    words = f"<caption>{caption}</caption>" if caption else ""
    return (
        f'<div class="wide"><table>{words}<thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>\n"
    )


def _cell(text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f"<td{kind}>{_escaped(text)}</td>"


def _mark(grade: str, words: Mapping[str, str]) -> str:
    return f"{SIGNS[grade]} {words[grade]}"


def _floors(floors: float) -> str:
    return "\N{INFINITY}" if floors > 1e6 else f"{floors:.1f}"


def _escaped(text: str) -> str:
    return html.escape(text)
