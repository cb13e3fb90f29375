"""The critic of 2-D images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_slicegan.config.presets import preset
from napari_slicegan.models import build_critic
from napari_slicegan.models.blocks import PenalisedConvolution
from napari_slicegan.models.slicegan import PlaneCritic


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_critic_is_the_paper_s() -> None:
    """Against the same layers written out with torch's functions."""
    config = preset("slicegan-paper").changed(patch_size=32, critic_widths=(3, 4, 5))
    critic = build_critic(config, 2, 1, torch.Generator().manual_seed(0))
    images = normal(7, 2, 32, 32)
    kernels = list(critic.parameters())
    expected = images
    for kernel in kernels[:-1]:
        expected = functional.relu(functional.conv2d(expected, kernel, None, 2, 1))
    expected = functional.conv2d(expected, kernels[-1])
    assert expected.shape == (7, 1, 1, 1)
    torch.testing.assert_close(critic(images), expected.flatten(1))


def gradients(layers: nn.Module, images: Tensor, *, weight: float) -> list[Tensor]:
    """Of a loss with a penalty on the gradient of the images; by the weights."""
    images = images.detach().requires_grad_()
    scores = layers(images)
    loss = functional.softplus(scores).mean()
    if weight:
        (slope,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        loss = loss + weight * slope.square().sum()
    return list(torch.autograd.grad(loss, list(layers.parameters())))


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_gradients_and_those_of_a_penalty_are_torch_s(weight: float) -> None:
    images, slope = normal(3, 2, 16, 16).double(), nn.LeakyReLU(0.2, inplace=True)
    ours = nn.Sequential(
        *(PenalisedConvolution(2, 6, 4, stride=2, padding=1), slope),
        *(PenalisedConvolution(6, 4, 4, stride=2, padding=1), slope),
        PenalisedConvolution(4, 2, 4),
    ).double()
    theirs = nn.Sequential(
        *(nn.Conv2d(2, 6, 4, stride=2, padding=1, bias=False), slope),
        *(nn.Conv2d(6, 4, 4, stride=2, padding=1, bias=False), slope),
        nn.Conv2d(4, 2, 4, bias=False),
    ).double()
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(images), theirs(images))
    found, expected = (
        gradients(each, images, weight=weight) for each in (ours, theirs)
    )
    torch.testing.assert_close(found, expected)
    assert all(bool(each.any()) for each in found)


def test_gradients_of_images_that_the_stride_does_not_divide() -> None:
    images = normal(2, 2, 15, 17).double()
    ours = PenalisedConvolution(2, 3, 4, stride=2, padding=1).double()
    theirs = nn.Conv2d(2, 3, 4, stride=2, padding=1, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    found, expected = (gradients(each, images, weight=0.5) for each in (ours, theirs))
    torch.testing.assert_close(found, expected)


def test_gradients_in_bfloat16_are_those_of_torch() -> None:
    images = normal(3, 2, 16, 16)
    ours = PenalisedConvolution(2, 3, 4, stride=2, padding=1)
    theirs = nn.Conv2d(2, 3, 4, stride=2, padding=1, bias=False)
    theirs.load_state_dict(ours.state_dict())
    found: list[list[Tensor]] = []
    for layer in (ours, theirs):
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(images).dtype == torch.bfloat16
            found.append(gradients(layer, images, weight=0.5))
    torch.testing.assert_close(*found, rtol=0.05, atol=0.05 * float(found[1][0].std()))


def test_heads_share_all_layers_but_the_last() -> None:
    config = preset("slicegan-fast").changed(patch_size=16, critic_widths=(3, 4))
    rng = torch.Generator().manual_seed(0)
    critic = build_critic(config, 2, 1, rng, heads=3)
    images = normal(6, 2, 16, 16)
    scores = critic(images)
    features = critic.layers[:-1](images)
    for head, part in enumerate(features.chunk(3)):
        last = list(critic.parameters())[-1][head : head + 1]
        expected = functional.conv2d(part, last).flatten(1)
        torch.testing.assert_close(scores[2 * head : 2 * head + 2], expected)
    again = critic(images[:2].repeat(3, 1, 1, 1))
    assert not torch.allclose(again[:2], again[2:4])


def test_patches_that_cannot_be_halved_are_refused() -> None:
    """Four halvings: 8 becomes half a pixel, 20 becomes 1.25, 36 becomes 2.25."""
    for patch_size in [8, 20, 36]:
        with pytest.raises(ValueError, match=f"4 times.*patch of {patch_size} pixels"):
            PlaneCritic(2, (2, 2, 2, 2), patch_size, 1, 0.2)
