"""Volumes of any size that this program wrote as OME-Zarr, as layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_slicegan._qt.viewer.layer_picture import LABELS
from napari_slicegan._qt.viewer.layers import grid_of, label_colours
from napari_slicegan.volume_files.stored_pyramid import open_levels

LayerData = tuple[Any, dict[str, Any], str]


def read_pyramid(path: str | Path) -> list[LayerData]:
    """Layer of a volume with its levels, read where the canvas looks.

    Phases have their colours; what is not made yet is empty.

    Raises
    ------
    ValueError
        If it is no volume of this program's, or zarr is not installed.
    """
    path = Path(path)
    levels, own = open_levels(path)
    options: dict[str, Any] = {
        "name": path.name.partition(".")[0],
        "multiscale": True,
        "metadata": {LABELS: tuple(own["labels"])},
        **grid_of(own["voxel_size_nm"], 3),
    }
    if own["kind"] == "phases":
        options |= {"colormap": label_colours(own["labels"]), "opacity": 1}
        return [(levels, options, "labels")]
    options["rgb"] = own["kind"] == "colour"
    return [(levels, options, "image")]
