"""Graded materials: a property follows a given profile along an axis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.directions.properties import PROPERTIES, Gauge
from napari_slicegan.generation.generate import Size, VolumePlan
from napari_slicegan.generation.regions import Profile
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.directions.direction import Direction
    from napari_slicegan.generation.edits import Edit
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.volumes.volume import Volume

RESPONSE_STRENGTHS = tuple(float(number) for number in range(-6, 7))
RESPONSE_SEEDS = (100, 101)
ROUNDS = 6
# Fraction of the deviation that a round corrects; neighbouring slabs share latents.
GAIN = 0.7
# Largest strength of a slab, in units of the largest one that was measured.
REACH = 1.5


@dataclass(frozen=True, eq=False)
class Response:
    """A property of the whole volume against the strength of a direction.

    Attributes
    ----------
    strengths, values
        [N], the strengths rising.
    """

    strengths: NDArray[np.float64]
    values: NDArray[np.float64]

    def strength_for(self, value: float) -> float:
        """Strength at which the property has a value, or the nearest one possible.

        Only the monotonic part around strength 0 is used.
        """
        strengths, values = self._steady
        return float(np.interp(value, values, strengths))

    def slope(self, strength: float) -> float:
        """Change of the property for one unit of strength, near a strength."""
        slopes = np.gradient(self.values, self.strengths)
        steepest = float(np.abs(slopes).max())
        near = float(np.interp(strength, self.strengths, slopes))
        # Where the property hardly responds, a correction would diverge.
        least = 0.2 * steepest
        return near if abs(near) > least else least * self.sign

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value that can be reached."""
        _, values = self._steady
        return float(values[0]), float(values[-1])

    @property
    def sign(self) -> float:
        """1 where the property rises with the strength, -1 where it falls."""
        return 1.0 if self.values[-1] >= self.values[0] else -1.0

    @property
    def _steady(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The part around the middle in which the property rises, by rising value."""
        rising = np.diff(self.values) * self.sign > 0
        first = last = int(np.abs(self.strengths).argmin())
        while first > 0 and rising[first - 1]:
            first -= 1
        while last < len(rising) and rising[last]:
            last += 1
        part = slice(first, last + 1)
        strengths, values = self.strengths[part], self.values[part]
        order = np.argsort(values)
        return strengths[order], values[order]


@dataclass(frozen=True)
class Grade:
    """Target profile of a graded volume.

    Attributes
    ----------
    size
        Voxels along z, y, x.
    axis
        Along which the property changes.
    first, last
        Its values in the first slab and in the last.
    name, phase
        Key of ``PROPERTIES``, and the label of the phase, the largest if left out.
    seed
        Picks the sample.
    block
        Block that is edited, the direction's own if left out: the finer its positions,
        the finer the profile can be.
    n_slabs
        Slabs of equal depth.

    Raises
    ------
    ValueError
        If the slabs do not fit the size.
    """

    size: Size
    axis: Axis = "z"
    first: float = 0.2
    last: float = 0.3
    name: str = "phase_fraction"
    phase: int | None = None
    seed: int = 0
    block: str | None = None
    n_slabs: int = 8

    def __post_init__(self) -> None:
        if self.n_slabs < 2 or self._voxels < 2 * self.n_slabs:
            raise ValueError(
                f"Expected at least two slabs of at least two voxels, got "
                f"{self.n_slabs} slabs of {self._voxels} voxels along {self.axis}; "
                "change their number."
            )

    @property
    def _voxels(self) -> int:
        return self.size[AXES.index(self.axis)]

    @property
    def edges(self) -> list[int]:
        """First voxel of each slab, and the end of the last."""
        n = self.n_slabs
        return [round(self._voxels * number / n) for number in range(n + 1)]

    @property
    def middles(self) -> list[float]:
        """Middle of each slab, in voxels."""
        return [(a + b - 1) / 2 for a, b in itertools.pairwise(self.edges)]

    @property
    def asked(self) -> NDArray[np.float64]:
        """Target value of each slab."""
        return np.linspace(self.first, self.last, self.n_slabs)


@dataclass(frozen=True, eq=False)
class Graded:
    """A graded volume with its target and measured profile.

    Attributes
    ----------
    volume
        The volume.
    edit
        Edit that reproduces the volume with the same seed and size.
    positions
        Middle of each slab along the axis, in voxels.
    asked, measured
        Target and measured property of each slab.
    """

    volume: Volume
    edit: Edit
    positions: NDArray[np.float64]
    asked: NDArray[np.float64]
    measured: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Largest difference of any slab."""
        return float(np.abs(self.measured - self.asked).max())


def measure_response(
    gauge: Gauge,
    direction: Direction,
    name: str,
    block: str | None = None,
    strengths: Sequence[float] = RESPONSE_STRENGTHS,
    seeds: Sequence[int] = RESPONSE_SEEDS,
    progress: Progress | None = None,
) -> Response:
    """Measure a property of whole volumes against the strength of a direction.

    Parameters
    ----------
    gauge
        Properties and size of the volumes to measure.
    direction
        One that fits the generator.
    name
        Key of ``PROPERTIES``, one of the gauge's.
    block
        Block that is edited; the direction's own if left out.
    strengths, seeds
        Every pair of them is one volume.
    progress
        Called with the finished fraction after each strength.
    """
    report = subrange(progress)
    values = np.zeros(len(strengths))
    for number, strength in enumerate(strengths):
        edits = [direction.edit(strength, block)]
        made = [gauge.measure(gauge.make(seed, edits))[name] for seed in seeds]
        values[number] = float(np.mean(made))
        report((number + 1) / len(strengths))
    return Response(np.asarray(strengths, np.float64), values)


def graded(
    trained: TrainedGenerator,
    direction: Direction,
    grade: Grade,
    progress: Progress | None = None,
) -> Graded:
    """A volume whose property changes linearly along an axis.

    The response curve of the property is measured on whole volumes and inverted. The
    volume is then generated, measured slab by slab and corrected six times, since its
    own latents make single slabs differ; the best of these volumes is kept.

    Parameters
    ----------
    trained
        The generator.
    direction
        One that changes the property, such as a guided one.
    grade
        Target profile.
    progress
        Called with the finished fraction.

    Raises
    ------
    ValueError
        If the direction cannot reach the values, or the slabs do not fit the size.
    """
    gauge = Gauge(trained, [grade.name], grade.phase)
    part = subrange(progress, 0.0, 0.5)
    response = measure_response(
        gauge, direction, grade.name, grade.block, progress=part
    )
    _check_range(response, grade)
    strengths = np.array([response.strength_for(value) for value in grade.asked])
    rounds = []
    for number in range(ROUNDS + 1):
        profile = Profile(grade.axis, tuple(grade.middles), tuple(strengths.tolist()))
        edit = direction.edit(1.0, grade.block, region=profile)
        plan = VolumePlan(trained, grade.size, grade.seed, edits=[edit])
        start = 0.5 + 0.5 * number / (ROUNDS + 1)
        part = subrange(progress, start, start + 0.5 / (ROUNDS + 1))
        volume = plan.generate(part)
        along = np.moveaxis(volume.values, AXES.index(grade.axis), 0)
        slabs = [along[a:b] for a, b in itertools.pairwise(grade.edges)]
        measured = np.array([gauge.measure(slab)[grade.name] for slab in slabs])
        rounds.append(
            Graded(volume, edit, np.array(grade.middles), grade.asked, measured)
        )
        # Correct each slab for part of its deviation.
        slopes = np.array([response.slope(strength) for strength in strengths])
        strengths = strengths + GAIN * (grade.asked - measured) / slopes
        low, high = REACH * response.strengths[0], REACH * response.strengths[-1]
        strengths = np.clip(strengths, low, high)
    return min(rounds, key=lambda made: made.error)


def _check_range(response: Response, grade: Grade) -> None:
    low, high = response.range
    first, last = grade.first, grade.last
    if min(first, last) < low or max(first, last) > high:
        raise ValueError(
            f"Expected a {PROPERTIES[grade.name].title.lower()} from {low:.3g} to "
            f"{high:.3g}, which this direction can reach, got {first:g} to {last:g}; "
            "choose values in between or another direction."
        )
