"""Sheets: images from one generator, and their files. Loads no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.pixel_values import display_gray
from napari_slicegan.runtime.atomic_files import check_ending, replacing

GAP = 2
WHITE = 255
SMALLEST_EDGE = 64
ENDINGS = (".tif", ".tiff", ".npy")


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images of one generator.

    Attributes
    ----------
    values
        ``[N, Y, X]``, or ``[N, Y, X, 3]`` in colour, in the units of the training
        images.
    low, high
        Values that are drawn black and white.
    """

    values: NDArray[Any]
    low: float
    high: float

    def picture(self, columns: int = 4, rows: int = 4) -> NDArray[np.uint8]:
        """The first images in a grid with white lines; small images are enlarged.

        Returns
        -------
        ``[rows, columns]``, or ``[rows, columns, 3]`` in colour.
        """
        shades = display_gray(self.values[: columns * rows], self.low, self.high)
        factor = math.ceil(SMALLEST_EDGE / shades.shape[1])
        shades = shades.repeat(factor, axis=1).repeat(factor, axis=2)
        margins = [(0, 0), (GAP, 0), (GAP, 0), (0, 0)][: shades.ndim]
        panels = np.pad(shades, margins, constant_values=WHITE)
        lines = [panels[i : i + columns] for i in range(0, len(panels), columns)]
        missing = columns - len(lines[-1])
        if missing and len(lines) > 1:
            blank = np.full((missing, *panels.shape[1:]), WHITE, np.uint8)
            lines[-1] = np.concatenate([lines[-1], blank])
        return np.concatenate([np.concatenate(list(line), axis=1) for line in lines])

    def thumbnail(self) -> NDArray[np.uint8]:
        """The first four images."""
        return self.picture(2, 2)

    def save(self, path: str | Path) -> None:
        """Write all images as one stack.

        Raises
        ------
        ValueError
            If the ending of the name is not one of a stack.
        """
        path = Path(path)
        check_ending(path, *ENDINGS)
        with replacing(path) as temporary:
            if path.suffix.lower() == ".npy":
                with temporary.open("wb") as file:
                    np.save(file, self.values, allow_pickle=False)
            else:
                photometric = "rgb" if self.values.ndim > 3 else "minisblack"
                tifffile.imwrite(temporary, self.values, photometric=photometric)

    def save_picture(self, path: str | Path) -> None:
        """Write the first sixteen images as one PNG, for any ending."""
        with replacing(Path(path)) as temporary:
            Image.fromarray(self.picture()).save(temporary, format="PNG")
