"""Comparison of a generated volume with the real material, with noise floors."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, overload

from napari_slicegan.config import AXES
from napari_slicegan.data.interpretation import (
    are_same_phases,
    match_colours,
    match_labels,
)
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics import METRICS, QUICK_METRICS, RENAMED
from napari_slicegan.metrics.reference import Source, reference_of
from napari_slicegan.metrics.rows import Row, Value, intensity_rows, phase_rows
from napari_slicegan.metrics.stored_volume import BLOCK_EDGE, WHOLE_VOXELS, described
from napari_slicegan.runtime.limits import PROGRAM_BYTES, check_need
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.config import Axis, Kind
    from napari_slicegan.metrics.stored_volume import AnyVolume

__all__ = ["Comparison", "Row", "compare"]

# Memory of all measurements for each voxel, for volumes of 64 to 192 voxels per edge.
VOXEL_BYTES = 42
# Memory of figures, with the libraries that draw them.
FIGURES_BYTES = 140 * 10**6


@dataclass(frozen=True)
class Comparison:
    """All statistics of a volume beside those of the real material.

    Attributes
    ----------
    rows
        One for each metric, phase and axis.
    kind
        Kind of both; grayscale and colour are compared by histogram and normalised
        autocovariance, phases by everything else.
    max_distance
        Curves cover r = 0, 1, ... max_distance - 1 voxels.
    reference, generated, noise
        Sizes of the compared samples, and of the pieces behind the noise floor: small
        pieces scatter more than the whole.
    note
        How labels were matched; empty if they are equal.
    """

    rows: tuple[Row, ...]
    kind: Kind
    max_distance: int
    reference: str
    generated: str
    noise: str
    note: str = ""

    def row(self, metric: str, phase: int | str, axis: Axis | None = None) -> Row:
        """One row.

        Raises
        ------
        ValueError
            If there is none of that name, phase and axis.
        """
        metric = RENAMED.get(metric, metric)
        for row in self.rows:
            if (row.metric, row.phase, row.axis) == (metric, phase, axis):
                return row
        names = sorted({row.metric for row in self.rows})
        raise ValueError(
            f"No row for metric '{metric}', phase {phase!r}, axis {axis!r}. Metrics: "
            f"{', '.join(names)}."
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dict: numbers, strings, lists and None."""
        facts = asdict(self)
        facts["rows"] = [
            {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in row.items()
            }
            for row in facts["rows"]
        ]
        return facts

    def table(self) -> str:
        """Aligned text table; curves are averaged over r."""
        phase = "phase" if self.kind == "phases" else "channel"
        lines: list[tuple[str, ...]] = [
            ("metric", phase, "axis", "real", "generated", "distance", "noise floor")
        ]
        for row in self.rows:
            numbers = (row.real, row.generated, row.distance, row.noise_floor)
            texts = map(value_text, numbers)
            lines.append((row.title, str(row.phase), row.axis or "-", *texts))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        body = ["  ".join(map(_aligned, line, widths, range(7))) for line in lines]
        return "\n".join(
            [
                f"Real: {self.reference}",
                f"Generated: {self.generated}",
                f"Noise floor: {self.noise}, each against the mean of the others",
                f"Curves: r = 0 to {self.max_distance - 1} voxels, mean over r",
                *([self.note] if self.note else []),
                "",
                *(line.rstrip() for line in body),
            ]
        )


def compare(
    reference: Source,
    volume: AnyVolume,
    max_distance: int = 32,
    metrics: Collection[str] = QUICK_METRICS,
) -> Comparison:
    """Measure a generated volume against the real material.

    Parameters
    ----------
    reference
        The real material: a `Volume` (the 3-D truth), a `Micrograph`, the
        `TrainingImages` of a run, a list of 2-D arrays of an isotropic material, or
        such lists by viewing direction, ``{"z": [...], "y": [...], "x": [...]}``.
        `RealStatistics` of any of these measures it once for many volumes.
    volume
        The generated material. One of many voxels, or a `StoredVolume`, is measured on
        planes and blocks of it.
    max_distance
        Curves are compared at r < max_distance voxels, fewer if an edge is shorter.
    metrics
        Names in `METRICS`; those that do not suit the kind of volume are skipped. The
        default is all quick ones. The histogram of gray values is always compared.

    Returns
    -------
    Comparison
        With a row for each metric, phase and axis: both values, their distance and the
        noise floor. `Comparison.table` is its text.

    Raises
    ------
    ValueError
        If the two do not fit (kind, labels, voxel size, shape or directions), if a
        metric is unknown, or if the memory does not suffice.
    """
    metrics = [RENAMED.get(metric, metric) for metric in metrics]
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise ValueError(
            f"The metrics are {', '.join(METRICS)}; got {', '.join(unknown)}. Choose "
            "among these."
        )
    check_measuring_memory(volume.values.shape)
    note, matched = "", with_labels_of(reference, volume)
    if matched is not volume:
        pairs = zip(volume.labels, matched.labels, strict=True)
        listed = ", ".join(f"{a} -> {b}" for a, b in pairs)
        note = f"The volume's labels are matched to the real ones by rank: {listed}."
        volume = matched
    real = reference_of(reference, volume, max_distance)
    measured = phase_rows if volume.kind == "phases" else intensity_rows
    return Comparison(
        rows=tuple(measured(real, volume, metrics)),
        kind=volume.kind,
        max_distance=real.max_distance,
        reference=real.description,
        generated=described(volume),
        noise=real.noise,
        note=note,
    )


def check_measuring_memory(shape: Sequence[int], other_bytes: int = 0) -> None:
    """Refuse a volume that cannot be measured in the available memory.

    Parameters
    ----------
    shape
        Voxels along z, y, x. A larger volume than `WHOLE_VOXELS` is measured in blocks.
    other_bytes
        Needed afterwards, such as `FIGURES_BYTES`.

    Raises
    ------
    ValueError
        If it does not fit.
    """
    n = math.prod(shape[: len(AXES)])
    needed = VOXEL_BYTES * (n if n <= WHOLE_VOXELS else BLOCK_EDGE**3) + other_bytes
    check_need(
        PROGRAM_BYTES + needed,
        "a volume to measure",
        "measure a smaller one, or a part of it",
    )


@overload
def with_labels_of(reference: Source, volume: Volume) -> Volume: ...


@overload
def with_labels_of(reference: Source, volume: AnyVolume) -> AnyVolume: ...


def with_labels_of(reference: Source, volume: AnyVolume) -> AnyVolume:
    """The volume with the labels of the reference if both are the same phases.

    Masks of 0/1 and 0/255 of one material are; see `data.interpretation`.
    """
    if not isinstance(volume, Volume) or volume.kind != "phases":
        return volume
    if not isinstance(reference, Volume | Micrograph | TrainingImages):
        return volume
    if reference.kind != "phases":
        return volume
    wanted, labels = tuple(reference.labels), tuple(volume.labels)
    if not are_same_phases(labels, wanted):
        return volume
    values = match_labels(volume.values, labels, wanted)
    colours = match_colours(volume.colours, labels, wanted)
    return Volume(values, volume.kind, volume.voxel_size_nm, wanted, colours)


def value_text(value: Value | None) -> str:
    """A number, the mean of a curve, or a dash."""
    if value is None:
        return "-"
    number = sum(value) / len(value) if isinstance(value, tuple) else value
    return f"{number:.4g}"


def _aligned(text: str, width: int, column: int) -> str:
    """Names to the left, numbers to the right."""
    return text.ljust(width) if column < 3 else text.rjust(width)
