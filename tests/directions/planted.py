"""Generators whose first block is a known linear map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.models import (
    GeneratorSpec,
    VolumeGenerator,
)
from napari_slicegan.models.generator_file import (
    TrainedGenerator,
    TrainedNetwork,
    trained_network,
)
from napari_slicegan.models.sizes import SizeRule
from napari_slicegan.systems.dcgan import ImageGenerator, ImageSpec

if TYPE_CHECKING:
    from napari_slicegan.models.network import GeneratorNetwork

LATENTS = 32
# Singular values of the first block: the shares of the first two components are
# 25 / 64 and 9 / 64.
SINGULAR = np.array([5.0, 3.0, *[1.0] * 30])


def frames(outputs: int, seed: int = 0) -> tuple[NDArray[np.float64], ...]:
    """Map [outputs, LATENTS] with the planted values, and its latent directions."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((outputs, LATENTS)))
    right, _ = np.linalg.qr(rng.standard_normal((LATENTS, LATENTS)))
    return (left * SINGULAR) @ right.T, right.T


class Map(nn.Module):
    """The same linear map at every position, [B, C, z, y, x]."""

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.from_numpy(matrix).float())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, ...] -> [B, D, ...]."""
        return torch.einsum("dc,bc...->bd...", self.matrix, x)


def volumes(outputs: int = 40, last: nn.Module | None = None) -> TrainedGenerator:
    """Volumes of 4 x 4 x 4 voxels from as many latents, each voxel on its own."""
    spec = GeneratorSpec(
        "slicegan", 2, "phases", LATENTS, 4, (outputs,), (), normalisation="none"
    )
    rule = SizeRule(1, 0)
    first = Map(frames(outputs)[0])
    read = last or Map(np.eye(2, outputs))
    network = VolumeGenerator(spec, [rule, rule], block1=first, block2=read)
    return TrainedGenerator(network.eval(), OneHotPhases([0, 255]), None, "planted")


class Sign(nn.Module):
    """Phase 1 where the first channel is positive."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, C, ...] -> [B, 2, ...]."""
        return torch.stack([-x[:, 0], x[:, 0]], dim=1)


def signed() -> TrainedGenerator:
    """Its phase fraction depends on the first planted latent direction alone.

    A step of s standard deviations of the pooled latent, s / 8, along it makes the
    fraction Phi(s / 8), Phi being the normal distribution function.
    """
    made = volumes(40, Sign())
    with torch.no_grad():
        matrix = made.network.get_parameter("blocks.block1.matrix")
        matrix[0] = torch.from_numpy(3 * frames(40)[1][0]).float()
    return made


def images(edge: int = 8, channels: int = 4) -> TrainedNetwork:
    """Images with a fully connected first block of channels x edge x edge numbers."""
    outputs = channels * edge**2
    spec = ImageSpec("dcgan-28", 1, "linear", edge, LATENTS, (channels,))
    dense = nn.Linear(LATENTS, outputs, bias=False)
    matrix = torch.from_numpy(frames(outputs)[0]).float()
    dense.weight = nn.Parameter(matrix)
    network: GeneratorNetwork = ImageGenerator(
        spec,
        block1=nn.Sequential(dense, nn.Unflatten(1, (channels, edge, edge))),
        block2=nn.Conv2d(channels, 1, 1),
    )
    network.eval().requires_grad_(False)
    return trained_network(network, ScaleMinMax(0, 1, 1, "float64"), None, "planted")
