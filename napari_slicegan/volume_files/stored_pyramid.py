"""A volume that was streamed onto the disk, opened again to be shown or measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_slicegan.machine.optional_packages import optional_package
from napari_slicegan.volume_files.ome_zarr import own_attributes

WHAT_FOR = "reads volumes tile by tile"


def is_pyramid(path: Path) -> bool:
    """Whether a folder is a volume of this program's. Loads nothing."""
    return own_attributes(path) is not None


def open_levels(path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Levels, finest first, read where they are looked at; what is known of them.

    Returns
    -------
    list of dask.array.Array
        [Z, Y, X], of colour [Z, Y, X, 3]; what is not made yet is 0.
    dict
        ``kind``, ``labels``, ``voxel_size_nm``, ``complete`` and what else the program
        noted.

    Raises
    ------
    ValueError
        If it is no volume of this program's, or zarr is not installed.
    """
    own = own_attributes(path)
    if own is None:
        raise ValueError(
            f"Expected a volume written by 'slicegan generate', got {path}; choose "
            "another folder."
        )
    optional_package("zarr", WHAT_FOR, "scale")
    array = optional_package("dask.array", WHAT_FOR, "scale")
    levels = [array.from_zarr(str(path / str(n))) for n in range(own["levels"])]
    if own["kind"] == "colour":
        # [C, Z, Y, X] -> [Z, Y, X, C]
        levels = [array.moveaxis(level, 0, -1) for level in levels]
    return levels, own
