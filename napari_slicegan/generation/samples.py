"""Images from a generator of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.generation.edits import Edit, run_images
from napari_slicegan.generation.generate import checked_truncation
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.models.latent import LatentField
from napari_slicegan.runtime.progress import Progress, subrange

if TYPE_CHECKING:
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.models.generator_file import TrainedNetwork

AT_ONCE = 64
POINTS_AT_ONCE = 10_000


def generate_samples(
    trained: TrainedNetwork,
    n: int,
    seed: int = 0,
    edits: Sequence[Edit] = (),
    truncation: float = 1.0,
) -> NDArray[Any]:
    """Samples in the units of the data: images [n, Y, X(, 3)], or points [n, D].

    Sample i depends on the seed and on i only, however many there are.

    Parameters
    ----------
    edits, truncation
        As of `napari_slicegan.generation.generate.VolumePlan`.

    Raises
    ------
    ValueError
        If the generator makes volumes, or numbers or edits are not allowed.
    """
    _check(trained, n, seed)
    factor = checked_truncation(truncation)
    at_once = POINTS_AT_ONCE if _makes_points(trained) else AT_ONCE
    parts = [(first, min(first + at_once, n)) for first in range(0, n, at_once)]
    made = [_samples(trained, *part, seed, edits, factor) for part in parts]
    return np.concatenate(made)


def generate_images(
    trained: TrainedNetwork,
    n: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sheet:
    """As `generate_samples`, with the values that are drawn black and white.

    Parameters
    ----------
    progress
        Called with the finished fraction after each batch.

    Raises
    ------
    ValueError
        As `generate_samples`, and if the generator makes points.
    """
    _check(trained, n, seed)
    if _makes_points(trained):
        raise ValueError(
            "Expected a generator of images, got one of points; look at its points "
            "with 'slicegan evaluate mixture'."
        )
    low, high = display_range(trained.transform)
    report = subrange(progress)
    made = []
    for first in range(0, n, AT_ONCE):
        end = min(first + AT_ONCE, n)
        made.append(_samples(trained, first, end, seed))
        report(end / n)
    return Sheet(np.concatenate(made), low, high)


def display_range(transform: Transform) -> tuple[float, float]:
    """Values of the data that are drawn black and white."""
    values = transform.state()
    labels = values.get("labels", (values.get("low"), values.get("high")))
    return float(labels[0]), float(labels[-1])


def _makes_points(trained: TrainedNetwork) -> bool:
    return trained.transform.range == "unbounded"


def _check(trained: TrainedNetwork, n: int, seed: int) -> None:
    """Refuse volumes, and numbers that are not allowed."""
    if len(trained.network.training_latents) != 1:
        raise ValueError(
            "Expected a generator of images, got one of volumes; use 'generate'."
        )
    if n < 1 or seed < 0:
        raise ValueError(
            "Expected at least one sample and a seed of at least 0, got "
            f"{n} and {seed}; correct them."
        )


@torch.no_grad()
def _samples(
    trained: TrainedNetwork,
    first: int,
    end: int,
    seed: int,
    edits: Sequence[Edit] = (),
    factor: float = 1.0,
) -> NDArray[Any]:
    """Samples of the numbers from the first to the one before the end."""
    network = trained.network
    device = next(network.parameters()).device
    field = LatentField(seed, network.training_latents[0], network.prior)
    # [C, 1, 1, n] -> [n, C]
    numbers = field.region((0, 1), (0, 1), (first, end))
    latents = torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
    if factor != 1:
        latents = latents * factor
    made = run_images(network, latents, edits) if edits else network(latents)
    return trained.transform.inverse(made, 1)
