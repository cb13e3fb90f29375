"""Layers of the volume networks, output layers, and initial weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.models.sizes import SizeRule, transposed_rule
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet

MAX_SUBPIXEL_CHANNELS = 32
"""Output channels up to which the sub-pixel form is the faster one."""


def transposed_convolution(
    x: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Transposed 3-D convolution, computed in the faster form for its width.

    With few output channels a CPU's vector units are underused. The equivalent
    sub-pixel form (Shi et al. 2016) computes the ``stride**3`` voxels that belong to
    one input position as channels of an ordinary convolution and rearranges them.

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

    The outermost voxel on each side, where the interpolation lacks a neighbour, is
    cropped, so the layer commutes with shifts and the scale factor is 2 at every size.
    Both steps are linear and are computed as one transposed convolution with a kernel
    of 6, which avoids a full-size volume of all input channels.
    """

    stride, padding = 2, 4

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3, 3))
        self.size_rule = SizeRule(2, -4)
        # Interpolation weights of an input voxel in the upsampled voxels around it.
        # Row i maps the three taps of the convolution to tap i of the kernel of 6.
        shares = torch.tensor([0, 0, 0.25, 0.75, 0.75, 0.25, 0, 0])
        self.register_buffer("shares", shares.unfold(0, 3, 1), persistent=False)

    def transposed_weight(self) -> Tensor:
        """Weights of the equivalent transposed convolution, [C_in, C_out, 6, 6, 6]."""
        weight = self.weight.transpose(0, 1)
        for _ in range(3):
            weight = torch.tensordot(weight, self.get_buffer("shares"), ([2], [1]))
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = 2 n - 4."""
        weight = self.transposed_weight()
        return transposed_convolution(x, weight, self.stride, self.padding)


class PixelNorm(nn.Module):
    """Scales the channels of each voxel to unit mean square (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, Z, Y, X] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class PhaseProbabilities(nn.Softmax):
    """Softmax over phases in float32; the channels of a voxel sum to 1."""

    def __init__(self) -> None:
        super().__init__(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        return super().forward(x.float())


class UnitInterval(nn.Module):
    """(tanh + 1) / 2 in float32: the paper's output layer for gray and colour."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape -> the same shape, from 0 to 1."""
        return 0.5 * (torch.tanh(x.float()) + 1)


class ResampledHead(nn.Module):
    """Samples each score from a normal distribution (Xiangli et al. 2020).

    Parameters
    ----------
    rng
        Source of the noise, on the CPU. Checkpoints of the critic must include its
        state.
    """

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Means, then log variances, [N, 2 K] -> scores [N, K]."""
        mean, log_variance = x.chunk(2, dim=1)
        noise = to_device(torch.randn(mean.shape, generator=self._rng), mean.device)
        return mean + (log_variance / 2).exp() * noise.to(mean.dtype)


WEIGHTED = (
    TransposedConvolution,
    ResizeConvolution,
    nn.Linear,
    nn.Conv2d,
    nn.ConvTranspose2d,
)
"""Layers with a weight that is drawn at random."""


def init_uniform_fan_in(network: nn.Module, rng: torch.Generator) -> None:
    """Draw weights and biases uniformly in +-1 / sqrt(fan in), torch's default.

    Batch norm keeps its scales of 1 and shifts of 0.
    """
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            bound = 1 / math.sqrt(module.get_parameter("weight")[0].numel())
            for values in module.parameters():
                nn.init.uniform_(values, -bound, bound, generator=rng)
