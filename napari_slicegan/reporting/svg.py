"""Figures as SVG within a page: in the colours of the page, light or dark."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from napari_slicegan.reporting.images import AXIS_COLOURS, TEXT_COLOUR

DOTS_PER_INCH = 120
# Black would be left out of the file, where it is the default.
INK = "#010203"
STYLE: dict[Any, Any] = {
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
    with rc_context(STYLE):
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
