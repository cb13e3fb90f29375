"""Files, sample data and shipped generators as layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_slicegan._qt.viewer.layer_picture import (
    COLOURS,
    LABELS,
    label_options,
    phase_colours,
)
from napari_slicegan._qt.viewer.layers import MICROGRAPH, grid_of, show_scale_bar
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values
from napari_slicegan.sample_data import MODELS, SAMPLES, generator_path, path
from napari_slicegan.volumes.ome_zarr import open_levels

LayerData = tuple[Any, dict[str, Any], str]
EDGE = 96
"""Voxels per axis of a generated sample; takes a few seconds."""


def read_pyramid(path: str | Path) -> list[LayerData]:
    """Multiscale layer of an OME-Zarr volume, read on demand.

    Phases have their colours; parts not yet written are empty.

    Raises
    ------
    ValueError
        If it was not written by this program, or zarr is not installed.
    """
    path = Path(path)
    levels, own = open_levels(path)
    options: dict[str, Any] = {
        "name": path.name.partition(".")[0],
        "multiscale": True,
        "metadata": {LABELS: tuple(own["labels"]), COLOURS: own["colours"]},
        **_grid(own["voxel_size_nm"], 3),
    }
    if own["kind"] == "phases":
        colours = phase_colours(own["labels"], own["colours"])
        return [(levels, options | label_options(colours), "labels")]
    return [(levels, options | {"rgb": own["kind"] == "colour"}, "image")]


def sample_layer(name: str) -> LayerData:
    """Layer of a file."""
    chosen = SAMPLES[name]
    image = read_image(path(name))
    labels: Sequence[int] = ()
    if chosen.kind == "phases":
        labels = distinct_values(image.values, MAX_PHASES) or ()
    return _layer(image.values, chosen.title, labels, image.pixel_size_nm)


def generated_layer(name: str) -> LayerData:
    """Layer of a volume of 96 voxels per edge."""
    # They load torch, which the other layers do not wait for.
    from napari_slicegan.generation.generate import generate
    from napari_slicegan.models.generator_file import load_generator

    volume = generate(load_generator(generator_path(name)), (EDGE,) * 3)
    title = f"{MODELS[name]}, generated"
    return _layer(volume.values, title, volume.labels, volume.voxel_size_nm)


def _grid(edge_nm: float | None, ndim: int) -> dict[str, Any]:
    """As `grid_of`, with a scale bar in the viewer that opens the file."""
    import napari

    viewer = napari.current_viewer()
    if edge_nm is not None and viewer is not None:
        show_scale_bar(viewer)
    return grid_of(edge_nm, ndim)


def _layer(
    values: NDArray[Any], title: str, labels: Sequence[int], edge_nm: float | None
) -> LayerData:
    """Layer of labels, or of an image if there are none."""
    options: dict[str, Any] = {"name": title, **_grid(edge_nm, values.ndim)}
    if values.ndim == 2:
        options["metadata"] = {MICROGRAPH: True}
    if not labels:
        return (values, options, "image")
    return (values, options | label_options(phase_colours(labels)), "labels")
