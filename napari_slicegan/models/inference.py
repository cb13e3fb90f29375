"""The inference form of a trained generator of volumes, fast on CPUs.

The function is the same but for rounding. Batch norm, which is linear in evaluation
mode, is folded into the convolutions. All of them are sub-pixel convolutions (Shi et
al. 2016) in channels-last order: faster forward, slower backward. For phases, only the
differences to the first phase are computed, and the phase of each voxel is chosen
before the voxels are reordered, which moves bytes instead of probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.models.blocks import (
    BESIDE,
    MIDDLE,
    AntialiasedConvolution,
    PhaseProbabilities,
    ResizeConvolution,
    SymmetricResizeConvolution,
    TransposedConvolution,
    box_filter,
    has_onednn,
    in_space,
    onednn_convolution,
)
from napari_slicegan.models.noise import NoiseField, NoiseInput
from napari_slicegan.models.slicegan import VolumeGenerator

Layer = TransposedConvolution | AntialiasedConvolution | ResizeConvolution


class SubpixelConvolution(nn.Module):
    """A transposed convolution that computes ``stride**3`` voxels per input position.

    Parameters
    ----------
    layer
        The convolution; its kernel is a multiple of its stride, its padding at least
        kernel - stride.
    weight
        As of `subpixel_weight`, used instead of the layer's own.
    bias
        [C_out].
    """

    def __init__(
        self, layer: Layer, weight: Tensor, bias: Tensor | None = None
    ) -> None:
        super().__init__()
        self.stride = layer.stride
        self.cut = layer.padding - (weight.shape[-1] - 1) * self.stride
        last = torch.channels_last_3d
        self.register_buffer("weight", weight.contiguous(memory_format=last))
        phases = self.stride**3
        self.register_buffer("bias", None if bias is None else bias.repeat(phases))

    def cells(self, x: Tensor) -> Tensor:
        """[B, C_in, z, y, x] -> [B, z, y, x, stride, stride, stride, C_out]."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        made = _convolution(x, self.get_buffer("weight"), self._buffers["bias"])
        return self._in_cells(made)

    def channels(self, x: Tensor) -> Sequence[Tensor]:
        """The channels of `cells`, each [B, z, y, x, stride, stride, stride]."""
        return self.cells(x).unbind(-1)

    def _in_cells(self, made: Tensor) -> Tensor:
        """[B, stride**3 * C_out, z, y, x] -> the form of `cells`."""
        made = made.movedim(1, -1)
        return made.reshape(*made.shape[:4], *(self.stride,) * 3, -1)

    def arranged(self, cells: Tensor) -> Tensor:
        """Voxels of the cells in spatial order, [B, Z, Y, X, C]."""
        whole = in_space(cells)
        z, y, x = (slice(self.cut, n - self.cut) for n in whole.shape[1:4])
        return whole[:, z, y, x]

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, z, y, x] -> [B, C_out, Z, Y, X]."""
        return self.arranged(self.cells(x)).movedim(-1, 1)


class SymmetricConvolution(SubpixelConvolution):
    """A `SymmetricResizeConvolution` of one channel: two convolutions.

    The first mixes the channels and filters along z, the second filters along y and x.
    All three axes in one kernel are more operations; one axis after the other, more
    passes over memory.

    Parameters
    ----------
    layer
        The convolution.
    weight
        [8, C_in], used instead of the layer's own.
    bias
        Added to the output.
    """

    def __init__(
        self, layer: SymmetricResizeConvolution, weight: Tensor, bias: float = 0.0
    ) -> None:
        nn.Module.__init__(self)
        self.stride, kernel = layer.stride, len(MIDDLE)
        self.cut = layer.padding - (kernel - self.stride)
        # [middle or beside, tap, voxel], the first tap for the last half of the kernel
        line = torch.tensor([MIDDLE, BESIDE]).view(2, -1, self.stride).flip(1) / 4
        line = line.to(weight.dtype)
        # Outputs are [voxel along z, middle or beside along y, along x].
        along_z = torch.einsum("ztv,zyxc->vyxct", line, weight.view(2, 2, 2, -1))
        along_z = along_z.flatten(0, 2)[..., None, None]
        of_each_z = torch.eye(self.stride, dtype=weight.dtype)
        plane = torch.einsum("ij,ytv,xsu->ivujyxts", of_each_z, line, line)
        plane = plane.flatten(3, 5).flatten(0, 2).unsqueeze(2)
        last = torch.channels_last_3d
        self.register_buffer("along_z", along_z.contiguous(memory_format=last))
        self.register_buffer("plane", plane.contiguous(memory_format=last))
        biases = weight.new_full((self.stride**3,), bias)
        self.register_buffer("bias", biases if bias else None)

    def cells(self, x: Tensor) -> Tensor:
        """[B, C_in, z, y, x] -> [B, z, y, x, stride, stride, stride, 1]."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        made = _convolution(x, self.get_buffer("along_z"), None)
        made = _convolution(made, self.get_buffer("plane"), self._buffers["bias"])
        return self._in_cells(made)


class BoxFilter(nn.Module):
    """Box filter of an `AntialiasedConvolution`."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, n, n, n] -> [B, C, n - 1, n - 1, n - 1]."""
        return box_filter(x)


class NoisyRectifier(nn.Module):
    """Noise of a `NoiseInput`, if any; then a rectifier. Overwrites its input.

    The same values as of these layers, in passes that are vectorised for channels-last
    order and for bfloat16.

    Parameters
    ----------
    noise
        The noise layer.
    negative_slope
        Of a LeakyReLU; 0 for a ReLU.
    """

    takes_noise = True

    def __init__(self, noise: NoiseInput | None, negative_slope: float = 0.0) -> None:
        super().__init__()
        self.noise = noise
        self.negative_slope = negative_slope

    def forward(
        self, x: Tensor, noise: NoiseField, start: Sequence[int] = (0, 0, 0)
    ) -> Tensor:
        """[B, C, z, y, x] -> the same shape.

        Parameters
        ----------
        noise, start
            As of `NoiseInput`.
        """
        if x.requires_grad or not (has_onednn(x) and _is_channels_last(x)):
            x = x if self.noise is None else self.noise(x, noise, start)
            if self.negative_slope:
                return functional.leaky_relu_(x, self.negative_slope)
            return x.relu() if x.dtype == torch.bfloat16 else x.relu_()
        voxels = x.movedim(1, -1).flatten(0, -2)
        if self.noise is not None:
            field = self.noise.field(x, noise, start).flatten()
            gain = self.noise.gain.to(x.dtype)
            voxels.addmm_(field[:, None], gain[None])
        if self.negative_slope:
            functional.leaky_relu_(voxels, self.negative_slope)
        elif x.dtype == torch.bfloat16:
            # Negative numbers are negative as integers, too.
            voxels.view(torch.int16).clamp_min_(0)
        else:
            voxels.clamp_min_(0)
        return x


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last_3d)


def subpixel_weight(layer: Layer) -> Tensor:
    """Weights of the voxels of a cell, [stride**3 * C_out, C_in, taps, taps, taps].

    Without the filter that may follow.
    """
    if isinstance(layer, AntialiasedConvolution):
        return layer.weight.detach()
    weight: Tensor = layer.weight
    if isinstance(layer, ResizeConvolution):
        weight = layer.transposed_weight()
    inputs, stride, taps = len(weight), layer.stride, weight.shape[-1] // layer.stride
    # Which of the kernel's positions belongs to a phase and a tap.
    places = torch.arange((stride * taps) ** 3).view((taps, stride) * 3).flip(0, 2, 4)
    places = places.permute(1, 3, 5, 0, 2, 4).reshape(stride**3, taps**3)
    # [C_in, C_out, k, k, k] -> [phases, taps, C_out, C_in]
    sorted_ = weight.flatten(2).permute(2, 1, 0).contiguous()[places]
    plain = sorted_.transpose(1, 2).reshape(-1, *(taps,) * 3, inputs)
    return plain.permute(0, 4, 1, 2, 3)


def _convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Plain 3-D convolution by oneDNN.

    For small kernels on small volumes, such as previews, torch would choose its own,
    slower one.
    """
    is_plain = x.dtype == torch.float32 and not x.requires_grad and has_onednn(x)
    # Not asked for "meta", which has no such state.
    if is_plain and not torch.is_autocast_enabled(x.device.type):
        return onednn_convolution(x, weight, bias=bias)
    return functional.conv3d(x, weight, bias)


class PhaseChoice(nn.Module):
    """Last block of a generator of phases: index of the most probable phase.

    Parameters
    ----------
    layer
        The last convolution, whose channels are logits, of one field of each phase
        after the other.
    noises
        Noise that is added to the logits; empty for none.
    weights
        Factor on the probability of each phase.
    """

    takes_noise = True

    def __init__(
        self, layer: Layer, noises: Sequence[NoiseInput], weights: Sequence[float]
    ) -> None:
        super().__init__()
        self.n_phases = len(weights)
        n_channels = len(subpixel_weight(layer)) // layer.stride**3
        self.phases = [channel % self.n_phases for channel in range(1, n_channels)]
        gains = [math.log(weights[phase] / weights[0]) for phase in self.phases]
        self.convolutions = nn.ModuleList(_differences_to_the_first(layer, gains))
        self.noises = nn.ModuleList()
        for noise in noises:
            gain = (noise.gain - noise.gain[0])[self.phases]
            difference = NoiseInput(len(gain), noise.level, noise.scale)
            difference.gain = nn.Parameter(gain, requires_grad=False)
            self.noises.append(difference)

    def forward(
        self, x: Tensor, noise: NoiseField, start: Sequence[int] = (0, 0, 0)
    ) -> Tensor:
        """[B, C_in, z, y, x] -> index of the phase, [B, 1, Z, Y, X], uint8.

        Parameters
        ----------
        noise, start
            As of `NoiseInput`.
        """
        first, *_ = convolutions = list[Any](self.convolutions)
        if not self.noises:
            cells = (channel for each in convolutions for channel in each.channels(x))
            # Reordered are the phases, which are bytes.
            index: Tensor = first.arranged(self._chosen(cells)[..., None])
            return index.movedim(-1, 1)
        differences = torch.cat([each(x) for each in convolutions], dim=1)
        for each in self.noises:
            differences = each(differences, noise, start)
        return self._chosen(differences.unbind(1)).unsqueeze(1)

    def _chosen(self, differences: Iterable[Tensor]) -> Tensor:
        """Differences to the first logit, each [...] -> index of the phase, [...].

        The differences are overwritten: new memory costs more than the operations.
        """
        largest: dict[int, Tensor] = {}
        for phase, each in zip(self.phases, differences, strict=True):
            known = largest.setdefault(phase, each)
            if known is not each:
                torch.maximum(known, each, out=known)
        # The difference of the first logit to itself is 0.
        best: Tensor | float = largest[0].clamp_min_(0) if 0 in largest else 0.0
        index = (largest[1] > best).view(torch.uint8)
        for phase in range(2, self.n_phases):
            best = largest[phase - 1].clamp_min_(best)
            index.masked_fill_(largest[phase] > best, phase)
        return index


def _differences_to_the_first(
    layer: Layer, gains: Sequence[float]
) -> list[SubpixelConvolution]:
    """The layer's outputs from the second on, minus the first, plus gains."""
    if isinstance(layer, SymmetricResizeConvolution):
        weights = layer.weight.unflatten(0, (layer.stride**3, -1)).movedim(1, 0)
        return [
            SymmetricConvolution(layer, weight - weights[0], gain)
            for weight, gain in zip(weights[1:], gains, strict=True)
        ]
    split = subpixel_weight(layer).unflatten(0, (layer.stride**3, -1))
    weight = (split[:, 1:] - split[:, :1]).flatten(0, 1)
    return [SubpixelConvolution(layer, weight, weight.new_tensor(gains))]


@torch.no_grad()
def inference_form(
    network: VolumeGenerator, weights: Sequence[float] = ()
) -> VolumeGenerator:
    """Inference form of a generator, with blocks of the same names.

    Parameters
    ----------
    network
        In evaluation mode, on the CPU. It is not changed.
    weights
        Weight of each phase: a last block of probabilities becomes a `PhaseChoice`.
        Without weights, or for gray values and colours, its output stays the same.
    """
    blocks = {name: _form(block) for name, block in network.blocks.named_children()}
    name, last = list(network.blocks.named_children())[-1]
    match list(last.children()):
        case [
            TransposedConvolution() | ResizeConvolution() as layer,
            *inputs,
            PhaseProbabilities(),
        ] if weights:
            noises = [each for each in inputs if isinstance(each, NoiseInput)]
            blocks[name] = PhaseChoice(layer, noises, weights)
    return VolumeGenerator(network.spec, network.rules, **blocks)


def _form(block: nn.Module) -> nn.Module:
    """Faster equivalent of a block; the block itself if there is none."""
    match list(block.children()):
        case [
            TransposedConvolution() | AntialiasedConvolution() as layer,
            nn.BatchNorm3d() as norm,
            *others,
        ]:
            spread = torch.sqrt(norm.get_buffer("running_var") + norm.eps)
            scale = norm.weight / spread
            scales = scale.repeat(layer.stride**3).view(-1, 1, 1, 1, 1)
            weight = subpixel_weight(layer) * scales
            bias = norm.bias - norm.get_buffer("running_mean") * scale
            return _subpixel_block(layer, weight, bias, others)
        case [SymmetricResizeConvolution() as layer, *others] if (
            len(layer.weight) == layer.stride**3
        ):
            return nn.Sequential(SymmetricConvolution(layer, layer.weight), *others)
        case [
            TransposedConvolution()
            | AntialiasedConvolution()
            | ResizeConvolution() as layer,
            *others,
        ]:
            return _subpixel_block(layer, subpixel_weight(layer), None, others)
    return block


def _subpixel_block(
    layer: Layer, weight: Tensor, bias: Tensor | None, others: Sequence[nn.Module]
) -> nn.Module:
    """Block with a sub-pixel convolution."""
    filters: list[nn.Module] = []
    if isinstance(layer, AntialiasedConvolution):
        filters = [BoxFilter()]
    match others:
        case [NoiseInput() as noise, nn.ReLU() | nn.LeakyReLU() as last]:
            others = [NoisyRectifier(noise, _negative_slope(last))]
        case [nn.ReLU() | nn.LeakyReLU() as last]:
            others = [NoisyRectifier(None, _negative_slope(last))]
    return nn.Sequential(SubpixelConvolution(layer, weight, bias), *filters, *others)


def _negative_slope(layer: nn.ReLU | nn.LeakyReLU) -> float:
    return layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
