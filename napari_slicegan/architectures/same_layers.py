"""2-D layers whose output is exactly as large as the stride says."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.machine.devices import to_device

Same = Literal["tensorflow", "torch"]


class SameConvolution(nn.Module):
    """Convolution of n pixels to n / stride, with an odd kernel.

    The padding that this takes cannot be shared out evenly for a stride of 2:
    "tensorflow" puts the larger part to the right and below, as that library's padding
    "same"; "torch" pads (k - 1) / 2 on all sides, which shifts the grid by a pixel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        bias: bool = True,
        same: Same = "tensorflow",
    ) -> None:
        super().__init__()
        before, after = _padding(kernel, stride, same)
        self.padding = (before, after, before, after)
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n] -> [B, C_out, n / stride, n / stride]."""
        made: Tensor = self.convolution(functional.pad(x, self.padding))
        return made


class SameTransposedConvolution(nn.Module):
    """Transposed convolution of n pixels to n * stride; the adjoint of the above."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int,
        bias: bool = False,
        same: Same = "tensorflow",
    ) -> None:
        super().__init__()
        before, _ = _padding(kernel, stride, same)
        self.stride = stride
        # Pixels that are cut off or added at the end.
        extra = stride - kernel + 2 * before
        self.cut = max(-extra, 0)
        self.convolution = nn.ConvTranspose2d(
            inputs, outputs, kernel, stride, before, max(extra, 0), bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C_in, n, n] -> [B, C_out, n * stride, n * stride]."""
        made: Tensor = self.convolution(x)
        rows, columns = (n * self.stride for n in x.shape[2:])
        return made[:, :, :rows, :columns]


class SeededDropout(nn.Module):
    """Dropout whose noise comes from a generator of our own, on the CPU.

    Whoever saves the network saves the generator's state too, so that a resumed run
    drops the same values.
    """

    def __init__(self, share: float, rng: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self._rng = rng

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; in training a share of the values becomes 0, the others grow."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self._rng) >= self.share
        return x * to_device(kept, x.device).to(x.dtype) / (1 - self.share)


class Squared(nn.Module):
    """Numbers in a row as feature maps: [B, C * edge * edge] -> [B, C, edge, edge]."""

    def __init__(self, channels: int, edge: int) -> None:
        super().__init__()
        self.shape = (channels, edge, edge)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C * edge * edge] -> [B, C, edge, edge]."""
        maps: Tensor = x.unflatten(1, self.shape)
        return maps


def _padding(kernel: int, stride: int, same: Same) -> tuple[int, int]:
    """Pixels before and after each row and column."""
    if same == "torch":
        return (kernel - 1) // 2, (kernel - 1) // 2
    total = max(kernel - stride, 0)
    return total // 2, total - total // 2
