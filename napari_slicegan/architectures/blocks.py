"""Layers that the block tables of the architectures are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.architectures.sizes import SizeRule, transposed_rule

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet

N_ORIENTATIONS = 3
MAX_SUBPIXEL_CHANNELS = 32
Role = Literal["first", "hidden", "last"]


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


class AxisSymmetricConvolution(nn.Module):
    """Transposed 3-D convolution that commutes with cyclic exchange of z, y and x.

    A group convolution (Cohen & Welling 2016) over the three cyclic orientations of
    the axes: hidden channels come in three copies, one for each orientation, and
    the kernels of a copy are those of the first one with their axes exchanged.
    Latent fields and volumes have one orientation only. Because independent latents
    have no preferred axis, neither has the law of the generated volume.

    Channels of a hidden field are ordered [orientation, channel].
    """

    def __init__(self, inputs: int, outputs: int, layer: KernelSet, role: Role) -> None:
        super().__init__()
        kernel, self.stride, self.padding = layer
        self.role = role
        inputs = inputs if role == "first" else _per_orientation(inputs)
        outputs = outputs if role == "last" else _per_orientation(outputs)
        relative = N_ORIENTATIONS if role == "hidden" else 1
        self.weight = nn.Parameter(
            torch.empty(relative, inputs, outputs, *(kernel,) * 3)
        )
        self.size_rule = transposed_rule(layer)

    def full_weight(self) -> Tensor:
        """Weight of the equal plain convolution, [C_in, C_out, k, k, k]."""
        turns = range(N_ORIENTATIONS)
        if self.role == "first":
            return torch.cat([_exchange(self.weight[0], g) for g in turns], dim=1)
        if self.role == "last":
            return torch.cat([_exchange(self.weight[0], g) for g in turns], dim=0)
        columns = [
            torch.cat([_exchange(self.weight[(i - o) % 3], o) for i in turns], dim=0)
            for o in turns
        ]
        return torch.cat(columns, dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = (n - 1) s - 2 p + k."""
        return transposed_convolution(x, self.full_weight(), self.stride, self.padding)


class ResizeConvolution(nn.Module):
    """Trilinear upsampling by two, then a 3x3x3 convolution without padding.

    The voxel next to each border, where the interpolation has no neighbour, is cut
    off, so the layer commutes with shifts and the factor is 2 for every size.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3, 3))
        self.size_rule = SizeRule(2, -4)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = 2 n - 4."""
        x = functional.interpolate(x, scale_factor=2, mode="trilinear")
        x = x[:, :, 1:-1, 1:-1, 1:-1]
        return functional.conv3d(x, self.weight)


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
    AxisSymmetricConvolution,
    ResizeConvolution,
    nn.Conv2d,
)


class OrientedBatchNorm(nn.BatchNorm3d):
    """Batch norm whose statistics and scales are shared by the orientations."""

    def __init__(self, channels: int) -> None:
        super().__init__(_per_orientation(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3 C, Z, Y, X] -> the same shape."""
        return (
            super()
            .forward(x.reshape(-1, self.num_features, *x.shape[2:]))
            .reshape(x.shape)
        )


class PixelNorm(nn.Module):
    """Scales the channels of each voxel to unit mean square (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, Z, Y, X] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


class PhaseProbabilities(nn.Softmax):
    """Softmax over phases; the channels of a voxel sum to 1."""

    def __init__(self) -> None:
        super().__init__(dim=1)


class UnitInterval(nn.Module):
    """Maps to [0, 1] by (tanh + 1) / 2, the paper's choice for gray and colour."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return 0.5 * (torch.tanh(x) + 1)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Draw all convolution weights from ``rng``: uniform in +-1 / sqrt(fan in).

    This is torch's own default law for convolutions without bias, from a generator
    of our own; batch norm keeps its scales of 1 and shifts of 0.
    """
    for module in network.modules():
        if isinstance(module, CONVOLUTIONS):
            bound = 1 / math.sqrt(_fan_in(module))
            nn.init.uniform_(module.weight, -bound, bound, generator=rng)


def _fan_in(module: nn.Module) -> int:
    if isinstance(module, AxisSymmetricConvolution):
        return module.full_weight()[0].numel()
    return module.get_parameter("weight")[0].numel()


def _exchange(kernel: Tensor, turns: int) -> Tensor:
    """Exchange the last three axes cyclically ``turns`` times."""
    axes = list(range(kernel.ndim))
    spatial = axes[-3:]
    return kernel.permute(axes[:-3] + spatial[turns:] + spatial[:turns])


def _per_orientation(channels: int) -> int:
    """Channels of one orientation; refuses widths that cannot be shared out."""
    if channels % N_ORIENTATIONS:
        raise ValueError(
            f"With 'Axis symmetry' the generator widths must be multiples of 3; got "
            f"{channels}. Use {channels + 3 - channels % 3} or switch the symmetry off."
        )
    return channels // N_ORIENTATIONS
