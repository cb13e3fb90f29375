"""Pictures for the report: real and generated planes in the same colours and scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.offsetbox import (
    AnchoredOffsetbox,
    AuxTransformBox,
    TextArea,
    VPacker,
)
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.metrics.reference import IN_3D, ISOTROPIC, SEEN_ALONG, Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from napari_slicegan.metrics.stored_volume import AnyVolume

# Colours of the directions: Okabe and Ito's, told apart by all kinds of colour vision.
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
UNITS_NM = (("mm", 1e6), ("\N{GREEK SMALL LETTER MU}m", 1e3), ("nm", 1.0))


@dataclass(frozen=True, eq=False)
class Picture:
    """A plane and where it comes from.

    Attributes
    ----------
    values
        ``[rows, columns]`` or ``[rows, columns, 3]``, at most `WINDOW` wide.
    source
        Real or generated.
    axis
        Axis it is seen along; None for an image that stands for all.
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

    Attributes
    ----------
    labels
        Phases in order; empty for other kinds.
    low, high
        Values shown black and white.
    """

    labels: tuple[int, ...]
    low: float = 0.0
    high: float = 255.0

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
        """Dark to light: told apart in print and by all kinds of colour vision."""
        count = len(self.labels)
        if count <= 2:
            return list(TWO_PHASES[:count])
        return [colormaps["viridis"](index / (count - 1)) for index in range(count)]


def pictures_of(samples: Group, volume: AnyVolume) -> tuple[Picture, ...]:
    """Real planes beside generated ones.

    One real image where it stands for all directions; else one along each axis, each
    followed by the generated plane of the same direction.
    """
    real = _real_planes(samples)
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
    part: SubFigure,
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


def length_text(length_nm: float) -> str:
    """Length with a unit that makes the number short."""
    unit, nm = next(
        ((unit, nm) for unit, nm in UNITS_NM if length_nm >= nm), UNITS_NM[-1]
    )
    return f"{length_nm / nm:.4g} {unit}"


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


def _real_planes(samples: Group) -> dict[Axis | None, NDArray[Any]]:
    """First plane of each direction: of a truth its middle ones."""
    planes: dict[Axis | None, NDArray[Any]] = {}
    for sample in samples:
        if sample.axes is IN_3D:
            for number, axis in enumerate(AXES):
                middle = sample.values.shape[number] // 2
                planes[axis] = np.take(sample.values, middle, axis=number)
        elif sample.axes is ISOTROPIC:
            planes.setdefault(None, sample.values)
        else:
            seen = next(axis for axis in AXES if axis not in sample.axes)
            planes.setdefault(seen, sample.values)
    return planes


def _middle(values: NDArray[Any], edge: int) -> NDArray[Any]:
    """Middle part of at most `edge` rows and columns."""
    starts = [max(0, (length - edge) // 2) for length in values.shape[:2]]
    return values[tuple(slice(start, start + edge) for start in starts)]
