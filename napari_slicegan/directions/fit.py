"""Principal components of a block as directions.

The components of a block's features, and the latent directions that explain them by
least squares (GANSpace, Harkonen et al. 2020); the features are averaged over
positions, since a control of a whole material is the same at all of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_slicegan.directions.components import (
    Components,
    Features,
    Joint,
    principal_components,
    random_share,
    spans,
    wide_bases,
)
from napari_slicegan.directions.direction import Direction, Model
from napari_slicegan.directions.direction_set import DirectionSet, Fit
from napari_slicegan.models import VolumeGenerator
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedNetwork

SAMPLES, BATCH, SEED = 1000, 8, 1
N_COMPONENTS = 8
# Variance below this share of the whole is that of rounding.
NO_VARIANCE = 1e-9
# Share of the time that goes into the axes of a wide block.
AXES_SHARE = 0.6


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

    Raises
    ------
    ValueError
        If there is no such block, or it does not vary.
    """
    features = Features(trained, seed)
    block = block or default_block(features)
    _check(features, block, n_components, n_samples)
    joint = joint_covariance(features, n_samples, n_components, batch, progress)
    covariance = joint.between(block, block)
    found = principal_components(covariance, n_components)
    directions = _components(joint, block, found)
    shares = tuple(direction.share or 0.0 for direction in directions)
    fit = Fit(block, n_samples, seed, shares, random_share(covariance))
    return DirectionSet(Model.of(trained), directions, fit)


def default_block(features: Features) -> str:
    """The second block of volumes, where it is there; else the first block.

    In generators of volumes the first block is blurred over most of a training volume,
    and its components may move nothing.
    """
    second = min(2, len(features.names) - 1)
    return features.names[
        second if isinstance(features.network, VolumeGenerator) else 1
    ]


def joint_covariance(
    features: Features,
    n_samples: int,
    n_axes: int,
    batch: int,
    progress: Progress | None = None,
) -> Joint:
    """Covariance of all blocks."""
    part = subrange(progress, 0, AXES_SHARE)
    bases = wide_bases(features, n_samples, n_axes, batch, part)
    report = subrange(progress, AXES_SHARE if bases else 0, 1)
    joint = Joint(features, bases)
    for first, last in spans(n_samples, batch):
        joint.add(features.rows(features.latents(first, last)))
        report(last / n_samples)
    joint.finish()
    return joint


def _components(joint: Joint, block: str, found: Components) -> tuple[Direction, ...]:
    """A direction for each component that varies."""
    kept = found.variances > NO_VARIANCE * found.total
    if not kept.any():
        raise ValueError(
            f"Components need features that vary, got the same of '{block}' for all "
            "samples; train the generator first or choose another block."
        )
    numbers = zip(
        found.vectors[kept], found.variances[kept], found.shares[kept], strict=True
    )
    return tuple(
        Direction(
            f"component {number}",
            "component",
            joint.offsets(block, vector / math.sqrt(variance)),
            float(share),
            block=block,
        )
        for number, (vector, variance, share) in enumerate(numbers, start=1)
    )


def _check(features: Features, block: str, n_components: int, n_samples: int) -> None:
    if block not in features.names:
        raise ValueError(
            f"Expected one of the blocks {', '.join(features.names)}, got '{block}'; "
            "choose one of them."
        )
    if n_components < 1 or n_samples < 2:
        raise ValueError(
            "Expected at least one component and two samples, got "
            f"{n_components} and {n_samples}; raise the numbers."
        )
