"""Scores drawn at random around what the critic thinks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from napari_slicegan.config.presets import preset
from napari_slicegan.models import build_critic
from napari_slicegan.models.blocks import ResampledHead
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.toys import Crops, tensors, train

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

MakeAdversarialStep = Callable[..., AdversarialStep]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_scores_follow_the_law_that_is_given() -> None:
    """Means 3 and -1, variances e^0 = 1 and e^(-2 ln 2) = 1/4; n = 40,000, 4 sigma."""
    given = torch.tensor([3.0, -1.0, 0.0, -2 * math.log(2)]).expand(40_000, 4)
    scores = ResampledHead(rng())(given)
    assert scores.shape == (40_000, 2)
    means, variances = scores.mean(dim=0).tolist(), scores.var(dim=0).tolist()
    assert means == [pytest.approx(3, abs=0.02), pytest.approx(-1, abs=0.01)]
    assert variances == [pytest.approx(1, abs=0.03), pytest.approx(0.25, abs=0.0075)]
    # Independent of each other.
    assert abs(torch.corrcoef(scores.T)[0, 1].item()) < 0.02


def test_gradient_reaches_mean_and_variance() -> None:
    """1 for the mean; half of the deviation for the logarithm of the variance."""
    given = torch.zeros(5, 6, requires_grad=True)
    scores = ResampledHead(rng())(given)
    scores.sum().backward()
    assert given.grad is not None
    torch.testing.assert_close(given.grad[:, :3], torch.ones(5, 3))
    torch.testing.assert_close(given.grad[:, 3:], scores.detach() / 2)


@pytest.mark.parametrize("heads", [1, 3])
def test_critic_with_a_resampled_head(heads: int) -> None:
    """As many scores as without, from twice the numbers, new at each call."""
    config = preset("slicegan-fast").changed(patch_size=16, critic_widths=(3, 4))
    plain = build_critic(config, 2, 5, rng(), heads)
    config = config.changed(feature_resampling=True)
    critic = build_critic(config, 2, 5, rng(), heads)
    images = torch.rand(6, 2, 16, 16, generator=rng())
    first, second = critic(images), critic(images)
    assert first.shape == plain(images).shape == (6, 5)
    assert not torch.equal(first, second)
    *_, last_plain = plain.parameters()
    *_, last = critic.parameters()
    assert len(last) == 2 * len(last_plain) == 10 * heads


def test_means_are_those_of_the_head_of_the_axis() -> None:
    """With variances of nearly 0 the scores are the first half of the numbers."""
    config = preset("slicegan-fast").changed(
        patch_size=16, critic_widths=(3, 4), feature_resampling=True
    )
    critic = build_critic(config, 2, 2, rng(), 3)
    images = torch.rand(6, 2, 16, 16, generator=rng())
    numbers = critic.layers(images).flatten(1).detach()
    expected = numbers[:, :6].view(6, 3, 2)
    noise = torch.randn(6, 6, generator=rng(7))
    critic.resampling = ResampledHead(rng(7))
    spread = (numbers[:, 6:] / 2).exp().view(6, 3, 2) * noise.view(6, 3, 2)
    scores = critic(images)
    for image in range(6):
        axis = image // 2
        wanted = expected[image, axis] + spread[image, axis]
        torch.testing.assert_close(scores[image].detach(), wanted)


def test_training_with_a_resampled_head(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Three steps; the noise comes from the run's own seed, not from torch's."""
    losses = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        game = make_adversarial_step(objective="realness", feature_resampling=True)
        losses.append(torch.stack([game.step(Crops(), i / 3) for i in range(3)]))
        assert game.is_finite()
    assert torch.equal(losses[0], losses[1])


def test_noise_continues_after_a_resume(
    toy_config: RunConfig, toy_images: TrainingImages, tmp_path: Path
) -> None:
    """Two and two steps are four, bit by bit."""
    config = toy_config.changed(objective="realness", feature_resampling=True, steps=4)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(Trainer.start(config, toy_images, whole))
    train(Trainer.start(config, toy_images, parts), stop_at=2)
    train(Trainer.resume(parts))
    expected, found = (
        tensors(RunFolder.open(path).load_checkpoint()["game"])
        for path in (whole, parts)
    )
    assert set(expected) == set(found)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
