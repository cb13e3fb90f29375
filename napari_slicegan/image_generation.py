"""Images from a trained generator of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.edits import Edit, run_images
from napari_slicegan.generation import checked_truncation
from napari_slicegan.latent import LatentField
from napari_slicegan.sheet import Sheet

if TYPE_CHECKING:
    from napari_slicegan.trained_generator import TrainedNetwork
    from napari_slicegan.transforms import Transform

AT_ONCE = 64
POINTS_AT_ONCE = 10_000


@torch.no_grad()
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
        As of `napari_slicegan.generation.VolumePlan`.

    Raises
    ------
    ValueError
        If the generator makes volumes, or numbers or edits are not allowed.
    """
    factor = checked_truncation(truncation)
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
    device = next(network.parameters()).device
    field = LatentField(seed, network.training_latents[0], network.prior)
    made = []
    at_once = AT_ONCE if trained.transform.range != "unbounded" else POINTS_AT_ONCE
    for first in range(0, n, at_once):
        # [C, 1, 1, n] -> [n, C]
        numbers = field.region((0, 1), (0, 1), (first, min(first + at_once, n)))
        latents = torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
        if factor != 1:
            latents = latents * factor
        samples = run_images(network, latents, edits) if edits else network(latents)
        made.append(trained.transform.inverse(samples.cpu(), 1))
    return np.concatenate(made)


def generate_images(trained: TrainedNetwork, n: int, seed: int = 0) -> Sheet:
    """As `generate_samples`, with the values that are drawn black and white."""
    low, high = shades_of(trained.transform)
    return Sheet(generate_samples(trained, n, seed), low, high)


def shades_of(transform: Transform) -> tuple[float, float]:
    """Values of the data that are drawn black and white."""
    values = transform.state()
    labels = values.get("labels", (values.get("low"), values.get("high")))
    return float(labels[0]), float(labels[-1])
