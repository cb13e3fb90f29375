"""The published networks of RealnessGAN (Xiangli et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.models.network import output_layer
from napari_slicegan.models.table import Architecture
from napari_slicegan.systems.dcgan import (
    ImageCritic,
    ImageGenerator,
    ImageSpec,
    first_edge,
    halving_critic,
    image_spec,
    normalised,
)

if TYPE_CHECKING:
    from napari_slicegan.models.table import CriticSpec

FIRST_EDGE = 4
SLOPE = 0.2
SPREAD = 0.02
"""Standard deviation of the initial weights."""


class SpectralLayer(nn.Module):
    """A weight divided by its largest singular value (Miyato et al. 2018).

    Each forward pass in training mode does one power iteration (algorithm 1). Its start
    vector is drawn together with the initial weights.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.left: Tensor
        self.register_buffer("left", torch.ones(shape[0]))

    def normalised(self) -> Tensor:
        """The weight over its largest singular value, of the same shape."""
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            right = functional.normalize(matrix.T @ self.left, dim=0)
            left = functional.normalize(matrix @ right, dim=0)
            if self.training:
                self.left.copy_(left)
        return self.weight / (left @ (matrix @ right))


class SpectralConvolution(SpectralLayer):
    """2-D convolution without bias, 4 x 4 with stride 2."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(outputs, inputs, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n] -> [B, C_out, n / 2, n / 2]."""
        return functional.conv2d(x, self.normalised(), stride=2, padding=1)


class SpectralLinear(SpectralLayer):
    """Fully connected layer without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(outputs, inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]."""
        return functional.linear(x, self.normalised())


def build_dcgan_relu(spec: ImageSpec) -> ImageGenerator:
    """Generator: 4 x 4 pixels of the first width, then doublings."""
    if first_edge(spec.size, len(spec.widths)) != FIRST_EDGE:
        raise ValueError(
            f"The architecture '{spec.architecture}' with {len(spec.widths)} generator "
            f"widths makes {FIRST_EDGE << len(spec.widths)} pixels, got a patch of "
            f"{spec.size}; change 'Generator widths' or 'Patch size'."
        )
    blocks: dict[str, nn.Module] = {}
    inputs = spec.latent_channels
    for number, width in enumerate(spec.widths, start=1):
        first = number == 1
        stride, padding = (1, 0) if first else (2, 1)
        blocks[f"block{number}"] = nn.Sequential(
            nn.Unflatten(1, (inputs, 1, 1)) if first else nn.Identity(),
            nn.ConvTranspose2d(inputs, width, 4, stride, padding, bias=False),
            normalised(spec.normalisation, nn.BatchNorm2d(width)),
            nn.ReLU(),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Sequential(
        nn.ConvTranspose2d(inputs, spec.channels, 4, 2, 1, bias=False),
        output_layer(spec.output),
    )
    return ImageGenerator(spec, **blocks)


def build_spectral_critic(critic: CriticSpec) -> ImageCritic:
    """Critic: halvings, then a dense layer, with spectral norm throughout."""

    def halving(_: int, inputs: int, width: int) -> list[nn.Module]:
        return [SpectralConvolution(inputs, width), nn.LeakyReLU(SLOPE)]

    return halving_critic(critic, halving, SpectralLinear)


def init_normal(network: nn.Module, rng: torch.Generator) -> None:
    """Weights N(0, 0.02), batch-norm scales N(1, 0.02), biases and shifts 0.

    Source: Radford et al. 2016, section 4; the scales as in their program.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, SPREAD, generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, BatchNorm):
            nn.init.normal_(module.weight, 1.0, SPREAD, generator=rng)
            nn.init.zeros_(module.bias)
        elif isinstance(module, SpectralLayer):
            nn.init.normal_(module.weight, 0.0, SPREAD, generator=rng)
            nn.init.normal_(module.left, generator=rng)
            module.left.copy_(functional.normalize(module.left, dim=0))


DCGAN_RELU = Architecture(
    ImageSpec, image_spec, build_dcgan_relu, build_spectral_critic, init_normal
)
