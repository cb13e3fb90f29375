"""A preview as one small picture: its middle planes beside the real material."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis

if TYPE_CHECKING:
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

# Smaller planes are enlarged by a whole number.
PANEL = 192
GAP = 8
WHITE = 255


def preview_image(images: TrainingImages, volume: Volume) -> NDArray[np.uint8]:
    """Real crops and the middle planes of a generated volume, in the same shades.

    Isotropic: the real crop, then the planes along z, y and x. Otherwise the real crop
    of each direction above the plane of the same direction. All panels have the same
    scale; a crop of an image smaller than the volume is filled up with white.

    Returns
    -------
    NDArray[np.uint8]
        [rows, columns], or [rows, columns, 3] for colour.
    """
    planes = [volume.planes(axis) for axis in AXES]
    generated = [along[len(along) // 2] for along in planes]
    edge = max(max(plane.shape[:2]) for plane in generated)
    real = [_crop(images, axis, edge) for axis in images.views]
    rows = [[*real, *generated]] if len(real) == 1 else [real, generated]
    return np.concatenate(
        [np.concatenate([_panel(p, edge, images) for p in row], axis=1) for row in rows]
    )


def _crop(images: TrainingImages, axis: Axis, edge: int) -> NDArray[Any]:
    """Middle of the first image seen along an axis, [<= edge, <= edge(, 3)]."""
    planes = images.views[axis][0].planes(axis)
    plane = planes[len(planes) // 2]
    row, column = (max(length - edge, 0) // 2 for length in plane.shape[:2])
    crop = plane[row : row + edge, column : column + edge]
    return np.asarray(crop)


def _panel(
    values: NDArray[Any], edge: int, images: TrainingImages
) -> NDArray[np.uint8]:
    """Shades of a plane [<= edge, <= edge(, 3)], enlarged, in the corner of a square.

    The square has the same size for every plane, with a margin below and at its right.
    """
    factor = max(1, PANEL // edge)
    shades = _shades(values, images).repeat(factor, axis=0).repeat(factor, axis=1)
    side = factor * edge + GAP
    margins = [(0, side - length) for length in shades.shape[:2]]
    margins += [(0, 0)] * (shades.ndim - 2)
    return np.pad(shades, margins, constant_values=WHITE)


def _shades(values: NDArray[Any], images: TrainingImages) -> NDArray[np.uint8]:
    """Phases from black to light gray, others from the darkest to the brightest."""
    if images.kind == "phases":
        table = np.linspace(0, 230, len(images.labels)).astype(np.uint8)
        return table[np.searchsorted(images.labels, values)]
    low, high = images.extremes
    unit = np.clip((values.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    return np.asarray(np.rint(WHITE * unit), np.uint8)
