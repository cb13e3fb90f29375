"""The only file that adds layers to the viewer or changes them. Main thread only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan._qt.colours import phase_colours

if TYPE_CHECKING:
    from napari.layers import Image, Labels, Layer
    from napari.viewer import Viewer
    from numpy.typing import NDArray

    from napari_slicegan.config import Kind, MicrographSettings
    from napari_slicegan.micrograph import Micrograph
    from napari_slicegan.volume import Volume

PHASES = "Phases"
PREVIEW = "Preview"
OVERLAY = 0.5
ANGLES = (12.0, -32.0, 148.0)


def add_micrograph(viewer: Viewer, micrograph: Micrograph) -> Layer:
    """Add an image: phases as labels in their colours, other kinds as they are."""
    labels = micrograph.labels if micrograph.kind == "phases" else ()
    return _add(
        viewer,
        micrograph.values,
        micrograph.kind,
        labels,
        name=micrograph.name,
        **_grid(micrograph.pixel_size_nm, 3 if micrograph.is_volume else 2),
    )


def show_segmentation(
    viewer: Viewer, micrographs: Sequence[Micrograph], settings: MicrographSettings
) -> None:
    """Lay phases over the images they were made of, in place of older ones.

    Parameters
    ----------
    micrographs
        Phases; none to take them away.
    settings
        How they were made: where the crop begins, and the scale.
    """
    wanted = {f"{PHASES} of {each.name}": each for each in micrographs}
    for layer in [*viewer.layers]:
        if layer.metadata.get(PHASES) and layer.name not in wanted:
            viewer.layers.remove(layer)
    for name, each in wanted.items():
        if name in viewer.layers:
            viewer.layers.remove(name)
        active = viewer.layers.selection.active
        layer = _add(
            viewer,
            each.values,
            each.kind,
            each.labels,
            name=name,
            metadata={PHASES: True},
            **_place(each, settings),
        )
        layer.opacity = OVERLAY
        # The image stays the one that buttons and tools are about.
        if active is not None:
            viewer.layers.selection.active = active


def add_or_update_preview(viewer: Viewer, volume: Volume) -> Layer:
    """Show how a run stands: one layer, whose voxels are replaced."""
    if PREVIEW in viewer.layers:
        layer = viewer.layers[PREVIEW]
        if layer.data.shape == volume.values.shape:
            layer.data = volume.values
            return layer
        viewer.layers.remove(layer)
    layer = add_volume(viewer, volume, PREVIEW)
    return layer


def add_volume(viewer: Viewer, volume: Volume, name: str = "Volume") -> Layer:
    """Add a volume with its phase values, colours and scale, and turn to 3-D."""
    layer = _add(
        viewer,
        volume.values,
        volume.kind,
        volume.labels,
        name=name,
        **_grid(volume.voxel_size_nm, 3),
    )
    return layer


def _add(
    viewer: Viewer,
    values: NDArray[Any],
    kind: Kind,
    labels: Sequence[int],
    **options: Any,
) -> Image | Labels:
    if kind != "phases":
        return viewer.add_image(values, rgb=kind == "colour", **options)
    from napari.utils import DirectLabelColormap

    colours: dict[int | None, Any] = {None: "transparent"}
    colours.update(phase_colours(labels))
    return viewer.add_labels(
        values,
        colormap=DirectLabelColormap(color_dict=colours),
        opacity=1,
        rendering="iso_categorical",
        **options,
    )


def _grid(edge_nm: float | None, ndim: int) -> dict[str, Any]:
    """Scale and unit of a layer."""
    if edge_nm is None:
        return {}
    return {"scale": np.full(ndim, edge_nm), "units": ("nm",) * ndim}


def _place(micrograph: Micrograph, settings: MicrographSettings) -> dict[str, Any]:
    """Grid of a cropped and rescaled image on top of the image it came from."""
    ndim = 3 if micrograph.is_volume else 2
    step = micrograph.pixel_size_nm or 1 / settings.rescale
    edge = step * settings.rescale
    begin = np.zeros(ndim)
    if settings.crop is not None:
        begin[-2:] = settings.crop[0], settings.crop[2]
    # The first pixels touch the same corner; their centres differ.
    origin = begin * edge + (step - edge) / 2
    grid: dict[str, Any] = {"scale": np.full(ndim, step), "translate": origin}
    if micrograph.pixel_size_nm is not None:
        grid["units"] = ("nm",) * ndim
    return grid
