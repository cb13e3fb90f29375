"""Microstructure statistics of 2-D images and 3-D volumes.

`METRICS` lists the statistics that `napari_slicegan.metrics.comparison.compare`
measures. A further metric is a function and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from napari_slicegan.metrics.correlation import (
    autocovariance,
    diagonal_excess,
    radial_two_point_correlation,
    two_point_correlation,
)
from napari_slicegan.metrics.interfaces import (
    interface_density_along,
    specific_surface,
    triple_phase_boundary,
)
from napari_slicegan.metrics.lines import lineal_path, mean_chord_length
from napari_slicegan.metrics.permeability import permeability
from napari_slicegan.metrics.pore_size import pore_size_function
from napari_slicegan.metrics.representativity import slice_fractions
from napari_slicegan.metrics.topology import (
    component_density,
    euler_density,
    opening_radius,
    percolation_radius,
    section_euler,
    two_point_cluster,
)
from napari_slicegan.metrics.transport import (
    effective_diffusivity,
    percolating_fraction,
)

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Metric:
    """One statistic of a phase, or of gray values.

    Attributes
    ----------
    title
        Name for tables and figures.
    unit
        Unit of the values, empty for pure numbers.
    function
        Takes an indicator (``measures="phase"``), the labels of all phases
        (``"labels"``) or gray values (``"intensity"``), ``[Y, X]`` or ``[Z, Y, X]``,
        the largest distance in voxels and the index of an array axis; returns a number
        or a curve ``[max_distance + 1]``.
    per_axis
        Whether it depends on the direction.
    only_isotropic
        Whether a 2-D section has the expectation of the volume only if the material is
        isotropic.
    only_3d
        Whether it cannot be measured on a 2-D section.
    measures
        Input of the function.
    quick
        Whether it takes seconds at most; other metrics are measured on request only.
    counts
        Whether it counts objects: the noise floor is at least one object in a piece.
    power
        The power of the gray values that the function returns. A comparison divides by
        the same power of their standard deviation in the real material, so that its
        numbers do not depend on the scale of the gray values.
    """

    title: str
    unit: str
    function: Callable[[NDArray[Any], int, int], float | NDArray[np.float64]]
    per_axis: bool = True
    only_isotropic: bool = False
    only_3d: bool = False
    measures: Literal["phase", "labels", "intensity"] = "phase"
    quick: bool = True
    counts: bool = False
    power: int = 0


METRICS: dict[str, Metric] = {
    "phase_fraction": Metric(
        "Phase fraction",
        "",
        lambda phase, _distance, _axis: float(phase.mean()),
        per_axis=False,
    ),
    "slice_deviation": Metric(
        "Phase fraction, sd between planes",
        "",
        lambda phase, _distance, axis: float(slice_fractions(phase, True, axis).std()),
        only_3d=True,
    ),
    "two_point_correlation": Metric("Two-point correlation", "", two_point_correlation),
    "radial_two_point_correlation": Metric(
        "Two-point correlation, radial",
        "",
        lambda phase, distance, _axis: radial_two_point_correlation(phase, distance),
        per_axis=False,
        only_isotropic=True,
    ),
    "diagonal_excess": Metric(
        "Two-point correlation, diagonals minus axes",
        "",
        lambda phase, distance, _axis: diagonal_excess(phase, distance),
        per_axis=False,
        only_isotropic=True,
    ),
    "lineal_path": Metric("Lineal path", "", lineal_path),
    "chord_length": Metric(
        "Mean chord length",
        "voxels",
        lambda phase, _distance, axis: mean_chord_length(phase, axis),
    ),
    "interface_density": Metric(
        "Interface density",
        "",
        lambda phase, _distance, axis: interface_density_along(phase, axis),
    ),
    "specific_surface": Metric(
        "Specific surface area",
        "1/voxel",
        lambda phase, _distance, _axis: specific_surface(phase),
        per_axis=False,
        only_isotropic=True,
    ),
    "pore_size": Metric(
        "Pore-size function",
        "",
        lambda phase, distance, _axis: pore_size_function(phase, distance),
        per_axis=False,
        only_3d=True,
    ),
    "percolating_fraction": Metric(
        "Percolating fraction",
        "",
        lambda phase, _distance, axis: percolating_fraction(phase, axis),
        only_3d=True,
    ),
    "two_point_cluster": Metric(
        "Two-point cluster function", "", two_point_cluster, only_3d=True
    ),
    "euler_density": Metric(
        "Euler number density",
        "1/voxel",
        lambda phase, _distance, _axis: euler_density(phase),
        per_axis=False,
        only_3d=True,
        counts=True,
    ),
    "component_density": Metric(
        "Components",
        "1/voxel",
        lambda phase, _distance, _axis: component_density(phase),
        per_axis=False,
        only_3d=True,
        counts=True,
    ),
    "section_euler": Metric(
        "Euler number density of sections, eroded by r", "1/pixel", section_euler
    ),
    "section_euler_dilated": Metric(
        "Euler number density of sections, dilated by r",
        "1/pixel",
        lambda phase, distance, axis: -section_euler(~phase, distance, axis),
    ),
    "percolation_radius": Metric(
        "Radius of the largest percolating sphere",
        "voxels",
        lambda phase, _distance, axis: percolation_radius(phase, axis),
        only_3d=True,
        quick=False,
    ),
    "opening_radius": Metric(
        "Radius of spheres that fill half of the phase",
        "voxels",
        lambda phase, _distance, _axis: opening_radius(phase),
        per_axis=False,
        only_3d=True,
        quick=False,
    ),
    "effective_diffusivity": Metric(
        "Effective diffusivity",
        "D_0",
        lambda phase, _distance, axis: effective_diffusivity(phase, axis),
        only_3d=True,
        quick=False,
    ),
    "permeability": Metric(
        "Permeability",
        "voxel^2",
        lambda phase, _distance, axis: permeability(phase, axis),
        only_3d=True,
        quick=False,
    ),
    "triple_phase_boundary": Metric(
        "Triple-phase boundary",
        "1/voxel^2",
        lambda labels, _distance, _axis: triple_phase_boundary(labels),
        per_axis=False,
        only_isotropic=True,
        measures="labels",
    ),
    "normalised_autocovariance": Metric(
        "Normalised autocovariance",
        "1 = variance of the real material",
        autocovariance,
        measures="intensity",
        power=2,
    ),
}
RENAMED = {
    "autocovariance": "normalised_autocovariance",
    "face_density": "interface_density",
    "percolating_share": "percolating_fraction",
}
"""Names that earlier versions wrote to files -> names in `METRICS`."""

QUICK_METRICS = tuple(name for name, metric in METRICS.items() if metric.quick)
"""Metrics that are measured by default."""
