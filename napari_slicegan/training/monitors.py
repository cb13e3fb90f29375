"""Quality of a run while it trains."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.data.pixel_values import display_gray, rgb_of
from napari_slicegan.metrics import METRICS
from napari_slicegan.metrics.comparison import Comparison, Row, compare
from napari_slicegan.metrics.judgement import relative_difference, worst_rows
from napari_slicegan.metrics.reference import RealStatistics, has_truth
from napari_slicegan.metrics.sliced_wasserstein import RealPatches

if TYPE_CHECKING:
    from napari_slicegan.config import Kind
    from napari_slicegan.data.patch_sampler import Source
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.volumes.volume import Volume


@dataclass(frozen=True)
class MonitoredCurve:
    """A quality measure plotted over the steps.

    It is judged if the quality has its distance in noise floors, or its noise floor.

    Attributes
    ----------
    column
        Name in the quality and the history.
    title
        Title in the plot.
    words
        The measure as a plural noun, in sentences.
    floor
        Name of the noise floor (the same measure between two sets of real data).
    in_floors
        Name of the largest distance in noise floors; without it, or in the history of
        an earlier release, `column` is divided by `floor`.
    difference
        Name of the relative difference from the real value.
    """

    column: str
    title: str
    words: str = ""
    floor: str = ""
    in_floors: str = ""
    difference: str = ""

    @property
    def is_judged(self) -> bool:
        """Whether it is a distance with a noise floor."""
        return bool(self.floor or self.in_floors)


SEED = 0
# Per axis; neighbouring planes are strongly correlated.
PLANES = 16


class SliceDistance:
    """Sliced Wasserstein distance between volume slices and a fixed set of crops.

    About ``floor`` for a volume that is indistinguishable from the material.

    Parameters
    ----------
    samplers
        Sources of real crops: one, or one for each axis.
    transform
        Converts micrograph values to network values.

    Attributes
    ----------
    floor
        Distance between two disjoint sets of crops.
    """

    def __init__(self, samplers: Sequence[Source], transform: Transform) -> None:
        rng = torch.Generator().manual_seed(SEED)
        # Without the label channel of conditional runs.
        drawn = [
            source.sample(2 * PLANES, rng).numpy()[:, : transform.channels]
            for source in samplers
        ]
        self._real = [crops[:PLANES] for crops in drawn]
        self._transform = transform
        self._patches: dict[int, list[RealPatches]] = {}
        others = [crops[PLANES:] for crops in drawn]
        patches = self._patches_of(self._real[0].shape[-1])
        self.floor = statistics.fmean(map(RealPatches.distance, patches, others))

    def measure(self, volume: Volume) -> float:
        """Distance of evenly spaced slices, averaged over the axes."""
        edge = min(*volume.values.shape[:3], self._real[0].shape[-1])
        distances = []
        patches = itertools.cycle(self._patches_of(edge))
        for axis, real in zip(AXES, patches, strict=False):
            planes = volume.planes(axis)
            chosen = np.arange(PLANES) * len(planes) // PLANES
            # [n, C, edge, edge]
            slices = self._transform.forward(planes[chosen, :edge, :edge]).numpy()
            distances.append(real.distance(slices))
        return statistics.fmean(distances)

    def _patches_of(self, edge: int) -> list[RealPatches]:
        """Patches of the real crops, cut to an edge; measured once for all previews."""
        if edge not in self._patches:
            cut = [RealPatches(real[:, :, :edge, :edge]) for real in self._real]
            self._patches[edge] = cut
        return self._patches[edge]


MAX_DISTANCE = 32
CURVE = {
    "phases": "two_point_correlation",
    "grayscale": "normalised_autocovariance",
    "colour": "normalised_autocovariance",
}
LEVEL = {"phases": "phase_fraction", "grayscale": "histogram", "colour": "histogram"}


CURVES = (
    MonitoredCurve(
        "fraction_distance",
        "Phase fraction",
        "phase fractions",
        "fraction_floor",
        "fraction_in_floors",
    ),
    MonitoredCurve(
        "correlation_distance",
        "Two-point correlation",
        "correlations",
        "correlation_floor",
        "correlation_in_floors",
    ),
    MonitoredCurve(
        "interface_density_error",
        "Interface density",
        "interfaces",
        "interface_density_floor",
        "interface_density_in_floors",
        "interface_density_difference",
    ),
)
GRAY_CURVES = (
    MonitoredCurve(
        "fraction_distance",
        "Histogram",
        "gray values",
        "fraction_floor",
        "fraction_in_floors",
    ),
    MonitoredCurve(
        "correlation_distance",
        "Normalised autocovariance",
        "correlations",
        "correlation_floor",
        "correlation_in_floors",
    ),
)
"""For gray values, in the same columns."""
COLOUR_CURVES = (replace(GRAY_CURVES[0], words="colours"), *GRAY_CURVES[1:])
BY_KIND: Mapping[Kind, tuple[MonitoredCurve, ...]] = MappingProxyType(
    {"phases": CURVES, "grayscale": GRAY_CURVES, "colour": COLOUR_CURVES}
)
"""Of previews, by the kind of their values."""
SECTION_EULER = MonitoredCurve(
    "section_euler_in_floors",
    "Euler number of sections",
    "Euler numbers of sections",
    in_floors="section_euler_in_floors",
)
PERCOLATION, EULER, DIFFUSIVITY = (
    MonitoredCurve(
        f"{name}_in_floors",
        title,
        words,
        in_floors=f"{name}_in_floors",
        difference=f"{name}_difference",
    )
    for name, title, words in (
        ("percolating_fraction", "Percolating fraction", "percolating fractions"),
        ("euler_density", "Euler number", "Euler numbers"),
        ("effective_diffusivity", "Effective diffusivity", "effective diffusivities"),
    )
)
CONNECTIVITY = (SECTION_EULER, PERCOLATION, EULER, DIFFUSIVITY)
"""Measured now and then, see `Connectivity`."""
JUDGED = ("_in_floors", "_difference")
SLICE_CURVE = MonitoredCurve(
    "swd", "Sliced Wasserstein distance", "slices", "swd_floor"
)
MEASURED = (
    "phase_fraction",
    "two_point_correlation",
    "interface_density",
    "normalised_autocovariance",
)


RARE_PHASES_AT = 0.95
"""Fraction of the commonest phase from which a preview of one phase is no surprise."""


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
    interface_density_error
        Largest relative difference of the interface density over axes and phases; nan
        for gray values.
    fraction_floor, correlation_floor, interface_density_floor
        The same distances between disjoint real crops.
    swd, swd_floor
        See `SliceDistance`; nan if not measured.
    fraction_in_floors, correlation_in_floors, interface_density_in_floors
        Largest distance over axes and phases, in multiples of its own noise floor.
    interface_density_difference
        Relative difference there: positive for too many interfaces.
    section_euler_in_floors, ..., effective_diffusivity_difference
        See `Connectivity`; nan where not measured.
    """

    fraction_distance: float
    correlation_distance: float
    interface_density_error: float
    fraction_floor: float
    correlation_floor: float
    swd: float = float("nan")
    swd_floor: float = float("nan")
    interface_density_floor: float = float("nan")
    fraction_in_floors: float = float("nan")
    correlation_in_floors: float = float("nan")
    interface_density_in_floors: float = float("nan")
    interface_density_difference: float = float("nan")
    section_euler_in_floors: float = float("nan")
    percolating_fraction_in_floors: float = float("nan")
    percolating_fraction_difference: float = float("nan")
    euler_density_in_floors: float = float("nan")
    euler_density_difference: float = float("nan")
    effective_diffusivity_in_floors: float = float("nan")
    effective_diffusivity_difference: float = float("nan")

    @property
    def headline(self) -> float:
        """Main distance; lower is better."""
        return self.correlation_distance

    def sentence(self) -> str:
        """A few words for a progress bar."""
        name = "autocovariance" if math.isnan(self.interface_density_error) else "S2"
        return f"{name} off {self.correlation_distance:.4f}"


COSTLY_SHARE = 0.01
"""Largest part of the training time that `Connectivity` takes."""
COSTLY_INTERVAL_S = 120.0
# Of the block on which the cost of a metric is tried.
TRIAL_EDGE = 24
# Solving takes longer per voxel in larger blocks: about as their edge.
SOLVED = "effective_diffusivity"
SOLVED_EDGE = 48
# Distances are capped: real pieces may agree exactly, and infinity cannot be plotted.
MOST_FLOORS = 1000.0


class Connectivity:
    """Connectivity and transport, measured every few minutes while there is time.

    Images show the Euler number of sections; a volume as the real material also has a
    percolating fraction, an Euler number and an effective diffusivity, the last of
    which is measured on a block of 48 voxels.

    A metric is measured if its expected cost does not raise the time of all of them
    above 1 % of that of the run so far. Times are those of the thread: a pause is free.

    Parameters
    ----------
    images
        The real material.
    real
        Its statistics for whole previews.
    """

    def __init__(self, images: TrainingImages, real: RealStatistics) -> None:
        self._real, self._real_blocks = real, RealStatistics(images)
        names: tuple[str, ...] = ()
        if images.kind == "phases":
            names = ("section_euler",)
        if names and has_truth(images):
            names = ("percolating_fraction", "euler_density", SOLVED)
        self.metrics = names
        self._cost_s: dict[str, float] = {}
        self._spent_s = 0.0
        self._began_s: float | None = None
        self._measured_s: dict[str, float] = {}

    @property
    def curves(self) -> tuple[MonitoredCurve, ...]:
        """Plotted measures."""
        names = {f"{metric}_in_floors" for metric in self.metrics}
        return tuple(curve for curve in CONNECTIVITY if curve.column in names)

    def measure(self, volume: Volume) -> dict[str, float]:
        """Values of a `Quality` by name, of the metrics that are due."""
        now = time.thread_time()
        if self._began_s is None:
            self._began_s = now
        values: dict[str, float] = {}
        for metric in self.metrics:
            if now - self._measured_s.get(metric, self._began_s) < COSTLY_INTERVAL_S:
                continue
            real, part = self._real, volume
            if metric == SOLVED:
                real, part = self._real_blocks, _block(volume, SOLVED_EDGE)
            if metric not in self._cost_s:
                self._cost_s[metric] = self._expected_s(metric, real, part)
            budget_s = COSTLY_SHARE * (now - self._began_s) - self._spent_s
            if self._cost_s[metric] > budget_s:
                continue
            began = time.thread_time()
            values |= _judged(compare(real, part, MAX_DISTANCE, (metric,)))
            cost = time.thread_time() - began
            # The real material is measured once.
            self._cost_s[metric] = min(self._cost_s[metric], cost)
            self._spent_s += cost
            self._measured_s[metric] = now
        return values

    def _expected_s(self, metric: str, real: RealStatistics, volume: Volume) -> float:
        """Cost of the first measurement, from a small block of the preview."""
        block = _block(volume, TRIAL_EDGE)
        reference = real.reference(volume, MAX_DISTANCE)
        samples = reference.blocks
        if not METRICS[metric].only_3d:
            # The same pixels a second time, in pieces.
            samples = reference.samples * 2
        n_voxels = volume.values.size + sum(sample.size for sample in samples)
        began = time.thread_time()
        for axis in range(3):
            phase = block.values == block.values.flat[0]
            METRICS[metric].function(phase, TRIAL_EDGE // 2, axis)
        spent = time.thread_time() - began
        self._spent_s += spent
        n_phases = len(volume.labels)
        grown = SOLVED_EDGE / TRIAL_EDGE if metric == SOLVED else 1.0
        return spent * grown * n_phases * n_voxels / block.values.size


def _block(volume: Volume, edge: int) -> Volume:
    """Block in the middle of a volume, at most as large."""
    box = tuple(
        slice(first, first + edge)
        for length in volume.values.shape[:3]
        for first in [max(length - edge, 0) // 2]
    )
    return replace(volume, values=volume.values[box])


def _judged(comparison: Comparison) -> dict[str, float]:
    """Largest distances of a comparison in noise floors, as values of a `Quality`."""
    found: dict[str, float] = {}
    for metric, (row, floors) in worst_rows(comparison).items():
        name = IN_QUALITY.get(metric, metric)
        found[f"{name}_in_floors"] = min(floors, MOST_FLOORS)
        difference = relative_difference(row)
        if difference is not None and name not in ("fraction", "correlation"):
            found[f"{name}_difference"] = difference
    return found


IN_QUALITY = {
    **dict.fromkeys(LEVEL.values(), "fraction"),
    **dict.fromkeys(CURVE.values(), "correlation"),
}


class QualityMonitor:
    """Compares previews with the images of a run, which are measured once.

    Parameters
    ----------
    slices
        Also measures the sliced Wasserstein distance, which takes longer.
    """

    def __init__(
        self, images: TrainingImages, slices: SliceDistance | None = None
    ) -> None:
        self.images = images
        self._real = RealStatistics(images)
        self._connectivity = Connectivity(images, self._real)
        self._slices = slices

    @property
    def curves(self) -> tuple[MonitoredCurve, ...]:
        """Plotted measures."""
        curves = (*BY_KIND[self.images.kind], *self._connectivity.curves)
        return curves if self._slices is None else (*curves, SLICE_CURVE)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the history."""
        measured = {curve.in_floors for curve in self.curves}
        measured |= {curve.difference for curve in self.curves}
        unmeasured = set() if self._slices is not None else {"swd", "swd_floor"}
        names = [field.name for field in fields(Quality)]
        unmeasured |= {n for n in names if n.endswith(JUDGED) and n not in measured}
        return tuple(name for name in names if name not in unmeasured)

    def is_collapsed(self, volume: Volume) -> bool:
        """Whether a preview has one value only, unlike the images."""
        images = self.images
        if images.kind == "phases" and max(images.phase_fractions) > RARE_PHASES_AT:
            return False  # most previews may miss phases that are as rare
        return bool(volume.values.min() == volume.values.max())

    def measure(self, volume: Volume) -> Quality:
        """Quality of a preview volume."""
        found = quality_of(compare(self._real, volume, MAX_DISTANCE, MEASURED))
        found = replace(found, **self._connectivity.measure(volume))
        if self._slices is None:
            return found
        swd = self._slices.measure(volume)
        return replace(found, swd=swd, swd_floor=self._slices.floor)


def quality_of(comparison: Comparison) -> Quality:
    """Quality from a full comparison."""
    nan = float("nan")

    def rows(metric: str) -> list[Row]:
        return [row for row in comparison.rows if row.metric == metric]

    def known(values: Iterable[float | None]) -> list[float]:
        return [value for value in values if value is not None] or [nan]

    level, curves = rows(LEVEL[comparison.kind]), rows(CURVE[comparison.kind])
    errors, floors = (
        [
            value / row.real
            if isinstance(row.real, float) and row.real and value is not None
            else nan
            for row in rows("interface_density")
            for value in [getattr(row, name)]
        ]
        for name in ("distance", "noise_floor")
    )
    return Quality(
        fraction_distance=max(known(row.distance for row in level)),
        correlation_distance=statistics.fmean(known(row.distance for row in curves)),
        interface_density_error=max(errors, default=nan),
        fraction_floor=max(known(row.noise_floor for row in level)),
        correlation_floor=statistics.fmean(known(row.noise_floor for row in curves)),
        interface_density_floor=max(floors, default=nan),
        **_judged(comparison),
    )


# Smaller planes are enlarged by a whole number.
PANEL = 192
GAP = 8
WHITE = 255


def preview_image(images: TrainingImages, volume: Volume) -> NDArray[np.uint8]:
    """Real crops and the middle planes of a generated volume, in the same shades.

    Isotropic: the real crop, then the planes along z, y and x. Otherwise the real crop
    of each direction above the plane of the same direction. All panels have the same
    scale; a crop of an image smaller than the volume is filled up with white. Planes
    that are longer than wide are cut to the size of the images.

    Returns
    -------
    NDArray[np.uint8]
        [rows, columns], or [rows, columns, 3] for colour and coloured phases.
    """

    def middle(planes: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(planes[len(planes) // 2])

    generated = [middle(volume.planes(axis)) for axis in AXES]
    planes = {axis: middle(seen[0].planes(axis)) for axis, seen in images.views.items()}
    sizes = [plane.shape[:2] for plane in generated]
    largest = max(max(plane.shape[:2]) for plane in planes.values())
    edge = min(max(map(max, sizes)), max(largest, min(map(min, sizes))))
    generated = [plane[:edge, :edge] for plane in generated]
    real = []
    for plane in planes.values():
        row, column = (max(length - edge, 0) // 2 for length in plane.shape[:2])
        real.append(plane[row : row + edge, column : column + edge])
    rows = [[*real, *generated]] if len(real) == 1 else [real, generated]
    return np.concatenate(
        [np.concatenate([_panel(p, edge, images) for p in row], axis=1) for row in rows]
    )


def _panel(
    values: NDArray[Any], edge: int, images: TrainingImages
) -> NDArray[np.uint8]:
    """Shades of a plane [<= edge, <= edge(, 3)], enlarged, in the corner of a square.

    Phases are drawn in their colours or, without, from black to light gray; other
    values from the darkest to the brightest. All squares have the same size, with a
    margin below and at the right.
    """
    if images.kind == "phases":
        table = np.linspace(0, 230, len(images.labels)).astype(np.uint8)
        colours = images.colours
        if colours.keys() >= set(images.labels):
            table = np.array([rgb_of(colours[n]) for n in images.labels], "u1")
        shades = table[np.searchsorted(images.labels, values)]
    else:
        shades = display_gray(values, *images.extremes)
    factor = max(1, PANEL // edge)
    shades = shades.repeat(factor, axis=0).repeat(factor, axis=1)
    side = factor * edge + GAP
    margins = [(0, side - length) for length in shades.shape[:2]]
    margins += [(0, 0)] * (shades.ndim - 2)
    return np.pad(shades, margins, constant_values=WHITE)
