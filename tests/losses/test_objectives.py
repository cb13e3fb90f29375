"""The table of objectives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.config import ObjectiveSettings, choices_of
from napari_slicegan.losses import OBJECTIVES, Objective, build_objective


def test_every_setting_has_an_objective() -> None:
    names = choices_of(ObjectiveSettings.model_fields["objective"])
    assert sorted(names) == sorted(OBJECTIVES)


def objective_of(name: str, **settings: float) -> Objective:
    values = {"objective": name, **settings}
    return build_objective(ObjectiveSettings.model_validate(values))


def test_settings_reach_the_objective(subtests: pytest.Subtests) -> None:
    """Doubling the weight doubles the penalty; the interval is kept."""
    for name in ["bce", "r3gan", "wgan-gp"]:
        with subtests.test(name):
            critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
            real, fake = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2)
            penalties: list[Tensor] = []
            for weight in (2.0, 4.0):
                objective = objective_of(
                    name, penalty_weight=weight, penalty_interval=2
                )
                for _ in range(2):
                    objective.begin_step(torch.Generator().manual_seed(0))
                    penalties.append(objective.critic_loss(critic, real, fake).penalty)
            first, skipped, doubled, _ = penalties
            assert first > 0
            assert skipped == 0
            torch.testing.assert_close(doubled, 2 * first)


@pytest.mark.parametrize("name", ["bce", "r3gan", "wgan-gp", "wgan"])
def test_losses_move_critic_and_generator_the_right_way(name: str) -> None:
    """The critic learns to score real ones higher; the generator to be scored high."""
    critic = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(critic.weight)
    objective = objective_of(name, penalty_weight=0)
    objective.begin_step(torch.Generator())

    def scores(images: Tensor) -> Tensor:
        result: Tensor = critic(images.flatten(1))
        return result

    real = torch.ones(2, 1, 1, 1)
    fake = -torch.ones(2, 1, 1, 1)
    objective.critic_loss(scores, real, fake).total.backward()
    assert critic.weight.grad is not None
    # Descent raises the weight, so that D(real) = w > D(fake) = -w.
    assert critic.weight.grad.item() < 0
    nn.init.ones_(critic.weight)
    fake.requires_grad_(True)
    objective.generator_loss(scores, real, fake).backward()
    assert fake.grad is not None
    # Descent moves generated images towards the real ones.
    assert (fake.grad < 0).all()


def test_critic_step_sends_nothing_to_the_generator(subtests: pytest.Subtests) -> None:
    """Also if images with a gradient are given; 'wgan-gp' leaves that to the step."""
    for name in OBJECTIVES.keys() - {"wgan-gp"}:
        with subtests.test(name):
            objective = objective_of(name, penalty_weight=1)
            head = nn.Linear(4, objective.outputs)
            real = torch.zeros(3, 1, 2, 2)
            fake = torch.ones(3, 1, 2, 2, requires_grad=True)
            objective.begin_step(torch.Generator().manual_seed(0))
            loss = objective.critic_loss(nn.Sequential(nn.Flatten(), head), real, fake)
            loss.total.backward()
            assert fake.grad is None
            assert head.weight.grad is not None
            assert (loss.penalty == 0) == (name in ("wgan", "realness"))
