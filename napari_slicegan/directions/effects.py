"""Measured effects of directions on every property, and reproducible examples."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_slicegan.directions.direction import NO_PROPERTY, Direction, Effect, Example
from napari_slicegan.directions.fit import COMPONENT, random_directions
from napari_slicegan.directions.properties import PROPERTIES, Gauge
from napari_slicegan.generation.generate import Size, generate
from napari_slicegan.generation.regions import region_from_state
from napari_slicegan.models.network import LATENT
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.directions.direction_set import DirectionSet
    from napari_slicegan.generation.regions import Region
    from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork
    from napari_slicegan.volumes.volume import Volume

Curves = dict[str, NDArray[np.float64]]
"""By property: its values, [n_seeds, n_strengths]."""


@dataclass(frozen=True)
class Sweeping:
    """Strengths, seeds and blocks of a measurement of effects.

    Attributes
    ----------
    strengths
        Rising, of both signs.
    seeds
        Volumes, or sheets of images, for each strength; at least two.
    first, last
        Blocks that are edited, see `Direction.edit`; each direction's own if left
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
    progress: Progress | None = None,
) -> DirectionSet:
    """Measure the effects of directions; replaces earlier effects.

    Parameters
    ----------
    trained
        The generator; it may be another than that of the directions, such as one that
        was fine-tuned from it, as long as they fit.
    found
        The directions.
    gauge
        Properties, phase and size to measure.
    progress
        Called with the finished fraction.

    Raises
    ------
    ValueError
        If the directions do not fit the generator.
    """
    found.model.check(trained)
    gauge = gauge or Gauge(trained)
    n_random, strengths = sweeping.n_random, sweeping.strengths
    chance = random_directions(trained, n_random) if n_random else ()
    # At the block at which most of the directions act.
    blocks = [direction.block for direction in found]
    common = max(blocks, key=blocks.count, default=LATENT)
    chance = tuple(replace(one, block=common) for one in chance)
    ends = (strengths[0], strengths[-1])
    total = len(found) * len(strengths) + n_random * len(ends)
    done, measured = 0, []
    random_spans: dict[str, list[float]] = {name: [] for name in gauge.names}
    for direction in chance:
        start, done = done, done + len(ends)
        part = subrange(progress, start / total, done / total)
        curves = _curves(direction, gauge, sweeping, ends, part)
        for name, curve in curves.items():
            random_spans[name].append(abs(float(np.mean(curve[:, -1] - curve[:, 0]))))
    for direction in found.directions:
        start, done = done, done + len(strengths)
        part = subrange(progress, start / total, done / total)
        curves = _curves(direction, gauge, sweeping, strengths, part)
        effects = tuple(
            effect_of(name, strengths, curve, random_spans[name])
            for name, curve in curves.items()
            if np.isfinite(curve).all()
        )
        measured.append(replace(direction, effects=effects))
    return replace(found, directions=tuple(measured))


def _curves(
    direction: Direction,
    gauge: Gauge,
    sweeping: Sweeping,
    strengths: Sequence[float],
    progress: Progress,
) -> Curves:
    """Properties at each seed and strength."""
    seeds = sweeping.seeds
    total = len(seeds) * len(strengths)
    curves = {name: np.empty((len(seeds), len(strengths))) for name in gauge.names}
    for j, strength in enumerate(strengths):
        edit = direction.edit(strength, sweeping.first, sweeping.last)
        for i, seed in enumerate(seeds):
            measured = gauge.measure(gauge.make(seed, [edit]))
            for name, value in measured.items():
                curves[name][i, j] = value
            progress((j * len(seeds) + i + 1) / total)
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
        error = float(
            scipy.stats.t.ppf(0.975, n - 1) * slopes.std(ddof=1) / math.sqrt(n)
        )
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
    return float(scipy.stats.spearmanr(strengths, values).statistic)


def label(direction: Direction, dimensions: int = 3) -> str:
    """Short description of the measured effect of a direction.

    Parameters
    ----------
    dimensions
        3 for a generator of volumes, 2 for one of images; see `Model.dimensions`.
    """
    if not direction.effects:
        return "not measured"
    effect = direction.strongest
    if effect is None:
        return NO_PROPERTY
    one = PROPERTIES[effect.measured]
    unit = one.unit_in(dimensions)
    size = f"{effect.slope:+.2g} {unit}" if unit else f"{effect.slope:+.2g}"
    return f"{one.title.lower()} {size} per unit"


def named_by_effect(found: DirectionSet, labels: Sequence[int]) -> DirectionSet:
    """Name components that have a clear effect after it: "finer", "more of phase 255".

    Names given by the user stay.

    Parameters
    ----------
    labels
        Phases of the material, of which the last is measured.
    """
    for one in found:
        effect = one.strongest
        if not one.name.startswith(COMPONENT) or effect is None:
            continue
        if not effect.is_measurable:
            continue
        measured = PROPERTIES[effect.measured]
        words = measured.rising if effect.slope > 0 else measured.falling
        words = words.format(*labels[-1:])
        taken = {other.name for other in found} - {one.name}
        numbered = (f"{words} ({n})" for n in range(2, len(found) + 2))
        name = next(name for name in (words, *numbered) if name not in taken)
        found = found.renamed(one.name, name)
    return found


def table(found: DirectionSet) -> str:
    """Directions with explained variance, labels and effects, as aligned text."""
    names = list(dict.fromkeys(e.measured for one in found for e in one.effects))
    titles = [PROPERTIES[name].title.lower() for name in names]
    lines = [("direction", "share", "moves", *titles)]
    for one in found:
        effects = {effect.measured: effect for effect in one.effects}
        cells = [_cell(effects.get(name)) for name in names]
        share = "-" if one.share is None else f"{100 * one.share:.1f} %"
        lines.append((one.name, share, label(one, found.model.dimensions), *cells))
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


def with_example(
    trained: TrainedGenerator,
    direction: Direction,
    strength: float,
    size: Size,
    seed: int = 0,
    first: str | None = None,
    last: str | None = None,
    region: Region | None = None,
    periodic: str = "",
    truncation: float = 1.0,
) -> Direction:
    """The direction with an example: all parameters of one volume, and its digest.

    Parameters
    ----------
    strength, first, last, region
        See `Direction.edit`.
    size, seed, periodic, truncation
        See `napari_slicegan.generation.generate.VolumePlan`.
    """
    start = direction.block if first is None else first
    example = Example(
        seed=seed,
        size=size,
        strength=strength,
        first=start,
        last=start if last is None else last,
        # With lists in place of tuples, as read from a file.
        region=None if region is None else json.loads(json.dumps(region.state())),
        periodic=periodic,
        truncation=truncation,
        digest="",
    )
    noted = replace(direction, example=example)
    made = reproduce(trained, noted)
    return replace(noted, example=replace(example, digest=digest(made.values)))


def reproduce(trained: TrainedGenerator, direction: Direction) -> Volume:
    """Make the volume of a direction's example again.

    Raises
    ------
    ValueError
        If the direction has no example.
    """
    example = direction.example
    if example is None:
        raise ValueError(
            f"Expected a direction with an example, got '{direction.name}' without; "
            "note one with it first."
        )
    region = None if example.region is None else region_from_state(example.region)
    edit = direction.edit(example.strength, example.first, example.last, region)
    return generate(
        trained,
        example.size,
        example.seed,
        example.periodic,
        edits=[edit],
        truncation=example.truncation,
    )


def digest(values: NDArray[Any]) -> str:
    """SHA-256 of values, with their shape and type."""
    head = f"{values.dtype.str} {values.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(values).tobytes()).hexdigest()
