"""A direction from end to end: volumes, their properties, and files of both."""

from __future__ import annotations

import csv
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.directions.properties import PROPERTIES
from napari_slicegan.generation.samples import sheet_of
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.directions.direction import Direction
    from napari_slicegan.directions.properties import Gauge
    from napari_slicegan.generation.regions import Region

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
FRAMES_PER_S = 4
SHEET_ROWS = 4
SIMILARITY = "ssim_to_start"
"""Name of the structural similarity of images to those of strength 0."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """One sample of the material at several strengths of a direction.

    Attributes
    ----------
    name
        Of the direction.
    strengths
        [N].
    values
        [N, Z, Y, X(, 3)]; of a generator of images [N, 16, Y, X(, 3)].
    properties
        By key of ``PROPERTIES``: its value at each strength, [N]. Of images also
        `SIMILARITY`: the mean structural similarity to those of strength 0.
    voxel_size_nm
        Edge of a voxel, if known.
    transform
        Of the generator; tells how images are drawn.
    """

    name: str
    strengths: tuple[float, ...]
    values: NDArray[Any]
    properties: Mapping[str, tuple[float, ...]]
    voxel_size_nm: float | None = None
    transform: Transform | None = None

    def save_sheet(self, path: str | Path) -> None:
        """Draw a row for each of four images, or the middle plane: a PNG.

        The columns are the strengths.
        """
        middle = self.values.shape[1] // 2
        rows = slice(SHEET_ROWS) if self.of_images else slice(middle, middle + 1)
        # [N, rows, Y, X(, 3)] -> [rows * N, Y, X(, 3)]
        shown = np.moveaxis(self.values[:, rows], 1, 0)
        n_rows, n_columns = shown.shape[:2]
        flat = shown.reshape(n_rows * n_columns, *shown.shape[2:])
        self._sheet(flat).save_picture(path, n_columns, n_rows)

    def pictures(self) -> NDArray[np.uint8]:
        """Of images: a sheet of 16 for each strength, [N, rows, columns(, 3)]."""
        return np.stack([self._sheet(each).picture() for each in self.values])

    def _sheet(self, images: NDArray[Any]) -> Sheet:
        if self.transform is None:
            return Sheet(images, float(images.min()), float(images.max()))
        return sheet_of(images, self.transform)

    @property
    def of_images(self) -> bool:
        """Whether the generator makes images."""
        return SIMILARITY in self.properties

    def heading(self, name: str) -> str:
        """Title of one of the properties, with its unit."""
        return heading(name, len(AXES) - 1 if self.of_images else len(AXES))

    def save_tiff(self, path: str | Path) -> None:
        """Write all volumes as one TIFF whose first axis is the strength."""
        colour = self.values.ndim == 5
        metadata: dict[str, Any] = {"axes": "TZYXS" if colour else "TZYX"}
        if self.voxel_size_nm is not None:
            for axis in "XYZ":
                metadata[f"PhysicalSize{axis}"] = self.voxel_size_nm
                metadata[f"PhysicalSize{axis}Unit"] = "nm"
        with replacing(Path(path)) as temporary:
            tifffile.imwrite(
                temporary,
                self.values,
                ome=True,
                photometric="rgb" if colour else "minisblack",
                compression="zlib",
                metadata=metadata,
            )

    def save_csv(self, path: str | Path) -> None:
        """Write the properties, one row for each strength."""
        columns = (self.strengths, *self.properties.values())
        with (
            replacing(Path(path)) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["strength", *self.properties])
            writer.writerows(zip(*columns, strict=True))

    def save_plot(self, path: str | Path) -> None:
        """Draw the properties against the strength, as PNG."""
        # Takes a second to load.
        from matplotlib.figure import Figure

        n = max(len(self.properties), 1)
        figure = Figure(figsize=(3.2 * n, 2.8), layout="constrained")
        panels = figure.subplots(1, n, squeeze=False)[0]
        for panel, (name, values) in zip(panels, self.properties.items(), strict=False):
            panel.plot(self.strengths, values, "o-")
            panel.set(xlabel=f"strength of {self.name}", ylabel=self.heading(name))
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, format="png", dpi=120)

    def save_animation(self, path: str | Path) -> None:
        """Write the middle plane of each volume as an animated GIF.

        Raises
        ------
        ValueError
            If imageio, which writes it, is not installed.
        """
        check_animation()
        imageio = importlib.import_module("imageio.v3")
        planes = self.values[:, self.values.shape[1] // 2].astype(np.float64)
        low, high = planes.min(), max(planes.max(), planes.min() + 1)
        shades = np.rint(255 * (planes - low) / (high - low)).astype(np.uint8)
        with replacing(Path(path)) as temporary:
            imageio.imwrite(
                temporary,
                shades,
                extension=".gif",
                duration=1000 / FRAMES_PER_S,
                loop=0,
            )


def check_animation() -> None:
    """Raise a ValueError if imageio, which writes animations, is not installed."""
    if importlib.util.find_spec("imageio") is None:
        raise ValueError(
            "Expected imageio, which writes animations, got an environment without it; "
            "run pip install imageio."
        )


def sweep(
    gauge: Gauge,
    direction: Direction,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
    first: str | None = None,
    last: str | None = None,
    region: Region | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """One sample of the material at several strengths of a direction.

    Parameters
    ----------
    gauge
        The generator, the size and the measured properties.
    direction
        One that fits the generator.
    strengths
        In standard deviations.
    seed
        Picks the sample.
    first, last, region
        See `Direction.edit`.
    progress
        Called with the finished fraction after each strength.
    """
    if not strengths:
        raise ValueError("Expected at least one strength, got none; give some more.")
    edits = [direction.edit(one, first, last, region) for one in strengths]
    report = subrange(progress)
    start = None if gauge.is_volume else gauge.make(seed)
    volumes, rows = [], []
    for number, edit in enumerate(edits, start=1):
        made = gauge.make(seed, [edit])
        volumes.append(made)
        row = gauge.measure(made)
        if start is not None:
            row[SIMILARITY] = gauge.similarity(made, start)
        rows.append(row)
        report(number / len(strengths))
    return Sweep(
        direction.name,
        tuple(float(strength) for strength in strengths),
        np.stack(volumes),
        {name: tuple(row[name] for row in rows) for name in rows[0]},
        gauge.trained.voxel_size_nm,
        gauge.trained.transform,
    )


def heading(name: str, dimensions: int) -> str:
    """Title and unit of a property of volumes (3) or images (2), or of `SIMILARITY`."""
    if name == SIMILARITY:
        return "SSIM to the start"
    return PROPERTIES[name].heading(dimensions)
