"""Whether other seeds make other volumes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Diversity:
    """Likeness of volumes of different seeds, voxel by voxel.

    Attributes
    ----------
    likeness
        Mean over the pairs of volumes: of labels Cohen's kappa, the agreement beyond
        chance; of gray values the correlation. 0 for independent volumes, 1 for equal
        ones.
    chance
        Root mean square of the same between volumes and others that are moved by half
        their edge, so that they share no place: what independent volumes reach.
    n_volumes
        Number of volumes.
    """

    likeness: float
    chance: float
    n_volumes: int


def diversity(volumes: Sequence[NDArray[Any]], labels: Sequence[int] = ()) -> Diversity:
    """Compare volumes of the same generator and different seeds.

    Parameters
    ----------
    volumes
        At least two of equal shape.
    labels
        Phases; empty for gray values and colours.

    Raises
    ------
    ValueError
        If there are fewer than two, or their shapes differ.
    """
    if len(volumes) < 2 or len({volume.shape for volume in volumes}) > 1:
        raise ValueError(
            "Diversity needs at least two volumes of the same shape; got "
            f"{[volume.shape for volume in volumes]}. Generate more."
        )
    pairs = list(itertools.combinations(volumes, 2))
    found = [_likeness(one, other, labels) for one, other in pairs]
    # By an odd number: a pattern of every second, fourth ... voxel must not match.
    moved = [
        _likeness(one, np.roll(other, one.shape[axis] // 2 | 1, axis), labels)
        for one, other in pairs
        for axis in range(3)
    ]
    return Diversity(
        float(np.mean(found)),
        float(np.sqrt(np.mean(np.square(moved)))),
        len(volumes),
    )


def _likeness(one: NDArray[Any], other: NDArray[Any], labels: Sequence[int]) -> float:
    """Cohen's kappa, or Pearson's correlation; 1 where nothing varies."""
    if not labels:
        first, second = (v.astype(np.float64) - v.mean() for v in (one, other))
        scale = np.sqrt((first**2).mean() * (second**2).mean())
        return float((first * second).mean() / scale) if scale else 1.0
    agreement = float((one == other).mean())
    chance = sum(
        float((one == label).mean()) * float((other == label).mean())
        for label in labels
    )
    return (agreement - chance) / (1 - chance) if chance < 1 else 1.0
