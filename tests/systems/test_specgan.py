"""SpecGAN layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.config.presets import preset
from napari_slicegan.models import build_critic, build_generator, generator_spec
from tests.toys import parameter_count

NARROW = {
    "generator_widths": (16, 8, 8, 4, 4),
    "critic_widths": (4, 4, 8, 8, 16),
    "latent_channels": 7,
}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def networks(**changes: Any) -> tuple[Any, Any]:
    config = preset("specgan").changed(**changes)
    generator = build_generator(generator_spec(config, 1, "signed"), rng())
    return generator, build_critic(config, 1, 1, rng())


def shapes_of(modules: nn.Sequential, run: nn.Module, x: Tensor) -> list[Any]:
    """Shapes that come out of each module, by hooks."""
    found: list[Any] = []
    hooks = [
        m.register_forward_hook(lambda _m, _x, y: found.append(tuple(y.shape[1:])))
        for m in modules
    ]
    run(x)
    for hook in hooks:
        hook.remove()
    return found


def test_every_shape_and_every_weight_is_as_published() -> None:
    generator, critic = networks()
    assert parameter_count(generator) == 19_065_345
    assert parameter_count(critic) == 17_427_969
    latents = torch.rand((1, 100), generator=rng())
    assert shapes_of(generator.blocks, generator, latents) == [
        (1024, 4, 4),
        (512, 8, 8),
        (256, 16, 16),
        (128, 32, 32),
        (64, 64, 64),
        (1, 128, 128),
    ]
    assert generator.blocks[0][0].out_features == 16_384
    # A layer is a convolution, nothing or a norm, and a rectifier.
    images = torch.rand((1, 1, 128, 128), generator=rng())
    assert shapes_of(critic.layers, critic, images)[::3] == [
        (64, 64, 64),
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
        (1024, 4, 4),
    ]
    assert critic.head.in_features == 16_384
    assert torch.equal(generator(latents), generator(latents[:, :, None, None]))
    assert generator.prior == "uniform"
    assert not norms(generator)
    assert not norms(critic)


def norms(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def test_batch_norm_where_it_is_set() -> None:
    generator, critic = networks(normalisation="batch", critic_normalisation="batch")
    assert parameter_count(generator) == 19_065_345 + 3_968
    assert parameter_count(critic) == 17_427_969 + 3_840
    assert len(norms(generator)) == 5
    assert len(norms(critic)) == 4
    assert isinstance(critic.layers[1], nn.Identity)


def test_kernels_keep_the_size() -> None:
    """Images are signed, scores unbounded."""
    for kernel, padding in [(3, "torch"), (5, "tensorflow"), (7, "torch")]:
        changes = {"image_kernel": kernel, "image_padding": padding, **NARROW}
        generator, critic = networks(**changes)
        images = generator(2 * torch.rand((3, 7), generator=rng()) - 1)
        assert images.shape == (3, 1, 128, 128)
        assert images.abs().max() <= 1
        scores = critic(1e4 * torch.randn((3, 1, 128, 128), generator=rng()))
        assert scores.shape == (3, 1)
        assert scores.abs().max() > 1


def test_first_weights_and_latents_can_be_chosen() -> None:
    """Glorot and uniform as in the original; N(0, 0.02) and normal as in a port."""
    generator, critic = networks()
    first = generator.blocks[0][0]
    bound = (6 / (first.in_features + first.out_features)) ** 0.5
    assert first.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)
    of_port = {"initialisation": "dcgan", "latent_distribution": "normal"}
    generator, critic = networks(**of_port)
    assert generator.prior == "normal"
    for layer in (generator.blocks[0][0], critic.head):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"'Image kernel size' must be odd.*got 4; use 5"
    ):
        networks(image_kernel=4)
