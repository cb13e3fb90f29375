"""Volumes of any size that this program wrote as OME-Zarr, as layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_slicegan._qt.layer_picture import LABELS
from napari_slicegan._qt.layers import grid_of, label_colours
from napari_slicegan.ome_zarr import own_attributes
from napari_slicegan.optional_packages import optional_package

LayerData = tuple[Any, dict[str, Any], str]


def is_pyramid(path: Path) -> bool:
    """Whether a folder is a volume of this program's. Loads nothing."""
    return own_attributes(path) is not None


def read_pyramid(path: str | Path) -> list[LayerData]:
    """Layer of a volume with its levels, read where the canvas looks.

    Phases have their colours; what is not made yet is empty.

    Raises
    ------
    ValueError
        If it is no volume of this program's, or zarr is not installed.
    """
    path = Path(path)
    own = own_attributes(path)
    if own is None:
        raise ValueError(
            f"Expected a volume written by 'slicegan generate', got {path}; choose "
            "another folder."
        )
    optional_package("zarr", "reads volumes tile by tile", "scale")
    array = optional_package("dask.array", "reads volumes tile by tile", "scale")
    levels = [array.from_zarr(str(path / str(n))) for n in range(own["levels"])]
    options: dict[str, Any] = {
        "name": path.name.partition(".")[0],
        "multiscale": True,
        "metadata": {LABELS: tuple(own["labels"])},
        **grid_of(own["voxel_size_nm"], 3),
    }
    if own["kind"] == "phases":
        options |= {"colormap": label_colours(own["labels"]), "opacity": 1}
        return [(levels, options, "labels")]
    if own["kind"] == "colour":
        # [C, Z, Y, X] -> [Z, Y, X, C]
        levels = [array.moveaxis(level, 0, -1) for level in levels]
    options["rgb"] = own["kind"] == "colour"
    return [(levels, options, "image")]
