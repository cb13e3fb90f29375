"""Weights that give a generator the phase fractions of its images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.training.ema import matching_weights
from napari_slicegan.training.trainer import Trainer
from tests.toys import small_config


def random_logits(phases: int, n: int = 20_001, spread: float = 0.8) -> Tensor:
    """Normal logits, whose means differ from phase to phase."""
    rng = torch.Generator().manual_seed(phases)
    logits = spread * torch.randn(phases, n, generator=rng)
    return logits + 0.3 * torch.arange(phases)[:, None]


def shares(logits: Tensor, weights: tuple[float, ...]) -> list[float]:
    probabilities = logits.softmax(dim=0)
    best = (probabilities * torch.tensor(weights)[:, None]).argmax(dim=0)
    return [float((best == phase).double().mean()) for phase in range(len(weights))]


@pytest.mark.parametrize(
    "fractions", [(0.5, 0.5), (0.7, 0.3), (0.4, 0.25, 0.35), (0.2, 0.3, 0.15, 0.35)]
)
def test_each_phase_gets_its_share(fractions: tuple[float, ...]) -> None:
    seen = random_logits(len(fractions))
    equal = shares(seen, (1.0,) * len(fractions))
    assert max(abs(np.subtract(equal, fractions))) > 0.02  # there is something to do
    weights = matching_weights(seen, fractions)
    assert weights[0] == 1
    assert shares(seen, weights) == pytest.approx(fractions, abs=1e-3)


def test_two_phases_in_closed_form() -> None:
    """Log-odds of five voxels; the level lies half way between two of them."""
    odds = torch.tensor([-0.8, -0.4, 0.1, 0.4, 0.9])
    seen = torch.stack([torch.zeros(5), odds])
    for share, level in ((0.2, -0.65), (0.4, -0.25), (0.8, 0.6)):
        weights = matching_weights(seen, (1 - share, share))
        assert math.log(weights[1]) == pytest.approx(level, abs=1e-5)
        assert shares(seen, weights)[1] == pytest.approx(share)


def test_an_untrained_generator_is_not_forced() -> None:
    """A phase that is nowhere near is raised by no more than a factor of e."""
    seen = torch.tensor([[20.0] * 100, [0.0] * 100])
    weights = matching_weights(seen, (0.5, 0.5))
    assert weights == pytest.approx((1, math.e))
    assert shares(seen, weights) == [1, 0]


@pytest.mark.parametrize("labels", [(0, 1), (0, 127, 255)])
def test_weights_choose_the_phase(labels: tuple[int, ...]) -> None:
    """Of 0.4 and 0.6 the first wins with a weight of 2; a batch agrees."""
    rest = (0.0,) * (len(labels) - 2)
    weighted = OneHotPhases(labels, (2.0, 1.0, *rest))
    values = torch.tensor([0.4, 0.6, *rest]).view(-1, 1, 1, 1)
    assert OneHotPhases(labels).inverse(values).item() == labels[1]
    assert weighted.inverse(values).item() == labels[0]
    assert weighted.inverse(values[None]).item() == labels[0]
    assert weighted.inverse(values.movedim(0, -1), -1).item() == labels[0]


def test_weights_of_another_number() -> None:
    with pytest.raises(ValueError, match="a weight for each of the 3 phases, got 2"):
        OneHotPhases((0, 1, 2), (1.0, 1.0))


@pytest.mark.parametrize("matched", [True, False])
def test_a_run_matches_its_images(matched: bool) -> None:
    """An untrained generator misses a share of 0.5 of the images unless matched."""
    rows = np.indices((64, 64)).sum(axis=0) // 4 % 2
    images = TrainingImages.isotropic(Micrograph.from_array(rows.astype(np.uint8)))
    assert images.phase_fractions == (0.5, 0.5)
    trainer = Trainer(
        small_config().changed(match_phase_fractions=matched, seed=3), images
    )
    trained = trainer.trained_generator()
    assert isinstance(trained.transform, OneHotPhases)
    assert bool(trained.transform.weights) == matched
    network = trained.network
    latents = torch.randn(64, *network.training_latents)
    with torch.no_grad():
        volumes = trained.transform.inverse(network(latents))
    error = abs(float(volumes.mean()) - 0.5)
    assert (error < 0.02) == matched


def test_all_images_count_by_their_area() -> None:
    """4 of 16 pixels in one, 40 of 48 in the other: 44 of 64."""
    first = np.zeros((4, 4), np.uint8)
    first[:2, :2] = 1
    second = np.ones((6, 8), np.uint8)
    second[0] = 0
    images = TrainingImages.isotropic(
        *(Micrograph.from_array(values, "phases") for values in (first, second))
    )
    assert images.phase_fractions == (20 / 64, 44 / 64)
