"""How good a run is while it trains."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from napari_slicegan.metrics.comparison import Comparison, Row, compare

if TYPE_CHECKING:
    from napari_slicegan.training_images import TrainingImages
    from napari_slicegan.volume import Volume

MAX_DISTANCE = 32
CURVE = {
    "phases": "two_point_correlation",
    "grayscale": "autocovariance",
    "colour": "autocovariance",
}
LEVEL = {"phases": "phase_fraction", "grayscale": "histogram", "colour": "histogram"}
MEASURED = ("phase_fraction", "two_point_correlation", "face_density", "autocovariance")


@dataclass(frozen=True)
class Quality:
    """Distance of a preview from the micrographs, with the noise floor.

    Attributes
    ----------
    fraction_distance
        Largest difference of a phase fraction; of gray values and colours the
        Wasserstein distance of the histograms.
    correlation_distance
        Mean difference of the two-point correlations (gray values: of the
        autocovariances) over axes, phases and distances.
    roughness
        Largest relative difference of the face density of any axis and phase; nan for
        gray values.
    fraction_floor, correlation_floor
        The same distances between disjoint real crops.
    """

    fraction_distance: float
    correlation_distance: float
    roughness: float
    fraction_floor: float
    correlation_floor: float

    @property
    def headline(self) -> float:
        """The distance that is to fall."""
        return self.correlation_distance

    def sentence(self) -> str:
        """A few words for a progress bar."""
        return f"S2 off {self.correlation_distance:.4f}"

    @staticmethod
    def columns(quality: Quality | None) -> dict[str, float | str]:
        """Columns for the history; empty where nothing was measured."""
        names = [field.name for field in fields(Quality)]
        return {
            name: "" if quality is None else getattr(quality, name) for name in names
        }


class QualityMonitor:
    """Measures previews against the images of a run."""

    def __init__(self, images: TrainingImages) -> None:
        self.images = images

    def measure(self, volume: Volume) -> Quality:
        """Quality of a preview volume."""
        return quality_of(compare(self.images, volume, MAX_DISTANCE, MEASURED))


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
