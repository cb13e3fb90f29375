"""Figures of a comparison: planes, curves, bars and distances.

`comparison_figure` puts them into one picture; the HTML page draws each of them alone.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, FigureBase, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.metrics.comparison import with_labels_of
from napari_slicegan.metrics.judgement import FAR_FLOORS, distance_in_floors
from napari_slicegan.metrics.reference import (
    Group,
    Source,
    reference_of,
    views_of,
)
from napari_slicegan.metrics.stored_volume import SEEN_ALONG
from napari_slicegan.report.text import (
    findings,
    number,
    phase_name,
    phases_of,
    plain_title,
    rows_of,
    verdict,
)
from napari_slicegan.runtime.atomic_files import check_ending, replacing
from napari_slicegan.runtime.quantities import length_text
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slicegan.metrics.comparison import Comparison, Row
    from napari_slicegan.metrics.stored_volume import AnyVolume

# Okabe and Ito's colours, distinguishable with colour-vision deficiency.
AXIS_COLOURS: dict[Axis | None, str] = {
    "z": "#0072B2",
    "y": "#D55E00",
    "x": "#009E73",
    None: "#7B5EA7",
}
REAL_COLOUR = "#8C8C8C"
TEXT_COLOUR = "#333333"
TWO_PHASES = ("#24364B", "#EBD9A9")
# Larger planes are cropped to their middle: features must stay visible.
WINDOW = 256
BAR_SHARE = 0.3
CURVES_PER_ROW = 4
# Line styles in addition, for prints in gray.
LINE_STYLES: dict[Axis | None, Literal["-", "--", "-."]] = {
    "z": "-",
    "y": "--",
    "x": "-.",
    None: "-",
}
N_BINS = 64
MAX_SAMPLED = 2**21
BAR_WIDTH = 0.4
# With more pairs than these, numbers above the bars stand upright; with still more,
# there are none.
MAX_LEVEL, MAX_NUMBERED = 2, 12
# With more phases than these, their labels alone stand below the bars.
MAX_NAMED = 8
NEAR_COLOUR, FAR_COLOUR = "#5B6770", "#B3261E"
# Bars of longer distances, in noise floors, are cut off.
MAX_FLOORS = 20.0

# Height in inches, and the function that draws the part of the figure.
Section: TypeAlias = tuple[float, Callable[[SubFigure], object]]

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
FIGURE_BARS = {
    "phase_fraction": "Phase fraction (gray: real)",
    "interface_density": "Interface density by axis",
    "percolating_fraction": "Percolating fraction by axis",
}
Bars: TypeAlias = "tuple[str, list[Row]]"
"""Title and rows of a panel."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A real or generated plane ``[rows, columns(, 3)]``, at most `WINDOW` wide.

    The axis it is seen along is None for an isotropic image.
    """

    values: NDArray[Any]
    source: str
    axis: Axis | None

    @property
    def title(self) -> str:
        """Source and viewing direction."""
        return self.source if self.axis is None else f"{self.source}, along {self.axis}"


@dataclass(frozen=True)
class Colouring:
    """How values become colours, the same for all planes.

    ``labels`` are the phases in order, empty for other kinds; ``low`` and ``high`` are
    the values shown black and white.
    """

    labels: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0
    known: Mapping[int, str] = field(default_factory=dict)
    """Colours of the phases where they have some."""

    @classmethod
    def of(
        cls, kind: Kind, labels: tuple[int, ...], pictures: Sequence[Picture]
    ) -> Colouring:
        """Colours for the phases, or the range of gray values of the real planes."""
        if kind == "phases":
            return cls(labels)
        eight_bits = all(picture.values.dtype == np.uint8 for picture in pictures)
        if kind == "colour" and eight_bits:
            return cls(())
        real = [p.values.ravel() for p in pictures if p.source == "Real"]
        low, high = np.percentile(np.concatenate(real), (0.5, 99.5))
        return cls((), float(low), float(high))

    def colours(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Red, green and blue, ``[rows, columns, 3]``, between 0 and 1."""
        if self.labels:
            table = np.array([to_rgb(colour) for colour in self.phase_colours()])
            indices = np.searchsorted(self.labels, values.astype(np.int64))
            return np.asarray(table[indices], dtype=np.float64)
        span = max(self.high - self.low, np.finfo(np.float64).tiny)
        shades = np.clip((values.astype(np.float64) - self.low) / span, 0, 1)
        return np.stack([shades] * 3, axis=-1) if shades.ndim == 2 else shades

    def phase_colours(self) -> list[Any]:
        """Those of the material, if it has some for all phases.

        Else dark to light: distinguishable in gray and with colour-vision deficiency.
        """
        if self.known.keys() >= set(self.labels):
            return [self.known[label] for label in self.labels]
        count = len(self.labels)
        if count <= 2:
            return list(TWO_PHASES[:count])
        return [colormaps["viridis"](index / (count - 1)) for index in range(count)]


def pictures_of(samples: Group, volume: AnyVolume) -> tuple[Picture, ...]:
    """Real planes beside generated ones.

    One real image if it is isotropic; else one along each axis, each followed by the
    generated plane of the same direction.
    """
    real = {axis: images[0] for axis, images in views_of(samples, 1).items()}
    edge = min(WINDOW, max(volume.values.shape[:3]))
    pictures = (
        [Picture(_middle(real[None], edge), "Real", None)] if None in real else []
    )
    for axis in AXES:
        if axis in real:
            pictures.append(Picture(_middle(real[axis], edge), "Real", axis))
        planes = volume.planes(axis)
        plane = _middle(planes[len(planes) // 2], edge)
        pictures.append(Picture(plane, "Generated", axis))
    return tuple(pictures)


def draw_pictures(
    part: FigureBase,
    pictures: Sequence[Picture],
    colouring: Colouring,
    voxel_size_nm: float | None,
) -> None:
    """A row of planes, all at the same magnification, with a scale bar."""
    panels = part.subplots(1, len(pictures), squeeze=False)[0]
    edge = max(max(picture.values.shape[:2]) for picture in pictures)
    for panel, picture in zip(panels, pictures, strict=True):
        _draw_plane(panel, picture, colouring, edge)
    draw_scale_bar(panels[0], pictures[0].values.shape, voxel_size_nm)
    if colouring.labels:
        pairs = zip(colouring.phase_colours(), colouring.labels, strict=True)
        part.legend(
            handles=[
                Patch(facecolor=colour, edgecolor=TEXT_COLOUR, label=f"phase {label}")
                for colour, label in pairs
            ],
            loc="outside lower center",
            ncols=min(len(colouring.labels), 8),
            frameon=False,
            fontsize=9,
        )


def draw_scale_bar(
    panel: Axes, shape: tuple[int, ...], voxel_size_nm: float | None
) -> None:
    """Bar of a round length, in voxels where their size is unknown."""
    length, text = scale_bar(shape[1], voxel_size_nm)
    bar = AuxTransformBox(panel.transData)
    bar.add_artist(Rectangle((0, 0), length, shape[1] / 60, color="black"))
    label = TextArea(text, textprops={"size": 8})
    panel.add_artist(
        AnchoredOffsetbox(
            "lower left",
            child=VPacker(children=[label, bar], align="center", pad=0, sep=2),
            frameon=True,
            pad=0.25,
            borderpad=0.4,
            bbox_to_anchor=Bbox.from_extents(0, 0, shape[1], shape[0]),
            bbox_transform=panel.transData,
        )
    )


def scale_bar(n_columns: int, voxel_size_nm: float | None) -> tuple[float, str]:
    """Length of a scale bar in voxels, and its text.

    A round length (1, 2 or 5 times a power of ten) of at most a part of the width.
    """
    size = 1.0 if voxel_size_nm is None else voxel_size_nm
    longest = BAR_SHARE * n_columns * size
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(digit * power for digit in (1, 2, 5) if digit * power <= longest)
    if voxel_size_nm is None:
        return length, f"{length:g} voxels"
    return length / size, length_text(length)


def distance_unit(volume: AnyVolume) -> str:
    """Unit of the distances r: voxels and, if known, their size."""
    size = volume.voxel_size_nm
    return "voxels" if size is None else f"voxels of {length_text(size)}"


def _draw_plane(panel: Axes, picture: Picture, colouring: Colouring, edge: int) -> None:
    """One plane in the middle of a square of `edge` voxels."""
    rows, columns = picture.values.shape[:2]
    panel.imshow(
        colouring.colours(picture.values),
        extent=(0, columns, rows, 0),
        interpolation="nearest" if edge <= 200 else "antialiased",
    )
    panel.set_xlim((columns - edge) / 2, (columns + edge) / 2)
    panel.set_ylim((rows + edge) / 2, (rows - edge) / 2)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(False)
    real = picture.source == "Real"
    colour = "black" if real else AXIS_COLOURS[picture.axis]
    frame = Rectangle(
        (0, 0), columns, rows, fill=False, edgecolor=colour, linewidth=2, clip_on=False
    )
    panel.add_patch(frame)
    note = partial(panel.annotate, textcoords="offset points", ha="center")
    note(picture.title, (columns / 2, 0), (0, 6), size=10, color=colour)
    if picture.axis is not None:
        vertical, horizontal = SEEN_ALONG[picture.axis]
        across, down = (
            f"{horizontal} \N{RIGHTWARDS ARROW}",
            f"\N{LEFTWARDS ARROW} {vertical}",
        )
        note(across, (columns / 2, rows), (0, -5), size=9, va="top")
        note(down, (0, rows / 2), (-9, 0), size=9, va="center", rotation=90)


def _middle(values: NDArray[Any], edge: int) -> NDArray[Any]:
    """Middle part of at most `edge` rows and columns."""
    starts = [max(0, (length - edge) // 2) for length in values.shape[:2]]
    return values[tuple(slice(start, start + edge) for start in starts)]


def draw_curves(
    part: FigureBase, comparison: Comparison, metric: str, unit: str
) -> None:
    """One panel per phase."""
    phases = phases_of(comparison)
    columns = min(len(phases), CURVES_PER_ROW)
    panels = part.subplots(-(-len(phases) // columns), columns, squeeze=False)
    for panel, phase in zip(panels.flat, phases, strict=False):
        draw_curve(panel, rows_of(comparison, metric, phase), unit)
    for panel in panels.flat[len(phases) :]:
        panel.set_axis_off()
    add_curve_legend(part, rows_of(comparison, metric))


def draw_curve(panel: Axes, rows: Sequence[Row], unit: str) -> None:
    """Real curves broad and pale on a band of one noise floor, generated ones thin."""
    for colour, curve, floor in _real_curves(rows):
        panel.plot(curve, color=colour, linewidth=4, alpha=0.5, solid_capstyle="butt")
        if floor is not None:
            low, high = curve - floor, curve + floor
            distances = np.arange(len(curve))
            panel.fill_between(
                distances, low, high, color=colour, alpha=0.2, linewidth=0
            )
    for row in rows:
        if isinstance(row.generated, tuple):
            panel.plot(
                row.generated,
                color=AXIS_COLOURS[row.axis],
                linestyle=LINE_STYLES[row.axis],
                linewidth=1.5,
            )
    panel.margins(x=0)
    style_panel(panel, f"{plain_title(rows[0])}, {phase_name(rows[0].phase)}")
    panel.set_xlabel(f"distance r ({unit})", fontsize=9)


def add_curve_legend(part: FigureBase, rows: Sequence[Row]) -> None:
    """Legend of lines and band, to the right of the panels."""
    real = "real" if axes_agree(rows) else "real, in the\ncolour of the axis"
    handles: list[Any] = []
    if any(row.real is not None for row in rows):
        handles.append(
            Line2D([], [], color=REAL_COLOUR, linewidth=4, alpha=0.6, label=real)
        )
    if any(row.noise_floor is not None for row in rows):
        label = "\N{PLUS-MINUS SIGN} one noise floor"
        handles.append(Patch(color=REAL_COLOUR, alpha=0.3, label=label))
    handles += [
        Line2D(
            [],
            [],
            color=AXIS_COLOURS[axis],
            linestyle=LINE_STYLES[axis],
            linewidth=1.5,
            label="generated" if axis is None else f"generated, along {axis}",
        )
        for axis in dict.fromkeys(row.axis for row in rows)
    ]
    part.legend(handles=handles, loc="outside right center", frameon=False, fontsize=9)


def draw_histogram(
    panel: Axes, real: NDArray[Any], generated: NDArray[Any], title: str
) -> None:
    """Distribution of gray values, real and generated in the same bins."""
    real, generated = _thinned(real), _thinned(generated)
    edges = _bin_edges(real, generated)
    heights = [np.histogram(v, edges, density=True)[0] for v in (real, generated)]
    panel.stairs(heights[0], edges, color=REAL_COLOUR, alpha=0.6, fill=True)
    panel.stairs(heights[1], edges, color=AXIS_COLOURS[None], linewidth=1.5)
    style_panel(panel, title)
    panel.set_xlabel("value", fontsize=9)
    panel.set_yticks([])
    panel.set_ylim(bottom=0)
    panel.legend(["real", "generated"], frameon=False, fontsize=8)


def style_panel(panel: Axes, title: str) -> None:
    """The same look for all panels."""
    panel.set_title(title, fontsize=10, color=TEXT_COLOUR)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def axes_agree(rows: Sequence[Row]) -> bool:
    """Whether the real curves of each phase differ by less than their noise floor."""
    for one, other in itertools.combinations(rows, 2):
        if one.phase != other.phase or one.real == other.real:
            continue
        if one.real is None or other.real is None:
            return False
        difference = float(np.abs(np.subtract(one.real, other.real)).mean())
        if difference > min(one.noise_floor or 0.0, other.noise_floor or 0.0):
            return False
    return True


def _real_curves(
    rows: Sequence[Row],
) -> list[tuple[str, NDArray[np.float64], float | None]]:
    """Colour, curve and noise floor: the mean of the axes where these agree."""
    known = [row for row in rows if isinstance(row.real, tuple)]
    curves = [np.array(row.real, dtype=np.float64) for row in known]
    floors = [row.noise_floor for row in known]
    if known and axes_agree(rows):
        given = [floor for floor in floors if floor is not None]
        mean = float(np.mean(given)) if given else None
        return [(REAL_COLOUR, np.mean(curves, axis=0), mean)]
    colours = [AXIS_COLOURS[row.axis] for row in known]
    return list(zip(colours, curves, floors, strict=True))


def _bin_edges(real: NDArray[Any], generated: NDArray[Any]) -> NDArray[np.float64]:
    """Edges of equal bins over all values."""
    low = min(real.min(), generated.min())
    high = max(real.max(), generated.max())
    if real.dtype.kind in "bui":
        # Bins that hold unequal numbers of integers would look like a comb.
        step = -(-(int(high) - int(low) + 1) // N_BINS)
        return np.arange(int(low), int(high) + step + 1, step, dtype=np.float64) - 0.5
    edges: NDArray[np.float64] = np.linspace(float(low), float(high), N_BINS + 1)
    return edges


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    """Evenly spread values, enough for a histogram."""
    return values[:: max(1, values.size // MAX_SAMPLED)]


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
    if rows[0].metric == "percolating_fraction":  # whole range: it is often 0 or 1
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
    """Bars of one row; only that of the generated volume if the real one is unknown."""
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
    check_ending(path, ".png")
    figure = comparison_figure(comparison, source, volume)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png")


def comparison_figure(
    comparison: Comparison, source: Source, volume: AnyVolume
) -> Figure:
    """The figure that `draw_comparison` writes; it belongs to no window."""
    volume = with_labels_of(source, volume)
    samples = reference_of(source, volume, comparison.max_distance).samples
    phases = phases_of(comparison)
    facts: dict[str, Any] = {
        "comparison": comparison,
        "samples": samples,
        "volume": volume,
    }
    sections: list[Section] = [
        _header_section(comparison, volume),
        (3.1 if n_planes(samples) <= 4 else 2.7, partial(draw_planes, **facts)),
    ]
    if comparison.kind == "phases":
        metric, unit = "two_point_correlation", distance_unit(volume)
        if rows_of(comparison, metric):
            curves = partial(
                draw_curves, comparison=comparison, metric=metric, unit=unit
            )
            sections.append((2.7 * -(-len(phases) // CURVES_PER_ROW), curves))
        sections += _bar_sections(comparison)
    else:
        for channel in phases:
            sections.append((2.7, partial(_draw_channel, **facts, channel=channel)))
    sections.append((0.3, partial(_draw_footer, comparison=comparison)))
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
        f"Generated: {comparison.generated} {distance_unit(volume)}. "
        f"{_fractions(comparison)}",
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
    """Definition of the noise floor."""
    text = (
        "Noise floor: mean distance of a piece of the real material from the mean of "
        f"the others; {comparison.noise}."
    )
    part.text(MARGIN, 0.5, text, {"size": 8, "color": TEXT_COLOUR, "va": "center"})


def draw_planes(
    part: FigureBase, comparison: Comparison, samples: Group, volume: AnyVolume
) -> None:
    """Real and generated planes, in the same colours and at the same scale."""
    pictures = pictures_of(samples, volume)
    found = (label for label in phases_of(comparison) if isinstance(label, int))
    labels = tuple(sorted({*volume.labels, *found}))
    colouring = Colouring.of(comparison.kind, labels, pictures)
    if isinstance(volume, Volume):
        colouring = replace(colouring, known=volume.colours)
    draw_pictures(part, pictures, colouring, volume.voxel_size_nm)


def n_planes(samples: Group) -> int:
    """Number of planes that `draw_planes` shows."""
    return len(views_of(samples, 1)) + len(AXES)


def bars_of(comparison: Comparison, titles: Mapping[str, str]) -> list[Bars]:
    """Titles and rows of the metrics that were measured.

    Two phases have the same interfaces: only one of them is shown.
    """
    phases = phases_of(comparison)
    shared = phases[-1] if len(phases) == 2 else None
    bars = []
    for metric, title in titles.items():
        phase = shared if metric == "interface_density" else None
        if rows := rows_of(comparison, metric, phase):
            bars.append((title, rows))
    return bars


def draw_bar_panels(
    part: FigureBase, bars: Sequence[Bars], further: float = 0.0
) -> list[Axes]:
    """Panels of bars side by side, as wide as they have bars.

    ``further`` is the relative width of a further, empty panel; none if 0.
    """
    widths = [1.5 + len(rows) * (1 if rows[0].axis else 1.6) for _, rows in bars]
    if further:
        widths.append(max(5.0, further * sum(widths)))
    panels = part.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0]
    for panel, (title, rows) in zip(panels, bars, strict=False):
        draw_bars(panel, rows, title)
    return list(panels)


def _bar_sections(comparison: Comparison) -> list[Section]:
    """Numbers side by side; of many phases one kind under the other."""
    phases = phases_of(comparison)
    bars = bars_of(comparison, FIGURE_BARS)
    if not bars and not findings(comparison):
        return []
    n_beside = len(bars) if len(phases) <= MAX_BESIDE else 1
    beside = partial(_draw_beside, bars=bars[:n_beside], comparison=comparison)
    below = (partial(draw_bar_panels, bars=[one]) for one in bars[n_beside:])
    return [(2.7, beside), *((2.2, draw) for draw in below)]


def _draw_beside(part: SubFigure, bars: list[Bars], comparison: Comparison) -> None:
    """Bars, as wide as there are many, and the distances of all metrics."""
    worst = [(plain_title(found.row), found.floors) for found in findings(comparison)]
    panels = draw_bar_panels(part, bars, 0.45 if worst else 0.0)
    if worst:
        draw_distances(panels[-1], worst, "Largest distance, in noise floors")


def _draw_channel(
    part: SubFigure,
    comparison: Comparison,
    samples: Group,
    volume: AnyVolume,
    channel: int | str,
) -> None:
    """Histogram, normalised autocovariance and distances of a channel."""
    panels = part.subplots(1, 3, width_ratios=(3, 3, 2))
    draw_channel(part, panels, comparison, samples, volume, channel)
    rows = rows_of(comparison, "histogram", channel)
    rows += rows_of(comparison, "normalised_autocovariance", channel)
    named = [
        (f"{plain_title(row)} {row.axis or ''}", floors)
        for row in rows
        if (floors := distance_in_floors(row)) is not None
    ]
    if named:
        draw_distances(panels[2], named, "Distance, in noise floors")
    else:
        panels[2].set_axis_off()


def draw_channel(
    part: FigureBase,
    panels: Sequence[Axes],
    comparison: Comparison,
    samples: Group,
    volume: AnyVolume,
    channel: int | str,
) -> None:
    """Histogram and, if it was measured, normalised autocovariance of a channel."""
    index = phases_of(comparison).index(channel)
    place: Any = (..., index) if comparison.kind == "colour" else ...
    real = np.concatenate([sample.values[place].ravel() for sample in samples])
    title = f"Histogram, {phase_name(channel)}"
    draw_histogram(panels[0], real, volume.values[place].ravel(), title)
    curves = rows_of(comparison, "normalised_autocovariance", channel)
    if curves:
        draw_curve(panels[1], curves, distance_unit(volume))
        add_curve_legend(part, curves)
    else:
        panels[1].set_axis_off()


def _fractions(comparison: Comparison) -> str:
    """Phase fractions, or mean gray values, real and generated."""
    phases = comparison.kind == "phases"
    rows = rows_of(comparison, "phase_fraction" if phases else "histogram")
    if len(rows) > MAX_BESIDE:
        return ""  # shown as bars only
    pairs = [
        f"{phase_name(row.phase)} {number(row.real)} / {number(row.generated)}"
        for row in rows
    ]
    title = "Phase fractions" if phases else "Means"
    return f"{title}, real / generated: {', '.join(pairs)}." if pairs else ""
