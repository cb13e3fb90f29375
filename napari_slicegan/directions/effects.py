"""What directions really do: their effect on every property, beside random ones."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_slicegan.directions.direction import NO_PROPERTY, Direction, Effect
from napari_slicegan.directions.gauge import Gauge
from napari_slicegan.directions.guided import random_directions
from napari_slicegan.directions.properties import PROPERTIES
from napari_slicegan.edits import LATENT
from napari_slicegan.generation import finished, scaled

if TYPE_CHECKING:
    from napari_slicegan.directions.direction_set import DirectionSet
    from napari_slicegan.trained_generator import TrainedNetwork

Curves = dict[str, NDArray[np.float64]]
"""By property: its values, [n_seeds, n_strengths]."""


@dataclass(frozen=True)
class Sweeping:
    """How effects are measured.

    Attributes
    ----------
    strengths
        Rising, of both signs.
    seeds
        Volumes, or sheets of images, for each strength; at least two.
    first, last
        Blocks that are edited, as of `Direction.edit`; each direction's own if left
        out. Random directions act where most of the others do.
    n_random
        Random directions to compare with, at the two ends of the strengths.
    """

    strengths: tuple[float, ...] = (-3.0, -1.5, 0.0, 1.5, 3.0)
    seeds: tuple[int, ...] = (0, 1, 2)
    first: str | None = None
    last: str | None = None
    n_random: int = 8

    def __post_init__(self) -> None:
        rising = all(np.diff(self.strengths) > 0)
        if len(self.strengths) < 3 or not rising or len(self.seeds) < 2:
            raise ValueError(
                "Expected at least three rising strengths and two seeds, got "
                f"{self.strengths} and {self.seeds}; add some more."
            )


STANDARD = Sweeping()


def measure_effects(
    trained: TrainedNetwork,
    found: DirectionSet,
    gauge: Gauge | None = None,
    sweeping: Sweeping = STANDARD,
) -> DirectionSet:
    """The directions with their measured effects, in place of any earlier ones.

    Parameters
    ----------
    trained
        The generator; it may be another than that of the directions, such as one that
        was fine-tuned from it, as long as they fit.
    found
        The directions.
    gauge
        What is measured, of which phase and at which size.

    Raises
    ------
    ValueError
        If the directions do not fit the generator.
    """
    return finished(effects_in_steps(trained, found, gauge, sweeping))


def effects_in_steps(
    trained: TrainedNetwork,
    found: DirectionSet,
    gauge: Gauge | None = None,
    sweeping: Sweeping = STANDARD,
) -> Generator[float, None, DirectionSet]:
    """As `measure_effects`: yields the finished share; close it to cancel."""
    found.check(trained)
    gauge = gauge or Gauge(trained)
    n_random, strengths = sweeping.n_random, sweeping.strengths
    chance = random_directions(trained, n_random) if n_random else ()
    chance = tuple(replace(one, block=_common_block(found)) for one in chance)
    ends = (strengths[0], strengths[-1])
    total = len(found) * len(strengths) + n_random * len(ends)
    done, measured = 0, []
    random_spans: dict[str, list[float]] = {name: [] for name in gauge.names}
    for direction in chance:
        steps = _curves(direction, gauge, sweeping, ends)
        start, done = done, done + len(ends)
        curves = yield from scaled(steps, start / total, done / total)
        for name, curve in curves.items():
            random_spans[name].append(abs(float(np.mean(curve[:, -1] - curve[:, 0]))))
    for direction in found.directions:
        steps = _curves(direction, gauge, sweeping, strengths)
        start, done = done, done + len(strengths)
        curves = yield from scaled(steps, start / total, done / total)
        effects = tuple(
            effect_of(name, strengths, curve, random_spans[name])
            for name, curve in curves.items()
            if np.isfinite(curve).all()
        )
        measured.append(replace(direction, effects=effects))
    return replace(found, directions=tuple(measured))


def _common_block(found: DirectionSet) -> str:
    """Block at which most of the directions act."""
    blocks = [direction.block for direction in found.directions]
    return max(blocks, key=blocks.count, default=LATENT)


def _curves(
    direction: Direction,
    gauge: Gauge,
    sweeping: Sweeping,
    strengths: Sequence[float],
) -> Generator[float, None, Curves]:
    """Properties at each seed and strength; yields the finished share."""
    seeds = sweeping.seeds
    total = len(seeds) * len(strengths)
    curves = {name: np.empty((len(seeds), len(strengths))) for name in gauge.names}
    for j, strength in enumerate(strengths):
        edit = direction.edit(strength, sweeping.first, sweeping.last)
        for i, seed in enumerate(seeds):
            measured = gauge.measure(gauge.make(seed, [edit]))
            for name, value in measured.items():
                curves[name][i, j] = value
            yield (j * len(seeds) + i + 1) / total
    return curves


def effect_of(
    name: str,
    strengths: Sequence[float],
    curve: NDArray[np.float64],
    random_spans: Sequence[float] = (),
) -> Effect:
    """Effect on a property from its measured values.

    Parameters
    ----------
    name
        Key of ``PROPERTIES``.
    strengths
        [n_strengths], rising.
    curve
        [n_seeds, n_strengths].
    random_spans
        Sizes of the change from end to end along random directions.
    """
    n = len(curve)
    slopes = np.polyfit(strengths, curve.T, 1)[0]
    error = math.inf
    if n > 1:
        error = float(stats.t.ppf(0.975, n - 1) * slopes.std(ddof=1) / math.sqrt(n))
    return Effect(
        measured=name,
        slope=float(slopes.mean()),
        slope_error=error,
        spearman=float(np.mean([_spearman(strengths, row) for row in curve])),
        span=float(np.mean(curve[:, -1] - curve[:, 0])),
        random_span=float(np.mean(random_spans)) if len(random_spans) else 0.0,
    )


def _spearman(strengths: Sequence[float], values: NDArray[np.float64]) -> float:
    """Rank correlation; 0 where the values do not change at all."""
    if np.ptp(values) == 0:
        return 0.0
    return float(stats.spearmanr(strengths, values).statistic)


def label(direction: Direction) -> str:
    """What a direction was measured to move, in a few words."""
    if not direction.effects:
        return "not measured"
    effect = direction.strongest
    if effect is None:
        return NO_PROPERTY
    one = PROPERTIES[effect.measured]
    unit = f" {one.unit}" if one.unit else ""
    return f"{one.title.lower()} {effect.slope:+.2g}{unit} per unit"


def table(found: DirectionSet) -> str:
    """Directions, their shares, labels and effects as aligned text."""
    names = list(dict.fromkeys(e.measured for one in found for e in one.effects))
    titles = [PROPERTIES[name].title.lower() for name in names]
    lines = [("direction", "share", "moves", *titles)]
    for one in found:
        effects = {effect.measured: effect for effect in one.effects}
        cells = [_cell(effects.get(name)) for name in names]
        share = "-" if one.share is None else f"{100 * one.share:.1f} %"
        lines.append((one.name, share, label(one), *cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def _cell(effect: Effect | None) -> str:
    """Change from end to end, rank correlation, and the change of random directions."""
    if effect is None:
        return "-"
    return (
        f"{effect.span:+.3g} (rank {effect.spearman:+.2f}, "
        f"random {effect.random_span:.2g})"
    )
