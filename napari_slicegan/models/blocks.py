"""Layers, first weights and heads that the networks are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from napari_slicegan.models.sizes import SizeRule, transposed_rule
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet


class SpectralLayer(nn.Module):
    """A weight, divided by its largest singular value.

    The singular value is followed by one power step in each forward pass in training
    (algorithm 1). The vector it starts from is drawn with the first weights.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.left: Tensor
        self.register_buffer("left", torch.ones(shape[0]))

    def normalised(self) -> Tensor:
        """The weight over its singular value, of the same shape."""
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            right = functional.normalize(matrix.T @ self.left, dim=0)
            left = functional.normalize(matrix @ right, dim=0)
            if self.training:
                self.left.copy_(left)
        return self.weight / (left @ (matrix @ right))


class SpectralConvolution(SpectralLayer):
    """2-D convolution 4 x 4 of stride 2 without bias; n pixels become n / 2."""

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


MAX_SUBPIXEL_CHANNELS = 32


class TransposedConvolution(nn.Module):
    """Transposed 3-D convolution without bias; [B, C, Z, Y, X]."""

    def __init__(self, inputs: int, outputs: int, layer: KernelSet) -> None:
        super().__init__()
        kernel, self.stride, self.padding = layer
        self.weight = nn.Parameter(torch.empty(inputs, outputs, *(kernel,) * 3))
        self.size_rule = transposed_rule(layer)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = (n - 1) s - 2 p + k."""
        return transposed_convolution(x, self.weight, self.stride, self.padding)


class ResizeConvolution(nn.Module):
    """Trilinear upsampling by two, then a 3x3x3 convolution without padding.

    The voxel next to each border, where the interpolation has no neighbour, is cut
    off, so the layer commutes with shifts and the factor is 2 for every size. Both
    steps are linear: together they are a transposed convolution with a kernel of 6,
    as which they are computed. So no wide volume of the full size is ever made.
    """

    stride, padding = 2, 4

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3, 3))
        self.size_rule = SizeRule(2, -4)
        # Shares of an input voxel in the upsampled voxels around it; on which of the
        # kernel's six positions each of the three old ones falls, with which share.
        shares = torch.tensor([0, 0, 0.25, 0.75, 0.75, 0.25, 0, 0])
        self.register_buffer("shares", shares.unfold(0, 3, 1), persistent=False)

    def transposed_weight(self) -> Tensor:
        """Weights of the equal transposed convolution, [C_in, C_out, 6, 6, 6]."""
        weight = self.weight.transpose(0, 1)
        for _ in range(3):
            weight = torch.tensordot(weight, self.get_buffer("shares"), ([2], [1]))
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = 2 n - 4."""
        weight = self.transposed_weight()
        return transposed_convolution(x, weight, self.stride, self.padding)


def transposed_convolution(
    x: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Transposed 3-D convolution, in the form that is faster for its width.

    With few output channels the vector units of a processor idle; the equal sub-pixel
    form (Shi et al. 2016) computes the ``stride**3`` voxels that stem from one input
    position as channels of a plain convolution and then sorts them.

    Parameters
    ----------
    x
        [B, C_in, z, y, x].
    weight
        [C_in, C_out, k, k, k]; k is a multiple of the stride.
    """
    if weight.shape[1] > MAX_SUBPIXEL_CHANNELS or padding < weight.shape[2] - stride:
        return functional.conv_transpose3d(x, weight, stride=stride, padding=padding)
    inputs, outputs, kernel = weight.shape[:3]
    taps = kernel // stride
    # [C_in, C_out, (tap, phase) * 3] -> [C_out * phases, C_in, taps, taps, taps]
    split = weight.reshape(inputs, outputs, *(taps, stride) * 3).flip(2, 4, 6)
    plain = split.permute(1, 3, 5, 7, 0, 2, 4, 6)
    phases = functional.conv3d(x, plain.reshape(-1, inputs, *(taps,) * 3))
    batch, _, *size = phases.shape
    # [B, C_out, pz, py, px, z, y, x] -> [B, C_out, z, pz, y, py, x, px]
    sorted_ = phases.view(batch, outputs, *(stride,) * 3, *size).permute(
        0, 1, 5, 2, 6, 3, 7, 4
    )
    whole = sorted_.reshape(batch, outputs, *(n * stride for n in size))
    cut = padding - (kernel - stride)
    keep = [slice(cut, n * stride - cut) for n in size]
    return whole[:, :, keep[0], keep[1], keep[2]]


CONVOLUTIONS = (
    TransposedConvolution,
    ResizeConvolution,
    nn.Conv2d,
)


class PixelNorm(nn.Module):
    """Scales the channels of each voxel to unit mean square (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, Z, Y, X] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class PhaseProbabilities(nn.Softmax):
    """Softmax over phases; the channels of a voxel sum to 1, in float32."""

    def __init__(self) -> None:
        super().__init__(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        return super().forward(x.float())


class UnitInterval(nn.Module):
    """Maps to [0, 1] by (tanh + 1) / 2, the paper's choice for gray and colour."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return 0.5 * (torch.tanh(x.float()) + 1)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Draw all convolution weights from ``rng``: uniform in +-1 / sqrt(fan in).

    This is torch's own default law for convolutions without bias, from a generator
    of our own; batch norm keeps its scales of 1 and shifts of 0.
    """
    for module in network.modules():
        if isinstance(module, CONVOLUTIONS):
            bound = 1 / math.sqrt(module.get_parameter("weight")[0].numel())
            nn.init.uniform_(module.weight, -bound, bound, generator=rng)


class ResampledHead(nn.Module):
    """Draws each score from a normal law (feature resampling, Xiangli et al. 2020).

    Parameters
    ----------
    rng
        Source of the noise, on the CPU. Whoever saves the critic saves its state too.
    """

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Means, then logarithms of variances, [N, 2 K] -> scores [N, K]."""
        mean, log_variance = x.chunk(2, dim=1)
        noise = to_device(torch.randn(mean.shape, generator=self._rng), mean.device)
        return mean + (log_variance / 2).exp() * noise.to(mean.dtype)
