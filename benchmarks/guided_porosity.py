"""The porosity slider of the sample generator, against rock of that porosity.

    python -m benchmarks.guided_porosity --out build/directions.png

fits the guided direction of the porosity, moves along it, and compares each volume with
the sandstone whose pores were swollen or shrunk to just that porosity: two-point
correlation, percolating fraction and interface density. The noise floor is the same
distance between a block of that sandstone, as large as the volume, and all of it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import sample_data
from napari_slicegan.config import AXES
from napari_slicegan.directions import guided_directions
from napari_slicegan.directions.fit import GUIDED_SAMPLES
from napari_slicegan.generation.generate import generate
from napari_slicegan.metrics.correlation import two_point_correlation
from napari_slicegan.metrics.interfaces import interface_density
from napari_slicegan.metrics.transport import percolating_fraction
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.volumes.volume import Volume
from sample_data.scripts.varied_sandstone import signed_distance, with_porosity

PORE = 255
REACH = 31
STRENGTHS = (-3.0, -1.5, 0.0, 1.5, 3.0)

Pores = NDArray[np.bool_]


@dataclass(frozen=True)
class Moved:
    """A volume of the slider, and the sandstone of its porosity."""

    strength: float
    made: Pores
    real: Pores

    @property
    def distance(self) -> float:
        """Mean difference of the two-point correlations."""
        return float(np.abs(curve(self.made) - curve(self.real)).mean())

    @property
    def floor(self) -> float:
        """The same of the sandstone's own corners, as large as the volume."""
        edge, whole = len(self.made), curve(self.real)
        corners = [self.real[:edge, :edge, :edge], self.real[-edge:, -edge:, -edge:]]
        return fmean(float(np.abs(curve(one) - whole).mean()) for one in corners)

    def row(self) -> str:
        """What was measured, as a line of the table."""
        ours, theirs = (
            fmean(percolating_fraction(pores, n) for n in range(len(AXES)))
            for pores in (self.made, self.real)
        )
        face = (
            np.mean(interface_density(self.made))
            / np.mean(interface_density(self.real))
            - 1
        )
        return (
            f"{self.strength:+8.1f}{self.made.mean():10.3f}{self.distance:10.4f}"
            f"{self.floor:10.4f}{ours:13.3f}{theirs:10.3f}{face:+10.1%}\n"
        )


def curve(pores: Pores) -> NDArray[np.float64]:
    """Two-point correlation of the pores, mean over the axes."""
    axes = [two_point_correlation(pores, REACH, axis) for axis in range(len(AXES))]
    return np.asarray(np.mean(axes, axis=0))


def moved(edge: int, seed: int, n_samples: int) -> list[Moved]:
    """A volume at each strength of the guided direction."""
    trained = load_generator(sample_data.path("varied_sandstone"))
    (porosity,) = guided_directions(trained, ["phase_fraction"], PORE, n_samples)
    rock = Volume.open(sample_data.path("bentheimer_truth")).values == PORE
    distance = signed_distance(rock)
    volumes = [
        generate(trained, (edge,) * 3, seed, edits=[porosity.edit(strength)])
        for strength in STRENGTHS
    ]
    made = [volume.values == PORE for volume in volumes]
    return [
        Moved(strength, pores, with_porosity(distance, float(pores.mean())))
        for strength, pores in zip(STRENGTHS, made, strict=True)
    ]


def picture(rows: list[Moved]) -> Figure:
    """Middle planes above, two-point correlations beneath."""
    figure = Figure(figsize=(12.5, 5.2), layout="constrained")
    axes = figure.subplots(2, len(rows), sharey="row")
    for (plane, plot), row in zip(axes.T, rows, strict=True):
        middle = row.made[len(row.made) // 2]
        plane.imshow(middle, cmap="gray_r", interpolation="nearest")
        plane.set_title(f"{row.strength:+g}: porosity {row.made.mean():.2f}")
        plane.set_axis_off()
        plot.plot(curve(row.real), "k--", label="sandstone of this porosity")
        plot.plot(curve(row.made), label="generated")
        plot.set_xlabel("distance (voxels)")
    axes[1, 0].set_ylabel("two-point correlation")
    axes[1, 0].legend(fontsize=8)
    return figure


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of the picture")
    parser.add_argument("--edge", type=int, default=128, help="of the volumes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=GUIDED_SAMPLES)
    options = parser.parse_args(arguments)
    rows = moved(options.edge, options.seed, options.samples)
    sys.stdout.write(
        "strength  porosity  S2 dist.     floor  percolating      real      face\n"
    )
    for row in rows:
        sys.stdout.write(row.row())
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"savefig.dpi": 80}):
        picture(rows).savefig(options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
