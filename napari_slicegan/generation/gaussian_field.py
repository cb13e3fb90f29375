"""Gaussian random fields cut at levels: the baseline that a network must beat.

Such a volume has the phase fractions and the two-point correlation of the images, and
no other knowledge of them. The correlation of the field follows from the two-point
correlation S2 of a phase by the bivariate normal distribution (Berk, Physical Review A
44, 5069, 1991; Teubner, Europhysics Letters 14, 403, 1991).

Of three phases or more, the coarsest one is cut from one field, the next one from a
second field in what is left, and so on: each has its fraction and its correlation, but
not the correlations between phases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, integrate, optimize, special

from napari_slicegan.config import AXES
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.pixel_values import label_dtype
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.correlation import (
    radial_two_point_correlation,
    two_point_correlation,
)
from napari_slicegan.metrics.reference import ISOTROPIC, reference_of
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.metrics.reference import Group, Material

Curve = NDArray[np.float64]

# Smallest edge of an image whose correlation is measured, and its largest distance.
SMALLEST_EDGE, MAX_REACH = 6, 128
MAX_SHELLS = 256
SMOOTHNESS = 1.0
N_ANGLES = 4001


def gaussian_volume(
    material: Material,
    shape: tuple[int, int, int],
    seed: int = 0,
    periodic: str = "",
) -> Volume:
    """A volume with the phase fractions and two-point correlation of images.

    Gaussian random fields, cut at levels; Berk, Physical Review A 44, 5069 (1991), and
    Teubner, Europhysics Letters 14, 403 (1991).

    Parameters
    ----------
    material
        Images of phases, as for `napari_slicegan.compare`. Of three views, or of a
        volume, the correlation along each axis is kept, with one shape for all.
    shape
        Voxels along z, y, x.
    seed
        Another one gives another sample.
    periodic
        Axes along which the volume is periodic, such as ``"xy"``.

    Raises
    ------
    ValueError
        If the images are not of phases, are too small, or the volume does not fit in
        memory.
    """
    if isinstance(material, Micrograph):
        material = TrainingImages.isotropic(material)
    # Any volume of phases: only the images are wanted.
    any_volume = Volume(np.zeros((2, 2, 2), np.uint8), "phases")
    samples = reference_of(material, any_volume, 1).samples
    labels = tuple(sorted({int(n) for s in samples for n in np.unique(s.values)}))
    size, colours = None, {}
    if isinstance(material, TrainingImages):
        size, colours = material.pixel_size_nm, dict(material.colours)
    elif isinstance(material, Volume):
        size, colours = material.voxel_size_nm, dict(material.colours)
    values = gaussian_phases(samples, labels, shape, seed, periodic)
    return Volume(values, "phases", size, labels, colours)


def gaussian_phases(
    samples: Group,
    labels: Sequence[int],
    shape: Sequence[int],
    seed: int = 0,
    periodic: str = "",
) -> NDArray[Any]:
    """As `gaussian_volume`, of real samples; ``[Z, Y, X]``, labels of the phases.

    Raises
    ------
    ValueError
        If the samples are too small, or the volume does not fit in memory.
    """
    if seed < 0:
        raise ValueError(f"Expected a seed of at least 0, got {seed}; give another.")
    if unknown := set(periodic) - set(AXES):
        raise ValueError(
            f"Expected periodic axes among z, y and x, got '{''.join(sorted(unknown))}'"
            "; correct them."
        )
    edge = min(min(sample.values.shape) for sample in samples)
    if edge < SMALLEST_EDGE or min(shape) < 1:
        raise ValueError(
            f"Expected images of at least {SMALLEST_EDGE} pixels per edge and a volume "
            f"of at least 1 voxel, got {edge} and {' x '.join(map(str, shape))}; use "
            "larger ones."
        )
    reach = max(1, min(edge // 3, max(shape) // 2, MAX_REACH))
    grid = tuple(
        n if axis in periodic else n + reach
        for axis, n in zip(AXES, shape, strict=True)
    )
    name, advice = "The Gaussian field", "lower the size of the volume"
    check_memory((3, *grid), np.dtype(np.complex64), name, advice)
    random = np.random.default_rng(seed)
    present = [n for n in labels if any((one.values == n).any() for one in samples)]
    *cut, last = _coarse_to_fine(samples, present, reach)
    made = np.full(shape, last, label_dtype(labels))
    free = np.ones(shape, bool)
    for number, label in enumerate(cut):
        spec = _field_spec(samples, label, [*cut[number:], last], reach)
        field = _field(spec, grid, random)[tuple(map(slice, shape))]
        if free.any():
            level = np.quantile(field[free], 1 - spec.fraction)
            chosen = free & (field > level)
            made[chosen] = label
            free &= ~chosen
    return made


@dataclass(frozen=True)
class _FieldSpec:
    """A Gaussian field and the share of voxels above its level.

    Attributes
    ----------
    distances, correlation
        The correlation of the field at some distances in voxels.
    stretch
        Correlation length along z, y, x over their mean.
    """

    fraction: float
    distances: Curve
    correlation: Curve
    stretch: tuple[float, float, float] = (1, 1, 1)


def field_correlation(s2: Curve, fraction: float) -> Curve:
    """Correlation of a Gaussian field whose cut has a two-point correlation.

    P(both above the level t) = phi^2 + integral from 0 to rho of
    exp(-t^2 / (1 + r)) / (2 pi sqrt(1 - r^2)) dr (Berk 1991, eq. 4), in which
    r = sin(angle) removes the root.

    Parameters
    ----------
    s2
        Probabilities that two voxels both lie in the phase.
    fraction
        Of the phase, between 0 and 1.

    Returns
    -------
    From -1 to 1; that of the nearest possible probability.
    """
    level = special.ndtri(1 - fraction)
    angles = np.linspace(-np.pi / 2, np.pi / 2, N_ANGLES)
    slope = np.exp(-(level**2) / np.maximum(1 + np.sin(angles), 1e-12)) / (2 * np.pi)
    joint = integrate.cumulative_simpson(slope, x=angles, initial=0)
    joint += fraction**2 - joint[N_ANGLES // 2]
    return np.interp(s2, joint, np.sin(angles))


def _coarse_to_fine(samples: Group, labels: Sequence[int], reach: int) -> list[int]:
    """Labels by falling correlation length."""
    if len(labels) == 1:
        return [*labels]

    def length(label: int) -> float:
        curves = _correlations(samples, [label], reach)
        phi = float(curves[0][0])
        excess = [(curve - phi**2) / (phi - phi**2) for curve in curves]
        return sum(map(_length, excess))

    return sorted(labels, key=length, reverse=True)


def _field_spec(
    samples: Group, label: int, rest: Sequence[int], reach: int
) -> _FieldSpec:
    """Field that cuts a phase out of what is left for it and the later ones."""
    own = _correlations(samples, [label], reach)
    left = _correlations(samples, rest, reach)
    fraction = float(own[0][0] / left[0][0])
    # The field is independent of those before: P(both) = P(both left) P(both above).
    found = [
        field_correlation(np.minimum(a / np.maximum(b, 1e-9), fraction), fraction)
        for a, b in zip(own, left, strict=True)
    ]
    for curve in found:
        curve[0] = 1
    if len(found) == 1:
        return _FieldSpec(fraction, _radial_distances(reach), found[0])
    lengths = [max(_length(curve), 0.5) for curve in found]
    mean = math.prod(lengths) ** (1 / 3)
    distances = np.arange(reach + 1.0)
    z, y, x = (length / mean for length in lengths)
    common = np.mean(
        [
            np.interp(distances * part, distances, curve)
            for part, curve in zip((z, y, x), found, strict=True)
        ],
        axis=0,
    )
    return _FieldSpec(fraction, distances, common, (z, y, x))


def _radial_distances(reach: int) -> Curve:
    """Mean length of the displacements in a section that round to r = 0, 1, ..."""
    steps = np.arange(-reach, reach + 1)
    lengths = np.hypot(steps[:, None], steps).ravel()
    rounded = np.rint(lengths).astype(np.intp)
    means = np.bincount(rounded, lengths) / np.bincount(rounded)
    return np.asarray(means[: reach + 1])


def _length(curve: Curve) -> float:
    """Sum of a correlation up to its first zero."""
    below = np.flatnonzero(curve <= 0)
    return float(curve[: below[0] if len(below) else None].sum())


def _correlations(samples: Group, labels: Sequence[int], reach: int) -> list[Curve]:
    """Two-point correlation of some phases together: radial, or along z, y and x."""
    indicators = [np.isin(sample.values, labels) for sample in samples]
    sizes = [float(indicator.size) for indicator in indicators]
    if samples[0].axes is ISOTROPIC:
        curves = [radial_two_point_correlation(one, reach) for one in indicators]
        return [np.average(curves, axis=0, weights=sizes)]
    found = []
    for axis in AXES:
        seen = [
            (two_point_correlation(one, reach, array_axis), size)
            for one, size, sample in zip(indicators, sizes, samples, strict=True)
            for array_axis in sample.axes.get(axis, ())
        ]
        along, weights = zip(*seen, strict=True)
        found.append(np.average(along, axis=0, weights=weights))
    # One fraction for all axes, though their images differ.
    fraction = float(np.mean([curve[0] for curve in found]))
    return [curve * (fraction / curve[0]) if curve[0] else curve for curve in found]


def _field(
    spec: _FieldSpec, grid: tuple[int, ...], random: np.random.Generator
) -> NDArray[np.float32]:
    """Periodic Gaussian field ``[Z, Y, X]`` of any variance.

    Shells of wave numbers k: rho(r) = sum of P(k) sin(k r) / (k r) with P >= 0, by
    least squares; a penalty on second differences keeps the spectrum smooth.
    """
    shells = max(2, min(max(grid) // 2, MAX_SHELLS))
    waves = np.pi * (np.arange(shells) + 0.5) / shells
    basis = np.sinc(np.outer(spec.distances, waves / np.pi))
    smooth = SMOOTHNESS * np.diff(np.eye(shells), 2, axis=0)
    aim = np.concatenate([spec.correlation, np.zeros(len(smooth))])
    spectrum, _ = optimize.nnls(np.vstack([basis, smooth]), aim)
    z, y, x = grid
    steps: tuple[Any, ...] = (fft.fftfreq(z), fft.fftfreq(y), fft.rfftfreq(x))
    along = [
        np.square(2 * np.pi * part * step).astype(np.float32)
        for part, step in zip(spec.stretch, steps, strict=True)
    ]
    length = np.sqrt(sum(np.ix_(*along), np.float32(0)))
    shell = np.minimum((length * (shells / np.pi)).astype(np.int32), shells)
    modes = np.bincount(shell.ravel(), minlength=shells + 1)
    amplitude = np.sqrt(np.append(spectrum, 0) / np.maximum(modes, 1))
    noise = fft.rfftn(random.standard_normal(grid, np.float32))
    noise *= amplitude.astype(np.float32)[shell]
    made: NDArray[np.float32] = fft.irfftn(noise, grid)
    return made
