"""The networks of RealnessGAN: maxout, spectral norm, sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.models import build_critic, build_generator, generator_spec
from napari_slicegan.systems.point_task import Maxout
from napari_slicegan.systems.realness_networks import SpectralLayer
from tests.toys import parameter_count


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def faces(size: int, width: int = 32, **changes: Any) -> Any:
    """The published networks for another size: widths double until 4 x 4 pixels."""
    widths: list[int] = []
    while 4 << (len(widths) + 1) <= size:
        widths.append(width << len(widths))
    return preset("realness-dcgan").changed(
        patch_size=size,
        generator_widths=tuple(reversed(widths)),
        critic_widths=tuple(widths),
        **changes,
    )


def test_as_many_weights_as_published() -> None:
    """At 256 pixels: convolutions 11,175,424, head 16,384 x 51, twice if resampled."""
    config = preset("realness-dcgan")
    assert faces(256) == config
    with torch.device("meta"):
        generator = build_generator(generator_spec(config, 3, "signed"))
    assert parameter_count(generator) == 13_276_608
    critic = build_critic(config, 3, 51, rng())
    assert parameter_count(critic.layers) == 11_175_424
    assert parameter_count(critic.head) == 1_671_168
    plain = build_critic(config.changed(feature_resampling=False), 3, 51, rng())
    assert parameter_count(plain.head) == 835_584


def test_sizes() -> None:
    size = 64
    config = faces(size, width=4)
    spec = generator_spec(config, 1, "signed")
    images = build_generator(spec, rng())(torch.randn((2, 128), generator=rng()))
    assert images.shape == (2, 1, size, size)
    assert images.abs().max() <= 1
    assert build_critic(config, 1, 7, rng())(images).shape == (2, 7)


def test_sizes_that_the_widths_do_not_make_are_refused() -> None:
    config = faces(32).changed(patch_size=64)
    with pytest.raises(ValueError, match="3 generator widths makes 32 pixels"):
        build_generator(generator_spec(config, 1, "signed"))


def test_the_largest_singular_value_of_every_critic_weight_is_1() -> None:
    """After 50 power steps, against torch's own decomposition."""
    critic = build_critic(faces(32, width=4), 1, 5, rng())
    images = torch.randn((2, 1, 32, 32), generator=rng())
    for _ in range(50):
        critic(images)
    layers = [m for m in critic.modules() if isinstance(m, SpectralLayer)]
    assert len(layers) == 4
    assert parameter_count(critic) == sum(layer.weight.numel() for layer in layers)
    for layer in layers:
        weight = layer.normalised().detach().flatten(1)
        assert torch.linalg.matrix_norm(weight, 2) == pytest.approx(1, rel=0.05)


def test_power_steps_are_made_in_training_only() -> None:
    critic = build_critic(faces(32, width=4), 1, 5, rng()).eval()
    layer = critic.layers[0]
    before = layer.left.clone()
    critic(torch.zeros(1, 1, 32, 32))
    assert torch.equal(layer.left, before)
    critic.train()(torch.zeros(1, 1, 32, 32))
    assert not torch.equal(layer.left, before)


def test_maxout_is_the_largest_of_its_linear_maps() -> None:
    layer = Maxout(3, 4, pool=5)
    x = torch.randn((7, 3), generator=rng())
    weights, biases = layer.maps.weight, layer.maps.bias
    maps = [
        x @ weights[4 * i : 4 * i + 4].T + biases[4 * i : 4 * i + 4] for i in range(5)
    ]
    torch.testing.assert_close(layer(x), torch.stack(maps).max(dim=0).values)
