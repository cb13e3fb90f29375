"""Traces of the network's own grid: patterns that repeat every 2, 4, 8 ... voxels.

A generator of transposed convolutions has its own weights for each position modulo its
strides, so its volumes can carry a regular grid that no material has. A periodic
pattern is a set of lines in the power spectrum. Each line is compared with the ring of
frequencies around it, within the plane or line of frequencies that fibres and layers
fill: chance makes single powers exponential, whatever the material.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

MODULI = (2, 4, 8, 16, 32)
CONFIDENCE = 0.9999
# The ring: 2 and 3 bins from its line, which a Hann window spreads to one bin.
INNER, OUTER, OUTER_ON_LINES = 3, 7, 13
# Part of the largest power below which a bin is empty.
EMPTY = 1e-12


@dataclass(frozen=True)
class Lattice:
    """Dependence of the mean on the position modulo n.

    Attributes
    ----------
    modulus
        The period n, in voxels along every axis.
    ratio
        Variance of the mean over the n^3 (of sections n^2) positions modulo n, less
        those of smaller periods, divided by that expected by chance; 1 without a grid.
    deviation
        Standard deviation of the mean over these positions beyond chance, divided by
        that of the values: the strength of the grid.
    limit
        The ratio that chance exceeds in one of 10,000 cases.
    strongest
        Power of the strongest line of this period over that of its surroundings.
    strongest_limit
        What chance exceeds in one of 10,000 cases, for the number of lines.
    line
        Frequency of the strongest line, in cycles per voxel along each axis.
    """

    modulus: int
    ratio: float
    deviation: float
    limit: float
    strongest: float
    strongest_limit: float
    line: tuple[float, ...]

    @property
    def excess(self) -> float:
        """How far the whole or its strongest line stands out; 1 at the limit."""
        return max(self.ratio / self.limit, self.strongest / self.strongest_limit)

    @property
    def is_visible(self) -> bool:
        """Whether it stands out more than by chance."""
        return self.excess > 1


def lattice(samples: Sequence[NDArray[Any]]) -> list[Lattice]:
    """Test whether the mean depends on the position modulo 2, 4, 8, 16 and 32.

    Periods longer than an eighth of the shortest edge cannot be resolved and are left
    out.

    Parameters
    ----------
    samples
        Indicators of a phase or gray values, all ``[Y, X]`` or all ``[Z, Y, X]`` and of
        one shape; their spectra are averaged. All begin at the same position of the
        network, as volumes and the planes of a volume do.

    Returns
    -------
    One entry for each period that can be tested; empty if the samples are constant.

    Raises
    ------
    ValueError
        If the samples differ in shape.
    """
    shapes = {sample.shape for sample in samples}
    if len(shapes) != 1:
        raise ValueError(
            f"Expected samples of one shape, got {sorted(shapes)}; cut them to the "
            "same size."
        )
    (shape,) = shapes
    largest = max((n for n in MODULI if 8 * n <= min(shape)), default=0)
    if not largest:
        return []
    # A line falls on a bin if every edge holds a whole number of periods.
    shape = tuple(length - length % largest for length in shape)
    power = _mean_power(samples, shape)
    if not power.any():
        return []
    background = _background(power)
    # Samples may resemble each other, and spectra are not flat: the scatter within the
    # rings says how far single powers are from their mean.
    relative = power / background
    scatter = _ring_mean(relative**2) / np.maximum(_ring_mean(relative) ** 2, EMPTY)
    found, seen = [], np.zeros(shape, dtype=bool)
    seen[(0,) * len(shape)] = True
    for modulus in MODULI:
        if modulus > largest:
            continue
        steps = [range(0, length, length // modulus) for length in shape]
        lines = np.zeros(shape, dtype=bool)
        lines[np.ix_(*steps)] = True
        lines &= ~seen
        seen |= lines
        found.append(_judged(modulus, lines, power, background, scatter, len(samples)))
    return found


def _mean_power(
    samples: Sequence[NDArray[Any]], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Power spectra of the windowed samples, averaged."""
    box = tuple(map(slice, shape))
    power = np.zeros(shape)
    for sample in samples:
        values = sample[box].astype(np.float32)
        values -= values.mean()
        values /= float(values.std()) or 1.0
        for axis, length in enumerate(shape):
            window = np.hanning(length + 1)[:-1].astype(np.float32)
            values *= window.reshape(
                [-1 if a == axis else 1 for a in range(len(shape))]
            )
        power += np.square(np.abs(scipy.fft.fftn(values)))
    # A wave of the amplitude 1 has the power 1; the mean of the window is 1/2.
    gain = math.prod(length / 2 for length in shape)
    return np.asarray(power / (len(samples) * gain**2))


def _background(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Power to be expected in each bin, from those around it.

    Fibres and layers have their power in a plane or on a line of frequencies through
    the origin: bins there are also compared with others of the same plane or line.
    """
    found = _ring_mean(power)
    for size in range(1, power.ndim):
        for axes in itertools.combinations(range(power.ndim), size):
            place = tuple(slice(None) if a in axes else 0 for a in range(power.ndim))
            among = _ring_mean(power[place])
            found[place] = np.maximum(found[place], among)
    # Rounding errors of empty bins are no power.
    return np.asarray(np.maximum(found, EMPTY * power.max()))


def _ring_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the ring of bins around each one; of a line, of more of its bins."""
    rank = values.ndim
    width = OUTER if rank > 1 else OUTER_ON_LINES
    outer, inner = (
        scipy.ndimage.uniform_filter(values, size, mode="wrap") * size**rank
        for size in (width, INNER)
    )
    return np.asarray((outer - inner) / (width**rank - INNER**rank))


def _judged(
    modulus: int,
    lines: NDArray[np.bool_],
    power: NDArray[np.float64],
    background: NDArray[np.float64],
    scatter: NDArray[np.float64],
    n_samples: int,
) -> Lattice:
    """Lines of one period against their surroundings."""
    places = np.argwhere(lines)
    sizes = np.array(power.shape)
    strength, chance = power[lines], background[lines]
    least = 1 / n_samples  # of independent samples
    freedoms = np.full(
        len(places), 2 / max(float(np.median(scatter[lines])) - 1, least)
    )
    # Frequencies that are their own negative have a real amplitude, half as free; the
    # others come with their negative, which has the same power.
    own = ((2 * places) % sizes == 0).all(axis=1)
    freedoms[own] /= 2
    shared = np.where(own, 1.0, 2.0)
    # Satterthwaite: the sum is distributed as a scaled chi-square.
    variance = float((2 * chance**2 * shared / freedoms).sum())
    effective = 2 * float(chance.sum()) ** 2 / variance
    ratios = strength / chance
    alone = 1 - (1 - CONFIDENCE) / len(ratios)
    limits = scipy.stats.chi2.ppf(alone, freedoms) / freedoms
    excess = ratios / limits
    best = int(np.argmax(excess))
    frequency = (places[best] / sizes + 0.5) % 1 - 0.5
    return Lattice(
        modulus,
        float(strength.sum() / chance.sum()),
        float(np.sqrt(max(0.0, strength.sum() - chance.sum()))),
        float(scipy.stats.chi2.ppf(CONFIDENCE, effective) / effective),
        float(ratios[best]),
        float(limits[best]),
        tuple(float(value) for value in frequency),
    )


def lattice_by_part(
    values: NDArray[Any], kind: Kind, labels: Sequence[int]
) -> dict[int | str, list[Lattice]]:
    """The test for each phase by its label, or each channel by its name.

    Of two phases for the first: both have the same spectrum.
    """
    parts: dict[int | str, NDArray[Any]] = {"gray": values}
    if kind == "phases":
        tested = labels[:1] if len(labels) == 2 else labels
        parts = {label: values == label for label in tested}
    elif kind == "colour":
        names = ("red", "green", "blue")
        parts = {name: values[..., place] for place, name in enumerate(names)}
    return {part: lattice([found]) for part, found in parts.items()}
