"""Images from a generator of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.generation.edits import Edit, run_images
from napari_slicegan.generation.generate import check_truncation
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.models.latent import LatentField
from napari_slicegan.runtime.devices import computing_in
from napari_slicegan.runtime.limits import check_memory
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
    progress: Progress | None = None,
) -> NDArray[Any]:
    """Samples in the units of the data: images [n, Y, X(, 3)], or points [n, D].

    Sample i depends only on the seed and on i, not on the number of samples.

    Parameters
    ----------
    edits, truncation
        See `napari_slicegan.generation.generate.VolumePlan`.
    progress
        Called with the finished fraction after each batch.

    Raises
    ------
    ValueError
        If the generator makes volumes, or numbers or edits are not allowed.
    """
    network = trained.network
    if len(network.training_latents) != 1:
        raise ValueError(
            "Expected a generator of images, got one of volumes; use 'generate'."
        )
    if n < 1 or seed < 0:
        raise ValueError(
            "Expected at least one sample and a seed of at least 0, got "
            f"{n} and {seed}; correct them."
        )
    check_truncation(truncation)
    report = subrange(progress)
    at_once = POINTS_AT_ONCE if trained.transform.range == "unbounded" else AT_ONCE
    field = LatentField(seed, network.training_latents[0], network.prior)
    device = next(network.parameters()).device
    made = []
    for first in range(0, n, at_once):
        end = min(first + at_once, n)
        # [C, 1, 1, n] -> [n, C]
        numbers = field.region((0, 1), (0, 1), (first, end))
        latents = torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
        if truncation != 1:
            latents = latents * truncation
        with torch.no_grad(), computing_in(torch.float32, device):
            values = run_images(network, latents, edits) if edits else network(latents)
        made.append(trained.transform.inverse(values, 1))
        if first == 0:
            shape, dtype = made[0].shape[1:], made[0].dtype
            check_memory((n, *shape), dtype, "The samples", "lower their number")
        report(end / n)
    return np.concatenate(made)


def generate_images(
    trained: TrainedNetwork,
    n: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Sheet:
    """As `generate_samples`, with the values that are drawn black and white.

    Raises
    ------
    ValueError
        As `generate_samples`, and if the generator makes points.
    """
    if trained.transform.range == "unbounded":
        raise ValueError(
            "Expected a generator of images, got one of points; look at its points "
            "with 'slicegan evaluate mixture'."
        )
    values = generate_samples(trained, n, seed, progress=progress)
    return sheet_of(values, trained.transform)


def sheet_of(values: NDArray[Any], transform: Transform) -> Sheet:
    """Images [n, Y, X(, 3)], drawn as the network sees them."""
    decibels = getattr(transform, "decibels", None)
    return Sheet(values, *display_range(transform), decibels)


def display_range(transform: Transform) -> tuple[float, float]:
    """Values of the data that are drawn black and white."""
    values = transform.state()
    labels = values.get("labels", (values.get("low"), values.get("high")))
    return float(labels[0]), float(labels[-1])
