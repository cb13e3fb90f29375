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

from napari_slicegan.directions.properties import PROPERTIES
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.directions.direction import Direction
    from napari_slicegan.directions.properties import Gauge
    from napari_slicegan.generation.regions import Region

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
FRAMES_PER_S = 4


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
        By key of ``PROPERTIES``: its value at each strength, [N].
    voxel_size_nm
        Edge of a voxel, if known.
    """

    name: str
    strengths: tuple[float, ...]
    values: NDArray[Any]
    properties: Mapping[str, tuple[float, ...]]
    voxel_size_nm: float | None = None

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
            one = PROPERTIES[name]
            unit = f" ({one.unit})" if one.unit else ""
            panel.plot(self.strengths, values, "o-")
            panel.set(xlabel=f"strength of {self.name}", ylabel=f"{one.title}{unit}")
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
    report = subrange(progress)
    volumes, rows = [], []
    for number, strength in enumerate(strengths, start=1):
        made = gauge.make(seed, [direction.edit(strength, first, last, region)])
        volumes.append(made)
        rows.append(gauge.measure(made))
        report(number / len(strengths))
    return Sweep(
        direction.name,
        tuple(float(strength) for strength in strengths),
        np.stack(volumes),
        {name: tuple(row[name] for row in rows) for name in gauge.names},
        gauge.trained.voxel_size_nm,
    )
