"""Labels of the training images: what the generator and the critic are told.

A label, such as the phase fraction of a micrograph, is a further channel of the
latents, the same at every position, and a further channel of what the critic sees
(Mirza & Osindero 2014). Labels are scaled to mean 0 and standard deviation 1 over the
images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_slicegan.architectures import GeneratorSpec
    from napari_slicegan.training_images import TrainingImages

SMALLEST_SPREAD = 0.01


def fractions_of(images: TrainingImages) -> tuple[float, ...]:
    """Fraction of the last phase in each micrograph.

    Raises
    ------
    ValueError
        If the images have no phases or hardly differ, or directions of their own.
    """
    if images.kind != "phases" or images.material != "isotropic":
        raise ValueError(
            "A condition needs phases of an isotropic material, got "
            f"{images.kind} of an {images.material} one; set 'Condition' to none."
        )
    last = images.labels[-1]
    fractions = tuple(float(image.phase_fractions().get(last, 0)) for image in images)
    if np.std(fractions) < SMALLEST_SPREAD:
        raise ValueError(
            "A condition needs micrographs whose phase fractions differ, got "
            f"{min(fractions):.3f} to {max(fractions):.3f}; add other micrographs or "
            "set 'Condition' to none."
        )
    return fractions


def scaled_labels(labels: tuple[float, ...]) -> tuple[float, ...]:
    """Labels with mean 0 and standard deviation 1."""
    numbers = np.asarray(labels)
    return tuple(((numbers - numbers.mean()) / numbers.std()).tolist())


def with_labels(latents: Tensor, spec: GeneratorSpec, rng: torch.Generator) -> Tensor:
    """Latents [n, C, l, l, l] with the label of a random training image each."""
    labels = torch.tensor(scaled_labels(spec.labels), dtype=latents.dtype)
    chosen = labels[torch.randint(len(labels), (len(latents),), generator=rng)]
    return _with_channel(latents, chosen.to(latents.device))


def beside_labels(volumes: Tensor, latents: Tensor) -> Tensor:
    """Volumes [n, C, Z, Y, X] with the label of their latents as a channel."""
    return _with_channel(volumes, latents[:, -1, 0, 0, 0])


def _with_channel(values: Tensor, numbers: Tensor) -> Tensor:
    """[n, C, ...] and [n] -> [n, C + 1, ...]."""
    shape = (len(values), 1, *values.shape[2:])
    channel = numbers.reshape(-1, *(1,) * (values.ndim - 1)).expand(shape)
    return torch.cat([values, channel], dim=1)
