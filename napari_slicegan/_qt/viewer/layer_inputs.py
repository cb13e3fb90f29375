"""Input from the viewer's layers: images, and shapes drawn on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_slicegan._qt.viewer.layer_picture import (
    Colour,
    edges_of,
    finest_data,
    layer_colours,
    matrix_of,
    phase_colours,
)
from napari_slicegan._qt.viewer.layers import (
    MICROGRAPH,
    grid_of,
    key_of,
    own_layer,
    place_on,
    show_flat,
    show_scale_bar,
    unwrapped,
)
from napari_slicegan.data.image_files import SourceImage, tiff_axes
from napari_slicegan.data.micrograph import edges_with
from napari_slicegan.data.pixel_sizes import NM_PER_UNIT
from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values

if TYPE_CHECKING:
    from napari.layers import Layer, Shapes
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan.config import MicrographSettings
    from napari_slicegan.volumes.volume import Volume

CROP, BOX, STROKES = "Crop", "Slider region", "Strokes"
REPORT = "Report of the strokes"
"""Metadata key: the function that gets the strokes."""
UNTYPED = "slicegan grid before a pixel size was typed"
"""Metadata key: scale and units of a micrograph as it was opened."""

CHANNEL = ("c", "channel")
OTHER_AXES = ("t", "time", *CHANNEL)
"""Labels of axes that no volume has."""

Crop = tuple[int, int, int, int]
Corner = tuple[float, float, float]


def selected_sources(viewer: Viewer) -> list[SourceImage]:
    """Images of the selected layers, top one last.

    Raises
    ------
    ValueError
        If no image is among them.
    """
    layers = [layer for layer in viewer.layers if layer in viewer.layers.selection]
    images = [shown_source(viewer, layer) for layer in layers if is_image(layer)]
    if not images:
        raise ValueError(
            "Expected a selected Image or Labels layer; click one in the layer list, "
            "or drop an image file here."
        )
    return images


def is_image(layer: Layer) -> bool:
    """Whether a layer holds pixels."""
    from napari.layers import Image, Labels

    return isinstance(layer, Image | Labels)


def is_labels(layer: Layer | None) -> bool:
    """Whether a layer shows phases."""
    from napari.layers import Labels

    return isinstance(layer, Labels)


def is_new_micrograph(layer: Layer) -> bool:
    """Whether a layer is a 2-D image that was opened from a file or the samples."""
    return is_flat_image(layer) and bool(layer.source.path or layer.source.sample)


def is_flat_image(layer: Layer) -> bool:
    """Whether a layer holds the pixels of one plane."""
    return is_image(layer) and sum(n != 1 for n in _shape(layer)) == 2


def shown_source(viewer: Viewer, layer: Layer) -> SourceImage:
    """Pixels of a layer, of a time series or channels those that the viewer shows."""
    point = np.zeros(layer.ndim)
    world = viewer.dims.point[-layer.ndim :]
    point[-len(world) :] = world
    index = np.rint(layer.world_to_data(point))
    return source_of(layer, tuple(int(max(n, 0)) for n in index))


def source_of(layer: Layer, step: tuple[int, ...] = ()) -> SourceImage:
    """Pixels of a layer, with its pixel size if the unit is a length.

    Parameters
    ----------
    step
        Index in the layer: of a time series, of channels, and of a layer with more than
        three dimensions, the image or volume there is taken, which is noted.
    """
    values = finest_data(layer)
    is_rgb = bool(getattr(layer, "rgb", False))
    names = dict(enumerate(_axis_names(layer, values.shape)))
    at = [0] * layer.ndim
    at[len(at) - len(step) :] = step[-layer.ndim :]
    notes: list[str] = []
    while len(names) > 2:
        places = [*names][:-2]
        flat = [p for n, p in enumerate(places) if values.shape[n] == 1]
        others = [p for p in places if names[p].lower() in OTHER_AXES]
        if len(places) == 1 and not flat and not others:
            break
        place = (*flat, *others, *places)[0]
        number = places.index(place)
        index = min(at[place], values.shape[number] - 1)
        if not flat:
            notes.append(_taken(names[place], index, values.shape[number]))
        values = values[(*[slice(None)] * number, index)]
        del names[place]
    path = layer.source.path
    return SourceImage(
        values,
        layer.name,
        edges_nm(edges_of(layer), layer.units),
        "layer",
        notes=tuple(notes),
        path=Path(path) if path else None,
        axes="ZYX"[is_rgb - len(values.shape) :] + "S" * is_rgb,
        origin=layer,
    )


def _axis_names(layer: Layer, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Labels of the axes; where the layer has none, those of the TIFF it was read from.

    napari's reader of TIFF files drops them.
    """
    labels = tuple(layer.axis_labels)
    path = layer.source.path
    if path and labels == tuple(str(n) for n in range(-layer.ndim, 0)):
        return tuple(tiff_axes(Path(path), shape))[: layer.ndim] or labels
    return labels


def _taken(axis: str, index: int, n: int) -> str:
    """Sentence about an axis of which one position is used."""
    if axis.lower() in CHANNEL:
        what = f"Channel {index + 1} of {n}"
    else:
        what = f"Position {index + 1} of {n} along axis {axis}"
    return f"{what} is taken, as the viewer shows it."


def coloured(viewer: Viewer, source: SourceImage) -> SourceImage:
    """The source, with the colours in which a Labels layer shows its phases.

    Colours that do not tell the phases apart are none of theirs, nor are those that
    this program chose itself.
    """
    layer = layer_of(viewer, source)
    if (
        layer is None
        or not is_labels(layer)
        or not isinstance(source.values, np.ndarray)
    ):
        return source
    labels = distinct_values(source.values, MAX_PHASES) or ()
    shown = layer_colours(layer, labels)
    names = {label: _hex(colour) for label, colour in shown.items()}
    chosen = phase_colours(labels, source.colours)
    is_own = names == {label: _hex(colour) for label, colour in chosen.items()}
    if is_own or len(set(names.values())) < len(names):
        return source
    return replace(source, colours=names)


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour[:3])


def edges_nm(scale: Sequence[float], units: Sequence[Any]) -> tuple[float, ...] | None:
    """Edges of a pixel along x, y and z; None if the unit is the pixel itself."""
    edges = []
    for edge, unit in zip(scale[:-4:-1], units[:-4:-1], strict=True):
        factor = NM_PER_UNIT.get(str(unit))
        if factor is None:
            break
        edges.append(abs(float(edge)) * factor)
    return tuple(edges) if len(edges) >= 2 else None


def layer_of(viewer: Viewer, source: SourceImage) -> Layer | None:
    """The layer whose pixels a source holds, if it is still in the viewer."""
    if source.origin is not None:
        return source.origin if source.origin in viewer.layers else None
    for layer in viewer.layers:
        if is_image(layer):
            data = finest_data(layer)
            if data is source.values or _share_memory(data, source.values):
                return layer
    return None


def _share_memory(a: Any, b: Any) -> bool:
    """Whether two arrays are the same values in memory, or parts of them."""
    are_there = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
    return are_there and np.shares_memory(a, b)


def show_pixel_size(
    viewer: Viewer, source: SourceImage, settings: MicrographSettings
) -> None:
    """Give an image that this plugin has opened a typed pixel size, or its former one.

    What is drawn on it follows. Layers of the user stay as they are.
    """
    image = layer_of(viewer, source)
    if image is None or MICROGRAPH not in image.metadata:
        return
    drawn = [
        layer
        for layer in viewer.layers
        if not {CROP, STROKES}.isdisjoint(layer.metadata)
        and np.allclose(matrix_of(layer), place_on(image, layer.ndim)["affine"])
    ]
    former = image.metadata.get(UNTYPED)
    if settings.pixel_size_nm is not None:
        edges, _ = edges_with(source, settings)
        scale = (edges or ())[image.ndim - 1 :: -1]
        if former is not None and np.array_equal(scale, image.scale):
            return
        show_scale_bar(viewer)
        image.metadata[UNTYPED] = former or (image.scale, image.units)
        image.scale, image.units = scale, ("nm",) * image.ndim
    elif former is not None:
        image.scale, image.units = image.metadata.pop(UNTYPED)
    else:
        return
    for layer in drawn:
        for name, value in place_on(image, layer.ndim).items():
            setattr(layer, name, value)
    viewer.reset_view()


def draw_crop(
    viewer: Viewer, source: SourceImage, changed: Callable[[Crop | None], Any]
) -> Shapes:
    """Let the user draw a rectangle, and move it then.

    The rectangle has the transform of the image, so its corners are pixels.

    Parameters
    ----------
    changed
        Gets the rows and columns; None for a rectangle outside of the image.

    Returns
    -------
    Shapes
        The empty layer, active.
    """
    image = layer_of(viewer, source)
    if image is not None:
        show_flat(viewer, image)
    return _crop_layer(viewer, source, changed)


def _crop_layer(
    viewer: Viewer, source: SourceImage, changed: Callable[[Crop | None], Any]
) -> Shapes:
    """The empty layer of the rectangle, active; see `draw_crop`."""
    image = layer_of(viewer, source)
    place = {"affine": np.eye(3)} if image is None else place_on(image, 2)
    width = max(1, source.shape[-1] / 200)
    layer = _draw_in(
        viewer, CROP, 2, width, place, lambda x: _report_crop(x, source, changed)
    )
    if _select_when_drawn not in layer.mouse_drag_callbacks:
        layer.mouse_drag_callbacks.append(_select_when_drawn)
    return layer


def show_crop(
    viewer: Viewer,
    source: SourceImage,
    crop: Crop,
    changed: Callable[[Crop | None], Any],
) -> None:
    """Outline the part of an image that is used, and let the user move it.

    The layer that is active stays so.
    """
    viewer = unwrapped(viewer)
    active = viewer.layers.selection.active
    layer = _crop_layer(viewer, source, lambda crop: None)
    # A pixel's coordinate is its centre.
    top, bottom, left, right = np.subtract(crop, 0.5)
    layer.add_rectangles(np.array([[top, left], [bottom, right]]))
    layer.mode = "select"
    layer.metadata[CROP] = lambda x: _report_crop(x, source, changed)
    viewer.layers.selection.active = active


def _select_when_drawn(layer: Shapes, event: Any) -> Iterator[None]:
    """A drag that draws a rectangle; the next ones move it, and draw no other."""
    if layer.mode != "add_rectangle":
        return
    yield
    while event.type == "mouse_move":
        yield
    # After napari's own function for the drag has ended.
    QTimer.singleShot(0, lambda: setattr(layer, "mode", "select"))


def _draw_in(
    viewer: Viewer,
    name: str,
    ndim: int,
    edge_width: float,
    place: dict[str, Any],
    report: Callable[[Shapes], Any],
) -> Shapes:
    """Let the user draw rectangles in an empty layer; ``report`` gets it.

    The layer is kept and used again: on software OpenGL, napari crashes when an image
    is added after a Shapes layer was removed.
    """
    viewer = unwrapped(viewer)
    layer = own_layer(viewer, name)
    if layer is None:
        layer = viewer.add_shapes(
            name=name,
            ndim=ndim,
            face_color="#ffb00020",
            edge_color="#ffb000",
            **place,
        )
        layer.events.data.connect(lambda event: layer.metadata[name](layer))
    for key, value in place.items():
        setattr(layer, key, value)
    _empty(layer, name)
    layer.metadata[name] = report
    layer.visible = True
    layer.current_edge_width = edge_width
    viewer.layers.selection.active = layer
    layer.mode = "add_rectangle"
    return layer


def draw_strokes(
    viewer: Viewer, source: SourceImage, changed: Callable[[NDArray[Any]], Any]
) -> None:
    """Let the user paint strokes on an image; ``changed`` gets the labels.

    Of a stack, on the plane that is shown, and on as many others as wanted. A second
    call selects the layer of the first again; the new ``changed`` gets its labels.
    """
    image = layer_of(viewer, source)
    key, shape = key_of(source, image), source.shape
    own = next((x for x in viewer.layers if x.metadata.get(STROKES) == key), None)
    if own is None:
        place = {} if image is None else place_on(image, len(shape))
        own = viewer.add_labels(
            np.zeros(shape, np.uint8),
            name=f"{STROKES} on {source.name}",
            metadata={STROKES: key, REPORT: changed},
            **place,
        )
        own.brush_size = max(3, min(shape[-2:]) // 80)
        layer = own
        for event in ("paint", "labels_update", "data"):
            getattr(layer.events, event).connect(
                lambda event: layer.metadata[REPORT](np.asarray(layer.data))
            )
    elif own.data.shape != shape:
        # The image was replaced by one of another size.
        own.metadata[REPORT] = lambda strokes: None
        own.data = np.zeros(shape, np.uint8)
    own.metadata[REPORT] = changed
    show_flat(viewer, own if image is None else image)
    viewer.layers.selection.active = own
    own.mode = "paint"


def remove_crop(viewer: Viewer, source: SourceImage | None) -> None:
    """Empty and hide the rectangle's layer, and select the image; see `_draw_in`."""
    layer = own_layer(viewer, CROP)
    if layer is not None:
        _empty(layer, CROP)
        layer.visible = False
        image = None if source is None else layer_of(viewer, source)
        selection = unwrapped(viewer).layers.selection
        if image is not None and selection.active is getattr(
            layer, "__wrapped__", layer
        ):
            selection.active = getattr(image, "__wrapped__", image)


def _empty(layer: Shapes, name: str) -> None:
    """Remove the shapes of a layer; napari announces it before they are gone."""
    layer.metadata[name] = lambda layer: None
    layer.data = []


def draw_box(
    viewer: Viewer, volume: Volume, changed: Callable[[Corner, Corner], Any]
) -> None:
    """Let the user draw rectangles in slices; ``changed`` gets the box in voxels.

    Along an axis that no rectangle spans, the box is as deep as the volume; a second
    rectangle in another view limits the depth.
    """
    viewer = unwrapped(viewer)
    viewer.dims.ndisplay = 2
    size = np.array(volume.values.shape[:3])
    width = max(0.5, float(size.max()) / 120)
    place = {"scale": (1.0,) * 3, **grid_of(volume.voxel_size_nm, 3)}
    _draw_in(viewer, BOX, 3, width, place, lambda x: _report_box(x, size, changed))


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
    layer: Shapes, source: SourceImage, changed: Callable[[Crop | None], Any]
) -> None:
    """Report the whole pixels that the last rectangle covers."""
    if not layer.data:
        return
    rectangle = np.asarray(layer.data[-1])[:, -2:]
    # A pixel's coordinate is its centre: pixel i reaches from i - 0.5 to i + 0.5.
    low = np.floor(rectangle.min(axis=0) + 0.5).astype(int)
    high = np.floor(rectangle.max(axis=0) + 0.5).astype(int)
    limit = np.asarray(source.shape[-2:])
    low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    is_inside = bool((high > low).all())
    changed(
        (int(low[0]), int(high[0]), int(low[1]), int(high[1])) if is_inside else None
    )


def is_opened_stack(layer: Layer) -> bool:
    """Whether a layer with more than two axes was opened from a file."""
    is_deep = is_image(layer) and sum(n != 1 for n in _shape(layer)) > 2
    return is_deep and bool(layer.source.path)


def _shape(layer: Layer) -> tuple[int, ...]:
    """Shape without the channels of a colour image."""
    shape = tuple(np.shape(finest_data(layer)))
    return shape[:-1] if getattr(layer, "rgb", False) else shape
