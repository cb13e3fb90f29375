"""A 3-D layer as numbers and colours, for its slices in the canvas and in the dock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan._qt.viewer.colours import Colour, phase_colours
from napari_slicegan.config import AXES, Axis
from napari_slicegan.images.pixel_values import MAX_PHASES, distinct_values

if TYPE_CHECKING:
    from napari.layers import Layer

# Larger volumes, on the disk or endless, are looked at in the canvas only.
MOST_VOXELS = 2**29
BACKGROUND: Colour = (0.16, 0.17, 0.2, 1.0)
LABELS = "phase labels"
"""Key of a layer's metadata: all phases of its material, also absent ones."""


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """What is drawn of a volume.

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
        """Whether each voxel belongs to a phase that can be seen."""
        colours = self.colours
        if colours is None or not self.labels:
            return False
        return not (colours == BACKGROUND).all(axis=-1).any()

    @property
    def brightness(self) -> NDArray[Any]:
        """One gray value for each voxel, ``[Z, Y, X]``."""
        if self.rgb is None:
            return self.values
        return np.asarray(self.rgb.mean(axis=-1, dtype=np.float32))

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
        low, high = self.limits
        unit = (values.astype(np.float64) - low) / max(high - low, 1e-12)
        shades = np.rint(255 * np.clip(unit, 0, 1)).astype(np.uint8)
        return shades if self.rgb is not None else np.stack([shades] * 3, axis=-1)


def is_volume_layer(layer: Layer) -> bool:
    """Whether a layer is one 3-D image or set of labels that the memory can hold."""
    from napari.layers import Image, Labels

    if not isinstance(layer, Image | Labels) or layer.ndim != 3:
        return False
    finest = layer.data[0] if layer.multiscale else layer.data
    return math.prod(map(int, finest.shape[:3])) <= MOST_VOXELS


def picture_of(layer: Layer) -> LayerPicture:
    """Read a 3-D Image or Labels layer, whoever made it."""
    from napari.layers import Labels

    values = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    z, y, x = (float(n) for n in layer.scale)
    grid: dict[str, Any] = {"edges": (z, y, x), "unit": _unit(layer)}
    if isinstance(layer, Labels):
        return _of_labels(layer, values, grid)
    if layer.rgb:
        return _of_colours(values[..., :3], grid)
    labels = _phases_of(layer, values) if values.dtype.kind in "bui" else None
    if labels is not None:
        return _of_phases(
            values, [phase_colours(labels)[n] for n in labels], labels, grid
        )
    low, high = (float(n) for n in layer.contrast_limits)
    return LayerPicture(values, None, (low, high), (), None, **grid)


def block_of_phases(labels: Sequence[int], colours: Sequence[Any]) -> dict[str, Any]:
    """Options of an Image layer that shows numbers as an opaque block of colours."""
    from napari.utils import Colormap

    # A value at the lower limit is drawn as a hole, so the limits begin further down.
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


def _phases_of(layer: Layer, values: NDArray[Any]) -> list[Any] | None:
    """Labels of the phases; None if there are too many for phases."""
    found = distinct_values(values, MAX_PHASES)
    known = layer.metadata.get(LABELS) or ()
    return None if found is None else sorted({*found, *known})


def _of_colours(rgb: NDArray[Any], grid: dict[str, Any]) -> LayerPicture:
    """Canvas planes have one number for each voxel: that of a colour in a palette."""
    from PIL import Image

    high = 255.0 if rgb.dtype == np.uint8 else float(max(rgb.max(), 1))
    z, y, x = rgb.shape[:3]
    flat = np.clip(255 * (rgb.reshape(z * y, x, 3) / high), 0, 255).astype(np.uint8)
    few = Image.fromarray(flat).quantize(256, method=Image.Quantize.FASTOCTREE)
    table = np.asarray(few.getpalette(), dtype=np.float64).reshape(-1, 3) / 255
    colours = np.column_stack([table, np.ones(len(table))])
    values = np.asarray(few).reshape(z, y, x)
    return LayerPicture(values, colours, (0.0, high), (), rgb, **grid)


def _of_labels(layer: Any, values: NDArray[Any], grid: dict[str, Any]) -> LayerPicture:
    """Colours of the layer; a background without a colour is dark."""
    labels = _phases_of(layer, values)
    if labels is not None:
        return _of_phases(values, [_colour(layer, n) for n in labels], labels, grid)
    # Many objects: neighbouring numbers differ, and none is told apart by its colour.
    cycle = 15
    index = np.where(values == 0, 0, 1 + (values - 1) % cycle).astype(np.uint8)
    colours = [_colour(layer, n) for n in range(cycle + 1)]
    return LayerPicture(index, np.array(colours), (0, cycle), (), None, **grid)


def _of_phases(
    values: NDArray[Any], colours: list[Colour], labels: Any, grid: dict[str, Any]
) -> LayerPicture:
    known = np.asarray(sorted(int(label) for label in labels))
    index = np.searchsorted(known, values).astype(np.uint8)
    last = max(len(known) - 1, 1)
    return LayerPicture(
        index,
        np.array(colours),
        (0.0, float(last)),
        tuple(map(int, known)),
        None,
        **grid,
    )


def _colour(layer: Any, label: int) -> Colour:
    # get_color knows no colour of the label 0.
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
