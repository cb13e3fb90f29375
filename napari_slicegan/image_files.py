"""Reading image files."""

from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
from typing import Any
import numpy as np
from numpy.typing import NDArray
import tifffile
from PIL import Image


@dataclass(frozen=True, eq=False)
class ImageFile:
    values: NDArray[Any]
    pixel_size_nm: float | None
    path: Path


def read_image(path: str | Path, pixel_size_nm: float | None = None) -> ImageFile:
    path = Path(path)
    if path.suffix.lower() in (".tif", ".tiff"):
        return ImageFile(tifffile.imread(path), pixel_size_nm, path)
    if path.suffix.lower() == ".npy":
        return ImageFile(np.load(path, allow_pickle=False), pixel_size_nm, path)
    return ImageFile(np.asarray(Image.open(path)), pixel_size_nm, path)
