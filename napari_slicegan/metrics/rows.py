"""The rows of a comparison: each statistic, real and generated."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values
from napari_slicegan.metrics import METRICS, Metric
from napari_slicegan.metrics.stored_volume import blocks_of, sections_of

if TYPE_CHECKING:
    from napari_slicegan.metrics.reference import Group, Reference, Sample
    from napari_slicegan.metrics.stored_volume import AnyVolume, Part

# Input of a metric from the values: an indicator or a channel.
Component: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]
Value: TypeAlias = float | tuple[float, ...]
HISTOGRAM_TITLE = "Histogram (mean gray value; Wasserstein distance / real sd)"
ALL_PHASES = "all phases"
# Three phases meet in lines; two do not.
MIN_MEETING = 3


@dataclass(frozen=True)
class Row:
    """One statistic of one phase along one axis.

    Attributes
    ----------
    metric
        Name in `METRICS`; ``"histogram"`` for the distribution of gray values, whose
        `real` and `generated` are the means, in gray values, and whose distance is
        Wasserstein's, in standard deviations of the real material.
    phase
        Label of the phase, or `ALL_PHASES`; of grayscale and colour volumes, which have
        none, the channel: ``"gray"``, ``"red"``, ``"green"`` or ``"blue"``.
    axis
        Direction, None if the statistic has none.
    real, generated
        Number, or curve over r = 0, 1, ...; None where it cannot be measured.
    distance
        Absolute difference, of curves its mean over r.
    noise_floor
        The same distance between a piece of the real material and the mean of the
        others, disjoint from it; mean over the pieces.
    """

    metric: str
    phase: int | str
    axis: Axis | None
    real: Value | None
    generated: Value | None
    distance: float | None
    noise_floor: float | None

    @property
    def title(self) -> str:
        """Metric for tables, with its unit."""
        metric = METRICS.get(self.metric)
        if metric is None:
            return HISTOGRAM_TITLE
        return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


@dataclass(frozen=True)
class _Meter:
    """A metric of one phase or channel, along one direction, in multiples of a unit."""

    metric: Metric
    component: Component
    axis: Axis | None
    max_distance: int
    unit: float = 1.0

    def of(self, sample: Sample | Part) -> NDArray[np.float64]:
        """Curve, or a single number as ``[1]``; mean over the sample's axes."""
        array_axes = (0,) if self.axis is None else sample.axes[self.axis]
        values = self.component(sample.read())
        measured = [
            np.atleast_1d(self.metric.function(values, self.max_distance, axis))
            for axis in array_axes
        ]
        return np.asarray(np.mean(measured, axis=0), dtype=np.float64) / self.unit

    def mean(self, samples: Sequence[Sample | Part]) -> NDArray[np.float64] | None:
        """Mean weighted by size; None if it cannot be measured on any sample."""
        return self._weighted(samples, self._measured(samples))

    def mean_and_floor(
        self, samples: Group, pieces: Sequence[Group]
    ) -> tuple[NDArray[np.float64] | None, float | None]:
        """Mean of the samples, and the noise floor: None if it cannot be measured.

        The floor is the mean distance of a piece from the mean of the others of its
        group. Samples that are the one group of pieces are measured once.
        """
        measured = [self._measured(group) for group in pieces]
        of_samples = measured[0] if pieces == (samples,) else self._measured(samples)
        distances: list[float] = []
        for group in measured:
            known = np.array([value for value in group if value is not None])
            if len(known) > 1:
                others = (known.sum(axis=0) - known) / (len(known) - 1)
                distances += np.abs(known - others).mean(axis=1).tolist()
        floor = float(np.mean(distances)) if distances else None
        return self._weighted(samples, of_samples), floor

    def _measured(
        self, samples: Sequence[Sample | Part]
    ) -> list[NDArray[np.float64] | None]:
        """One value for each sample; None if it cannot be measured on it."""
        values = [self.of(one) if self._shows(one) else None for one in samples]
        return [
            None if value is None or np.isnan(value).any() else value
            for value in values
        ]

    @staticmethod
    def _weighted(
        samples: Sequence[Sample | Part], values: Sequence[NDArray[np.float64] | None]
    ) -> NDArray[np.float64] | None:
        known = [
            (value, sample.size)
            for value, sample in zip(values, samples, strict=True)
            if value is not None
        ]
        if not known:
            return None
        found, sizes = zip(*known, strict=True)
        return np.asarray(np.average(found, axis=0, weights=sizes))

    def _shows(self, sample: Sample | Part) -> bool:
        return self.axis is None or self.axis in sample.axes


def phase_rows(
    reference: Reference, volume: AnyVolume, metrics: Collection[str]
) -> Iterator[Row]:
    """Rows of the metrics of phases, phase by phase.

    Raises
    ------
    ValueError
        If the reference has other labels than the volume.
    """
    labels = _common_labels(reference, volume)
    for label in labels:
        phase = partial(np.equal, label)
        yield from _metric_rows(reference, volume, metrics, label, phase, "phase")
    if len(labels) >= MIN_MEETING:
        shared = (reference, volume, metrics, ALL_PHASES)
        yield from _metric_rows(*shared, np.asarray, "labels")


def intensity_rows(
    reference: Reference, volume: AnyVolume, metrics: Collection[str]
) -> Iterator[Row]:
    """Rows of histogram and autocovariance, channel by channel.

    Distances are relative to the standard deviation of the real values: the same image
    in 8 and in 16 bits has the same distances.
    """
    names = ("red", "green", "blue") if volume.kind == "colour" else ("gray",)
    for index, name in enumerate(names):
        place = (..., index) if volume.kind == "colour" else ...
        component: Component = operator.itemgetter(place)
        real = reference.once(
            ("histogram", name), partial(RealValues.of, reference, component)
        )
        yield _histogram_row(volume, name, component, real)
        found = (reference, volume, metrics, name)
        yield from _metric_rows(*found, component, "intensity", real.spread)


def _common_labels(reference: Reference, volume: AnyVolume) -> list[int]:
    """Labels of volume and reference; one of them may lack some."""
    real = reference.once("labels", lambda: _real_labels(reference))
    generated = set(volume.labels)
    if not (real <= generated or generated <= real):
        raise ValueError(
            f"Reference and volume must have the same labels; got {sorted(real)} and "
            f"{sorted(generated)}. Relabel one of them."
        )
    return sorted(real | generated)


def _real_labels(reference: Reference) -> set[int]:
    """Labels of the reference."""
    real: set[int] = set()
    for sample in reference.samples:
        integer = sample.values.dtype.kind in "bui"
        found = distinct_values(sample.values, MAX_PHASES if integer else 0)
        if found is None:
            raise ValueError(
                f"The reference of a volume of phases must hold at most {MAX_PHASES} "
                f"integer labels; got {sample.values.dtype} with more distinct values. "
                "Segment it first."
            )
        real.update(map(int, found))
    return real


def _metric_rows(
    reference: Reference,
    volume: AnyVolume,
    metrics: Collection[str],
    phase: int | str,
    component: Component,
    measures: str,
    spread: float = 1.0,
) -> Iterator[Row]:
    """Rows of the requested metrics of one phase or channel.

    ``spread`` is the standard deviation of the real gray values.
    """
    for name, metric in METRICS.items():
        if metric.measures != measures or name not in metrics:
            continue
        directions = AXES if metric.per_axis else (None,)
        for axis in directions:
            unit = spread**metric.power
            meter = _Meter(metric, component, axis, reference.max_distance - 1, unit)
            yield _metric_row(name, phase, meter, reference, volume)


def _metric_row(
    name: str, phase: int | str, meter: _Meter, reference: Reference, volume: AnyVolume
) -> Row:
    """One metric of one phase along one axis."""
    samples, pieces = reference.samples, reference.pieces
    parts = sections_of
    if meter.metric.only_3d:
        samples, pieces = reference.blocks, (reference.blocks,)
        # the same size on both sides
        edges = samples[0].values.shape[:3] if samples else ()
        parts = partial(blocks_of, edges=edges)
        shortest = [min(one.values.shape[:3]) - 1 for one in samples]
        reach = min([meter.max_distance, *shortest])
        meter = replace(meter, max_distance=reach)
    if meter.metric.only_isotropic and not reference.every_direction:
        samples, pieces = (), ()
    real, floor = reference.once(
        (name, phase, reference.array_axes(meter.axis)),
        lambda: meter.mean_and_floor(samples, pieces),
    )
    if meter.metric.counts and floor is not None:
        floor = max(floor, 1 / min(piece.size for group in pieces for piece in group))
    generated = meter.mean(parts(volume))
    distance = None
    if real is not None and generated is not None:
        distance = float(np.abs(real - generated).mean())
    return Row(
        name, phase, meter.axis, _value(real), _value(generated), distance, floor
    )


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histogram of gray values.

    Attributes
    ----------
    values
        The distinct gray values, in ascending order, [N].
    counts
        Number of times that each of them occurs, [N].
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Histogram:
        """Histogram of gray values of any shape."""
        return cls(*np.unique(values, return_counts=True))

    def distance(self, other: Histogram) -> float:
        """Wasserstein distance: mean shift of gray values between the two."""
        return float(
            scipy.stats.wasserstein_distance(
                self.values, other.values, self.counts, other.counts
            )
        )


@dataclass(frozen=True)
class RealValues:
    """Values of one channel of the real images, pooled.

    Attributes
    ----------
    spread
        Standard deviation, the unit of distances; 1 for images without contrast.
    floor
        Mean distance between pieces, in units of the spread; None without pieces.
    """

    histogram: Histogram
    mean: float
    spread: float
    floor: float | None

    @classmethod
    def of(cls, reference: Reference, component: Component) -> RealValues:
        """Values of the component of all samples."""
        values = _pooled(reference.samples, component)
        spread = float(values.std(dtype=np.float64)) or 1.0
        distances = [
            Histogram.of(component(piece.values)).distance(
                Histogram.of(_pooled([o for o in group if o is not piece], component))
            )
            for group in reference.pieces
            for piece in group
            if len(group) > 1
        ]
        floor = float(np.mean(distances)) / spread if distances else None
        mean = float(values.mean(dtype=np.float64))
        return cls(Histogram.of(values), mean, spread, floor)


def _histogram_row(
    volume: AnyVolume, channel: str, component: Component, real: RealValues
) -> Row:
    """Distribution of the values, all samples pooled; distances relative to spread."""
    generated = np.concatenate(
        [component(part.read()).ravel() for part in sections_of(volume)]
    )
    return Row(
        metric="histogram",
        phase=channel,
        axis=None,
        real=real.mean,
        generated=float(generated.mean(dtype=np.float64)),
        distance=real.histogram.distance(Histogram.of(generated)) / real.spread,
        noise_floor=real.floor,
    )


def _pooled(samples: Iterable[Sample], component: Component) -> NDArray[Any]:
    return np.concatenate([component(sample.values).ravel() for sample in samples])


def _value(curve: NDArray[np.float64] | None) -> Value | None:
    """Number or curve as plain Python."""
    if curve is None:
        return None
    return float(curve[0]) if len(curve) == 1 else tuple(curve.tolist())
