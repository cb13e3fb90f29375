"""The DCGANs for brain slices against the published table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from napari_slicegan.config.presets import preset
from napari_slicegan.models import (
    build_critic,
    build_generator,
    check_training_size,
    generator_spec,
)
from tests.image_toys import small_image_config
from tests.toys import parameter_count

# Size: weights of the generator, weights of the critic.
PUBLISHED = {
    28: (2_305_472, 212_865),
    64: (4_336_064, 1_042_433),
    128: (14_200_256, 4_336_129),
    256: (187_870_080, 17_481_089),
}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def networks(size: int, **changes: Any) -> tuple[Any, Any]:
    config = preset(f"oasis-{size}").changed(**changes)
    generator = build_generator(generator_spec(config, 1, "signed"), rng())
    return generator, build_critic(config, 1, 1, rng())


def test_as_many_weights_as_published() -> None:
    """Generators on a device without memory: the largest would take 0.8 GB."""
    for size, published in PUBLISHED.items():
        config = preset(f"oasis-{size}")
        with torch.device("meta"):
            generator = build_generator(generator_spec(config, 1, "signed"))
        critic = build_critic(config, 1, 1, rng())
        assert (parameter_count(generator), parameter_count(critic)) == published


def test_images_are_signed_and_scores_are_logits() -> None:
    size = 28
    generator, critic = networks(size)
    images = generator(torch.randn((3, 100), generator=rng()))
    assert images.shape == (3, 1, size, size)
    assert images.abs().max() <= 1
    scores = critic(images)
    assert scores.shape == (3, 1)
    # Nothing bounds a logit: the last layer is linear.
    with torch.no_grad():
        critic.head.weight.mul_(1e6)
    assert critic(images).abs().max() > 10


def test_both_forms_of_a_latent_make_the_same_image() -> None:
    generator, _ = networks(28)
    latents = torch.randn((2, 100), generator=rng())
    assert torch.equal(generator.eval()(latents), generator(latents[:, :, None, None]))


def test_dropout_is_drawn_from_the_run_s_own_numbers() -> None:
    """The same state of its generator drops the same values; in evaluation none."""
    source = rng()
    critic = build_critic(small_image_config(), 1, 1, source)
    images = torch.rand((4, 1, 28, 28), generator=rng())
    state = source.get_state()
    torch.manual_seed(1)
    first = critic(images)
    assert not torch.equal(first, critic(images))
    source.set_state(state)
    torch.manual_seed(2)
    assert torch.equal(first, critic(images))
    critic.eval()
    assert torch.equal(critic(images), critic(images))


def test_dropout_keeps_the_mean() -> None:
    """A fraction of 0.3 becomes 0, the others grow by 1 / 0.7."""
    critic = build_critic(small_image_config(), 1, 1, rng())
    dropped: Tensor = critic.layers[2](torch.ones(100_000))
    assert (dropped == 0).float().mean() == pytest.approx(0.3, abs=0.01)
    assert dropped.mean() == pytest.approx(1, abs=0.01)


def test_networks_that_cannot_be_built_are_refused() -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"generator_widths": (8, 6, 4, 2)}, "double its images 3 times .* 28 pixels"),
        ({"generator_widths": (8,)}, "at least two generator widths"),
        ({"normalisation": "pixel"}, "got pixel, which is for volumes only"),
        ({"critic_widths": (2, 2, 2)}, "halves its images 3 times.*28 pixels"),
        ({"architecture": "dcgan-64"}, "generates images of 64 .* got a patch of 28;"),
    ]
    for changes, words in cases:
        config = small_image_config(**changes)
        with pytest.raises(ValueError, match=words):
            spec = generator_spec(config, 1, "signed")
            check_training_size(spec, 28)
            build_generator(spec)
            build_critic(config, 1, 1, rng())
