"""Layers whose weights have a largest singular value of 1 (Miyato et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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
