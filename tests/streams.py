"""Toy volumes that are streamed onto the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from tests.toys import random_generator

zarr = pytest.importorskip("zarr", reason="needs the extra scale")

SIZE = (20, 33, 24)
TRANSFORMS: dict[str, OneHotPhases | ScaleMinMax] = {
    "phases": OneHotPhases([7, 207]),
    "grayscale": ScaleMinMax(0, 255, 1, "uint8"),
    "float": ScaleMinMax(-1, 1, 1, "float32"),
    "colour": ScaleMinMax(0, 255, 3, "uint8"),
}


def plan_of(kind: str = "phases", **changes: Any) -> VolumePlan:
    """Blocks of 16 voxels."""
    trained = random_generator(TRANSFORMS[kind])
    settings = {"size": SIZE, "seed": 3, "tile_latents": 4, **changes}
    return VolumePlan(trained, **settings)


def stream(plan: VolumePlan, path: Path) -> StreamedVolume:
    volume = StreamedVolume.begin(plan, path)
    volume.write()
    return volume


def levels(path: Path) -> list[NDArray[Any]]:
    """All levels as any program reads them; colour with its channels last."""
    group = zarr.open_group(str(path), mode="r")
    arrays = [np.asarray(group[name][...]) for name in sorted(group.array_keys())]
    return [np.moveaxis(a, 0, -1) if a.ndim == 4 else a for a in arrays]


def stamps(path: Path) -> dict[Path, tuple[int, int]]:
    """Identity and time of each block's file; a new file has another one."""
    found = {}
    for file in path.glob("[0-9]/c/**/*"):
        if file.is_file() and file.suffix != ".partial":
            about = file.stat()
            found[file] = (about.st_ino, about.st_mtime_ns)
    return found
