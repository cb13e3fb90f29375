"""How good a run is while it trains."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from napari_slicegan.metrics.comparison import Comparison, Row, compare
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.training.monitored_curve import MonitoredCurve

if TYPE_CHECKING:
    from napari_slicegan.training.slice_distance import SliceDistance
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

MAX_DISTANCE = 32
CURVE = {
    "phases": "two_point_correlation",
    "grayscale": "normalised_autocovariance",
    "colour": "normalised_autocovariance",
}
LEVEL = {"phases": "phase_fraction", "grayscale": "histogram", "colour": "histogram"}
CURVES = (
    MonitoredCurve(
        "correlation_distance",
        "Two-point correlation, distance to real",
        "correlation_floor",
    ),
    MonitoredCurve(
        "fraction_distance", "Phase fraction, distance to real", "fraction_floor"
    ),
)
GRAY_CURVES = (
    MonitoredCurve(
        "correlation_distance",
        "Normalised autocovariance, distance to real",
        "correlation_floor",
    ),
    MonitoredCurve(
        "fraction_distance",
        "Histogram, Wasserstein distance / real sd",
        "fraction_floor",
    ),
)
"""Of gray values and colours, in the same columns."""
SLICE_CURVE = MonitoredCurve(
    "swd", "Sliced Wasserstein distance, slices to real", "swd_floor"
)
MEASURED = (
    "phase_fraction",
    "two_point_correlation",
    "face_density",
    "normalised_autocovariance",
)


@dataclass(frozen=True)
class Quality:
    """Distance of a preview from the micrographs, with the noise floor.

    Attributes
    ----------
    fraction_distance
        Largest difference of a phase fraction; of gray values and colours the
        Wasserstein distance of the histograms, in standard deviations of the images.
    correlation_distance
        Mean difference of the two-point correlations (gray values: of the
        autocovariances, divided by the variance of the images) over axes, phases and
        distances.
    roughness
        Largest relative difference of the face density of any axis and phase; nan for
        gray values.
    fraction_floor, correlation_floor
        The same distances between disjoint real crops.
    swd, swd_floor
        See `SliceDistance`; nan where it is not asked for.
    """

    fraction_distance: float
    correlation_distance: float
    roughness: float
    fraction_floor: float
    correlation_floor: float
    swd: float = float("nan")
    swd_floor: float = float("nan")

    @property
    def headline(self) -> float:
        """The distance that is to fall."""
        return self.correlation_distance

    def sentence(self) -> str:
        """A few words for a progress bar."""
        name = "autocovariance" if math.isnan(self.roughness) else "S2"
        return f"{name} off {self.correlation_distance:.4f}"


class QualityMonitor:
    """Measures previews against the images of a run, which are measured once.

    Parameters
    ----------
    slices
        Measures the sliced Wasserstein distance as well, which takes longer.
    """

    def __init__(
        self, images: TrainingImages, slices: SliceDistance | None = None
    ) -> None:
        self.images = images
        self._real = RealStatistics(images)
        self._slices = slices

    @property
    def curves(self) -> tuple[MonitoredCurve, ...]:
        """What is drawn."""
        curves = CURVES if self.images.kind == "phases" else GRAY_CURVES
        return curves if self._slices is None else (*curves, SLICE_CURVE)

    @property
    def columns(self) -> tuple[str, ...]:
        """What the history holds."""
        unmeasured = {"swd", "swd_floor"} if self._slices is None else set()
        names = (field.name for field in fields(Quality))
        return tuple(name for name in names if name not in unmeasured)

    def measure(self, volume: Volume) -> Quality:
        """Quality of a preview volume."""
        found = quality_of(compare(self._real, volume, MAX_DISTANCE, MEASURED))
        if self._slices is None:
            return found
        swd = self._slices.measure(volume)
        return replace(found, swd=swd, swd_floor=self._slices.floor)


def quality_of(comparison: Comparison) -> Quality:
    """The few numbers that are watched during a run."""
    level = [row for row in comparison.rows if row.metric == LEVEL[comparison.kind]]
    curves = [row for row in comparison.rows if row.metric == CURVE[comparison.kind]]
    faces = [row for row in comparison.rows if row.metric == "face_density"]
    return Quality(
        fraction_distance=max(_known(row.distance for row in level)),
        correlation_distance=statistics.fmean(_known(row.distance for row in curves)),
        roughness=max(map(_relative, faces), default=float("nan")),
        fraction_floor=max(_known(row.noise_floor for row in level)),
        correlation_floor=statistics.fmean(_known(row.noise_floor for row in curves)),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None] or [float("nan")]


def _relative(row: Row) -> float:
    if not isinstance(row.real, float) or not row.real or row.distance is None:
        return float("nan")
    return row.distance / row.real
