"""Representativity of images, and the volume size that is required.

The phase fraction of a window scatters with the variance phi (1 - phi) A / W, W being
the size of the window and A the integral range, which follows from the two-point
correlation: Lantuejoul, Journal of Microscopy 161, 387 (1991). Estimation from a single
image: Dahari, Docherty, Kench and Cooper, *Prediction of microstructural
representativity from a single image*, Advanced Science (2025), "ImageRep". Their
correction for the uncertainty of A itself is not applied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.metrics.correlation import radial_product

# Two-sided 95 % of a normal distribution.
SIGMAS_95 = 1.96
# Relative error of the fraction for which the required sizes are computed.
WANTED = 0.05
# Covariances below this fraction of the first one always count as noise.
MAX_NOISE = 0.05
# Voxels further apart are assumed to be independent.
MAX_REACH = {2: 128, 3: 48}


@dataclass(frozen=True)
class Representativity:
    """Uncertainty of the phase fraction measured on some images.

    Attributes
    ----------
    fraction
        Phase fraction of the images.
    integral_range
        Area in pixels^2 (volume in voxels^3) that counts as one independent sample.
    half_width
        Half of the 95 % confidence interval of the fraction.
    image_edge, volume_edge
        Edge in pixels of a square image, and of a cube of an isotropic material, whose
        fraction has a 95 % interval of +- `WANTED` of its value. The cube is None where
        the material is not known to be isotropic.
    """

    fraction: float
    integral_range: float
    half_width: float
    image_edge: float
    volume_edge: float | None

    @property
    def relative(self) -> float:
        """Half of the 95 % interval, relative to the fraction."""
        return self.half_width / self.fraction

    @property
    def is_enough(self) -> bool:
        """Whether the fraction is known to +- `WANTED` of its value."""
        return self.relative <= WANTED


def representativity(
    indicators: Sequence[NDArray[np.bool_]], isotropic: bool
) -> Representativity | None:
    """Integral range and confidence interval of the phase fraction of some images.

    The variance of the fraction is phi (1 - phi) A / W, with the integral range A and
    the size W of the images; Lantuejoul, Journal of Microscopy 161, 387 (1991).
    The sum over the covariance ends where it first falls to its own noise: what lies
    beyond would add mostly that. Materials whose covariance goes below 0 and back are
    more representative than estimated. The images' own mean is not the material's: the
    covariance is raised by the variance of the mean, which follows from A itself.

    Parameters
    ----------
    indicators
        Independent images ``[Y, X]``, or volumes ``[Z, Y, X]``, of one phase.
    isotropic
        Whether the images represent all directions of space; the required volume can be
        computed only then.

    Returns
    -------
    None if the phase, or the rest, does not occur in the images.
    """
    dimensions = indicators[0].ndim
    window = sum(image.size for image in indicators)
    fraction = sum(int(image.sum()) for image in indicators) / window
    if not 0 < fraction < 1:
        return None
    spread = fraction * (1 - fraction)
    covariance = _covariance(indicators, spread)
    counts = _displacements_by_distance(len(covariance) - 1, dimensions)
    # v = sum(counts * (covariance + v)) / window, solved for v.
    variance = counts @ covariance / max(window - counts.sum(), window / 10)
    variance = min(float(variance), spread)
    raised = covariance + variance
    # In an isotropic material the covariance by distance is that of the volume.
    known_in_3d = isotropic or dimensions == 3
    return Representativity(
        fraction=fraction,
        integral_range=float(variance * window / spread),
        half_width=SIGMAS_95 * math.sqrt(variance),
        image_edge=_edge_needed(raised, fraction, 2),
        volume_edge=_edge_needed(raised, fraction, 3) if known_in_3d else None,
    )


def _edge_needed(
    covariance: NDArray[np.float64], fraction: float, dimensions: int
) -> float:
    """Edge of the window whose confidence interval is +- `WANTED`."""
    counts = _displacements_by_distance(len(covariance) - 1, dimensions)
    deviation = WANTED * fraction / SIGMAS_95
    return float((counts @ covariance / deviation**2) ** (1 / dimensions))


def _covariance(
    indicators: Sequence[NDArray[np.bool_]], spread: float
) -> NDArray[np.float64]:
    """Covariance by distance, up to where it falls to its noise."""
    dimensions = indicators[0].ndim
    sizes = [image.size for image in indicators]
    reach = min(MAX_REACH[dimensions], *(min(image.shape) // 2 for image in indicators))
    curves = [_mean_of_both(image, reach) for image in indicators]
    # (phi^2 + (1 - phi)^2) / 2 is subtracted.
    covariance = np.average(curves, axis=0, weights=sizes) - 0.5 + spread
    return np.asarray(covariance[: _end(covariance, sum(sizes), dimensions)])


def _mean_of_both(indicator: NDArray[np.bool_], reach: int) -> NDArray[np.float64]:
    """Two-point correlation, mean of a phase and the rest.

    The border, where pairs are fewer, weighs on them oppositely. Of the values 1 and
    -1, the mean product is the share of equal pairs minus that of others.
    """
    return (1 + radial_product(2 * indicator.astype(np.int8) - 1, reach)) / 4


def _end(covariance: NDArray[np.float64], window: int, dimensions: int) -> int:
    """First distance at which the covariance is within its noise.

    The relative noise is about sqrt(2 B / window), B being the sum of the squared
    correlation (Bartlett's formula for a normal field).
    """
    correlation = covariance / covariance[0]
    ends = np.flatnonzero(correlation <= 0)
    positive = correlation[: ends[0] if ends.size else None]
    counts = _displacements_by_distance(len(positive) - 1, dimensions)
    noise = math.sqrt(2 * float(counts @ positive**2) / window)
    below = np.flatnonzero(positive <= min(noise, MAX_NOISE))
    return int(below[0]) if below.size else len(positive)


def _displacements_by_distance(reach: int, dimensions: int) -> NDArray[np.int64]:
    """Numbers of whole displacements whose length rounds to 0, 1, ... reach."""
    steps = np.arange(-reach - 1, reach + 2) ** 2
    plane = np.add.outer(steps, steps).ravel()
    layers = steps if dimensions == 3 else np.zeros(1, np.int64)
    counts = np.zeros(reach + 1, np.int64)
    # Opposite layers hold the same numbers, but are few enough to be counted twice.
    for layer in layers:
        lengths = np.rint(np.sqrt(plane + layer)).astype(np.int64)
        counts += np.bincount(lengths[lengths <= reach], minlength=reach + 1)
    return counts


def slice_fractions(labels: NDArray[Any], value: int, axis: int) -> NDArray[np.float64]:
    """Area fraction of one label in each plane normal to an axis.

    Returns
    -------
    ``[labels.shape[axis]]``. Its standard deviation is the uncertainty of the
    fraction measured on a single plane.
    """
    planes = np.moveaxis(labels, axis, 0)
    counts = [np.count_nonzero(plane == value) for plane in planes]
    return np.array(counts, dtype=np.float64) / (labels.size // len(planes))
