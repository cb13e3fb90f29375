"""The layers of the networks against slow references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.architectures.blocks import (
    MAX_SUBPIXEL_CHANNELS,
    AxisSymmetricConvolution,
    OrientedBatchNorm,
    PixelNorm,
    ResizeConvolution,
    Role,
    UnitInterval,
    transposed_convolution,
)

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("outputs", [1, 3, MAX_SUBPIXEL_CHANNELS + 1])
@pytest.mark.parametrize(
    "layer",
    [(4, 2, 2), (4, 2, 3), (6, 3, 3), (6, 2, 4), (3, 1, 2), (6, 3, 5), (4, 2, 0)],
)
def test_transposed_convolution(layer: KernelSet, outputs: int) -> None:
    """Both forms are torch's own, values and gradients."""
    kernel, stride, padding = layer
    x = normal(2, 2, 5, 6, 7).double().requires_grad_(True)
    weight = normal(2, outputs, kernel, kernel, kernel).double().requires_grad_(True)
    expected = functional.conv_transpose3d(x, weight, stride=stride, padding=padding)
    found = transposed_convolution(x, weight, stride, padding)
    torch.testing.assert_close(found, expected)
    cotangent = torch.randn_like(expected)
    for a, b in zip(
        torch.autograd.grad(found, (x, weight), cotangent),
        torch.autograd.grad(expected, (x, weight), cotangent),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


def turned(field: Tensor, turns: int) -> Tensor:
    """Field with the spatial axes exchanged cyclically: [..., Z, Y, X]."""
    axes = [2, 3, 4]
    return field.permute(0, 1, *axes[turns:], *axes[:turns])


def turned_orientations(field: Tensor, turns: int) -> Tensor:
    """The same for a hidden field, whose orientations move along with the axes."""
    parts = turned(field, turns).chunk(3, dim=1)
    return torch.cat([parts[(i - turns) % 3] for i in range(3)], dim=1)


@pytest.mark.parametrize("role", ["first", "hidden", "last"])
@pytest.mark.parametrize("turns", [1, 2])
def test_each_symmetric_layer_commutes(role: Role, turns: int) -> None:
    """Not only the whole network: hidden fields carry their orientations along."""
    layer = AxisSymmetricConvolution(6, 9, (4, 2, 2), role)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    x = normal(2, 6, 4, 5, 6)
    before = turned if role == "first" else turned_orientations
    after = turned if role == "last" else turned_orientations
    with torch.no_grad():
        torch.testing.assert_close(
            layer(before(x, turns)), after(layer(x), turns), rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize(
    ("role", "share"),
    # Free numbers against the plain layer: orientations of input or output, or both.
    [("first", 3), ("hidden", 3), ("last", 3)],
)
def test_symmetric_layers_have_a_third_of_the_weights(role: Role, share: int) -> None:
    layer = AxisSymmetricConvolution(6, 9, (4, 2, 2), role)
    full = layer.full_weight()
    assert full.shape == (6, 9, 4, 4, 4)
    assert layer.weight.numel() * share == full.numel()


@pytest.mark.parametrize("size", [(3, 3, 3), (4, 5, 6), (18, 3, 9)])
def test_resize_convolution_upsamples_by_two(size: tuple[int, int, int]) -> None:
    """A ramp of slope 1 becomes one of slope 1/2, at every size and on every axis."""
    layer = ResizeConvolution(1, 1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 1, 1, 1] = 1
    for axis, n in enumerate(size, start=2):
        shape = [1] * 5
        shape[axis] = n
        ramp = torch.arange(float(n)).view(shape).expand(1, 1, *size)
        with torch.no_grad():
            made = layer(ramp)
        assert made.shape[2:] == tuple(2 * n - 4 for n in size)
        slope = made.diff(dim=axis)
        torch.testing.assert_close(slope, torch.full_like(slope, 0.5))
        # Voxel 0 lies in the middle of the 2nd and 3rd half voxel: at 0.75.
        assert made.min().item() == pytest.approx(0.75)


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_resize_convolution_commutes_with_shifts(axis: int) -> None:
    """Also next to the border, where interpolation has no neighbour."""
    layer = ResizeConvolution(3, 2)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    x = normal(1, 3, 6, 6, 6)
    with torch.no_grad():
        whole, shifted = layer(x), layer(x.narrow(axis, 1, 5))
    torch.testing.assert_close(shifted, whole.narrow(axis, 2, 6), rtol=1e-4, atol=1e-4)


def test_oriented_batch_norm_shares_its_statistics() -> None:
    """Each channel has mean 0 and variance 1 over all three orientations together."""
    norm = OrientedBatchNorm(6)
    x = normal(2, 6, 4, 4, 4) * 3 + torch.arange(6.0).view(1, 6, 1, 1, 1)
    made = norm(x).view(2, 3, 2, -1)  # [B, orientation, channel, voxels]
    torch.testing.assert_close(
        made.mean(dim=(0, 1, 3)), torch.zeros(2), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        made.var(dim=(0, 1, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0
    )
    assert made[:, 0].mean().abs() > 0.1
    assert norm.num_features == 2


def test_pixel_norm() -> None:
    """3 and 4 have the mean square 12.5."""
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1, 1)
    expected = x / 12.5**0.5
    torch.testing.assert_close(PixelNorm()(x), expected)
    assert torch.isfinite(PixelNorm()(torch.zeros(1, 2, 1, 1, 1))).all()


def test_unit_interval() -> None:
    """(tanh x + 1) / 2 at 0, and the ends."""
    found = UnitInterval()(torch.tensor([-1e9, 0.0, 0.5, 1e9]))
    expected = torch.tensor([0.0, 0.5, 1 / (1 + 2.718281828**-1), 1.0])
    torch.testing.assert_close(found, expected)
