"""Transport properties of blocks of a volume, beside those of the real material.

Each property is measured on disjoint blocks of one size, of the real material where a
volume of it is known, of the generated volume or of several of them, and of a Gaussian
random field. Given are the mean of the blocks, its standard error, a noise floor and,
of several volumes, the standard deviation between them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis, Kind
from napari_slicegan.metrics.comparison import with_labels_of
from napari_slicegan.metrics.permeability import DARCY_M2, permeability
from napari_slicegan.metrics.reference import Sample, Source, reference_of
from napari_slicegan.metrics.rows import Row
from napari_slicegan.metrics.stored_volume import AnyVolume, Part, blocks_of
from napari_slicegan.metrics.transport import (
    check_conductivities,
    effective_conductivity,
    effective_diffusivity,
    percolating_fraction,
)
from napari_slicegan.runtime.atomic_files import replacing
from napari_slicegan.runtime.limits import available_memory
from napari_slicegan.runtime.progress import subrange
from napari_slicegan.runtime.quantities import bytes_in_words
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.generation.generate import Size
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.runtime.progress import Progress

DIFFUSIVITY, TORTUOSITY = "effective_diffusivity", "tortuosity_factor"
PERMEABILITY, CONDUCTIVITY = "permeability", "effective_conductivity"
Side = Literal["real", "generated", "gaussian"]
SIDES: tuple[Side, ...] = ("real", "generated", "gaussian")
SIDE_TITLES = {"real": "real", "generated": "generated", "gaussian": "Gaussian field"}
TITLES: dict[str, tuple[str, str]] = {
    DIFFUSIVITY: ("Effective diffusivity", "D_0"),
    TORTUOSITY: ("Tortuosity factor", ""),
    PERMEABILITY: ("Permeability", "voxel^2"),
    "permeability_m2": ("Permeability", "m^2"),
    "permeability_darcy": ("Permeability", "darcy"),
    CONDUCTIVITY: ("Effective conductivity", ""),
}
"""Properties: title, unit."""
LARGEST_EDGE = 96
# Peak memory of a solution for each voxel through which something flows.
BYTES_PER_VOXEL = {DIFFUSIVITY: 1_100, CONDUCTIVITY: 1_100, PERMEABILITY: 2_000}


@dataclass(frozen=True)
class PhysicsSettings:
    """Properties to measure, and on which blocks.

    Attributes
    ----------
    diffusivity
        Whether to measure effective diffusivity and tortuosity factor of each phase.
    permeability
        Labels of the phases through which a fluid flows.
    conductivities
        Conductivity of each phase, in the order of their labels; none if empty.
    block_edge
        Edge of the blocks in voxels; None for half of the shortest edge, at most
        `LARGEST_EDGE`.
    """

    diffusivity: bool = True
    permeability: tuple[int, ...] = ()
    conductivities: tuple[float, ...] = ()
    block_edge: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be measured."""
        return not (self.diffusivity or self.permeability or self.conductivities)


@dataclass(frozen=True)
class Estimate:
    """A property of some blocks.

    Attributes
    ----------
    mean
        Mean of the blocks; of tortuosity factors the ratio of means, infinite where
        nothing flows.
    standard_error
        Of the mean, by the jackknife; None for a single block.
    scatter
        Mean difference between a block and the mean of the others: the noise floor.
    n_blocks
        Number of blocks.
    """

    mean: float
    standard_error: float | None
    scatter: float | None
    n_blocks: int

    @classmethod
    def of(
        cls, values: Sequence[float], per: Sequence[float] | None = None
    ) -> Estimate:
        """Mean of values, or sum of values over sum of others.

        Efron, *The Jackknife, the Bootstrap and Other Resampling Plans* (1982),
        section 3; of a mean it is the usual standard error.
        """
        top = np.array(values, dtype=np.float64)
        bottom = np.ones_like(top) if per is None else np.array(per, dtype=np.float64)
        n, error, scatter = len(top), None, None
        if n > 1 and np.isfinite(top).all():
            others = _ratio(top.sum() - top, bottom.sum() - bottom)
            alone = _ratio(top, bottom)
            if np.isfinite(others).all():
                error = math.sqrt((n - 1) * float(others.var()))
                found = float(np.abs(alone - others).mean())
                scatter = found if math.isfinite(found) else None
        return cls(float(_ratio(top.sum(), bottom.sum())), error, scatter, n)

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        error, scatter = self.standard_error, self.scatter
        return replace(
            self,
            mean=factor * self.mean,
            standard_error=None if error is None else factor * error,
            scatter=None if scatter is None else factor * scatter,
        )

    @property
    def text(self) -> str:
        """Such as ``0.1312 ± 0.004``."""
        if math.isinf(self.mean):
            return "infinite"
        if self.standard_error is None:
            return f"{self.mean:.4g}"
        return f"{self.mean:.4g} ± {self.standard_error:.2g}"


def _ratio(top: Any, bottom: Any) -> Any:
    """Top / bottom, infinite where the bottom is 0."""
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1), math.inf)


@dataclass(frozen=True)
class PropertyRow:
    """One property of one phase along one axis.

    Attributes
    ----------
    name
        One of `TITLES`.
    phase
        Label, None for the whole composite.
    axis
        Direction of the flow.
    real, generated, gaussian
        Estimates; None where there are no such blocks.
    between_volumes
        Standard deviation between the means of the generated volumes; None for a
        single one, or where it is not finite.
    """

    name: str
    phase: int | None
    axis: Axis
    real: Estimate | None
    generated: Estimate
    gaussian: Estimate | None
    between_volumes: float | None = None

    @property
    def title(self) -> str:
        """Title and unit."""
        title, unit = TITLES[self.name]
        return f"{title} ({unit})" if unit else title

    @property
    def noise_floor(self) -> float | None:
        """Of the blocks of the real material; else of those of the generated one."""
        return (self.real or self.generated).scatter

    @property
    def texts(self) -> tuple[str, ...]:
        """Cells of a table."""
        estimates = (self.real, self.generated, self.gaussian)
        deviations = (self.noise_floor, self.between_volumes)
        return (
            self.title,
            "all" if self.phase is None else str(self.phase),
            self.axis,
            *("-" if one is None else one.text for one in estimates),
            *("-" if one is None else f"{one:.2g}" for one in deviations),
        )

    def times(self, factor: float, name: str) -> PropertyRow:
        """The same in another unit."""
        real, gaussian = (
            None if one is None else one.times(factor)
            for one in (self.real, self.gaussian)
        )
        generated, between = self.generated.times(factor), self.between_volumes
        between = None if between is None else factor * between
        return PropertyRow(
            *(name, self.phase, self.axis, real, generated, gaussian, between)
        )


HEAD = (
    "property",
    "phase",
    "axis",
    *SIDE_TITLES.values(),
    "noise floor",
    "between volumes",
)
"""Columns of the table; the last one is left out for a single volume."""


@dataclass(frozen=True)
class Physics:
    """Transport properties of one or several volumes of a generator.

    Attributes
    ----------
    rows
        One for each property, phase and axis.
    edges
        Voxels of a block along z, y, x.
    conductivities
        Of the phases of the composite, by label.
    n_volumes
        Number of generated volumes.
    shape
        Voxels of each of them along z, y, x.
    """

    rows: tuple[PropertyRow, ...]
    edges: tuple[int, ...]
    conductivities: dict[int, float] = field(default_factory=dict)
    n_volumes: int = 1
    shape: tuple[int, ...] = ()

    @property
    def head(self) -> tuple[str, ...]:
        """Titles of the columns."""
        return HEAD if self.n_volumes > 1 else HEAD[:-1]

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """Texts of the rows, one for each title."""
        return [row.texts[: len(self.head)] for row in self.rows]

    @property
    def caption(self) -> str:
        """What the numbers are."""
        row = self.rows[0]
        counts = [
            f"{estimate.n_blocks} {SIDE_TITLES[side]}"
            for side in SIDES
            if (estimate := getattr(row, side)) is not None
        ]
        given = ", ".join(f"phase {n}: {k:g}" for n, k in self.conductivities.items())
        floor = "real" if row.real is not None else "generated"
        between = ""
        if self.n_volumes > 1:
            between = (
                f" Between volumes: standard deviation between {self.n_volumes} "
                f"generated volumes of {' x '.join(map(str, self.shape))} voxels, each "
                f"the mean of {row.generated.n_blocks // self.n_volumes} blocks."
            )
        return (
            "Mean ± standard error of disjoint blocks of "
            f"{' x '.join(map(str, self.edges))} voxels ({', '.join(counts)}). Noise "
            f"floor: mean difference between a {floor} block and the mean of the "
            "others." + between + (f" Conductivities: {given}." if given else "")
        )

    def row(self, name: str, phase: int | None, axis: Axis) -> PropertyRow:
        """One row.

        Raises
        ------
        KeyError
            If there is none.
        """
        found = {(one.name, one.phase, one.axis): one for one in self.rows}
        return found[name, phase, axis]

    def table(self) -> str:
        """Aligned text table."""
        lines = [self.head, *self.cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = [
            "  ".join(
                cell.ljust(width) if column < 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([self.caption, "", *map(str.rstrip, body)])

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dict; infinite numbers are None."""
        return {
            "block": list(self.edges),
            "conductivities": {str(n): k for n, k in self.conductivities.items()},
            "n_volumes": self.n_volumes,
            "volume": list(self.shape),
            "rows": [
                {
                    "name": row.name,
                    "unit": TITLES[row.name][1],
                    "phase": row.phase,
                    "axis": row.axis,
                    "noise_floor": row.noise_floor,
                    "between_volumes": row.between_volumes,
                }
                | {side: _numbers(getattr(row, side)) for side in SIDES}
                for row in self.rows
            ],
        }

    def write_csv(self, path: Path) -> None:
        """Write one line for each row; unknown and infinite values are left empty.

        The file appears complete or not at all.
        """
        columns = ("mean", "standard_error", "n_blocks")
        with (
            replacing(path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as file,
        ):
            table = csv.writer(file)
            table.writerow(
                ["property", "unit", "phase", "axis", "block_edge", "noise_floor"]
                + [f"{side}_{column}" for side in SIDES for column in columns]
                + ["n_volumes", "between_volumes"]
            )
            for row in self.rows:
                numbers = (_numbers(getattr(row, side)) or {} for side in SIDES)
                table.writerow(
                    [row.name, TITLES[row.name][1]]
                    + ["all" if row.phase is None else row.phase, row.axis]
                    + ["x".join(map(str, self.edges)), row.noise_floor]
                    + [found.get(column) for found in numbers for column in columns]
                    + [self.n_volumes, row.between_volumes]
                )

    def comparison_rows(self, side: Side = "generated") -> tuple[Row, ...]:
        """Rows of a `Comparison`, of the properties that are metrics."""
        rows = []
        for row in self.rows:
            made: Estimate | None = getattr(row, side)
            if row.name not in (DIFFUSIVITY, PERMEABILITY) or row.phase is None:
                continue
            if made is None:
                continue
            real = None if row.real is None else _finite(row.real.mean)
            floor = None if row.real is None else row.real.scatter
            mean = _finite(made.mean)
            distance = None if real is None or mean is None else abs(real - mean)
            place = (row.name, row.phase, row.axis)
            rows.append(Row(*place, real, mean, distance, floor))
        return tuple(rows)


def _numbers(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {name: _finite(value) for name, value in asdict(estimate).items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def measure_physics(
    volume: AnyVolume,
    settings: PhysicsSettings,
    source: Source | None = None,
    gaussian: Volume | None = None,
    progress: Progress | None = None,
    others: Sequence[AnyVolume] = (),
) -> Physics:
    """Measure transport properties on blocks of a volume.

    Parameters
    ----------
    volume
        The generated material.
    settings
        What to measure; not empty.
    source
        The real material, as for `napari_slicegan.compare`. Two-dimensional images do
        not show these properties.
    gaussian
        A Gaussian random field like the real material, see
        `generation.gaussian_field.gaussian_volume`.
    progress
        Called with the finished fraction; may raise `Cancelled`.
    others
        Further volumes of the same generator and shape, with other seeds: their blocks
        count like those of ``volume``, and the standard deviation between the volumes
        is given.

    Raises
    ------
    ValueError
        If a volume has no phases, or lacks those that are asked for; if the volumes
        differ in shape or phases; if no path leads
        through the phase of a fluid; if the blocks are too large for the volume or for
        the memory.
    """
    check_physics(volume, settings)
    _check_alike(volume, others)
    volumes = (volume, *others)
    edges, blocks = _blocks(volumes, settings, source, gaussian)
    conductivities = dict(zip(volume.labels, settings.conductivities, strict=False))
    tasks = _tasks(settings, volume.labels, conductivities)
    _check_paths(blocks["generated"], settings.permeability)
    _check_memory(blocks, tasks)
    values = _solved(blocks, tasks, progress)
    n_volumes = len(volumes)
    rows: list[PropertyRow] = []
    for (name, phase, axis), found in values.items():
        row = _row(name, phase, axis, found, None, n_volumes)
        rows += _in_units(row, volume)
        if name == DIFFUSIVITY:
            fractions = {
                side: [float((one.read() == phase).mean()) for one in blocks[side]]
                for side in found
            }
            rows.append(_row(TORTUOSITY, phase, axis, fractions, found, n_volumes))
    order = list(TITLES)
    rows.sort(key=lambda row: order.index(row.name))
    shape = tuple(volume.values.shape[:3])
    return Physics(tuple(rows), edges, conductivities, n_volumes, shape)


Blocks = dict[Side, Sequence[Sample | Part]]


def _blocks(
    volumes: Sequence[AnyVolume],
    settings: PhysicsSettings,
    source: Source | None,
    gaussian: Volume | None,
) -> tuple[tuple[int, ...], Blocks]:
    """Edges of the blocks; the blocks of each side that has some."""
    volume = volumes[0]
    edges = _edges(volume.values.shape[:3], settings)
    blocks: Blocks = {}
    if source is not None:
        corner = np.asarray(volume.values[tuple(map(slice, edges))])
        like = Volume(corner, "phases", volume.voxel_size_nm, tuple(volume.labels))
        if real := reference_of(source, like, 1).blocks:
            blocks["real"] = real
            # A small truth has smaller blocks.
            edges = real[0].read().shape
    blocks["generated"] = [one for each in volumes for one in blocks_of(each, edges)]
    if gaussian is not None and (fields := blocks_of(gaussian, edges)):
        blocks["gaussian"] = fields
    return edges, blocks


def _solved(
    blocks: Blocks, tasks: Sequence[Task], progress: Progress | None
) -> dict[tuple[str, int | None, Axis], dict[Side, list[float]]]:
    """Values of each property, phase and axis: those of the blocks of each side."""
    values: dict[tuple[str, int | None, Axis], dict[Side, list[float]]] = {}
    places = [(side, block) for side in blocks for block in blocks[side]]
    n_done, n_solved = 0, len(places) * len(tasks) * len(AXES)
    for side, block in places:
        labels = block.read()
        for name, phase, solve in tasks:
            for number, axis in enumerate(AXES):
                part = subrange(progress, n_done / n_solved, (n_done + 1) / n_solved)
                of_sides = values.setdefault((name, phase, axis), {})
                of_sides.setdefault(side, []).append(solve(labels, number, part))
                n_done += 1
                part(1.0)
    return values


Task = tuple[str, int | None, Any]


def _tasks(
    settings: PhysicsSettings, labels: Sequence[int], conductivities: dict[int, float]
) -> list[Task]:
    """Property, phase, and the function that solves for it in a block of labels."""

    def of_phase(function: Any, label: int) -> Any:
        return lambda values, *others: function(values == label, *others)

    tasks: list[Task] = []
    if settings.diffusivity:
        for n in labels:
            tasks.append((DIFFUSIVITY, n, of_phase(effective_diffusivity, n)))
    for n in dict.fromkeys(settings.permeability):
        tasks.append((PERMEABILITY, n, of_phase(permeability, n)))
    if conductivities:

        def conduct(values: NDArray[Any], *others: Any) -> float:
            return effective_conductivity(values, conductivities, *others)

        tasks.append((CONDUCTIVITY, None, conduct))
    return tasks


def _row(
    name: str,
    phase: int | None,
    axis: Axis,
    values: dict[Side, list[float]],
    per: dict[Side, list[float]] | None,
    n_volumes: int,
) -> PropertyRow:
    """A property from the values of the blocks; ``per``: see `Estimate.of`."""

    def estimate(side: Side, part: slice = slice(None)) -> Estimate:
        others = None if per is None else per[side][part]
        return Estimate.of(values[side][part], others)

    real = estimate("real") if "real" in values else None
    gaussian = estimate("gaussian") if "gaussian" in values else None
    between = None
    if n_volumes > 1:
        n = len(values["generated"]) // n_volumes
        parts = [slice(n * k, n * (k + 1)) for k in range(n_volumes)]
        means = [estimate("generated", part).mean for part in parts]
        between = float(np.std(means, ddof=1)) if np.isfinite(means).all() else None
    return PropertyRow(
        *(name, phase, axis, real, estimate("generated"), gaussian, between)
    )


def _in_units(row: PropertyRow, volume: AnyVolume) -> Iterator[PropertyRow]:
    """The row; a permeability also in m^2 and darcy, if the voxel size is known."""
    yield row
    if row.name == PERMEABILITY and volume.voxel_size_nm is not None:
        square_m = (volume.voxel_size_nm * 1e-9) ** 2
        yield row.times(square_m, "permeability_m2")
        yield row.times(square_m / DARCY_M2, "permeability_darcy")


def _edges(shape: Sequence[int], settings: PhysicsSettings) -> tuple[int, ...]:
    """Edges of the blocks."""
    edge = settings.block_edge
    if edge is None:
        edge = max(1, min(LARGEST_EDGE, min(shape) // 2))
    if not 1 <= edge <= min(shape):
        raise ValueError(
            f"Expected blocks of 1 to {min(shape)} voxels per edge in a volume of "
            f"{' x '.join(map(str, shape))}, got {edge}; choose another size."
        )
    return (edge,) * 3


def check_physics(volume: AnyVolume, settings: PhysicsSettings) -> None:
    """Refuse settings that ask for what a volume does not have, before the work.

    Raises
    ------
    ValueError
        If the volume has no phases, lacks those that are asked for, or is smaller than
        the blocks.
    """
    _check(volume.kind, volume.labels, volume.values.shape[:3], settings)


def check_physics_of(
    trained: TrainedGenerator,
    source: Source | None,
    size: Size,
    settings: PhysicsSettings,
) -> None:
    """As `check_physics`, before volumes of this size are generated.

    With a source they will have its labels.
    """
    labels = trained.labels
    if labels and source is not None:
        blank = Volume(np.full((1, 1, 1), labels[0]), "phases", labels=labels)
        labels = with_labels_of(source, blank).labels
    _check(trained.transform.kind, labels, size, settings)


def _check(
    kind: Kind, labels: Sequence[int], shape: Sequence[int], settings: PhysicsSettings
) -> None:
    """See `check_physics`."""
    _edges(shape, settings)
    if kind != "phases":
        raise ValueError(
            f"Expected a volume of phases for transport, got one of the kind "
            f"'{kind}'; segment it first."
        )
    listed = ", ".join(map(str, labels))
    unknown = sorted(set(settings.permeability) - set(labels))
    if unknown:
        raise ValueError(
            f"Expected the permeability of one of the phases {listed}, got phase "
            f"{unknown[0]}; choose one of them."
        )
    check_conductivities(settings.conductivities)
    given = len(settings.conductivities)
    if given and given != len(labels):
        raise ValueError(
            f"Expected a conductivity for each of the phases {listed}, got {given}; "
            "give one for each, in this order."
        )


def _check_alike(volume: AnyVolume, others: Sequence[AnyVolume]) -> None:
    """Refuse volumes of other shapes or phases: each must count the same."""
    for other in others:
        for name, expected, got in (
            ("the shape", volume.values.shape, other.values.shape),
            ("the phases", tuple(volume.labels), tuple(other.labels)),
        ):
            if expected != got:
                raise ValueError(
                    f"Expected volumes that agree in {name}, got {expected} and {got}; "
                    "give volumes of one generator and size."
                )


def _check_paths(blocks: Sequence[Sample | Part], phases: Sequence[int]) -> None:
    """Refuse a phase through which no fluid can flow in any block."""
    for label in phases:
        if not any(
            percolating_fraction(one.read() == label, number)
            for one in blocks
            for number in range(3)
        ):
            raise ValueError(
                f"Expected a phase that connects opposite faces of a block, got phase "
                f"{label}, which connects none; choose another phase or other blocks."
            )


def _check_memory(blocks: Blocks, tasks: Sequence[Task]) -> None:
    """Refuse blocks whose equations do not fit in memory."""
    needed = 0
    for one in (one for side in blocks.values() for one in side):
        labels = one.read()
        for name, phase, _ in tasks:
            n = labels.size if phase is None else int((labels == phase).sum())
            needed = max(needed, n * BYTES_PER_VOXEL[name])
    free = available_memory()
    if needed > free:
        shape = " x ".join(map(str, labels.shape))
        raise ValueError(
            f"Expected blocks whose transport can be solved in the available memory of "
            f"{bytes_in_words(free)}, got {shape} voxels, which need about "
            f"{bytes_in_words(needed)}; choose smaller blocks."
        )
