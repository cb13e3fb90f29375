"""Materials and real images that are small enough for tests."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from napari_slicegan.micrograph import Micrograph

# The label values of the toy material are not the numbers of its phases.
TOY_LABELS = (7, 207)
PIXEL_SIZE_NM = 5.0
# Voxels and pixels per axis in training.
TOY_PATCH = 16


def smooth_field(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    """Gaussian random field with a correlation length of a few pixels."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(gaussian_filter(noise, 2, mode="wrap"))


def phases_image(*shape: int, seed: int = 0) -> Micrograph:
    """Two phases, about half and half."""
    pores = smooth_field(*shape, seed=seed) > 0
    low, high = TOY_LABELS
    values = np.where(pores, high, low).astype(np.uint8)
    return Micrograph.from_array(values, "phases", PIXEL_SIZE_NM, "toy")


class Crops:
    """Stands for the real images of a game; remembers who asked for how many."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.asked: list[tuple[int, int]] = []

    def __call__(self, critic: int, n: int, rng: torch.Generator) -> Tensor:
        self.asked.append((critic, n))
        shape = (n, self.channels, TOY_PATCH, TOY_PATCH)
        return torch.rand(shape, generator=rng)
