"""The endless volume as a layer: generated where the canvas looks. Main thread only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slicegan._qt.viewer.layer_picture import LABELS
from napari_slicegan._qt.viewer.layers import grid_of, hide_volumes, label_colours
from napari_slicegan._qt.viewer.solo import camera_of

if TYPE_CHECKING:
    from napari.layers import Layer
    from napari.viewer import Viewer

    from napari_slicegan.large_volumes.endless import EndlessVolume

PIXELS = 2
"""Of the canvas for a voxel."""


def add_endless(viewer: Viewer, volume: EndlessVolume, name: str) -> Layer:
    """Add an endless volume and look at a piece near the middle of it, closely.

    Farther away the canvas shows only what was looked at before, so that it never
    waits for more than it can show.
    """
    # Loads torch.
    from napari_slicegan.large_volumes.overview import viewer_levels

    hide_volumes(viewer)
    viewer.dims.ndisplay = 2
    trained = volume.plan.trained
    edge = trained.voxel_size_nm
    levels = viewer_levels(volume)
    is_large = len(levels) > 1
    data = levels if is_large else volume
    options = {"name": name, "multiscale": is_large, **grid_of(edge, 3)}
    if trained.transform.kind == "phases":
        layer = viewer.add_labels(
            data, colormap=label_colours(trained.labels), opacity=1, **options
        )
    else:
        is_colour = trained.transform.kind == "colour"
        layer = viewer.add_image(
            data, rgb=is_colour, contrast_limits=_limits(volume), **options
        )
    layer.metadata[LABELS] = trained.labels
    layer.editable = False
    _look_closely(viewer, volume.shape[:3], edge or 1.0)
    return layer


def _look_closely(viewer: Viewer, shape: tuple[int, ...], edge: float) -> None:
    """Look at the middle of a piece: where four meet, each step costs four of them."""
    from napari_slicegan.large_volumes.endless import SLICE

    pieces = [(n, min(SLICE, n)) for n in shape]
    middle = [edge * (n // 2 // piece * piece + piece // 2) for n, piece in pieces]
    viewer.dims.set_point(range(3), middle)
    camera = camera_of(viewer)
    camera.center, camera.zoom = tuple(middle), PIXELS / edge


def _limits(volume: EndlessVolume) -> tuple[float, float]:
    """Whole range of the values; finding it out would generate them."""
    transform = volume.plan.trained.transform
    low, high = getattr(transform, "low", 0.0), getattr(transform, "high", 1.0)
    return (float(low), float(high))
