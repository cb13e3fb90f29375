"""A 3-D layer as values and colours, for slices in the canvas and in the panel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    display_gray,
    distinct_values,
    label_indices,
    parts_of,
    rgb_of,
)

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.utils import DirectLabelColormap
    from PIL import Image

    from napari_slicegan.config import Kind

Colour = tuple[float, float, float, float]
"""Red, green, blue and opacity, 0 to 1."""
# Larger volumes, on disk or endless, are shown in the canvas only.
MOST_VOXELS = 2**29
# Larger layers are read in a worker thread.
LONG_VOXELS = 2**24
PLANE_AXES: dict[Axis, tuple[Axis, Axis]] = {
    "z": ("y", "x"),
    "y": ("z", "x"),
    "x": ("z", "y"),
}
"""Axes of the rows and columns of a plane, by its viewing direction."""
CYCLE = 15
"""Colours of many objects."""
SAMPLE_EDGE = 64
"""Voxels per axis sampled for a colour palette."""
BACKGROUND: Colour = (0.16, 0.17, 0.2, 1.0)
LABELS = "phase labels"
"""Metadata key: all phases of the material, also absent ones."""
COLOURS = "phase colours"
"""Metadata key: colours of the phases where they have some."""
WHOLE_VOLUME = "whole volume"
"""Metadata key of an endless layer: the array that generates voxels when read."""


def phase_colours(
    labels: Sequence[int], known: Mapping[int, str] = MappingProxyType({})
) -> dict[int, Colour]:
    """Colour of each phase, in rising order: the same in layers, panels and reports.

    Parameters
    ----------
    known
        Colours of the material, ``"#rrggbb"``; used if there is one for each phase.
    """
    if known and known.keys() >= set(labels):
        return {
            int(label): (red / 255, green / 255, blue / 255, 1.0)
            for label in sorted(labels)
            for red, green, blue in [rgb_of(known[label])]
        }
    from napari.utils.colormaps import ensure_colormap

    # Loading matplotlib for its viridis would hold the window for a second.
    table = ensure_colormap("viridis").map(np.linspace(0, 1, max(len(labels), 2)))
    return {
        int(label): (float(red), float(green), float(blue), 1.0)
        for label, (red, green, blue, _) in zip(sorted(labels), table, strict=False)
    }


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """Values and colours of a volume.

    Attributes
    ----------
    values
        ``[Z, Y, X]`` numbers of colours (uint8), or gray values; what the canvas shows.
    colours
        ``[N, 4]``, one for each number; None for gray values. Of a volume in colour
        those of a palette.
    limits
        Gray values shown black and white.
    labels
        Phase of each number where there are at most 16; else empty.
    rgb
        ``[Z, Y, X, 3]``, of a volume in colour.
    edges, unit
        Size of a voxel along z, y, x.
    """

    values: NDArray[Any]
    colours: NDArray[np.float64] | None
    limits: tuple[float, float]
    labels: tuple[int, ...]
    rgb: NDArray[Any] | None
    edges: tuple[float, float, float]
    unit: str

    @property
    def is_block(self) -> bool:
        """Whether all voxels belong to visible phases."""
        colours = self.colours
        if colours is None or not self.labels:
            return False
        return not (colours == BACKGROUND).all(axis=-1).any()

    @cached_property
    def lowest(self) -> float:
        """Lowest value."""
        return float(self.values.min())

    @property
    def brightness(self) -> NDArray[Any]:
        """One gray value for each voxel, ``[Z, Y, X]``."""
        if self.rgb is None:
            return self.values
        kind = np.uint8 if self.rgb.dtype == np.uint8 else np.float32
        made = np.empty(self.shape, kind)
        for place in parts_of(self.shape):
            made[place] = self.rgb[place].mean(axis=-1, dtype=np.float32)
        return made

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y, x."""
        z, y, x = self.values.shape
        return (z, y, x)

    def plane(self, axis: Axis, index: int) -> NDArray[np.uint8]:
        """Colours of a plane, ``[rows, columns, 3]``, turned as in `Volume.planes`."""
        source = self.values if self.rgb is None else self.rgb
        values = np.take(source, index, AXES.index(axis))
        if self.colours is not None and self.rgb is None:
            table = np.rint(255 * self.colours[:, :3]).astype(np.uint8)
            return np.asarray(table[values])
        shades = display_gray(values, *self.limits)
        return shades if self.rgb is not None else np.stack([shades] * 3, axis=-1)


def is_volume_layer(layer: Layer) -> bool:
    """Whether a layer is a 3-D Image or Labels layer that fits into memory."""
    from napari.layers import Image, Labels

    if not isinstance(layer, Image | Labels) or layer.ndim != 3:
        return False
    return math.prod(map(int, finest_data(layer).shape[:3])) <= MOST_VOXELS


def finest_data(layer: Layer) -> Any:
    """All values of a layer as an array; reading an endless one generates them."""
    if WHOLE_VOLUME in layer.metadata:
        return layer.metadata[WHOLE_VOLUME]
    return layer.data[0] if getattr(layer, "multiscale", False) else layer.data


@dataclass(frozen=True, eq=False)
class Reading:
    """Input of `read`, which can run in a thread without the layer.

    Attributes
    ----------
    data
        The layer's array, which may be in a file.
    is_labels, is_rgb
        Kind of the layer.
    known
        Phases of the material, also absent ones.
    """

    data: Any
    is_labels: bool
    is_rgb: bool
    known: tuple[int, ...]

    @classmethod
    def of(cls, layer: Layer) -> Reading:
        """Main thread only."""
        from napari.layers import Labels

        data = finest_data(layer)
        is_rgb = bool(getattr(layer, "rgb", False))
        known = tuple(map(int, layer.metadata.get(LABELS) or ()))
        return cls(data, isinstance(layer, Labels), is_rgb, known)

    @property
    def is_long(self) -> bool:
        """Whether the layer must be read in a worker thread."""
        is_there = isinstance(self.data, np.ndarray)
        return not is_there or math.prod(self.data.shape[:3]) > LONG_VOXELS


@dataclass(frozen=True, eq=False)
class ReadValues:
    """Values of a layer as `LayerPicture` holds them, before they have colours.

    Attributes
    ----------
    values, rgb
        See `LayerPicture`.
    labels
        The phases; None where they are not phases.
    table, limits
        Of a volume in colour its palette, ``[N, 4]``, and the values shown black and
        white.
    """

    values: NDArray[Any]
    labels: tuple[int, ...] | None = None
    rgb: NDArray[Any] | None = None
    table: NDArray[np.float64] | None = None
    limits: tuple[float, float] | None = None


def read(reading: Reading) -> ReadValues:
    """Read the values as one byte per voxel, except gray values.

    Needs no further memory beyond the layer's own array.
    """
    values = np.asarray(reading.data)
    if reading.is_rgb:
        return _read_colours(values[..., :3])
    if not reading.is_labels and values.dtype.kind not in "bui":
        return ReadValues(values)
    found = distinct_values(values, MAX_PHASES)
    if found is not None:
        labels = tuple(sorted({*map(int, found), *reading.known}))
        return ReadValues(label_indices(values, labels), labels)
    return ReadValues(_cycled(values) if reading.is_labels else values)


def picture_of(layer: Layer, made: ReadValues | None = None) -> LayerPicture:
    """Picture of any 3-D Image or Labels layer; main thread only.

    Parameters
    ----------
    made
        Values already read; by default they are read here.
    """
    from napari.layers import Labels

    made = read(Reading.of(layer)) if made is None else made
    z, y, x = edges_of(layer)
    labels, colours, limits = made.labels or (), made.table, made.limits
    if labels or isinstance(layer, Labels):
        colours = _colours(layer, made.labels)
        limits = (0.0, float(max(len(colours) - 1, 1)))
    elif limits is None:
        low, high = layer.contrast_limits
        limits = (float(low), float(high))
    return LayerPicture(
        made.values, colours, limits, labels, made.rgb, (z, y, x), _unit(layer)
    )


def edges_of(layer: Layer) -> tuple[float, ...]:
    """Edges of a pixel along each axis of the data, in the unit of the layer.

    Those of the whole transform: a scale may be in `affine`, too.
    """
    n = layer.ndim
    return tuple(np.linalg.norm(matrix_of(layer)[:n, :n], axis=0).tolist())


def matrix_of(layer: Layer) -> NDArray[np.float64]:
    """Affine matrix ``[n + 1, n + 1]`` from the pixels of a layer to the world.

    Scale, translation, rotation, shear and affine transform in one, for layers that lie
    on this one.
    """
    from napari.utils.transforms import Affine

    names = ("scale", "translate", "rotate", "shear")
    inner = Affine(**{name: getattr(layer, name) for name in names})
    matrix: NDArray[np.float64] = layer.affine.affine_matrix @ inner.affine_matrix
    return matrix


def label_colormap(colours: Mapping[int, Any]) -> DirectLabelColormap:
    """Colormap of a Labels layer; other labels are transparent."""
    from napari.utils import DirectLabelColormap

    shown: dict[int | None, Any] = {None: "transparent"}
    shown |= dict(colours.items())
    return DirectLabelColormap(color_dict=shown)


def label_options(colours: Mapping[int, Any]) -> dict[str, Any]:
    """Options of a Labels layer that shows opaque phases, in 3-D their surfaces."""
    return {
        "colormap": label_colormap(colours),
        "opacity": 1,
        "rendering": "iso_categorical",
    }


def block_of_phases(labels: Sequence[int], colours: Sequence[Any]) -> dict[str, Any]:
    """Options of an Image layer that shows labels as an opaque block."""
    from napari.utils import Colormap

    # napari draws values at the lower limit as empty, so the limits start lower.
    step = max(labels[-1] - labels[0], 1) / max(len(labels) - 1, 1)
    low, high = labels[0] - step, max(labels[-1], labels[0] + 1)
    middles = [(a + b) / 2 for a, b in pairwise([low, *labels])]
    controls = [0.0, *((middle - low) / (high - low) for middle in middles), 1.0]
    table = np.vstack([np.asarray(colours)[:1], np.asarray(colours)])
    return {
        "colormap": Colormap(
            table, controls=controls, interpolation="zero", name="phases"
        ),
        "contrast_limits": (low, high),
        "rendering": "translucent",
        "blending": "translucent",
        "interpolation3d": "nearest",
        "interpolation2d": "nearest",
    }


def block_of_values(values: NDArray[Any], kind: Kind) -> dict[str, Any]:
    """Options of an Image layer that shows gray values or colours as an opaque block.

    A maximum over the depth, napari's choice, has neither grains nor their gray values.
    """
    options: dict[str, Any] = {"rendering": "translucent", "blending": "translucent"}
    if kind == "grayscale" and values.size:
        is_byte = values.dtype == np.uint8
        low, high = (0, 255) if is_byte else (values.min(), values.max())
        span = float(high) - float(low)
        # A value at the lower limit is drawn as a hole.
        lowest = float(low) - (span / 255 or 1.0)
        options["contrast_limits"] = (lowest, float(high))
    return options


def _read_colours(rgb: NDArray[Any]) -> ReadValues:
    """Quantise colours to a palette: canvas planes take one value per voxel."""
    from PIL import Image

    white = 255.0 if rgb.dtype == np.uint8 else float(max(rgb.max(), 1))
    palette = _palette(rgb, white)
    values = np.empty(rgb.shape[:3], np.uint8)
    for plane, into in zip(rgb, values, strict=True):
        picture = Image.fromarray(_bytes_of(plane, white))
        into[:] = picture.quantize(palette=palette, dither=Image.Dither.NONE)
    table = np.asarray(palette.getpalette(), dtype=np.float64).reshape(-1, 3) / 255
    colours = np.column_stack([table, np.ones(len(table))])
    return ReadValues(values, None, rgb, colours, (0.0, white))


def _palette(rgb: NDArray[Any], white: float) -> Image.Image:
    """Palette of a sample of the voxels."""
    from PIL import Image

    z, y, x = (-(-n // SAMPLE_EDGE) for n in rgb.shape[:3])
    some = [_bytes_of(plane[::y, ::x], white) for plane in rgb[::z]]
    octree = Image.Quantize.FASTOCTREE
    return Image.fromarray(np.vstack(some)).quantize(256, method=octree)


def _bytes_of(colours: NDArray[Any], white: float) -> NDArray[np.uint8]:
    if colours.dtype == np.uint8:
        return np.ascontiguousarray(colours)
    share = colours.astype(np.float32) / np.float32(white)
    return np.asarray(np.clip(255 * share, 0, 255), np.uint8)


def _cycled(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Cycle the labels of many objects through a few numbers; neighbours differ."""
    index = np.zeros(values.shape, np.uint8)
    for place in parts_of(values.shape):
        part = values[place]
        np.copyto(index[place], 1 + (part - 1) % CYCLE, "unsafe", part != 0)
    return index


def layer_colours(layer: Layer, labels: Sequence[int]) -> dict[int, Colour]:
    """Colours of labels in a Labels layer; of another layer none."""
    from napari.layers import Labels

    if not isinstance(layer, Labels):
        return {}
    return {label: _colour(layer, label) for label in labels}


def _colours(layer: Layer, labels: Sequence[int] | None) -> NDArray[np.float64]:
    """Colours of phases, or the cycled colours of many objects.

    A Labels layer keeps its own colours; a transparent background is dark.
    """
    from napari.layers import Labels

    if isinstance(layer, Labels):
        shown = range(CYCLE + 1) if labels is None else labels
        return np.array([_colour(layer, label) for label in shown])
    chosen = phase_colours(labels or (), layer.metadata.get(COLOURS) or {})
    return np.array([chosen[label] for label in labels or ()])


def _colour(layer: Any, label: int) -> Colour:
    # get_color returns no colour for label 0.
    chosen = getattr(layer.colormap, "color_dict", {}).get(label)
    found = layer.get_color(int(label)) if chosen is None else chosen
    if found is None or found[3] == 0:
        return BACKGROUND
    red, green, blue = (float(part) for part in found[:3])
    return (red, green, blue, 1.0)


def _unit(layer: Any) -> str:
    """Short name of the unit of length; "px" if there is none."""
    unit = layer.units[-1]
    return "px" if str(unit) == "pixel" else f"{unit:~}"
