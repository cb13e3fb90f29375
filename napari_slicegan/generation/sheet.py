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
COLOURS = "magma"
"""Colour map of decibels."""
PANEL_INCHES = 1.7
WHITE = 255
SMALLEST_EDGE = 64
ENDINGS = (".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Decibels:
    """How magnitudes over a wide range are drawn: in decibels, with a colour map.

    Attributes
    ----------
    offset
        Added to the magnitudes before the logarithm is taken.
    low, high
        Decibels of the darkest and of the brightest colour.
    seconds, hertz
        Lengths of the axes of spectrograms, whose first row is the lowest frequency
        and is drawn at the bottom; None for other images.
    """

    offset: float
    low: float
    high: float
    seconds: float | None = None
    hertz: float | None = None

    def of(self, magnitudes: NDArray[Any]) -> NDArray[np.float32]:
        """Decibels of ``[N, Y, X]``, in the orientation in which they are drawn."""
        shifted = np.maximum(magnitudes.astype(np.float64) + self.offset, self.offset)
        levels = (20 * np.log10(shifted)).astype(np.float32)
        return levels[:, ::-1] if self.hertz else levels

    def panels(self, magnitudes: NDArray[Any]) -> NDArray[np.uint8]:
        """Colours of ``[N, Y, X]``: ``[N, Y, X, 3]``."""
        import matplotlib as mpl  # takes a moment to load

        shades = display_gray(self.of(magnitudes), self.low, self.high)
        return np.asarray(mpl.colormaps[COLOURS](shades, bytes=True)[..., :3])

    def figure(self, magnitudes: NDArray[Any], columns: int) -> NDArray[np.uint8]:
        """Spectrograms with axes in seconds and hertz and a scale in decibels.

        Returns
        -------
        ``[rows, columns, 3]``.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        n_lines = math.ceil(len(magnitudes) / columns)
        size = (PANEL_INCHES * columns + 1.5, PANEL_INCHES * n_lines + 0.7)
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots(n_lines, columns, sharex=True, sharey=True)
        panels = np.ravel(axes)
        for panel, levels in zip(panels, self.of(magnitudes), strict=False):
            drawn = panel.imshow(
                levels,
                vmin=self.low,
                vmax=self.high,
                cmap=COLOURS,
                extent=(0, self.seconds, 0, self.hertz),
                aspect="auto",
            )
        for panel in panels[len(magnitudes) :]:
            panel.set_visible(False)
        figure.supxlabel("Time (s)")
        figure.supylabel("Frequency (Hz)")
        figure.colorbar(drawn, ax=axes, label="Magnitude (dB)")
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
        return np.array(pixels)[..., :3]


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
    decibels
        How magnitudes are drawn whose logarithms the network sees; None for others.
    """

    values: NDArray[Any]
    low: float
    high: float
    decibels: Decibels | None = None

    @property
    def shown(self) -> tuple[NDArray[Any], tuple[float, float]]:
        """Values as they are drawn, and those of the darkest and brightest shade."""
        if self.decibels is None:
            return self.values, (self.low, self.high)
        limits = (self.decibels.low, self.decibels.high)
        return self.decibels.of(self.values), limits

    def picture(self, columns: int = 4, rows: int = 4) -> NDArray[np.uint8]:
        """The first images as one picture; spectrograms with their axes.

        Returns
        -------
        ``[rows, columns]``, or ``[rows, columns, 3]`` in colour.
        """
        if self.decibels is not None and self.decibels.hertz:
            chosen = self.values[: columns * rows]
            return self.decibels.figure(chosen, min(columns, len(chosen)))
        return self._grid(columns, rows)

    def _grid(self, columns: int, rows: int) -> NDArray[np.uint8]:
        """The first images in a grid with white lines; small images are enlarged."""
        chosen = self.values[: columns * rows]
        if self.decibels is None:
            shades = display_gray(chosen, self.low, self.high)
        else:
            shades = self.decibels.panels(chosen)
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
        return self._grid(2, 2)

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

    def save_picture(self, path: str | Path, columns: int = 4, rows: int = 4) -> None:
        """Write the first images as one PNG, for any ending."""
        with replacing(Path(path)) as temporary:
            Image.fromarray(self.picture(columns, rows)).save(temporary, format="PNG")
