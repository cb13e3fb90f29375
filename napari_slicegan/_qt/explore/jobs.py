"""Jobs of the Explore panel: requests, and functions that call the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.runtime.quantities import unbroken, within_sentence

if TYPE_CHECKING:
    from napari_slicegan._qt.explore.exploration import Exploration, Size
    from napari_slicegan.config import Axis
    from napari_slicegan.directions import (
        Direction,
        DirectionSet,
        Effect,
        Graded,
        Sweep,
    )
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork
    from napari_slicegan.volumes.volume import Volume


@dataclass(frozen=True)
class Studied:
    """Facts about a generator that the panel needs.

    Attributes
    ----------
    blocks
        Names of the editable blocks, ``"latent"`` first.
    properties
        Quickly measured properties: key of ``PROPERTIES`` -> title with unit.
    of_images
        Whether it generates images.
    """

    blocks: tuple[str, ...]
    properties: Mapping[str, str]
    of_images: bool = False


@dataclass(frozen=True)
class FitRequest:
    """Request to fit directions.

    Attributes
    ----------
    block, n_components, n_samples
        As in `napari_slicegan.directions.fit_directions`.
    guided
        Properties for which a guided direction is fitted.
    n_guided
        Volumes measured for the guided directions.
    """

    block: str = "block2"
    n_components: int = 6
    n_samples: int = 1000
    guided: tuple[str, ...] = ()
    n_guided: int = 300


@dataclass(frozen=True)
class SweepRequest:
    """Request to sweep the strength of a direction."""

    name: str
    first: float = -3.0
    last: float = 3.0
    n: int = 7

    @property
    def strengths(self) -> tuple[float, ...]:
        """Strengths, [n], evenly spaced."""
        return tuple(np.linspace(self.first, self.last, self.n).tolist())


@dataclass(frozen=True)
class GradeRequest:
    """Request for a graded volume.

    Attributes
    ----------
    direction
        Name of the direction.
    measured
        Key of ``PROPERTIES``.
    axis, first, last, n_slabs
        As in `napari_slicegan.directions.Grade`.
    """

    direction: str
    measured: str
    axis: Axis = "z"
    first: float = 0.2
    last: float = 0.3
    n_slabs: int = 8


@dataclass(frozen=True)
class Row:
    """Display data of one direction.

    Attributes
    ----------
    words
        Its measured main effect, in one line.
    facts
        Its effect on every property, one line each.
    plotted, measured
        Title of the plotted property, and its key in ``PROPERTIES``.
    strengths, values
        The plotted property of one sample against the strength, both [N].
    has_example
        Whether a reproducible example volume is stored.
    """

    name: str
    words: str
    facts: str
    plotted: str
    measured: str
    strengths: tuple[float, ...]
    values: tuple[float, ...]
    has_example: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """Fitted or loaded directions with their display data."""

    directions: DirectionSet
    rows: tuple[Row, ...]
    sentence: str


@dataclass(frozen=True, eq=False)
class VolumeRequest:
    """Request for a volume.

    Attributes
    ----------
    quick
        Preview while a slider is dragged: only a corner if the whole volume takes too
        long; nothing is measured.
    """

    trained: TrainedNetwork
    found: Found | None
    sample: Exploration
    quick: bool


# Fractions of the time of a fit; the rest is spent on sweeps.
COMPONENTS, GUIDED, EFFECTS = 0.15, 0.3, 0.8
# Limit of an example, to keep it cheap to reproduce.
EXAMPLE_EDGE = 64
SIGMA = "\N{GREEK SMALL LETTER SIGMA}"


def study(trained: TrainedNetwork, progress: Progress) -> Studied:
    """Collect facts about a generator and move it to the fastest device.

    Raises
    ------
    ValueError
        If it generates points.
    """
    from napari_slicegan.directions import suitable_properties
    from napari_slicegan.generation.edits import block_names
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.runtime.devices import choose_device

    progress(0.0)
    suitable = suitable_properties(trained)
    trained.network.to(choose_device("auto"))
    titles = {}
    for name in suitable:
        title, unit = title_of(name, trained), unit_of(name, trained)
        titles[name] = f"{title} ({unit})" if unit else title
    of_images = not isinstance(trained, TrainedGenerator)
    return Studied(block_names(trained.network), titles, of_images)


def title_of(name: str, trained: TrainedNetwork) -> str:
    """Title of a property, without its unit."""
    from napari_slicegan.directions import PROPERTIES

    # The last phase is measured.
    if name == "phase_fraction":
        return f"Fraction of phase {trained.labels[-1]}"
    return PROPERTIES[name].title


def unit_of(name: str, trained: TrainedNetwork) -> str:
    """Unit of a property of its volumes or images."""
    from napari_slicegan.directions import PROPERTIES
    from napari_slicegan.models.generator_file import TrainedGenerator

    return PROPERTIES[name].unit_in(3 if isinstance(trained, TrainedGenerator) else 2)


def fit(trained: TrainedNetwork, request: FitRequest, progress: Progress) -> Found:
    """Fit directions and measure their effects."""
    from napari_slicegan.directions import fit_directions, guided_directions

    found = fit_directions(
        trained,
        request.block,
        request.n_components,
        request.n_samples,
        progress=subrange(progress, 0, COMPONENTS),
    )
    done = COMPONENTS
    if request.guided:
        guided = guided_directions(
            trained,
            request.guided,
            n_samples=request.n_guided,
            progress=subrange(progress, done, done + GUIDED),
        )
        done += GUIDED
        # Guided directions first.
        names = [one.name for one in (*guided, *found)]
        found = found.with_(*guided).only(*names)
    return measured(trained, found, subrange(progress, done), anew=True)


def measured(
    trained: TrainedNetwork, found: DirectionSet, progress: Progress, *, anew: bool
) -> Found:
    """Measure the effects, unless known, and the curves of the plots."""
    from napari_slicegan import directions
    from napari_slicegan.directions import Gauge, measure_effects, named_by_effect

    gauge = Gauge(trained)
    done = 0.0
    if anew:
        part = subrange(progress, 0, EFFECTS)
        found = measure_effects(trained, found, gauge, progress=part)
        found = named_by_effect(found, trained.labels)
        done = EFFECTS
    rows = []
    ends = np.linspace(done, 1, len(found) + 1).tolist()
    for direction, start, stop in zip(found, ends[:-1], ends[1:], strict=True):
        part = subrange(progress, start, stop)
        swept = directions.sweep(gauge, direction, progress=part)
        rows.append(_row(direction, trained, gauge.names, swept))
    return Found(found, tuple(rows), found.sentence())


def _row(
    direction: Direction, trained: TrainedNetwork, names: Sequence[str], swept: Sweep
) -> Row:
    from napari_slicegan.directions import label

    strongest = direction.strongest
    guided = [name for name in names if name == direction.guide]
    shown = (guided or names)[0] if strongest is None else strongest.measured
    title = within_sentence(title_of(shown, trained))
    words = label(direction)
    for effect in direction.effects:
        if effect.measured == shown:
            unit = unit_of(shown, trained)
            words = words_of(effect, title, unit, is_strongest=effect is strongest)
    facts = [
        f"{title_of(effect.measured, trained)}: {_with_error(effect)} per {SIGMA}, "
        "rank correlation "
        f"{effect.spearman:+.2f}, {effect.times_random:.1f} times a random direction"
        for effect in direction.effects
    ]
    return Row(
        direction.name,
        words,
        "\n".join(facts),
        title,
        shown,
        swept.strengths,
        swept.properties[shown],
        direction.example is not None,
    )


def words_of(effect: Effect, title: str, unit: str = "", *, is_strongest: bool) -> str:
    """An effect in one line; one that is not larger than its error is none."""
    size = _with_error(effect)
    size = f"{size} {unit}/{SIGMA}" if unit else f"{size} per {SIGMA}"
    size = unbroken(size)
    if not effect.is_measurable:
        return f"no measurable effect on the {title} ({size})"
    return f"{title} {size}" if is_strongest else f"weak effect: {title} {size}"


def _with_error(effect: Effect) -> str:
    """Slope ± its error, without powers of ten and digits far below the error."""
    slope, error = effect.slope, effect.slope_error
    if error > 0:
        slope = round(slope, 1 - math.floor(math.log10(error)))
    size, range_ = (
        np.format_float_positional(float(text), trim="-")
        for text in (f"{abs(slope):.2g}", f"{error:.1g}")
    )
    return f"{'-' if slope < 0 else '+'}{size} ± {range_}"


def load_found(
    trained: TrainedNetwork, path: str | Path, of_any_model: bool, progress: Progress
) -> Found | str:
    """Load directions; measures their effects again for another generator.

    Parameters
    ----------
    of_any_model
        Whether they may be of any generator of the same networks.

    Returns
    -------
    Instead a question, if they need to be.

    Raises
    ------
    ValueError
        If the file holds none, or they do not match the generator.
    """
    from napari_slicegan.directions import load_directions

    progress(0.0)
    found = load_directions(path)
    found.check(trained, of_any_model=True)
    if not (of_any_model or found.model.is_relative(trained)):
        return (
            f"The directions were found in another generator (of {found.model.name}). "
            "In this one they may do the opposite; their effects are measured again. "
            "Load them all the same?"
        )
    known = found.is_of(trained) and all(one.effects for one in found)
    return measured(trained, found, progress, anew=not known)


def save_found(
    trained: TrainedNetwork,
    found: Found,
    sample: Exploration,
    path: str | Path,
    progress: Progress,
) -> DirectionSet:
    """Save the directions; of volumes those with a strength get an example."""
    from napari_slicegan.directions import with_example
    from napari_slicegan.models.generator_file import TrainedGenerator

    z, y, x = (min(n, EXAMPLE_EDGE) for n in sample.size)
    directions = found.directions
    for number, (one, strength) in enumerate(
        zip(found.directions, sample.strengths, strict=False)
    ):
        progress(number / len(found.rows))
        if strength and isinstance(trained, TrainedGenerator):
            noted = with_example(
                trained,
                one,
                strength,
                (z, y, x),
                sample.seed,
                sample.first,
                sample.last,
                sample.region,
                truncation=sample.truncation,
            )
            directions = directions.with_(noted)
    directions.save(path)
    return directions


def render(
    request: VolumeRequest,
    size: Size,
    progress: Callable[[float | Volume | Sheet], None],
) -> Mapping[str, float]:
    """Generate a volume, or its corner, or a sheet of images, and measure it.

    Parameters
    ----------
    size
        Of the volume, or of its corner.
    progress
        Called with the finished fractions, and with the volume or the sheet before it
        is measured.

    Returns
    -------
    Mapping
        Properties by key of ``PROPERTIES``; empty for a quick preview.
    """
    from napari_slicegan.directions import Gauge, suitable_properties
    from napari_slicegan.generation.generate import VolumePlan
    from napari_slicegan.generation.samples import sheet_of
    from napari_slicegan.models.generator_file import TrainedGenerator

    trained, sample = request.trained, request.sample
    directions = () if request.found is None else request.found.directions
    edits = [
        one.edit(strength, sample.first, sample.last, sample.region)
        for one, strength in zip(directions, sample.strengths, strict=False)
        if strength
    ]
    made: Volume | Sheet
    if isinstance(trained, TrainedGenerator):
        plan = VolumePlan(
            trained, size, sample.seed, edits=edits, truncation=sample.truncation
        )
        made = plan.generate(progress)
    else:
        images = Gauge(trained).make(sample.seed, edits, sample.truncation)
        made = sheet_of(images, trained.transform)
    progress(made)
    properties: dict[str, float] = {}
    for name in () if request.quick else suitable_properties(trained):
        # A newer request cancels the remaining ones.
        progress(1.0)
        properties |= Gauge(trained, [name]).measure(made.values)
    return properties


def sweep(
    trained: TrainedNetwork,
    found: Found,
    sample: Exploration,
    request: SweepRequest,
    progress: Progress,
) -> Sweep:
    """Generate the sample at several strengths of one direction alone."""
    from napari_slicegan import directions

    return directions.sweep(
        directions.Gauge(trained, size=sample.size),
        found.directions.named(request.name),
        request.strengths,
        sample.seed,
        sample.first,
        sample.last,
        sample.region,
        progress,
    )


def save_sweep(made: Sweep, path: Path, progress: Progress) -> Path:
    """Save the samples or properties of a sweep in the format of the suffix.

    Raises
    ------
    ValueError
        For an unknown suffix.
    """
    writers = {
        ".tif": made.save_tiff,
        ".tiff": made.save_tiff,
        ".csv": made.save_csv,
        ".png": made.save_plot,
        ".gif": made.save_animation,
    }
    progress(0.0)
    if path.suffix.lower() not in writers:
        raise ValueError(
            f"Expected a file name ending in {', '.join(writers)}, got '{path.name}'; "
            "choose one of these formats."
        )
    writers[path.suffix.lower()](path)
    return path


def grade(
    trained: TrainedGenerator,
    found: Found,
    sample: Exploration,
    request: GradeRequest,
    progress: Progress,
) -> Graded:
    """Generate a volume whose property follows a ramp along an axis."""
    from napari_slicegan.directions import Grade, graded

    target = Grade(
        sample.size,
        request.axis,
        request.first,
        request.last,
        request.measured,
        seed=sample.seed,
        n_slabs=request.n_slabs,
    )
    direction = found.directions.named(request.direction)
    return graded(trained, direction, target, progress)
