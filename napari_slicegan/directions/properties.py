"""Properties of materials, measured on generated volumes and images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import skimage
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.directions.direction import RENAMED_PROPERTIES
from napari_slicegan.generation.generate import Size, generate
from napari_slicegan.generation.samples import display_range, generate_samples
from napari_slicegan.metrics.correlation import autocovariance
from napari_slicegan.metrics.interfaces import interface_density
from napari_slicegan.metrics.lines import mean_chord_length
from napari_slicegan.metrics.similarity import structural_similarity
from napari_slicegan.metrics.transport import effective_diffusivity as along_axis
from napari_slicegan.models.generator_file import TrainedGenerator

if TYPE_CHECKING:
    from napari_slicegan.generation.edits import Edit
    from napari_slicegan.models.generator_file import TrainedNetwork

Values = NDArray[Any]

MAX_DISTANCE = 32


@dataclass(frozen=True)
class Property:
    """One number of a material.

    Attributes
    ----------
    title, unit
        For labels and figures; the unit is empty for pure numbers, and of lengths that
        of volumes (see `unit_in`).
    function
        Takes the indicator of a phase (``of="phase"``), or gray values, ``[Y, X]`` or
        ``[Z, Y, X]``.
    of
        Input of the function.
    quick
        Whether it takes well under a second; others are measured only on request.
    only_3d, only_2d
        Whether it needs a volume, or images.
    rising, falling
        Names of directions along which it rises and falls; ``{}`` is the phase.
    """

    title: str
    unit: str
    function: Callable[[Values], float]
    of: Literal["phase", "intensity"] = "phase"
    quick: bool = True
    only_3d: bool = False
    only_2d: bool = False
    rising: str = "more"
    falling: str = "less"

    def unit_in(self, dimensions: int) -> str:
        """Unit in volumes (3), or in images (2), which have pixels for voxels."""
        is_volume = dimensions == len(AXES)
        return self.unit if is_volume else self.unit.replace("voxel", "pixel")

    def heading(self, dimensions: int) -> str:
        """Title with the unit in volumes (3) or in images (2)."""
        unit = self.unit_in(dimensions)
        return f"{self.title} ({unit})" if unit else self.title


def correlation_length(values: Values) -> float:
    """Distance at which the autocovariance is 1/e of the variance, voxels or pixels.

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
    """Mean chord length in voxels or pixels, mean over the axes."""
    return fmean(mean_chord_length(phase, axis) for axis in range(phase.ndim))


def anisotropy(phase: Values) -> float:
    """Interface density along z over the mean of y and x; 1 is isotropic."""
    first, *others = interface_density(phase)
    mean = fmean(others)
    return first / mean if mean else math.nan


def bright_area(values: Values) -> float:
    """Fraction of the pixels that are brighter than Otsu's threshold."""
    threshold = skimage.filters.threshold_otsu(values)  # type: ignore[no-untyped-call]
    return float((values > threshold).mean())


def effective_diffusivity(phase: Values) -> float:
    """D_eff / D_0 of a phase, mean over the axes; 0 along those it does not connect."""
    return fmean(along_axis(phase, axis) for axis in range(phase.ndim))


PROPERTIES: Mapping[str, Property] = {
    "phase_fraction": Property(
        "Phase fraction",
        "",
        lambda v: float(v.mean()),
        rising="more of phase {}",
        falling="less of phase {}",
    ),
    "interface_density": Property(
        "Interface density",
        "",
        lambda v: fmean(interface_density(v)),
        rising="more interfaces",
        falling="fewer interfaces",
    ),
    "correlation_length": Property(
        "Correlation length",
        "voxels",
        correlation_length,
        rising="coarser",
        falling="finer",
    ),
    "chord_length": Property(
        "Mean chord length",
        "voxels",
        chord_length,
        rising="longer chords",
        falling="shorter chords",
    ),
    "anisotropy": Property(
        "Anisotropy along z",
        "",
        anisotropy,
        only_3d=True,
        rising="shorter along z",
        falling="longer along z",
    ),
    "effective_diffusivity": Property(
        "Effective diffusivity",
        "",
        effective_diffusivity,
        quick=False,
        only_3d=True,
        rising="faster diffusion",
        falling="slower diffusion",
    ),
    "mean_gray": Property(
        "Mean gray value",
        "",
        lambda v: float(v.mean()),
        "intensity",
        rising="brighter",
        falling="darker",
    ),
    "contrast": Property(
        "Contrast",
        "",
        lambda v: float(v.std()),
        "intensity",
        rising="more contrast",
        falling="less contrast",
    ),
    "bright_area": Property(
        "Bright area",
        "",
        bright_area,
        "intensity",
        only_2d=True,
        rising="larger bright area",
        falling="smaller bright area",
    ),
    "gray_correlation_length": Property(
        "Correlation length",
        "voxels",
        correlation_length,
        "intensity",
        rising="coarser",
        falling="finer",
    ),
}
"""By name; a further property is one line here."""


N_IMAGES = 16


class Gauge:
    """Measures properties of volumes, or of sheets of images, of one generator.

    Parameters
    ----------
    trained
        The generator.
    names
        Keys of ``PROPERTIES``; those that are quick and suit the material if left out.
    phase
        Label of the phase to measure; the largest label if left out.
    size
        Voxels along z, y, x of the volumes; the training size if left out.

    Raises
    ------
    ValueError
        If a property or phase does not suit the generator.
    """

    def __init__(
        self,
        trained: TrainedNetwork,
        names: Sequence[str] | None = None,
        phase: int | None = None,
        size: Size | None = None,
    ) -> None:
        self.trained = trained
        self.is_volume = isinstance(trained, TrainedGenerator)
        self.names = _names(trained, names)
        self.phase = _phase(trained, phase)
        edge = trained.network.training_size
        self.size = size or (edge, edge, edge)
        if self.is_volume and min(self.size) < 2:
            shape = " x ".join(map(str, self.size))
            raise ValueError(
                f"Expected a volume of at least two voxels along each axis, got "
                f"{shape}; raise the size."
            )

    @property
    def dimensions(self) -> int:
        """Of what is measured: 3 for volumes, 2 for images."""
        return len(AXES) if self.is_volume else len(AXES) - 1

    def make(
        self, seed: int, edits: Sequence[Edit] = (), truncation: float = 1.0
    ) -> NDArray[Any]:
        """Values of a volume [Z, Y, X(, 3)], or of 16 images [16, Y, X(, 3)]."""
        if isinstance(self.trained, TrainedGenerator):
            return generate(
                self.trained,
                self.size,
                seed,
                edits=edits,
                truncation=truncation,
            ).values
        return generate_samples(self.trained, N_IMAGES, seed, edits, truncation)

    def measure(self, made: NDArray[Any]) -> dict[str, float]:
        """Properties of an output of `make`; of images the mean."""
        if self.is_volume:
            return self.measure_one(made)
        rows = [self.measure_one(image) for image in made]
        return {name: _mean([row[name] for row in rows]) for name in self.names}

    def measure_one(self, values: NDArray[Any]) -> dict[str, float]:
        """Properties of one volume or image; NaN where there is nothing to measure."""
        if self.phase is not None:
            seen: Values = values == self.phase
        else:
            flat = self.trained.transform.kind != "colour"
            seen = values if flat else values.mean(axis=-1)
        return {name: PROPERTIES[name].function(seen) for name in self.names}

    def similarity(self, made: NDArray[Any], start: NDArray[Any]) -> float:
        """Mean structural similarity of images to others, pair by pair."""
        low, high = display_range(self.trained.transform)
        pairs = zip(_gray(made), _gray(start), strict=True)
        return fmean(structural_similarity(a, b, high - low) for a, b in pairs)


def _gray(images: NDArray[Any]) -> NDArray[np.float64]:
    """Images [N, Y, X(, 3)] as [N, Y, X]."""
    numbers = images.astype(np.float64)
    return numbers.mean(axis=-1) if numbers.ndim > len(AXES) else numbers


def suitable_properties(
    trained: TrainedNetwork, *, quick: bool = True
) -> tuple[str, ...]:
    """Names of the properties that the material of a generator has.

    Parameters
    ----------
    quick
        Leave out those that take seconds for each volume.

    Raises
    ------
    ValueError
        If the generator makes points, which have none.
    """
    if trained.transform.range == "unbounded":
        raise ValueError(
            "Volumes and images have properties to measure, got a generator of points; "
            "give another generator."
        )
    of = "phase" if isinstance(trained.transform, OneHotPhases) else "intensity"
    volume = isinstance(trained, TrainedGenerator)
    return tuple(
        name
        for name, one in PROPERTIES.items()
        if one.of == of
        and not (one.only_2d if volume else one.only_3d)
        and (one.quick or not quick)
    )


def default_guides(trained: TrainedNetwork) -> tuple[str, ...]:
    """Property of the guided direction where none is named: the first that suits."""
    return suitable_properties(trained)[:1]


def _names(trained: TrainedNetwork, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return suitable_properties(trained)
    names = [RENAMED_PROPERTIES.get(name, name) for name in names]
    suitable = suitable_properties(trained, quick=False)
    for name in names:
        if name not in suitable:
            raise ValueError(
                f"Expected properties out of {', '.join(suitable)}, got '{name}'; "
                "choose among these."
            )
    return tuple(names)


def _phase(trained: TrainedNetwork, phase: int | None) -> int | None:
    """Label of a phase; None for gray values and colours."""
    transform = trained.transform
    if not isinstance(transform, OneHotPhases):
        if phase is not None:
            raise ValueError(
                f"Expected a generator of phases to measure one, got phase {phase} and "
                f"a generator of {transform.kind} values; leave it out."
            )
        return None
    if phase is None:
        return transform.labels[-1]
    if phase not in transform.labels:
        raise ValueError(
            f"Expected one of the phases {', '.join(map(str, transform.labels))}, got "
            f"{phase}; choose one of them."
        )
    return phase


def _mean(numbers: Sequence[float]) -> float:
    """Mean of those that are numbers; NaN if none is."""
    finite = [number for number in numbers if math.isfinite(number)]
    return float(np.mean(finite)) if finite else math.nan
