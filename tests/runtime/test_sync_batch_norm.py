"""Batch normalisation for several processes, without any other one."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_slicegan.runtime.distributed import (
    SINGLE_PROCESS,
    DistributedContext,
    SyncBatchNorm,
)

if TYPE_CHECKING:
    import pytest
    from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm


@dataclass(frozen=True)
class OneOfTwo(DistributedContext):
    """The other process has these values."""

    world_size: int = 2
    other: Tensor = field(default_factory=lambda: torch.zeros(()))

    def all_reduce_mean(self, values: Tensor) -> Tensor:
        return (values + self.other) / 2


def layers(norm: BatchNorm) -> tuple[BatchNorm, SyncBatchNorm]:
    """A layer with weights of its own, and one that stands for it."""
    torch.manual_seed(0)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
        assert norm.running_mean is not None
        norm.running_mean.normal_()
    return norm, SyncBatchNorm(copy.deepcopy(norm), SINGLE_PROCESS)


NORMS: list[tuple[BatchNorm, tuple[int, ...]]] = [
    (nn.BatchNorm1d(3), (20, 3)),
    (nn.BatchNorm2d(3), (4, 3, 5, 6)),
    (nn.BatchNorm3d(3), (2, 3, 4, 5, 6)),
]


def test_with_one_process_it_is_the_layer(subtests: pytest.Subtests) -> None:
    """Values, gradients, their gradients, and running statistics."""
    for norm, shape in NORMS:
        with subtests.test(norm=norm, shape=shape):
            plain, joint = (layer.double() for layer in layers(norm))
            x = 3 + torch.randn(shape, dtype=torch.float64)
            found = []
            for layer in (plain, joint):
                image = x.clone().requires_grad_()
                made = layer(image)
                (gradient,) = torch.autograd.grad(
                    made.square().sin().sum(), image, create_graph=True
                )
                gradient.square().sum().backward()
                assert layer.weight.grad is not None
                found.append([made, gradient, image.grad, layer.weight.grad])
            for a, b in zip(*found, strict=True):
                torch.testing.assert_close(a, b)
            for a, b in zip(plain.buffers(), joint.buffers(), strict=True):
                torch.testing.assert_close(a, b)
            assert list(plain.state_dict()) == list(joint.state_dict())
            torch.testing.assert_close(plain.eval()(x), joint.eval()(x))


def test_statistics_are_those_of_all_processes() -> None:
    """Half of a batch here, and the moments of the other half from elsewhere."""
    plain, joint = layers(nn.BatchNorm3d(3))
    here, there = 1 + torch.randn(2, 3, 4, 5, 6), 3 * torch.randn(2, 3, 4, 5, 6)
    variance, mean = torch.var_mean(there, (0, 2, 3, 4), correction=0)
    assert plain.running_mean is not None
    offset = mean - plain.running_mean
    others = torch.stack([offset, variance + offset.square()])
    expected = plain(torch.cat([here, there]))[:2]
    joint = SyncBatchNorm(joint, OneOfTwo(other=others))
    torch.testing.assert_close(joint(here), expected)
    for a, b in zip(plain.buffers(), joint.buffers(), strict=True):
        torch.testing.assert_close(a, b)


def test_all_layers_of_a_network_are_converted() -> None:
    """With the same weights, so that an optimiser may know them already."""
    inner = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    network = nn.Sequential(inner, nn.BatchNorm2d(3))
    before = list(network.parameters())
    OneOfTwo().sync_batch_norm(network)
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(SyncBatchNorm) == 2
    assert nn.BatchNorm2d not in kinds
    assert all(a is b for a, b in zip(before, network.parameters(), strict=True))
