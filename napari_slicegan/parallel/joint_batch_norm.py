"""Batch normalisation whose batch lies in several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

if TYPE_CHECKING:
    from napari_slicegan.parallel.processes import Processes


class JointBatchNorm(BatchNorm):
    """Normalises with mean and variance over the batches of all processes.

    It takes over the weights and running statistics of another layer, and does what
    that layer would do with all batches in one. In evaluation nothing is exchanged.

    Parameters
    ----------
    norm
        The layer to stand for; it has weights, running statistics and a momentum.
    """

    def __init__(self, norm: BatchNorm, processes: Processes) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self._processes = processes

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape."""
        if not self.training:
            return super().forward(x)
        before = self.running_mean
        assert before is not None
        others = [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(x.to(before.dtype), others, correction=0)
        # Moments about the running mean, which all processes know: their difference
        # loses no digits.
        offset = mean - before
        moments = torch.stack([offset, variance + offset.square()])
        offset, square = self._processes.mean(moments)
        variance = square - offset.square()
        mean = before + offset
        self._follow(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        each = (-1, *(1,) * (x.dim() - 2))
        middle, scale, bias = (one.view(each) for one in (mean, scale, self.bias))
        return torch.addcmul(bias, x - middle, scale).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Move the running statistics; ``n`` values per channel in this process."""
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        total = n * self._processes.size
        momentum = 0.0 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * total / max(total - 1, 1), momentum)
        self.num_batches_tracked += 1

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 torch's name
        """Any number of positions behind the channels."""


def join_statistics(network: nn.Module, processes: Processes) -> None:
    """Replace all batch normalisation of a network, however deep it lies."""
    for name, child in network.named_children():
        if isinstance(child, BatchNorm):
            setattr(network, name, JointBatchNorm(child, processes))
        else:
            join_statistics(child, processes)
