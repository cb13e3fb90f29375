"""How far a volume is from the real material, as one row of plain columns."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.metrics.comparison import Row, compare
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.training.monitors import MAX_DISTANCE
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.metrics.rows import Value

MEASURED = (
    "phase_fraction",
    "two_point_correlation",
    "interface_density",
    "percolating_fraction",
)
WANTED = ("phase_fraction", "interface_density")
MAX_PHASES = 3
# A generator has collapsed if a phase has less than this part of its fraction ...
MISSING = 0.25
# ... or if volumes from different latents agree beyond chance by more than this.
SAME = 0.5

Columns = dict[str, Any]


class Yardstick:
    """The real material, measured once, and volumes against it.

    Parameters
    ----------
    images
        What the generators are trained on: the target of phase fractions and
        interface densities.
    truth
        Volume that the images were cut from; everything else is compared with it, or
        without one with the images.
    conducting
        Label of the phase whose percolating fraction gets columns.
    size
        Voxels per axis of the volumes that will be measured.
    """

    def __init__(
        self,
        images: TrainingImages,
        truth: Volume | None,
        conducting: int,
        size: int,
    ) -> None:
        self.conducting = conducting
        self._real = RealStatistics(truth or images)
        blank = np.full((size,) * 3, images.labels[0])
        like = Volume(blank, "phases", images.pixel_size_nm, images.labels)
        wanted = compare(images, like, MAX_DISTANCE, WANTED).rows
        self._fractions = {
            row.phase: as_number(row.real)
            for row in wanted
            if row.metric == "phase_fraction"
        }
        self._faces = {
            (row.phase, row.axis): as_number(row.real)
            for row in wanted
            if row.metric == "interface_density"
        }
        # Of two phases the commoner one's curve is the other's plus twice the error of
        # the fraction, which has a column of its own.
        self._commonest = max(self._fractions, key=self._fractions.__getitem__)

    def measure(self, volume: Volume, other: Volume) -> Columns:
        """Distances of a volume, and their noise floors.

        Parameters
        ----------
        other
            Volume of the same generator and other latents, no larger than the first.
        """
        rows = compare(self._real, volume, MAX_DISTANCE, MEASURED).rows
        measured = [(row, _array(row.generated)) for row in rows]
        by_metric = {
            metric: [pair for pair in measured if pair[0].metric == metric]
            for metric in MEASURED
        }
        columns = {
            **self._fraction_columns(by_metric["phase_fraction"]),
            **_correlation_columns(
                [
                    pair
                    for pair in by_metric["two_point_correlation"]
                    if pair[0].phase != self._commonest
                ]
            ),
            **_face_columns(by_metric["interface_density"], self._faces),
            **self._percolation_columns(by_metric["percolating_fraction"]),
        }
        columns["sameness"] = sameness(volume, other)
        missing = any(
            generated[0] < MISSING * self._fractions[row.phase]
            for row, generated in by_metric["phase_fraction"]
        )
        columns["collapsed"] = int(missing or columns["sameness"] > SAME)
        return columns

    def _fraction_columns(self, pairs: list[Pair]) -> Columns:
        columns: Columns = {f"fraction_{n}": "" for n in range(1, MAX_PHASES + 1)}
        errors = []
        for number, (row, generated) in enumerate(pairs, start=1):
            columns[f"fraction_{number}"] = float(generated[0])
            errors.append(abs(generated[0] - self._fractions[row.phase]))
        columns["fraction_error"] = float(max(errors))
        columns["fraction_floor"] = max(as_number(row.noise_floor) for row, _ in pairs)
        return columns

    def _percolation_columns(self, pairs: list[Pair]) -> Columns:
        columns: Columns = {}
        for row, generated in pairs:
            if row.phase == self.conducting:
                columns[f"percolating_{row.axis}"] = float(generated[0])
                real = "" if row.real is None else row.real
                columns[f"percolating_real_{row.axis}"] = real
        known = [(row, generated) for row, generated in pairs if row.real is not None]
        errors = [abs(float(value[0]) - as_number(row.real)) for row, value in known]
        floors = [as_number(row.noise_floor) for row, _ in known]
        columns["percolating_error"] = max(errors) if errors else ""
        columns["percolating_floor"] = max(floors) if floors else ""
        return columns


Pair = tuple[Row, NDArray[np.float64]]


def sameness(volume: Volume, other: Volume) -> float:
    """Agreement of two volumes beyond chance, Cohen's kappa: 0 for independent ones.

    A generator that ignores its latents makes the same volume again.
    """
    first = volume.values[tuple(map(slice, other.values.shape))]
    agreeing = float(np.mean(first == other.values))
    chance = sum(
        float(np.mean(first == label)) * float(np.mean(other.values == label))
        for label in volume.labels
    )
    return (agreeing - chance) / (1 - chance) if chance < 1 else 1.0


def _correlation_columns(pairs: list[Pair]) -> Columns:
    """Mean difference over r and phases, along each axis and over all axes."""
    distances: dict[Axis | None, list[float]] = {axis: [] for axis in AXES}
    for row, generated in pairs:
        difference = np.abs(np.asarray(row.real) - generated)
        distances[row.axis].append(float(difference.mean()))
    columns: Columns = {f"s2_{axis}": fmean(distances[axis]) for axis in AXES}
    columns["s2"] = fmean(columns.values())
    columns["s2_floor"] = fmean(as_number(row.noise_floor) for row, _ in pairs)
    return columns


def _face_columns(pairs: list[Pair], wanted: Mapping[Any, float]) -> Columns:
    """Share of differing neighbours; relative error of the phase that is worst.

    The error is that from the images, which is all that can be learned; a slice has
    a few percent more or less than the volume it was cut from.
    """
    columns: Columns = {}
    errors = []
    for axis in AXES:
        along = [(row, float(value[0])) for row, value in pairs if row.axis == axis]
        # Each face between two phases counts for both of them.
        columns[f"face_{axis}"] = sum(value for _, value in along) / 2
        columns[f"face_real_{axis}"] = sum(as_number(row.real) for row, _ in along) / 2
        image = sum(wanted[row.phase, axis] for row, _ in along) / 2
        columns[f"face_image_{axis}"] = image
        relative = [value / wanted[row.phase, axis] - 1 for row, value in along]
        errors.append(max(relative, key=abs))
        columns[f"face_error_{axis}"] = errors[-1]
    columns["face_error"] = max(map(abs, errors))
    columns["face_floor"] = max(
        as_number(row.noise_floor) / as_number(row.real) for row, _ in pairs
    )
    return columns


def _array(value: Value | None) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(value, np.float64))


def as_number(value: object) -> float:
    """A number that is known; nan where it is unknown."""
    return value if isinstance(value, float) else float("nan")
