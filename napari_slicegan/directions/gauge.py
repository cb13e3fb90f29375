"""Properties of what a generator makes, for a phase and an edit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.architectures import PointGenerator
from napari_slicegan.directions.properties import PROPERTIES, Values
from napari_slicegan.generation import Size, generate
from napari_slicegan.image_sets.generation import generate_samples
from napari_slicegan.metrics.transport import has_taufactor
from napari_slicegan.trained_generator import TrainedGenerator
from napari_slicegan.transforms import OneHotPhases

if TYPE_CHECKING:
    from napari_slicegan.edits import Edit
    from napari_slicegan.trained_generator import TrainedNetwork

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
        """Properties of what `make` made; of images the mean."""
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
    if isinstance(trained.network, PointGenerator):
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
        and (volume or not one.only_3d)
        and (one.quick or (not quick and has_taufactor()))
    )


def _names(trained: TrainedNetwork, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return suitable_properties(trained)
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
