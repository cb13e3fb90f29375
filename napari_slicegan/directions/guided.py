"""Directions guided by a property: its least squares on the averaged latents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.directions.components import Features, Joint, spans, wide_bases
from napari_slicegan.directions.direction import Direction
from napari_slicegan.directions.fit import AXES_SHARE, BATCH, SEED, joint_covariance
from napari_slicegan.directions.properties import PROPERTIES, Gauge
from napari_slicegan.generation.edits import LATENT
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.directions.components import Numbers
    from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork

GUIDED_SAMPLES, RANDOM_SAMPLES = 300, 200
N_RANDOM = 8
TRIAL_STRENGTHS, TRIAL_SEEDS = (-3.0, -1.0, 1.0, 3.0), (0, 1)
# Share of the time that goes into random samples, before the blocks are tried.
SAMPLING_SHARE = 0.7


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
    joints = _joints(features, gauge, n_samples, batch, part)
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


def _joints(
    features: Features, gauge: Gauge, n_samples: int, batch: int, progress: Progress
) -> dict[str, Joint]:
    """Features of random samples together with each measured property."""
    part = subrange(progress, 0, AXES_SHARE)
    bases = wide_bases(features, n_samples, 0, batch, part)
    report = subrange(progress, AXES_SHARE if bases else 0, 1)
    joints = {name: Joint(features, bases, [name]) for name in gauge.names}
    for first, last in spans(n_samples, batch):
        rows, made = features.rows_and_samples(features.latents(first, last))
        values = gauge.trained.transform.inverse(made, 1)
        measured = [gauge.measure_one(one) for one in values]
        for name, joint in joints.items():
            column = np.array([[row[name]] for row in measured])
            # Where a phase is missing, a chord of it has no length.
            there = np.isfinite(column[:, 0])
            joint.add({key: part[there] for key, part in rows.items()}, column[there])
        report(last / n_samples)
    return joints


def _placed(
    direction: Direction, gauge: Gauge, name: str, progress: Progress
) -> Direction:
    """The direction at the block where it moves its property steadily and most."""
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
    joint.finish()
    _check_samples(features, joint.n)
    latents, with_property = joint.between(LATENT, LATENT), joint.between(LATENT, name)
    variance = float(joint.between(name, name)[0, 0])
    # The channel of a label does not vary here: least squares leave it out.
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
    """Random directions of the latents, to compare others with."""
    features = Features(trained, seed)
    joint = joint_covariance(features, n_samples, 0, batch)
    latents = joint.between(LATENT, LATENT)
    found = []
    rng = np.random.default_rng(seed)
    for number in range(1, n + 1):
        # The channel of a label is no random number.
        along = rng.standard_normal(len(latents)) * (np.diag(latents) > 0)
        along /= np.linalg.norm(along)
        deviation = math.sqrt(float(along @ latents @ along))
        offsets = joint.offsets(LATENT, along / deviation, along)
        found.append(Direction(f"random {number}", "random", offsets))
    return tuple(found)


def _check_samples(features: Features, n_samples: int) -> None:
    needed = 2 * features.widths[LATENT]
    if n_samples < needed:
        raise ValueError(
            f"A guided direction needs at least {needed} samples in which the property "
            f"can be measured, twice as many as latent channels, got {n_samples}; draw "
            "more of them."
        )
