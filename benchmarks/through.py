"""Volumes that pass through a real section, beside volumes that do not.

    python -m benchmarks.through --out build/through --seeds 0 1 2

A plane of the Bentheimer truth on which the bundled generator was not trained is given
to volumes of 128 voxels per axis. Printed: the time of the fit, the fraction of the
plane's pixels that agree, the density of interfaces near the plane and across it, and
statistics of whole volumes with and without the plane, as multiples of their noise
floors. A figure shows the section and planes next to it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from napari_slicegan.sample_data import generator_path

from benchmarks.materials import truth_of
from benchmarks.transport import corners, effective_diffusivity
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.through import Section, agreement, pass_through
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.interfaces import interface_density_along
from napari_slicegan.metrics.judgement import judged_floors
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.models.generator_file import load_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slicegan.metrics.comparison import Comparison

EDGE, AT, REAL = 128, 64, 30
NEAR = 16
PORE = 255
METRICS = (
    "phase_fraction",
    "two_point_correlation",
    "interface_density",
    "specific_surface",
    "percolating_fraction",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, generate, measure; print the tables, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/through"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--metrics", nargs="*", default=list(METRICS))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    trained = load_generator(generator_path("bentheimer"))
    truth = truth_of("bentheimer")
    assert truth is not None
    real = RealStatistics(truth)
    block = truth.values[:, :EDGE, :EDGE]
    section = Section(block[REAL], "z", AT)
    plain, given = [], []
    for seed in options.seeds:
        plan = VolumePlan(trained, (EDGE,) * 3, seed)
        started = time.perf_counter()
        fitted = pass_through(plan, [section])
        seconds = time.perf_counter() - started
        plain.append(plan.generate())
        given.append(fitted.generate())
        say(
            f"seed {seed}: {seconds:.0f} s, {agreement(plan, section):.1%} -> "
            f"{agreement(fitted, section):.2%} of the pixels agree"
        )
    say(density_table([v.values for v in plain], [v.values for v in given], block))
    overlap = fmean(
        float(np.mean(a.values[AT + k] == b.values[AT + k]))
        for a, b in zip(given[1:], given[:-1], strict=True)
        for k in (-32, 32)
    )
    say(f"Voxels that two seeds share 32 planes away: {overlap:.1%}")
    draw(section, [v.values for v in given], options.out / "through.png")
    if options.metrics:
        parts = [
            [compare(real, v, metrics=options.metrics) for v in vs]
            for vs in (plain, given)
        ]
        say(floors_table(*parts))
        for title, volumes in {"without": plain, "through": given}.items():
            found = [diffusivity(volume.values) for volume in volumes]
            say(f"D_eff of the pores, {title}: " + ", ".join(f"{d:.4f}" for d in found))
        of_rock = [diffusivity(each) for each in corners(truth.values, EDGE)[::7]]
        say("D_eff of the pores, rock: " + ", ".join(f"{d:.4f}" for d in of_rock))
    return 0


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def diffusivity(values: NDArray[np.generic]) -> float:
    """D_eff / D_0 of the pores, mean of the axes."""
    return fmean(effective_diffusivity(values == PORE).values())


def densities(values: NDArray[np.generic], at: int) -> tuple[float, float, float]:
    """Fraction of the pore, and of unlike pairs within a plane and to the next one."""
    plane = values[at]
    within = fmean(interface_density_along(plane, axis) for axis in (0, 1))
    return (
        float(np.mean(plane == PORE)),
        within,
        interface_density_along(values[at : at + 2], 0),
    )


def density_table(
    plain: Sequence[NDArray[np.generic]],
    given: Sequence[NDArray[np.generic]],
    block: NDArray[np.generic],
) -> str:
    """Densities of planes near the section, means over the seeds, and of the rock."""
    lines = [f"{'plane':>6}  {'rock':>23}  {'without':>23}  {'through':>23}"]
    for k in (-NEAR, -8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8, NEAR):
        of_rock = densities(block, REAL + k)
        means = [
            np.mean([densities(v, AT + k) for v in volumes], axis=0)
            for volumes in (plain, given)
        ]
        cells = (
            "  ".join(f"{n:7.4f}" for n in numbers) for numbers in (of_rock, *means)
        )
        lines.append(f"{k:6}  " + "  ".join(cells))
    whole = [
        np.mean([densities(v, n) for v in volumes for n in range(len(v) - 1)], axis=0)
        for volumes in ([block], plain, given)
    ]
    lines.append(
        "  mean  " + "  ".join("  ".join(f"{n:7.4f}" for n in w) for w in whole)
    )
    return "\n".join(lines)


def floors_table(plain: Sequence[Comparison], given: Sequence[Comparison]) -> str:
    """Distances of each metric in noise floors, means over rows and seeds."""
    lines = [f"{'metric':<48} {'without':>8} {'through':>8}"]
    for name in {row.metric: None for row in plain[0].rows}:
        title = next(row.title for row in plain[0].rows if row.metric == name)
        cells = []
        for comparisons in (plain, given):
            found = [
                judged_floors(r)
                for c in comparisons
                for r in c.rows
                if r.metric == name
            ]
            known = [floors for floors in found if floors is not None]
            cells.append(f"{fmean(known):8.2f}" if known else f"{'-':>8}")
        lines.append(f"{title:<48} " + " ".join(cells))
    return "\n".join(lines)


def draw(section: Section, given: Sequence[NDArray[np.generic]], path: Path) -> None:
    """The section, and planes across and along it of each seed."""
    figure = Figure((11, 2.6 * len(given)), layout="constrained")
    axes = figure.subplots(len(given), 4, squeeze=False)
    for row, values in zip(axes, given, strict=True):
        pictures = {
            "real section": section.labels,
            f"generated, z = {AT}": values[AT],
            f"generated, z = {AT + 8}": values[AT + 8],
            "generated, y = 64; line: the section": values[:, EDGE // 2],
        }
        for axis, (title, picture) in zip(row, pictures.items(), strict=True):
            axis.imshow(picture, cmap="gray", interpolation="nearest")
            axis.set_title(title, fontsize=9)
            axis.set_axis_off()
        row[3].axhline(AT, color="tab:red", linewidth=1)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
