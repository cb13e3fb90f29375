"""Micrographs, phases, previews and volumes as layers. Main thread only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.viewer.canvas_view import (
    LIVE,
    MADE_HERE,
    Solo,
    fit_to,
    make_room,
)
from napari_slicegan._qt.viewer.layer_choice import MADE_BY
from napari_slicegan._qt.viewer.layer_picture import (
    COLOURS,
    LABELS,
    block_of_phases,
    block_of_values,
    finest_data,
    is_volume_layer,
    label_colormap,
    label_options,
    matrix_of,
    phase_colours,
)
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.utils.events import Event
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan.config import Kind
    from napari_slicegan.data.image_files import SourceImage
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.directions import Sweep
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.volumes.volume import Volume

MICROGRAPH = "slicegan micrograph"
"""Metadata key of images that were opened in the Micrograph panel."""
PHASES = "Phases"
PREVIEW = "Preview"
EXPLORED, SWEEP = "Explored", "Sweep"
GRADED = "Graded volume"
GAUSSIAN = "Gaussian field"
OWN = frozenset({PREVIEW, EXPLORED, SWEEP, GRADED, GAUSSIAN, MADE_BY, MADE_HERE})
"""Metadata keys of generated layers, and of those that display them."""
OVERLAY = 0.5
WHOLE = (0.0, 255.0)
NOTHING: Mapping[str, Any] = MappingProxyType({})


def siblings_of(viewer: Viewer, layer: Layer) -> list[Layer]:
    """Other volumes of the same size and generator, one of each seed.

    Of a volume that was not generated here, others that were not.
    """
    maker, seed = _maker_of(layer)
    if maker is None and not OWN.isdisjoint(layer.metadata):
        return []
    found, seeds = [], {seed}
    for other in unwrapped(viewer).layers:
        if other is layer or not is_volume_layer(other) or MADE_HERE in other.metadata:
            continue
        same_size = finest_data(other).shape == finest_data(layer).shape
        if not (same_size and np.allclose(other.scale, layer.scale)):
            continue
        other_maker, other_seed = _maker_of(other)
        is_own = other_maker is None and not OWN.isdisjoint(other.metadata)
        is_known = maker is not None and other_seed in seeds
        if other_maker == maker and not is_own and not is_known:
            found.append(other)
            seeds.add(other_seed)
    return found


def _maker_of(layer: Layer) -> tuple[object, object]:
    """Generator and step of a generated layer, None of others; its seed."""
    about = layer.metadata.get(MADE_BY)
    if about is None:
        return None, None
    return (about.get("generator"), about.get("step")), about.get("seed")


def unwrapped(viewer: Viewer) -> Viewer:
    """The viewer behind napari's proxies, whose layers never compare equal."""
    found: Viewer = getattr(viewer, "__wrapped__", viewer)
    return found


def own_layer(viewer: Viewer, what: str) -> Any:
    """Layer that this plugin made for a purpose; the user's may have its name.

    Found by the purpose as a key of its metadata; None if there is none.
    """
    return next((x for x in viewer.layers if what in x.metadata), None)


def add_source(viewer: Viewer, source: SourceImage, labels: Sequence[int]) -> Layer:
    """Add the values of a file as they are; a picture is shown from above.

    Parameters
    ----------
    labels
        Phases, of a file that is shown as labels; else empty.
    """
    values = np.asarray(source.values)
    ndim = len(source.shape)
    options: dict[str, Any] = {
        "name": source.name,
        "axis_labels": AXES[-ndim:],
        "metadata": {MICROGRAPH: True},
    }
    edges = source.edges_nm
    if edges is not None:
        show_scale_bar(viewer)
        options["scale"] = [*reversed((*edges, edges[0])[:ndim])]
        options["units"] = ("nm",) * ndim
    kind: Kind = "grayscale"
    if labels or source.is_colour:
        kind = "phases" if labels else "colour"
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    layer = _add(viewer, values, kind, labels, source.colours, **options)
    if ndim == 2:
        show_flat(viewer, layer)
    return layer


def show_flat(viewer: Viewer, image: Layer) -> None:
    """Show a picture from above: in 3-D it would cut through volumes.

    What this plugin has generated is hidden, but for a live preview beside the picture.
    In a viewer in 2-D nothing changes.
    """
    viewer = unwrapped(viewer)
    if viewer.dims.ndisplay == 2:
        return
    hide_own(viewer)
    viewer.dims.ndisplay = 2
    image.visible = True
    live = [layer for layer in viewer.layers if LIVE in layer.metadata]
    fit_to(viewer, getattr(image, "__wrapped__", image), *live)


def show_segmentation(
    viewer: Viewer,
    shown: Sequence[tuple[Micrograph, SourceImage, Layer | None]],
    *,
    opaque: bool = False,
) -> None:
    """Show segmented phases over their images, replacing older ones.

    Parameters
    ----------
    shown
        Phases, the image that they were made of, and its layer if there is one; empty
        to remove all.
    opaque
        Whether the image below holds nothing else, as one of flat values; phases that
        were segmented are compared with it.
    """
    opacity = 1.0 if opaque else OVERLAY
    wanted = {key_of(*each[1:]): each for each in shown}
    own = {x.metadata[PHASES]: x for x in viewer.layers if PHASES in x.metadata}
    for key in own.keys() - wanted.keys():
        viewer.layers.remove(own[key])
    for key, (each, source, image) in wanted.items():
        place = _place(each, source, image)
        if key in own:
            # Keep the user's choices, such as hidden.
            layer = own[key]
            layer.data = each.values
            colours = phase_colours(each.labels, each.facts.colours)
            layer.colormap = label_colormap(colours)
            for option, value in place.items():
                setattr(layer, option, value)
            continue
        active = viewer.layers.selection.active
        layer = _add(
            viewer,
            each.values,
            each.kind,
            each.labels,
            each.facts.colours,
            name=f"{PHASES} of {each.name}",
            metadata={PHASES: key},
            **place,
        )
        layer.opacity = opacity
        # Below what is drawn on the image.
        if image is not None:
            below = viewer.layers.index(image)
            viewer.layers.move(viewer.layers.index(layer), below + 1)
        # The image stays active.
        if active is not None:
            viewer.layers.selection.active = active


def key_of(source: SourceImage, image: Layer | None) -> str:
    """Key of what lies on an image: images of the same name have layers of their own.

    Images used for several directions have one.
    """
    return str(id(source.values) if image is None else image.unique_id)


def add_or_update_preview(viewer: Viewer, preview: Volume | NDArray[np.uint8]) -> Layer:
    """Show the preview of a run that trains in one layer, whose values are replaced.

    Other layers are hidden until it is removed. Those that are shown later stand beside
    it, until `end_preview`.

    Parameters
    ----------
    preview
        A volume, or a picture of images or points, [rows, columns(, 3)].
    """
    viewer = unwrapped(viewer)
    values = preview if isinstance(preview, np.ndarray) else preview.values
    layer = own_layer(viewer, PREVIEW)
    if layer is not None:
        same = layer.metadata[PREVIEW] == _material_of(preview)
        if same and layer.data.shape == values.shape:
            _replace_values(layer, values)
            if LIVE not in layer.metadata:
                # Of an earlier run.
                hide_own(viewer)
                layer.translate = (0.0,) * layer.ndim
                layer.metadata[LIVE] = True
                layer.visible = True
            return layer
        viewer.layers.remove(layer)
    solo = _cleared(viewer, preview)
    layer = _add_made(viewer, preview, PREVIEW)
    layer.metadata[LIVE] = True
    show_alone(viewer, layer, solo=solo)
    return layer


def _replace_values(layer: Image, values: NDArray[Any]) -> None:
    """Show other values, with contrast limits of their own unless a user has set some.

    Those of bytes and of phases are fixed.
    """
    is_byte, phases = values.dtype == np.uint8, layer.metadata.get(LABELS)
    if not (layer.rgb or is_byte or phases):
        if np.allclose(_limits_of(layer.data), layer.contrast_limits, rtol=1e-6):
            limits = _limits_of(values)
            # Before the data: slices of the layer follow those.
            layer.contrast_limits_range = limits
            layer.contrast_limits = limits
    layer.data = values


def _limits_of(values: NDArray[Any]) -> tuple[float, float]:
    limits: tuple[float, float] = block_of_values(values, "grayscale")[
        "contrast_limits"
    ]
    return limits


def end_preview(viewer: Viewer) -> None:
    """The run has ended: its preview is hidden like other generated layers."""
    layer = own_layer(unwrapped(viewer), LIVE)
    if layer is not None:
        del layer.metadata[LIVE]


def _add_made(viewer: Viewer, made: Volume | NDArray[np.uint8], name: str) -> Layer:
    """Add a volume as a solid, or a picture [rows, columns(, 3)]."""
    if not isinstance(made, np.ndarray):
        return _add_solid(viewer, made, name)
    metadata = {name: _material_of(made)}
    colours = _shades(made.ndim > 2)
    return viewer.add_image(made, name=name, metadata=metadata, **colours)


def add_or_update_explored(viewer: Viewer, made: Volume | NDArray[np.uint8]) -> Layer:
    """Show the volume that follows the sliders, or its corner, in place; or a picture.

    Parameters
    ----------
    made
        A volume, or a picture of images, [rows, columns(, 3)].
    """
    viewer = unwrapped(viewer)
    layer = own_layer(viewer, EXPLORED)
    values = made if isinstance(made, np.ndarray) else made.values
    if layer is not None:
        same = layer.data.ndim == values.ndim
        if same and layer.metadata[EXPLORED] == _material_of(made):
            _replace_values(layer, values)
            # A sweep, or another volume, may have hidden it.
            if not layer.visible:
                hide_own(viewer)
                layer.visible = True
            return layer
        viewer.layers.remove(layer)
    solo = _cleared(viewer, made)
    layer = _add_made(viewer, made, EXPLORED)
    show_alone(viewer, layer, solo=solo)
    return layer


def add_image_sweep(viewer: Viewer, sweep: Sweep) -> Layer:
    """Show a sweep of images as sheets, with a slider for the strength."""
    viewer = unwrapped(viewer)
    former = own_layer(viewer, SWEEP)
    if former is not None:
        viewer.layers.remove(former)
    hide_own(viewer)
    pictures = sweep.pictures()
    first, second, *_, last = sweep.strengths
    layer = viewer.add_image(
        pictures,
        name=f"{SWEEP} of {sweep.name}, {first:g} to {last:g}",
        scale=(second - first or 1.0, 1.0, 1.0),
        translate=(first, 0.0, 0.0),
        metadata={SWEEP: True},
        axis_labels=("strength", "y", "x"),
        **_shades(pictures.ndim > len(AXES)),
    )
    viewer.dims.set_point(0, _start_of(sweep))
    show_alone(viewer, layer, 2)
    return layer


def add_sweep(viewer: Viewer, sweep: Sweep, like: Volume) -> Layer:
    """Show a sweep as one layer whose slider is the strength.

    Parameters
    ----------
    like
        A volume of the same material.
    """
    viewer = unwrapped(viewer)
    former = own_layer(viewer, SWEEP)
    if former is not None:
        viewer.layers.remove(former)
    hide_own(viewer)
    edge = like.voxel_size_nm or 1.0
    known = like.voxel_size_nm is not None
    if known:
        show_scale_bar(viewer)
    first, *_, last = sweep.strengths
    step = (last - first) / (len(sweep.strengths) - 1)
    layer = viewer.add_image(
        sweep.values,
        rgb=like.kind == "colour",
        name=f"{SWEEP} of {sweep.name}, {first:g} to {last:g}",
        scale=(step or 1.0, edge, edge, edge),
        translate=(first, 0.0, 0.0, 0.0),
        metadata={**about_phases(like), SWEEP: True},
        axis_labels=("strength", *AXES),
        units=("pixel", *("nm" if known else "pixel",) * 3),
        **_solid_options(like),
    )
    viewer.dims.set_point(0, _start_of(sweep))
    # With a slider below it the canvas is smaller, and the scene has another middle.
    show_alone(viewer, layer, viewer.dims.ndisplay)
    return layer


def _start_of(sweep: Sweep) -> float:
    """Strength shown first: that of the sample itself, or the one next to it."""
    return min(sweep.strengths, key=abs)


def add_graded(viewer: Viewer, volume: Volume, name: str = GRADED) -> Layer:
    """Add a volume as a solid block, whose faces show the gradient."""
    viewer = unwrapped(viewer)
    hide_own(viewer)
    solo = _cleared(viewer, volume)
    layer = _add_solid(viewer, volume, name)
    show_alone(viewer, layer, solo=solo)
    return layer


def add_gaussian(viewer: Viewer, volume: Volume) -> Layer:
    """Show a volume that needs no training, in place of an earlier one."""
    former = own_layer(unwrapped(viewer), GAUSSIAN)
    if former is not None:
        unwrapped(viewer).layers.remove(former)
    return add_graded(viewer, volume, GAUSSIAN)


def add_samples(
    viewer: Viewer,
    sheet: Sheet,
    name: str,
    as_sheet: bool,
    metadata: Mapping[str, Any] = NOTHING,
) -> Layer:
    """Add images of a generator, as one picture or as a stack with a slider."""
    viewer = unwrapped(viewer)
    hide_own(viewer)
    columns = math.isqrt(len(sheet.values) - 1) + 1
    values, limits = sheet.shown
    if as_sheet:
        values, limits = sheet.picture(columns, columns), WHOLE
    axes = ("y", "x") if as_sheet else ("image", "y", "x")
    colour = values.ndim > len(axes)
    layer = viewer.add_image(
        values,
        name=name,
        axis_labels=axes,
        metadata={**metadata},
        **_shades(colour, limits),
    )
    show_alone(viewer, layer, 2)
    return layer


def _shades(colour: bool, limits: tuple[float, float] = WHOLE) -> dict[str, Any]:
    """Fixed limits: the first preview shows noise and must not set them."""
    return {"rgb": True} if colour else {"contrast_limits": limits}


def add_volume(
    viewer: Viewer,
    volume: Volume,
    name: str = "Volume",
    metadata: Mapping[str, Any] = NOTHING,
) -> Layer:
    """Add a volume with its phase values, colours and scale.

    Other generated volumes are hidden, as they overlap.
    """
    hide_own(viewer)
    if volume.voxel_size_nm is not None:
        show_scale_bar(viewer)
    grid = grid_of(volume.voxel_size_nm, 3)
    about = {**about_phases(volume), **metadata}
    options = {"name": name, "metadata": about, **grid}
    labels, colours = volume.labels, volume.colours
    if volume.kind != "phases":
        options |= block_of_values(volume.values, volume.kind)
    return _add(viewer, volume.values, volume.kind, labels, colours, **options)


def _add_solid(viewer: Viewer, volume: Volume, name: str) -> Image:
    """Add as an image: napari draws label 0 as empty."""
    if volume.voxel_size_nm is not None:
        show_scale_bar(viewer)
    return viewer.add_image(
        volume.values,
        rgb=volume.kind == "colour",
        name=name,
        metadata={**about_phases(volume), name: _material_of(volume)},
        **grid_of(volume.voxel_size_nm, 3),
        **_solid_options(volume),
    )


def about_phases(material: Volume | TrainedNetwork) -> dict[str, Any]:
    """Metadata of a layer: all phases of the material, and their colours."""
    return {LABELS: material.labels, COLOURS: dict(material.colours)}


def _material_of(shown: Volume | NDArray[np.uint8]) -> dict[str, Any]:
    """What a layer is made for; of another material it is made anew."""
    if isinstance(shown, np.ndarray):
        return {}
    return {
        **about_phases(shown),
        "kind": shown.kind,
        "voxel size": shown.voxel_size_nm,
    }


def _solid_options(volume: Volume) -> dict[str, Any]:
    if volume.kind != "phases":
        return block_of_values(volume.values, volume.kind)
    colours = phase_colours(volume.labels, volume.colours)
    return block_of_phases(volume.labels, [*colours.values()])


def show_scale_bar(viewer: Viewer) -> None:
    """Show the scale bar for the first layer of known size; the user may hide it."""
    viewer = unwrapped(viewer)
    if not any("pixel" not in map(str, layer.units) for layer in viewer.layers):
        scale_bar_of(viewer).visible = True


def scale_bar_of(viewer: Any) -> Any:
    """The scale bar of a viewer; napari before 0.9 has it in the viewer itself."""
    overlays = getattr(getattr(viewer, "canvas", None), "overlays", None)
    return viewer.scale_bar if overlays is None else overlays.scale_bar


def hide_own(viewer: Viewer) -> None:
    """Hide what this plugin has generated, which overlaps; not layers of the user.

    The preview of a run that trains steps aside.
    """
    make_room(viewer)
    for layer in viewer.layers:
        if not OWN.isdisjoint(layer.metadata) and LIVE not in layer.metadata:
            layer.visible = False


def _cleared(viewer: Viewer, made: Volume | NDArray[np.uint8]) -> Solo:
    """Make the viewer ready for a volume or a picture that is to be added."""
    solo = Solo(viewer, 2 if isinstance(made, np.ndarray) else 3)
    solo.clear()
    return solo


def show_alone(
    viewer: Viewer,
    layer: Layer,
    ndisplay: int | None = None,
    solo: Solo | None = None,
) -> None:
    """Hide the other layers until this one is removed.

    Parameters
    ----------
    ndisplay
        By default 3 for a volume and 2 for a picture.
    solo
        Has hidden them already.
    """
    if solo is None:
        solo = Solo(viewer, layer.ndim if ndisplay is None else ndisplay)
        solo.clear(layer)
    solo.fit(layer)

    def end(event: Event) -> None:
        if event.value is layer:
            viewer.layers.events.removed.disconnect(end)
            solo.end()

    viewer.layers.events.removed.connect(end)


def _add(
    viewer: Viewer,
    values: NDArray[Any],
    kind: Kind,
    labels: Sequence[int],
    colours: Mapping[int, str],
    **options: Any,
) -> Image | Labels:
    if kind != "phases":
        return viewer.add_image(values, rgb=kind == "colour", **options)
    options = label_options(phase_colours(labels, colours)) | options
    return viewer.add_labels(values, **options)


def grid_of(edge_nm: float | None, ndim: int) -> dict[str, Any]:
    """Names of the axes of a layer, its scale and its unit."""
    names = {"axis_labels": AXES[-ndim:]}
    if edge_nm is None:
        return names
    return {**names, "scale": (edge_nm,) * ndim, "units": ("nm",) * ndim}


def _place(
    micrograph: Micrograph, source: SourceImage, image: Layer | None
) -> dict[str, Any]:
    """Transform of a cropped and resampled image onto the image it came from."""
    ndim = 3 if micrograph.is_volume else 2
    first = ndim - 2
    begin = np.zeros(ndim)
    used = np.asarray(np.shape(source.values)[:ndim], float)
    if micrograph.facts.crop is not None:
        top, bottom, left, right = micrograph.facts.crop
        begin[first:] = top, left
        used[first:] = bottom - top, right - left
    step = used / micrograph.values.shape[:ndim]
    # The first pixels touch the same corner; their centres differ.
    inner = np.eye(ndim + 1)
    inner[:ndim, :ndim] = np.diag(step)
    inner[:ndim, ndim] = begin + (step - 1) / 2
    if image is None:
        return {"affine": inner}
    place = place_on(image, ndim)
    return {**place, "affine": place["affine"] @ inner}


def place_on(image: Layer, ndim: int) -> dict[str, Any]:
    """Transform, units and axis labels of a layer on the pixels of an image.

    Parameters
    ----------
    ndim
        Axes of the new layer: the last ones of the image.
    """
    kept = [*range(image.ndim - ndim, image.ndim + 1)]
    matrix = matrix_of(image)[np.ix_(kept, kept)]
    named = {"units": image.units, "axis_labels": image.axis_labels}
    return {"affine": matrix, **{key: tuple(x)[-ndim:] for key, x in named.items()}}
