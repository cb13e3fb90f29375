"""Every objective trains a generator of volumes from planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.estimates import step_cost
from tests.toys import Crops

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

MakeAdversarialStep = Callable[..., AdversarialStep]


def weights(network: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def test_three_steps(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """Losses are finite; the generator and all critics move; a seed fixes all."""
    for objective, isotropic in [
        (name, i % 2 == 0) for i, name in enumerate(sorted(OBJECTIVES))
    ]:
        with subtests.test(objective=objective, isotropic=isotropic):
            losses = []
            for _ in range(2):
                game = make_adversarial_step(isotropic, objective=objective)
                before = [weights(game.generator), *map(weights, game.critics)]
                losses.append(
                    torch.stack([game.step(Crops(), i / 3) for i in range(3)])
                )
                after = [weights(game.generator), *map(weights, game.critics)]
                for old, new in zip(before, after, strict=True):
                    for a, b in zip(old, new, strict=True):
                        assert not torch.equal(a, b)
                assert game.is_finite()
            assert torch.equal(losses[0], losses[1])
            assert losses[0].isfinite().all()


def test_weights_of_wgan_stay_clipped(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    game = make_adversarial_step(objective="wgan", weight_clip=0.02, critic_lr=0.1)
    game.step(Crops(), 0)
    sizes = torch.cat([weight.abs().flatten() for weight in weights(game.critics)])
    assert sizes.max().item() == pytest.approx(0.02)


def test_critics_of_realness_answer_with_all_outcomes(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """On every head."""
    game = make_adversarial_step(objective="realness", outcomes=51)
    answers = game.critics[0](Crops()(0, 9, torch.Generator()))
    assert answers.shape == (9, 51)


def test_cost_is_known_before(toy_config: RunConfig) -> None:
    """Counted without computing: a critic step on images, so within twice r3gan's."""
    costs = {
        name: step_cost(toy_config.changed(objective=name), 2, "phases", True)
        for name in OBJECTIVES
    }
    for cost in costs.values():
        assert 0.5 < cost.operations / costs["r3gan"].operations < 2
        assert 0.5 < cost.memory_bytes / costs["r3gan"].memory_bytes < 2


def test_anchors_that_do_not_fit_are_refused_before_training(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    with pytest.raises(ValueError, match=r"'Anchor, generated' must hold 3 numbers"):
        make_adversarial_step(
            objective="realness", anchors="custom", outcomes=3, real_anchor=(0, 0, 1)
        )
