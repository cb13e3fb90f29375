"""The layers of the networks against slow references."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from napari_slicegan.config import AXES
from napari_slicegan.config.presets import preset
from napari_slicegan.models import build_generator, volume_spec
from napari_slicegan.models.blocks import (
    MAX_SUBPIXEL_CHANNELS,
    AntialiasedConvolution,
    PixelNorm,
    ResizeConvolution,
    SymmetricResizeConvolution,
    TransposedConvolution,
    UnionOfFields,
    UnitInterval,
    planes_of_every_remainder,
    planes_of_transposed_convolution,
    transposed_convolution,
)
from napari_slicegan.models.slicegan import VolumeGenerator
from napari_slicegan.training.slices import planes_along
from tests.toys import assert_same_gradients

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


LAYERS: list[tuple[KernelSet, int]] = [
    ((4, 2, 2), 1),
    ((4, 2, 3), 3),
    ((6, 3, 3), 3),
    ((3, 1, 2), 1),
    ((6, 3, 5), MAX_SUBPIXEL_CHANNELS["cpu"] + 1),
    ((4, 2, 0), 1),
]


def test_transposed_convolution(subtests: pytest.Subtests) -> None:
    """Both forms are torch's own, values and gradients."""
    for layer, outputs in LAYERS:
        with subtests.test(layer=layer, outputs=outputs):
            kernel, stride, padding = layer
            x = normal(2, 2, 5, 6, 7).double().requires_grad_(True)
            weight = (
                normal(2, outputs, kernel, kernel, kernel).double().requires_grad_(True)
            )
            expected = functional.conv_transpose3d(
                x, weight, stride=stride, padding=padding
            )
            found = transposed_convolution(x, weight, stride, padding)
            torch.testing.assert_close(found, expected)
            assert_same_gradients(found, expected, (x, weight))


def test_planes_of_transposed_convolution(subtests: pytest.Subtests) -> None:
    """Those of torch's volume, values and gradients; twice the same, out of order."""
    forms = planes_of_transposed_convolution, planes_of_every_remainder
    layers = [(4, 2, 2), (4, 2, 3), (6, 3, 4), (3, 1, 2)]
    for layer, form in itertools.product(layers, forms):
        with subtests.test(layer=layer, form=form.__name__):
            kernel, stride, padding = layer
            x = normal(2, 2, 5, 6, 7).double().requires_grad_(True)
            weight = normal(2, 3, kernel, kernel, kernel).double().requires_grad_(True)
            volume = functional.conv_transpose3d(
                x, weight, stride=stride, padding=padding
            )
            positions = [torch.tensor([n - 1, 0, 2, 1, 2]) for n in volume.shape[2:]]
            found = form(x, weight, stride, padding, positions)
            expected = [
                volume.index_select(axis, chosen).movedim(axis, 1)
                for axis, chosen in enumerate(positions, start=2)
            ]
            torch.testing.assert_close(found, expected)
            cotangents = [torch.randn_like(planes) for planes in expected]
            for a, b in zip(
                torch.autograd.grad(found, (x, weight), cotangents),
                torch.autograd.grad(expected, (x, weight), cotangents),
                strict=True,
            ):
                torch.testing.assert_close(a, b)


GENERATORS: list[tuple[str, int, str]] = [
    ("slicegan", 4, "off"),
    ("slicegan-rc", 4, "off"),
    ("slicegan-aa", 5, "off"),
    ("slicegan-aa", 5, "on"),
]


def test_planes_of_a_generator_are_those_of_its_volume(
    subtests: pytest.Subtests,
) -> None:
    """Probabilities as well as logits."""
    for architecture, latent_size, voxel_noise in GENERATORS:
        with subtests.test(architecture=architecture, voxel_noise=voxel_noise):
            config = preset("slicegan-fast").changed(
                architecture=architecture,
                latent_size=latent_size,
                noise=True,
                voxel_noise=voxel_noise,
            )
            spec = volume_spec(config, 3, "phases")
            generator = build_generator(spec, torch.Generator().manual_seed(0)).eval()
            assert isinstance(generator, VolumeGenerator)
            latents = normal(2, *generator.training_latents)
            positions = [torch.tensor([5, 0, 63]) for _ in AXES]
            with torch.no_grad():
                features, noise = generator.features(latents), generator.noise(latents)
                for logits in (False, True):
                    volume = generator(latents, logits=logits)
                    planes = generator.planes(features, positions, noise, logits=logits)
                    for axis, chosen, found in zip(
                        AXES, positions, planes, strict=True
                    ):
                        expected = planes_along(volume, axis, chosen)
                        torch.testing.assert_close(found.flatten(0, 1), expected)


def transposed_weight(layer: AntialiasedConvolution) -> Tensor:
    """Weights as a transposed convolution, [C_in, C_out, 4, 4, 4]."""
    split = layer.weight.unflatten(0, (2, 2, 2, layer.outputs))
    # The later of two positions meets the earlier half of the kernel.
    split = split.flip(-3, -2, -1).permute(4, 3, 5, 0, 6, 1, 7, 2)
    weight: Tensor = split.flatten(6, 7).flatten(4, 5).flatten(2, 3)
    return weight


def test_anti_aliasing_is_the_mean_of_eight_neighbours(
    subtests: pytest.Subtests,
) -> None:
    """Values and gradients, by torch's own pooling."""
    for dtype in (torch.float32, torch.float64):
        with subtests.test(dtype=dtype):
            layer = AntialiasedConvolution(3, 2).to(dtype)
            torch.nn.init.normal_(layer.weight)
            x = normal(2, 3, 4, 5, 6).to(dtype).requires_grad_(True)
            weight = transposed_weight(layer)
            whole = functional.conv_transpose3d(x, weight, stride=2, padding=2)
            expected = functional.avg_pool3d(whole, 2, stride=1)
            found = layer(x)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
            sizes = (layer.size_rule.output_size(n) for n in (4, 5, 6))
            assert found.shape[2:] == tuple(sizes)
            assert_same_gradients(
                found, expected, (x, layer.weight), rtol=1e-4, atol=1e-3
            )


def test_anti_aliasing_removes_the_checkerboard() -> None:
    """Of constant features a transposed convolution makes a pattern of period 2."""
    plain = TransposedConvolution(3, 1, (4, 2, 2)).double()
    filtered = AntialiasedConvolution(3, 1).double()
    with torch.no_grad():
        torch.nn.init.normal_(filtered.weight)
        plain.weight.copy_(transposed_weight(filtered))
        x = torch.ones(1, 3, 5, 5, 5).double()
        assert plain(x).std() > 0.1
        assert filtered(x).std() < 1e-12


def test_resize_convolution_upsamples_by_two() -> None:
    """A ramp of slope 1 becomes one of slope 1/2, at every size and on every axis."""
    for size in [(3, 3, 3), (4, 5, 6), (18, 3, 9)]:
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


@pytest.mark.parametrize("size", [(4, 5, 6)])
def test_resize_convolution_is_upsampling_and_convolution(
    size: tuple[int, int, int],
) -> None:
    """The one computed kernel equals torch's two steps, forward and backward."""
    layer = ResizeConvolution(3, 2)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    x = normal(2, 3, *size).requires_grad_()
    found = layer(x)
    upsampled = functional.interpolate(x, scale_factor=2, mode="trilinear")
    inside = upsampled[:, :, 1:-1, 1:-1, 1:-1]
    expected = functional.conv3d(inside, layer.weight)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert_same_gradients(found, expected, (x, layer.weight), rtol=1e-4, atol=1e-3)


def test_resize_convolution_commutes_with_shifts() -> None:
    """Also next to the border, where interpolation has no neighbour."""
    for axis in [2, 3, 4]:
        layer = ResizeConvolution(3, 2)
        torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
        x = normal(1, 3, 6, 6, 6)
        with torch.no_grad():
            whole, shifted = layer(x), layer(x.narrow(axis, 1, 5))
        torch.testing.assert_close(
            shifted, whole.narrow(axis, 2, 6), rtol=1e-4, atol=1e-4
        )


def test_symmetric_resize_convolution(subtests: pytest.Subtests) -> None:
    """A resize-convolution with this kernel; mirror images become mirror images."""
    layer = SymmetricResizeConvolution(3, 2, crop=1)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    plain = ResizeConvolution(3, 2, crop=1)
    x = normal(1, 3, 5, 6, 7)
    with torch.no_grad():
        # Beside, in the middle, beside along z, y and x.
        kernel = layer.weight.unflatten(0, (2, 2, 2, -1))[[1, 0, 1]]
        kernel = kernel[:, [1, 0, 1]][:, :, [1, 0, 1]]
        plain.weight.copy_(kernel.permute(3, 4, 0, 1, 2))
        made = layer(x)
        torch.testing.assert_close(made, plain(x), rtol=1e-4, atol=1e-4)
        for axis in (2, 3, 4):
            with subtests.test(axis=axis):
                mirrored = layer(x.flip(axis)).flip(axis)
                torch.testing.assert_close(mirrored, made, rtol=1e-4, atol=1e-4)


def test_union_of_fields() -> None:
    """A channel is the largest of its fields, as is the gradient."""
    x = torch.tensor([1.0, 5.0, 3.0, 4.0, 2.0, 0.0]).view(1, 6, 1, 1, 1)
    x.requires_grad_()
    made = UnionOfFields(2)(x)
    assert made.flatten().tolist() == [3.0, 5.0]
    made.sum().backward()
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]


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
