"""Numbers that tell what a direction does to a material."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.metrics.chords import mean_chord_length
from napari_slicegan.metrics.correlation import autocovariance
from napari_slicegan.metrics.surface import face_density
from napari_slicegan.metrics.transport import effective_diffusivity as along_axis

Values = NDArray[Any]

MAX_DISTANCE = 32


@dataclass(frozen=True)
class Property:
    """One number of a material.

    Attributes
    ----------
    title, unit
        For labels and figures; the unit is empty for pure numbers.
    function
        Takes the indicator of a phase (``of="phase"``), or gray values, ``[Y, X]`` or
        ``[Z, Y, X]``.
    of
        What the function is given.
    quick
        Whether it takes well under a second; others are measured only when asked for.
    only_3d
        Whether an image does not have it.
    """

    title: str
    unit: str
    function: Callable[[Values], float]
    of: Literal["phase", "intensity"] = "phase"
    quick: bool = True
    only_3d: bool = False


def correlation_length(values: Values) -> float:
    """Distance at which the autocovariance has fallen to 1/e of the variance, voxels.

    For a phase the autocovariance is S2(r) - phi^2, S2 being the two-point correlation
    (Torquato, Random Heterogeneous Materials, 2002, section 2.2). Mean over the axes,
    linear between voxels; the largest distance where it falls no further, and NaN where
    nothing varies.
    """
    numbers = values.astype(np.float64)
    lengths = []
    for axis, voxels in enumerate(values.shape):
        curve = autocovariance(numbers, min(MAX_DISTANCE, voxels // 2), axis)
        if curve[0] <= 0:
            return math.nan
        lengths.append(_crossing(curve / curve[0], 1 / math.e))
    return fmean(lengths)


def _crossing(curve: NDArray[np.float64], level: float) -> float:
    """First place at which a falling curve meets a level."""
    below = np.flatnonzero(curve < level)
    if not below.size:
        return float(len(curve) - 1)
    last = int(below[0])
    before, after = float(curve[last - 1]), float(curve[last])
    return last - 1 + (before - level) / (before - after)


def chord_length(phase: Values) -> float:
    """Mean chord length in voxels, mean over the axes."""
    return fmean(mean_chord_length(phase, axis) for axis in range(phase.ndim))


def anisotropy(phase: Values) -> float:
    """Face density along the first axis over the mean of the others; 1 is isotropic."""
    first, *others = face_density(phase)
    mean = fmean(others)
    return first / mean if mean else math.nan


def effective_diffusivity(phase: Values) -> float:
    """D_eff / D_0 of a phase, mean over the axes; 0 along those it does not connect.

    Raises
    ------
    ValueError
        If taufactor, which solves for it, is not installed.
    """
    return fmean(along_axis(phase, axis) for axis in range(phase.ndim))


PROPERTIES: Mapping[str, Property] = {
    "phase_fraction": Property("Phase fraction", "", lambda v: float(v.mean())),
    "face_density": Property("Face density", "", lambda v: fmean(face_density(v))),
    "correlation_length": Property("Correlation length", "voxels", correlation_length),
    "chord_length": Property("Mean chord length", "voxels", chord_length),
    "anisotropy": Property("Anisotropy along z", "", anisotropy, only_3d=True),
    "effective_diffusivity": Property(
        "Effective diffusivity", "", effective_diffusivity, quick=False, only_3d=True
    ),
    "mean_gray": Property(
        "Mean gray value", "", lambda v: float(v.mean()), "intensity"
    ),
    "contrast": Property("Contrast", "", lambda v: float(v.std()), "intensity"),
    "gray_correlation_length": Property(
        "Correlation length", "voxels", correlation_length, "intensity"
    ),
}
"""By name; a further property is one line here."""
