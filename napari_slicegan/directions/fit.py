"""Directions found in a generator: components of a block, guided by a property, random.

Components are those of a block's features, with the latent directions that explain them
by least squares (GANSpace, Harkonen et al. 2020). A guided direction is the least
squares of a property on the averaged latents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.directions.components import (
    Features,
    Joint,
    principal_components,
    random_share,
    spans,
    wide_bases,
)
from napari_slicegan.directions.direction import Direction, Model
from napari_slicegan.directions.direction_set import DirectionSet, Fit
from napari_slicegan.directions.properties import PROPERTIES, Gauge
from napari_slicegan.models import VolumeGenerator
from napari_slicegan.models.network import LATENT
from napari_slicegan.runtime.limits import check_repeats
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.directions.components import Numbers
    from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork

SAMPLES, BATCH, SEED = 1000, 8, 1
MOST_SAMPLES = 1_000_000
N_COMPONENTS = 8
COMPONENT = "component"
"""Name of a component, before its number."""
# Below this fraction of the total, a variance is rounding error.
NO_VARIANCE = 1e-9
# Fraction of the time that is spent on the axes of wide blocks.
AXES_SHARE = 0.6
GUIDED_SAMPLES, RANDOM_SAMPLES = 300, 200
N_RANDOM = 8
TRIAL_STRENGTHS, TRIAL_SEEDS = (-3.0, -1.0, 1.0, 3.0), (0, 1)
# Fraction of the time that is spent on random samples, before the blocks are tried.
SAMPLING_SHARE = 0.7


def fit_directions(
    trained: TrainedNetwork,
    block: str | None = None,
    n_components: int = N_COMPONENTS,
    n_samples: int = SAMPLES,
    seed: int = SEED,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> DirectionSet:
    """Principal components of a block's features, as directions.

    After GANSpace; Harkonen et al., arXiv:2004.02546 (2020).

    Parameters
    ----------
    trained
        The generator.
    block
        Name of a block, or ``"latent"``; `default_block` if left out. The latents of an
        untruncated distribution have the same variance along all axes, so their
        principal components are arbitrary; those of a block are not.
    n_components
        How many, at most.
    n_samples, seed
        Number and seed of the random latents.
    batch
        Samples at a time, for the memory; the result does not depend on it.
    progress
        Called with the finished fraction.

    Returns
    -------
    DirectionSet
        Components in the order of their variance; effects are not measured yet, see
        `measure_effects`.

    Raises
    ------
    ValueError
        If there is no such block, or it does not vary.
    """
    features = Features(trained, seed)
    block = block or default_block(features)
    if block not in features.names:
        raise ValueError(
            f"Expected one of the blocks {', '.join(features.names)}, got '{block}'; "
            "choose one of them."
        )
    check_repeats("components", n_components, 1, MOST_SAMPLES)
    check_repeats("samples", n_samples, 2, MOST_SAMPLES)
    joint = _joint(features, n_samples, n_components, batch, progress)
    covariance = joint.between(block, block)
    vectors, variances = principal_components(covariance, n_components)
    total = float(np.trace(covariance))
    kept = variances > NO_VARIANCE * total
    if not kept.any():
        raise ValueError(
            f"Components need features that vary, got the same of '{block}' for all "
            "samples; train the generator first or choose another block."
        )
    pairs = zip(vectors[kept], variances[kept], strict=True)
    directions = tuple(
        Direction(
            f"{COMPONENT} {number}",
            "component",
            joint.offsets(block, vector / math.sqrt(variance)),
            float(variance / total),
            block=block,
        )
        for number, (vector, variance) in enumerate(pairs, start=1)
    )
    shares = tuple(float(variance / total) for variance in variances[kept])
    fit = Fit(block, n_samples, seed, shares, random_share(covariance))
    return DirectionSet(Model.of(trained), directions, fit)


def default_block(features: Features) -> str:
    """The second block of generators of volumes, if there is one; else the first.

    The first block of a generator of volumes is blurred over most of a training volume,
    and its components may change nothing.
    """
    second = min(2, len(features.names) - 1)
    return features.names[
        second if isinstance(features.network, VolumeGenerator) else 1
    ]


def _joint(
    features: Features,
    n_samples: int,
    n_axes: int,
    batch: int,
    progress: Progress | None = None,
) -> Joint:
    """Covariance of all blocks over random samples."""
    (joint,) = _joints(features, None, n_samples, n_axes, batch, progress).values()
    return joint


def _joints(
    features: Features,
    gauge: Gauge | None,
    n_samples: int,
    n_axes: int,
    batch: int,
    progress: Progress | None,
) -> dict[str, Joint]:
    """Covariance of all blocks over random samples, with each measured property."""
    part = subrange(progress, 0, AXES_SHARE)
    bases = wide_bases(features, n_samples, n_axes, batch, part)
    report = subrange(progress, AXES_SHARE if bases else 0, 1)
    names = gauge.names if gauge else ()
    joints = {name: Joint(features, bases, [name]) for name in names}
    if gauge is None:
        joints[""] = Joint(features, bases)
    for first, last in spans(n_samples, batch):
        rows, made = features.rows(features.latents(first, last), gauge is not None)
        if gauge is None:
            joints[""].add(rows)
        else:
            values = gauge.trained.transform.inverse(made, 1)
            measured = [gauge.measure_one(one) for one in values]
            for name, joint in joints.items():
                column = np.array([[row[name]] for row in measured])
                # Where a phase is missing, a chord of it has no length.
                there = np.isfinite(column[:, 0])
                known = {block: row[there] for block, row in rows.items()}
                joint.add(known, column[there])
        report(last / n_samples)
    return joints


def guided_directions(
    trained: TrainedNetwork,
    properties: Sequence[str],
    phase: int | None = None,
    n_samples: int = GUIDED_SAMPLES,
    seed: int = SEED,
    batch: int = BATCH,
    block: str | None = None,
    progress: Progress | None = None,
) -> tuple[Direction, ...]:
    """The direction along which each property rises, by least squares.

    Parameters
    ----------
    trained
        The generator.
    properties
        Keys of ``PROPERTIES``.
    phase
        Label of the phase that is measured; the largest if left out.
    n_samples, seed
        Random volumes of the training size, or images, that are measured.
    batch
        Samples at a time.
    block
        Default block of the directions. If None, each is tried at every block; the one
        with the largest monotonic response is chosen.
    progress
        Called with the finished fraction.

    Raises
    ------
    ValueError
        If a property does not suit the generator, does not vary, or there are too few
        samples for the number of latent channels.
    """
    gauge = Gauge(trained, properties, phase)
    features = Features(trained, seed)
    _check_samples(features, n_samples)
    part = subrange(progress, 0, 1 if block else SAMPLING_SHARE)
    joints = _joints(features, gauge, n_samples, 0, batch, part)
    found = [_guided(features, joint, name) for name, joint in joints.items()]
    if block:
        return tuple(replace(one, block=block) for one in found)
    placed = []
    for number, (direction, name) in enumerate(zip(found, joints, strict=True)):
        start = SAMPLING_SHARE + (1 - SAMPLING_SHARE) * number / len(found)
        stop = start + (1 - SAMPLING_SHARE) / len(found)
        part = subrange(progress, start, stop)
        placed.append(_placed(direction, gauge, name, part))
    return tuple(placed)


def check_guided(
    trained: TrainedNetwork,
    properties: Sequence[str],
    phase: int | None = None,
    n_samples: int = GUIDED_SAMPLES,
) -> None:
    """Refuse what `guided_directions` refuses, before other work.

    Raises
    ------
    ValueError
        If a property or phase does not suit the generator, or there are too few
        samples.
    """
    Gauge(trained, properties, phase)
    _check_samples(Features(trained, SEED), n_samples)


def _placed(
    direction: Direction, gauge: Gauge, name: str, progress: Progress
) -> Direction:
    """The direction at the block where its property responds steadily and most."""
    scores = {}
    for number, block in enumerate(direction.offsets, start=1):
        rows = []
        for seed in TRIAL_SEEDS:
            edits = ([direction.edit(s, block)] for s in TRIAL_STRENGTHS)
            made = [gauge.make(seed, edit) for edit in edits]
            rows.append([gauge.measure(values)[name] for values in made])
        steps = np.diff(np.array(rows), axis=1)
        scores[block] = (bool((steps > 0).all()), float(np.nansum(steps)))
        progress(number / len(direction.offsets))
    return replace(direction, block=max(scores, key=lambda block: scores[block]))


def _guided(features: Features, joint: Joint, name: str) -> Direction:
    """Direction of a property's least squares on the averaged latents."""
    title = PROPERTIES[name].title.lower()
    _check_samples(features, joint.n)
    latents, with_property = joint.between(LATENT, LATENT), joint.between(LATENT, name)
    variance = float(joint.between(name, name)[0, 0])
    # The label channel does not vary here, so least squares leave it out.
    slopes: Numbers = np.linalg.lstsq(latents, with_property[:, 0])[0].astype(float)
    length = float(np.linalg.norm(slopes))
    if variance <= 0 or length == 0:
        raise ValueError(
            f"A direction is guided by a property that varies, got the same {title} in "
            "all samples; train on micrographs in which it differs."
        )
    explained = float(slopes @ with_property[:, 0]) / variance
    # Adjusted for the number of latent channels, which explain a little of anything.
    spare = joint.n - len(slopes) - 1
    share = 1 - (1 - explained) * (joint.n - 1) / spare
    deviation = np.array([1 / math.sqrt(variance)])
    offsets = joint.offsets(name, deviation, slopes / length)
    return Direction(title, "guided", offsets, max(share, 0.0), guide=name)


def condition_direction(trained: TrainedGenerator) -> Direction:
    """The direction of the label channel of a conditional generator.

    Strength 1 is one standard deviation of the labels, 0 their mean.

    Raises
    ------
    ValueError
        If the generator is not conditional.
    """
    network = trained.network
    if not network.spec.labels:
        raise ValueError(
            "Expected a generator conditioned on phase fractions, got an unconditional "
            "one; train with the setting 'Condition'."
        )
    step = np.zeros(network.latent_width)
    step[-1] = 1
    return Direction("condition", "condition", {LATENT: step})


def random_directions(
    trained: TrainedNetwork,
    n: int = N_RANDOM,
    n_samples: int = RANDOM_SAMPLES,
    seed: int = SEED,
    batch: int = BATCH,
) -> tuple[Direction, ...]:
    """Random directions of the latents, to compare others with.

    Parameters
    ----------
    trained
        The generator.
    n
        How many.
    n_samples, seed
        Number and seed of the random latents that scale them.
    batch
        Samples at a time.
    """
    features = Features(trained, seed)
    joint = _joint(features, n_samples, 0, batch)
    latents = joint.between(LATENT, LATENT)
    found = []
    rng = np.random.default_rng(seed)
    for number in range(1, n + 1):
        # The label channel is not random.
        along = rng.standard_normal(len(latents)) * (np.diag(latents) > 0)
        along /= np.linalg.norm(along)
        deviation = math.sqrt(float(along @ latents @ along))
        offsets = joint.offsets(LATENT, along / deviation, along)
        found.append(Direction(f"random {number}", "random", offsets))
    return tuple(found)


def _check_samples(features: Features, n_samples: int) -> None:
    needed = 2 * features.widths[LATENT]
    check_repeats("samples", n_samples, 0, MOST_SAMPLES)
    if n_samples < needed:
        raise ValueError(
            f"A guided direction needs at least {needed} samples in which the property "
            f"can be measured, twice as many as latent channels, got {n_samples}; draw "
            "more of them."
        )
