"""Sample data as layers: files, and volumes from generators that ship."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from napari_slicegan._qt.viewer.layers import label_colours
from napari_slicegan.generation import generate
from napari_slicegan.images.image_files import read_image
from napari_slicegan.images.pixel_values import MAX_PHASES, distinct_values
from napari_slicegan.sample_data import MODELS, SAMPLES, generator_path, path
from napari_slicegan.trained_generator import load_generator

# Made in a few seconds.
EDGE = 96
LayerData = tuple[Any, dict[str, Any], str]


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
    volume = generate(load_generator(generator_path(name)), (EDGE,) * 3)
    title = f"{MODELS[name]}, generated"
    return _layer(volume.values, title, volume.labels, volume.voxel_size_nm)


def _layer(
    values: NDArray[Any], title: str, labels: Sequence[int], edge_nm: float | None
) -> LayerData:
    """Layer of labels, or of an image if there are none."""
    options: dict[str, Any] = {"name": title}
    if edge_nm is not None:
        options["scale"] = (edge_nm,) * values.ndim
        options["units"] = ("nm",) * values.ndim
    if not labels:
        return (values, options, "image")
    options["colormap"] = label_colours([int(label) for label in labels])
    options |= {"opacity": 1, "rendering": "iso_categorical"}
    return (values, options, "labels")
