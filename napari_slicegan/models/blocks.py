"""Layers of the volume networks, output layers, and initial weights."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.models.sizes import SizeRule, transposed_rule
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet

MAX_SUBPIXEL_CHANNELS = {"cpu": 32, "cuda": 32}
"""Output channels up to which the sub-pixel form is used on a type of device.

That of the CPU, which other devices share, was measured. Of the default generator only
the last layer, of few channels, is a `transposed_convolution`.
"""


def transposed_convolution(
    x: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    """Transposed convolution in 2-D or 3-D, computed in the faster form for its width.

    With few output channels a CPU's vector units are underused. The equivalent
    sub-pixel form (Shi et al. 2016) computes the ``stride**3`` voxels that belong to
    one input position as channels of an ordinary convolution and rearranges them.

    Parameters
    ----------
    x
        [B, C_in, z, y, x] or [B, C_in, y, x].
    weight
        [C_in, C_out, k, ...], with as many k; k is a multiple of the stride.
    """
    inputs, outputs, kernel = weight.shape[:3]
    n = weight.ndim - 2
    most = MAX_SUBPIXEL_CHANNELS.get(x.device.type, MAX_SUBPIXEL_CHANNELS["cpu"])
    if outputs > most or padding < kernel - stride:
        whole = functional.conv_transpose3d if n == 3 else functional.conv_transpose2d
        return whole(x, weight, stride=stride, padding=padding)
    taps = kernel // stride
    # [C_in, C_out, (tap, phase) * n] -> [C_out * phases, C_in, taps * n]
    split = weight.reshape(inputs, outputs, *(taps, stride) * n)
    split = split.flip(*range(2, 2 + 2 * n, 2))
    plain = split.permute(1, *range(3, 3 + 2 * n, 2), 0, *range(2, 2 + 2 * n, 2))
    convolution = functional.conv3d if n == 3 else functional.conv2d
    phases = convolution(x, plain.reshape(-1, inputs, *(taps,) * n))
    batch, _, *size = phases.shape
    # [B, C_out, pz, py, px, z, y, x] -> [B, C_out, z, pz, y, py, x, px]
    order = [2 + axis + place for axis in range(n) for place in (n, 0)]
    sorted_ = phases.view(batch, outputs, *(stride,) * n, *size).permute(0, 1, *order)
    made = sorted_.reshape(batch, outputs, *(edge * stride for edge in size))
    cut = padding - (kernel - stride)
    keep = (slice(cut, edge * stride - cut) for edge in size)
    return made[:, :, *keep]


def in_space(cells: Tensor) -> Tensor:
    """Voxels of cells in spatial order, [B, z, y, x, s, s, s, C] -> [B, Z, Y, X, C]."""
    voxels: Tensor = cells.permute(0, 1, 4, 2, 5, 3, 6, 7)
    return voxels.flatten(5, 6).flatten(3, 4).flatten(1, 2)


class GatheredPlanes(torch.autograd.Function):
    """Planes of a volume along each axis, [B, z, y, x, C] -> [B, n, rows, columns, C].

    As ``index_select``, of which each call would fill a volume with zeros in the
    backward pass and add it to the others.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *positions: Tensor) -> tuple[Tensor, ...]:
        """Gather the planes at the positions of each axis."""
        ctx.save_for_backward(*positions)
        ctx.shape = x.shape
        return tuple(
            x.index_select(1 + axis, chosen).movedim(1 + axis, 1)
            for axis, chosen in enumerate(positions)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Add the planes to a volume of zeros; a plane may occur more than once."""
        total = gradients[0].new_zeros(ctx.shape)
        for axis, chosen in enumerate(ctx.saved_tensors):
            total.index_add_(1 + axis, chosen, gradients[axis].movedim(1, 1 + axis))
        return total, *(None for _ in gradients)


def planes_of_transposed_convolution(
    x: Tensor, weight: Tensor, stride: int, padding: int, positions: Sequence[Tensor]
) -> list[Tensor]:
    """Planes of `transposed_convolution`, without the volume around them.

    An output plane depends on ``k / stride`` input planes only: it is a transposed
    convolution in 2-D of those planes, taken as channels.

    Parameters
    ----------
    x
        [B, C_in, z, y, x].
    weight
        [C_in, C_out, k, k, k]; k is a multiple of the stride, and the padding at least
        k - stride.
    positions
        Planes of the output along z, y and x, each [n]. On the CPU, planes are sorted
        by their values; elsewhere no value is read and all shapes are constant, see
        `planes_of_every_remainder`.

    Returns
    -------
    list of Tensor
        [B, n, C_out, rows, columns] for each axis.
    """
    if positions[0].device.type != "cpu":
        return planes_of_every_remainder(x, weight, stride, padding, positions)
    back = torch.arange(weight.shape[2] // stride)
    # Output plane o receives input plane i through tap t where o = i s - p + t. Planes
    # of one remainder share their taps: sorted, they are parts of a batch.
    places = [chosen + padding for chosen in positions]
    orders = [place.remainder(stride).argsort(stable=True) for place in places]
    sources = [
        (place[order, None] // stride - back).flatten()
        for place, order in zip(places, orders, strict=True)
    ]
    on_device = [to_device(each, x.device) for each in sources]
    gathered: tuple[Tensor, ...] = GatheredPlanes.apply(x.movedim(1, -1), *on_device)  # type: ignore[no-untyped-call]
    made: list[Tensor] = []
    for axis, (place, order, planes) in enumerate(
        zip(places, orders, gathered, strict=True)
    ):
        # [B, n * taps, rows, columns, C_in] -> [n of a remainder][B, ..., taps * C_in]
        counts = place.remainder(stride).bincount(minlength=stride).tolist()
        near = planes.unflatten(1, (-1, len(back))).movedim(2, -2).flatten(-2)
        done: list[Tensor] = []
        for remainder, part in enumerate(near.split(counts, dim=1)):
            if not part.shape[1]:
                continue
            taps = to_device(remainder + stride * back, x.device)
            flat = weight.index_select(2 + axis, taps).movedim(2 + axis, 0)
            flat_planes = transposed_convolution(
                part.flatten(0, 1).movedim(-1, 1), flat.flatten(0, 1), stride, padding
            )
            done.append(flat_planes.unflatten(0, (len(x), -1)))
        made.append(torch.cat(done, dim=1)[:, order.argsort()])
    return made


def planes_of_every_remainder(
    x: Tensor, weight: Tensor, stride: int, padding: int, positions: Sequence[Tensor]
) -> list[Tensor]:
    """As `planes_of_transposed_convolution`, for positions on the device of ``x``.

    Each plane is computed for all remainders of its position, as further channels, of
    which one is kept: more operations, but no shape depends on the positions, so that
    the host need not know them and a CUDA graph can be replayed with others.
    """
    n_taps = weight.shape[2] // stride
    back = torch.arange(n_taps, device=x.device)
    places = [chosen + padding for chosen in positions]
    sources = [(place[:, None] // stride - back).flatten() for place in places]
    gathered: tuple[Tensor, ...] = GatheredPlanes.apply(x.movedim(1, -1), *sources)  # type: ignore[no-untyped-call]
    made: list[Tensor] = []
    for axis, (place, planes) in enumerate(zip(places, gathered, strict=True)):
        # [B, n * taps, rows, columns, C_in] -> [B * n, taps * C_in, rows, columns]
        near = planes.unflatten(1, (-1, n_taps)).movedim(2, -2).flatten(-2)
        parts = near.flatten(0, 1).movedim(-1, 1)
        # [C_in, C_out, ...] -> [taps, remainders, C_in, C_out, k, k]
        split = weight.movedim(2 + axis, 0).unflatten(0, (n_taps, stride))
        # -> [taps * C_in, remainders * C_out, k, k]
        flat = split.transpose(1, 2).flatten(2, 3).flatten(0, 1)
        every = transposed_convolution(parts, flat, stride, padding)
        # -> [B * n * remainders, C_out, rows, columns]
        every = every.unflatten(1, (stride, -1)).flatten(0, 1)
        first = torch.arange(0, len(every), stride, device=x.device)
        chosen = every.index_select(0, first + (place % stride).repeat(len(x)))
        made.append(chosen.unflatten(0, (len(x), -1)))
    return made


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

    def planes(self, x: Tensor, positions: Sequence[Tensor]) -> list[Tensor]:
        """Planes of the output; see `planes_of_transposed_convolution`."""
        return planes_of_transposed_convolution(
            x, self.weight, self.stride, self.padding, positions
        )


class ResizeConvolution(nn.Module):
    """Trilinear upsampling by two, then a 3x3x3 convolution without padding.

    The outermost voxel on each side, where the interpolation lacks a neighbour, is
    cropped, so the layer commutes with shifts and the scale factor is 2 at every size.
    Both steps are linear and are computed as one transposed convolution with a kernel
    of 6, which avoids a full-size volume of all input channels.

    Parameters
    ----------
    crop
        Further voxels to crop on each side.
    """

    stride = 2

    def __init__(self, inputs: int, outputs: int, crop: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3, 3))
        self.padding = 4 + crop
        self.size_rule = SizeRule(2, -4 - 2 * crop)

    def transposed_weight(self) -> Tensor:
        """Weights of the equivalent transposed convolution, [C_in, C_out, 6, 6, 6]."""
        weight = self.weight.transpose(0, 1).flip(2, 3, 4)
        # The interpolation weights 1/4, 3/4, 3/4, 1/4 are those of three sums of
        # neighbours, divided by 4. Sums, unlike products of matrices, keep float32.
        for _ in range(3):
            weight = sums_of_neighbours(functional.pad(weight, (1,) * 6))
        return weight / 4**3

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, m, m, m], m = 2 n - 4 - 2 crop."""
        weight = self.transposed_weight()
        return transposed_convolution(x, weight, self.stride, self.padding)

    def planes(self, x: Tensor, positions: Sequence[Tensor]) -> list[Tensor]:
        """Planes of the output; see `planes_of_transposed_convolution`."""
        return planes_of_transposed_convolution(
            x, self.transposed_weight(), self.stride, self.padding, positions
        )


FEW_CHANNELS = 4
"""Up to so many channels a sub-pixel convolution is faster than a transposed one."""
MIDDLE = (0, 1, 3, 3, 1, 0)
BESIDE = (1, 3, 4, 4, 3, 1)
"""Trilinear upsampling of one position, along one axis, times 4; then the kernels
(0, 1, 0) and (1, 0, 1)."""


class SymmetricResizeConvolution(ResizeConvolution):
    """A `ResizeConvolution` whose kernel is its own mirror image along z, y and x.

    Even and odd voxels, which the interpolation treats as mirror images, are then
    alike. The kernel has 8 weights: in the middle or beside it, along each axis.

    Parameters
    ----------
    crop
        Further voxels to crop on each side.
    """

    filters: Tensor

    def __init__(self, inputs: int, outputs: int, crop: int = 0) -> None:
        super().__init__(inputs, outputs, crop)
        # Rows: middle or beside along z, y, x, each with all outputs.
        self.weight = nn.Parameter(torch.empty(8 * outputs, inputs))
        line = torch.tensor([MIDDLE, BESIDE]) / 4
        cube = torch.einsum("az,by,cx->abczyx", line, line, line).flatten(0, 2)
        self.register_buffer("filters", cube, persistent=False)

    def transposed_weight(self) -> Tensor:
        """Weights of the equivalent transposed convolution, [C_in, C_out, 6, 6, 6]."""
        weight = self.weight.unflatten(0, (len(self.filters), -1))
        composed: Tensor = torch.einsum("koc,kzyx->cozyx", weight, self.filters)
        return composed


class UnionOfFields(nn.Module):
    """Largest of several fields for each channel, as a maxout unit.

    A phase is then a union of regions: its edges may be sharp where two of them meet,
    which a sum of smooth features is not. Goodfellow et al. 2013, arXiv:1302.4389.

    Parameters
    ----------
    channels
        Channels of the output; those of the input are ``channels`` for each field.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, fields * C, ...] -> [B, C, ...]."""
        largest: Tensor = functools.reduce(torch.maximum, x.split(self.channels, dim=1))
        return largest


def sums_of_neighbours(x: Tensor) -> Tensor:
    """Sum of each position and the next along z, y, x: [..., n] -> [..., n - 1]."""
    for axis in (-3, -2, -1):
        n = x.shape[axis] - 1
        x = x.narrow(axis, 0, n) + x.narrow(axis, 1, n)
    return x


class _BoxFilter(torch.autograd.Function):
    """Means of neighbours, whose gradients are means of neighbours too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """[B, C, n, n, n] -> [B, C, n - 1, n - 1, n - 1]."""
        return _means_of_neighbours(x, 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """[B, C, n - 1, n - 1, n - 1] -> [B, C, n, n, n]."""
        return _means_of_neighbours(gradient, 1)


def box_filter(x: Tensor) -> Tensor:
    """Mean of 2x2x2 neighbours: [B, C, n, n, n] -> [B, C, n - 1, n - 1, n - 1]."""
    filtered: Tensor = _BoxFilter.apply(x)  # type: ignore[no-untyped-call]
    return filtered


def _means_of_neighbours(x: Tensor, padding: int) -> Tensor:
    """Means over 2x2x2 positions of [B, C, z, y, x], with zeros around them."""
    if not has_onednn(x):
        return sums_of_neighbours(functional.pad(x, (padding,) * 6)) / 8
    # One pass over the memory instead of three.
    x = x.contiguous(memory_format=torch.channels_last_3d)
    channels = x.shape[1]
    weight = x.new_full((channels, 1, 2, 2, 2), 1 / 8)
    return onednn_convolution(x, weight, padding)


def has_onednn(x: Tensor) -> bool:
    """Whether oneDNN computes with these values, outside of gradients."""
    if x.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if x.dtype == torch.bfloat16:
        supported = torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 no other
        return bool(supported)
    return x.dtype == torch.float32


def onednn_convolution(
    x: Tensor, weight: Tensor, padding: int = 0, bias: Tensor | None = None
) -> Tensor:
    """Plain 3-D convolution by oneDNN; the groups follow from the shapes."""
    around, once, groups = (padding,) * 3, (1,) * 3, x.shape[1] // weight.shape[1]
    made: Tensor = torch.mkldnn_convolution(x, weight, bias, around, once, once, groups)
    return made


class AntialiasedConvolution(nn.Module):
    """Transposed 3-D convolution (kernel 4, stride 2), then a box filter over 2x2x2.

    Even and odd voxels of a transposed convolution have their own weights, so that
    their statistics may differ: a grid. The mean over neighbours removes the part of
    it that alternates from voxel to voxel (cf. the low-pass filter after upsampling of
    StyleGAN2, Karras et al. 2020, arXiv:1912.04958).

    The convolution is a sub-pixel convolution in channels-last order: each 2x2x2
    positions make a cell of 2x2x2 voxels.
    """

    stride = 2
    padding = 2
    size_rule = SizeRule(2, -3)

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        # Rows: voxels of a cell in the order z, y, x, each with all channels.
        weight = torch.empty(8 * outputs, inputs, 2, 2, 2)
        weight = weight.contiguous(memory_format=torch.channels_last_3d)
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n, n] -> [B, C_out, 2 n - 3, 2 n - 3, 2 n - 3]."""
        x = x.contiguous(memory_format=torch.channels_last_3d)
        cells = functional.conv3d(x, self.weight)
        # [B, pz * py * px * C, z, y, x] -> [B, z, y, x, pz, py, px, C]
        cells = cells.movedim(1, -1).unflatten(-1, (2, 2, 2, self.outputs))
        filtered: Tensor = box_filter(in_space(cells).movedim(-1, 1))
        return filtered


class _PenalisedConvolution(torch.autograd.Function):
    """2-D convolution whose gradient is one too, for gradients of gradients.

    torch computes the derivative of an input's gradient by the weights as a
    convolution with a kernel as large as the image. As that of a transposed
    convolution it takes less time (docs/speed.md).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int
    ) -> Tensor:
        """[N, C_in, Y, X], [C_out, C_in, k, k] -> [N, C_out, y, x]."""
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of input and weights; of the input alone if they are derived."""
        x, weight = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _transposed(gradient, weight, stride, padding, x.shape[2:])
        if ctx.needs_input_grad[1] and not torch.is_grad_enabled():
            sizes = [stride] * 2, [padding] * 2, [1, 1]
            which = [False, True, False]
            _, of_weight, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, *sizes, False, [0, 0], 1, which
            )
        return of_x, of_weight, None, None


def _transposed(
    x: Tensor, weight: Tensor, stride: int, padding: int, size: Sequence[int]
) -> Tensor:
    """Transposed convolution [N, C_in, y, x] -> [N, C_out, *size].

    Parameters
    ----------
    weight
        [C_in, C_out, k, k].
    """
    few, kernel = weight.shape[1], weight.shape[2]
    is_halving = (kernel, stride, padding) == (4, 2, 1) and not any(n % 2 for n in size)
    if is_halving and few <= FEW_CHANNELS:
        # Few channels make slow transposed convolutions: as a sub-pixel convolution.
        # Cells of 2x2 pixels from -1 on: rows and columns 2 and 3, then 0 and 1.
        cells = weight.unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4)
        # [C_in, C_out, 2, py, 2, px] -> [C_out * py * px, C_in, 2, 2]
        cells = cells.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        cells = cells.contiguous(memory_format=torch.channels_last)
        made = functional.pixel_shuffle(functional.conv2d(x, cells, padding=1), 2)
        return made[..., 1:-1, 1:-1]
    # What the stride leaves over at the end.
    left = [
        n + 2 * padding - kernel - stride * (m - 1)
        for n, m in zip(size, x.shape[2:], strict=True)
    ]
    return functional.conv_transpose2d(x, weight, None, stride, padding, left)


class PenalisedConvolution(nn.Conv2d):
    """2-D convolution without bias of a critic with a gradient penalty.

    As `torch.nn.Conv2d`, and faster on a CPU where the gradient of the images is
    itself derived (``create_graph=True``); there the weights get no gradient of the
    first kind, which a penalty does not need.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, Y, X] -> [N, C_out, y, x]."""
        if x.device.type == "cuda":
            return super().forward(x)
        kind, weight = x.device.type, self.weight
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            # Within the function values keep their types.
            dtype = torch.get_autocast_dtype(kind)
            x, weight = x.to(dtype), weight.to(dtype)
        places = int(self.stride[0]), int(self.padding[0])
        made: Tensor = _PenalisedConvolution.apply(x, weight, *places)  # type: ignore[no-untyped-call]
        return made


class PixelNorm(nn.Module):
    """Scales the channels of each voxel to unit mean square (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, Z, Y, X] -> the same shape."""
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)


def rectifier(
    negative_slope: float, *, inplace: bool = False
) -> nn.ReLU | nn.LeakyReLU:
    """A LeakyReLU, or a ReLU if the slope at negative values is 0."""
    if negative_slope:
        return nn.LeakyReLU(negative_slope, inplace=inplace)
    return nn.ReLU(inplace=inplace)


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
    AntialiasedConvolution,
    ResizeConvolution,
    nn.Linear,
    nn.Conv2d,
    nn.ConvTranspose2d,
)
"""Layers with a weight that is drawn at random."""


def fan_in(layer: nn.Module) -> int:
    """Weights per input channel of a transposed convolution, per output of others."""
    weight = layer.get_parameter("weight")
    if isinstance(layer, AntialiasedConvolution):
        return weight[:, 0].numel()
    if isinstance(layer, SymmetricResizeConvolution):
        return 3**3 * weight.shape[1]
    return weight[0].numel()


def init_uniform_fan_in(network: nn.Module, rng: torch.Generator) -> None:
    """Draw weights and biases uniformly in +-1 / sqrt(fan in), torch's default.

    Batch norm keeps its scales of 1 and shifts of 0.
    """
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            bound = 1 / math.sqrt(fan_in(module))
            for values in module.parameters():
                nn.init.uniform_(values, -bound, bound, generator=rng)
