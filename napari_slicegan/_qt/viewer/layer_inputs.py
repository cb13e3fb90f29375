"""Input from the viewer's layers: images, and shapes drawn on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.micrograph.image_source import ImageSource
from napari_slicegan._qt.viewer.layer_picture import finest_data
from napari_slicegan.data.pixel_sizes import NM_PER_UNIT

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan.volumes.volume import Volume

CROP, BOX = "Crop", "Box of the sliders"
LIST_EVENTS = ("inserted", "removed", "reordered")

Crop = tuple[int, int, int, int]
Corner = tuple[float, float, float]


def selected_sources(viewer: Viewer) -> list[ImageSource]:
    """Images of the selected layers, top one last.

    Raises
    ------
    ValueError
        If no image is among them.
    """
    layers = [layer for layer in viewer.layers if layer in viewer.layers.selection]
    images = [source_of(layer) for layer in layers if is_image(layer)]
    if not images:
        raise ValueError(
            "Expected a selected Image or Labels layer; click one in the layer list, "
            "or drop an image file here."
        )
    return images


def follow_list(viewer: Viewer, changed: Callable[..., Any]) -> None:
    """Call a slot whenever the layer list has other layers or another order."""
    for name in LIST_EVENTS:
        getattr(viewer.layers.events, name).connect(changed)


def unfollow_list(viewer: Viewer, changed: Callable[..., Any]) -> None:
    """Undo `follow_list`."""
    for name in LIST_EVENTS:
        getattr(viewer.layers.events, name).disconnect(changed)


def is_image(layer: Layer) -> bool:
    """Whether a layer holds pixels."""
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels)


def is_new_micrograph(layer: Layer) -> bool:
    """Whether a layer is a 2-D image that was opened from a file or the samples."""
    source = layer.source
    is_flat = sum(n != 1 for n in _shape(layer)) == 2
    return is_image(layer) and is_flat and bool(source.path or source.sample)


def source_of(layer: Layer) -> ImageSource:
    """Pixels of a layer, with its pixel size if the unit is a length."""
    values = finest_data(layer)
    while len(values.shape) > 2 and values.shape[0] == 1:
        values = values[0]
    path = layer.source.path
    return ImageSource(
        values, layer.name, pixel_size_nm(layer), Path(path) if path else None
    )


def pixel_size_nm(layer: Layer) -> float | None:
    """Edge of a pixel, None if the layer's unit is the pixel itself."""
    name = str(layer.units[-1])
    factor = NM_PER_UNIT.get(name)
    return None if factor is None else float(layer.scale[-1]) * factor


def draw_crop(
    viewer: Viewer, source: ImageSource, changed: Callable[[Crop], Any]
) -> None:
    """Let the user draw a rectangle; ``changed`` gets its rows and columns."""
    remove_crop(viewer)
    like = next((x for x in viewer.layers if x.data is source.values), None)
    grid = {"scale": like.scale[-2:], "units": like.units[-2:]} if like else {}
    layer = viewer.add_shapes(
        name=CROP,
        ndim=2,
        face_color="transparent",
        edge_color="#ffb000",
        edge_width=max(1, np.shape(source.values)[-1] / 200),
        **grid,
    )
    layer.mode = "add_rectangle"
    layer.events.data.connect(lambda event: _report_crop(layer, source, changed))


def remove_crop(viewer: Viewer) -> None:
    """Remove the rectangle."""
    if CROP in viewer.layers:
        viewer.layers.remove(CROP)


def draw_box(
    viewer: Viewer, volume: Volume, changed: Callable[[Corner, Corner], Any]
) -> Shapes:
    """Let the user draw rectangles in slices; ``changed`` gets the box in voxels.

    Along an axis that no rectangle spans, the box is as deep as the volume; a second
    rectangle in another view limits the depth.
    """
    viewer = getattr(viewer, "__wrapped__", viewer)
    if BOX in viewer.layers:
        viewer.layers.remove(BOX)
    viewer.dims.ndisplay = 2
    edge = volume.voxel_size_nm
    grid = {} if edge is None else {"scale": (edge,) * 3, "units": ("nm",) * 3}
    size = np.array(volume.values.shape[:3])
    layer = viewer.add_shapes(
        name=BOX,
        ndim=3,
        face_color="#ffb00040",
        edge_color="#ffb000",
        edge_width=max(0.5, float(size.max()) / 120),
        **grid,
    )
    layer.mode = "add_rectangle"
    layer.events.data.connect(lambda event: _report_box(layer, size, changed))
    return layer


def _report_box(
    layer: Shapes, size: NDArray[np.intp], changed: Callable[[Corner, Corner], Any]
) -> None:
    low, high = np.zeros(3), size.astype(float)
    for rectangle in layer.data:
        corners = np.asarray(rectangle)
        # Whole voxels; one reaches 1/2 to both sides of its coordinate.
        first = np.clip(np.floor(corners.min(axis=0) + 0.5), 0, size)
        last = np.clip(np.floor(corners.max(axis=0) + 0.5), 0, size)
        spanned = last > first
        low[spanned], high[spanned] = first[spanned], last[spanned]
    if layer.data:
        (a, b, c), (d, e, f) = low.tolist(), high.tolist()
        changed((a, b, c), (d, e, f))


def _report_crop(
    layer: Shapes, source: ImageSource, changed: Callable[[Crop], Any]
) -> None:
    """Report the whole pixels that the last rectangle covers."""
    if not layer.data:
        return
    rectangle = np.asarray(layer.data[-1])[:, -2:]
    # A pixel's coordinate is its centre: pixel i reaches from i - 0.5 to i + 0.5.
    low = np.floor(rectangle.min(axis=0) + 0.5).astype(int)
    high = np.floor(rectangle.max(axis=0) + 0.5).astype(int)
    shape = np.shape(source.values)
    limit = np.asarray(shape[-2:] if len(shape) == 2 or source.is_volume else shape[:2])
    low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    if (high > low).all():
        changed((int(low[0]), int(high[0]), int(low[1]), int(high[1])))


def _shape(layer: Layer) -> tuple[int, ...]:
    """Shape without the channels of a colour image."""
    shape = tuple(np.shape(finest_data(layer)))
    return shape[:-1] if getattr(layer, "rgb", False) else shape
