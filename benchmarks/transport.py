"""Effective diffusivity of a phase.

    python -m benchmarks.transport bentheimer

prints that of the eight corners of a sample volume, 128 voxels per axis, which tells
how much such blocks of the real material differ from each other.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from benchmarks.materials import CASES, truth_of
from napari_slicegan.config import AXES
from napari_slicegan.generation.generate import generate
from napari_slicegan.metrics.transport import effective_diffusivity as along_axis

if TYPE_CHECKING:
    import numpy as np

    from napari_slicegan.config import Axis
    from napari_slicegan.models.generator_file import TrainedGenerator

EDGE = 128
N_VOLUMES = 2

Diffusivity = dict["Axis", float]


def effective_diffusivity(phase: NDArray[np.bool_]) -> Diffusivity:
    """D_eff / D_0 along each axis; 0 where the phase does not percolate.

    Parameters
    ----------
    phase
        Bool ``[Z, Y, X]``, True where the material conducts.
    """
    return {axis: along_axis(phase, n) for n, axis in enumerate(AXES)}


def generated_diffusivity(trained: TrainedGenerator, label: int) -> Diffusivity:
    """Mean over fresh volumes of 128 voxels per axis."""
    return _mean(
        [
            effective_diffusivity(generate(trained, (EDGE,) * 3, seed).values == label)
            for seed in range(N_VOLUMES)
        ]
    )


def real_diffusivity(values: NDArray[np.generic], label: int) -> Diffusivity:
    """Mean over two opposite corners, 128 voxels per axis, of a larger volume."""
    first, *_, last = corners(values, EDGE)
    return _mean([effective_diffusivity(block == label) for block in (first, last)])


def corners(values: NDArray[np.generic], edge: int) -> list[NDArray[np.generic]]:
    """The eight corners of a volume, as views; they may overlap."""
    ends = (slice(None, edge), slice(-edge, None))
    return [values[place] for place in itertools.product(ends, repeat=len(AXES))]


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each corner, then mean and standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("material", choices=list(CASES))
    parser.add_argument("--edge", type=int, default=EDGE)
    options = parser.parse_args(arguments)
    truth, label = truth_of(options.material), CASES[options.material].conducting
    if truth is None:
        parser.error(f"there is no volume of {options.material}, only images")
    found = []
    for block in corners(truth.values, options.edge):
        found.append(effective_diffusivity(block == label))
        sys.stdout.write(_line("", found[-1]))
    sys.stdout.write(_line("mean", _mean(found)))
    sys.stdout.write(
        _line("sd", {axis: stdev(one[axis] for one in found) for axis in AXES})
    )
    return 0


def _line(name: str, found: Diffusivity) -> str:
    return f"{name:6}" + "".join(f"{axis}: {found[axis]:.4f}  " for axis in AXES) + "\n"


def _mean(found: list[Diffusivity]) -> Diffusivity:
    return {axis: fmean(one[axis] for one in found) for axis in AXES}


if __name__ == "__main__":
    sys.exit(main())
