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
from napari_slicegan.metrics.transport import effective_diffusivity as along_axis

if TYPE_CHECKING:
    import numpy as np

    from napari_slicegan.config import Axis

EDGE = 128

Diffusivity = dict["Axis", float]


def effective_diffusivity(phase: NDArray[np.bool_]) -> Diffusivity:
    """D_eff / D_0 along each axis; 0 where the phase does not percolate.

    Parameters
    ----------
    phase
        Bool ``[Z, Y, X]``, True where the material conducts.
    """
    return {axis: along_axis(phase, n) for n, axis in enumerate(AXES)}


def corner_diffusivity(values: NDArray[np.generic], label: int) -> Diffusivity:
    """Of the first 128 voxels per axis of a volume."""
    return effective_diffusivity(corners(values, EDGE)[0] == label)


def real_diffusivities(values: NDArray[np.generic], label: int) -> list[Diffusivity]:
    """Of the eight corners of a volume, 128 voxels per axis."""
    return [effective_diffusivity(block == label) for block in corners(values, EDGE)]


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
    mean = {axis: fmean(one[axis] for one in found) for axis in AXES}
    sys.stdout.write(_line("mean", mean))
    sys.stdout.write(
        _line("sd", {axis: stdev(one[axis] for one in found) for axis in AXES})
    )
    return 0


def _line(name: str, found: Diffusivity) -> str:
    return f"{name:6}" + "".join(f"{axis}: {found[axis]:.4f}  " for axis in AXES) + "\n"


if __name__ == "__main__":
    sys.exit(main())
