"""Laws that the first weights are drawn from, always with a generator of our own."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.architectures.spectral import SpectralLayer

DENSE = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
SPREAD = 0.02


def fan_in(network: nn.Module, rng: torch.Generator) -> None:
    """Weights and biases uniform in +-1 / sqrt(fan in), torch's own default."""
    for module in network.modules():
        if isinstance(module, DENSE):
            bound = 1 / math.sqrt(module.weight[0].numel())
            for values in module.parameters():
                nn.init.uniform_(values, -bound, bound, generator=rng)


def glorot_uniform(network: nn.Module, rng: torch.Generator) -> None:
    """Uniform in +-sqrt(6 / (fan in + fan out)), biases 0; Keras' default.

    Source: Glorot & Bengio 2010, eq. 16.
    """
    for module in network.modules():
        if isinstance(module, DENSE):
            outputs, inputs = module.weight.shape[:2]
            taps = math.prod(module.weight.shape[2:])
            bound = math.sqrt(6 / ((inputs + outputs) * taps))
            nn.init.uniform_(module.weight, -bound, bound, generator=rng)
            _without_bias(module)


def normal(network: nn.Module, rng: torch.Generator) -> None:
    """Weights N(0, 0.02), scales of batch norm N(1, 0.02), biases and shifts 0.

    Source: Radford et al. 2016, section 4; the scales as in their program.
    """
    for module in network.modules():
        if isinstance(module, DENSE):
            nn.init.normal_(module.weight, 0.0, SPREAD, generator=rng)
            _without_bias(module)
        elif isinstance(module, BatchNorm):
            nn.init.normal_(module.weight, 1.0, SPREAD, generator=rng)
            nn.init.zeros_(module.bias)
        elif isinstance(module, SpectralLayer):
            nn.init.normal_(module.weight, 0.0, SPREAD, generator=rng)
            nn.init.normal_(module.left, generator=rng)
            module.left.copy_(functional.normalize(module.left, dim=0))


def _without_bias(module: nn.Module) -> None:
    if module.bias is not None:
        nn.init.zeros_(module.get_parameter("bias"))
