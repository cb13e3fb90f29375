"""Sets of images and runs of images that are small enough for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan.config.presets import preset
from napari_slicegan.systems.image_set import ImageSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig

# Pixels per edge, the smallest size of the published networks.
EDGE = 28


def ellipses(n: int, edge: int = EDGE, seed: int = 0) -> NDArray[np.uint8]:
    """Bright ellipses on black, of different axes, near the middle."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:edge, :edge] - edge / 2
    images = []
    for _ in range(n):
        y, x = rng.normal(0, edge / 28, 2)
        a, b = rng.uniform(edge / 5, edge / 2.5, 2)
        inside = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1
        images.append(np.where(inside, 230, 20))
    return np.stack(images).astype(np.uint8)


def toy_set(n: int = 40) -> ImageSet:
    """Ellipses of 28 pixels."""
    return ImageSet(ellipses(n), "ellipses")


def small_image_config(**changes: Any) -> RunConfig:
    """The preset for 28 pixels with networks that train a step in milliseconds.

    40 images in batches of 8 are 5 steps in an epoch.
    """
    values = {
        "generator_widths": (8, 6, 4),
        "critic_widths": (4, 6),
        "latent_channels": 5,
        "generator_batch_size": 8,
        "critic_batch_size": 8,
        "epochs": None,
        "steps": 6,
        "evaluation_images": 16,
        "monitor_interval": 1000,
        "device": "cpu",
        "threads": 1,
    }
    return preset("oasis-28").changed(**{**values, **changes})
