"""The critic of an isotropic material, updated for each axis in turn."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from napari_slicegan.training.adversarial_step import AdversarialStep
from tests.toys import TOY_PATCH, Crops

MakeAdversarialStep = Callable[..., AdversarialStep]
# As in the published settings: all planes, no penalty that would draw random numbers.
SETTINGS = {
    "objective": "wgan-gp",
    "penalty_weight": 0,
    "critic_heads": False,
    "critic_slices": None,
    "real_batch_size": 4,
    "share_batch": False,
    "straight_through": False,
}


class Kept(Crops):
    """Remembers the crops it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Tensor] = []

    def __call__(self, critic: int, n: int, rng: torch.Generator) -> Tensor:
        self.given.append(super().__call__(critic, n, rng))
        return self.given[-1]


def updated_in_turn(
    game: AdversarialStep, volumes: Tensor, reals: list[Tensor]
) -> list[Tensor]:
    """Weights after an Adam step for each axis, written out by hand."""
    critic = copy.deepcopy(game.critics[0])
    settings = game.config.optimiser
    adam = torch.optim.Adam(critic.parameters(), settings.critic_lr, settings.betas)
    # [B, C, Z, Y, X] -> planes seen along z, y and x
    shape = (-1, volumes.shape[1], TOY_PATCH, TOY_PATCH)
    orders = ((0, 2, 1, 3, 4), (0, 3, 1, 2, 4), (0, 4, 1, 2, 3))
    for order, real in zip(orders, reals, strict=True):
        adam.zero_grad()
        fake = volumes.permute(order).reshape(shape)
        (critic(fake).mean() - critic(real).mean()).backward()
        adam.step()
    return list(critic.parameters())


def test_the_one_critic_is_updated_for_each_axis_in_turn(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Each update sees the planes of one axis, with the real crops of one axis."""
    game = make_adversarial_step(update_per_axis=True, **SETTINGS)
    before = copy.deepcopy(game)
    made: list[Tensor] = []
    game.generator.register_forward_hook(lambda _, __, out: made.append(out.detach()))
    crops = Kept()
    game.step(crops, progress=0)
    # And none for the generator.
    assert crops.asked == [(0, 4)] * 3
    expected = updated_in_turn(before, made[0], crops.given)
    found = list(game.critics.parameters())
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


UPDATES: list[tuple[bool, bool, int]] = [
    (True, True, 6),
    (True, False, 2),
    (False, True, 2),
]


def test_number_of_updates(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """Two critic steps."""
    for isotropic, per_axis, updates in UPDATES:
        with subtests.test(isotropic=isotropic, per_axis=per_axis, updates=updates):
            changes = {**SETTINGS, "penalty_weight": 10, "critic_steps": 2}
            game = make_adversarial_step(isotropic, update_per_axis=per_axis, **changes)
            _, _, penalty = game.step(Crops(), progress=0)
            steps = {
                int(state["step"]) for state in game.critic_optimiser.state.values()
            }
            assert steps == {updates}
            assert penalty > 0


def test_critics_of_their_own_train_the_same_in_turn_and_together(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    games = [
        make_adversarial_step(False, update_per_axis=on, **SETTINGS)
        for on in (False, True)
    ]
    for game in games:
        game.step(Crops(), progress=0)
    together, in_turn = (list(game.critics.parameters()) for game in games)
    for a, b in zip(together, in_turn, strict=True):
        assert torch.equal(a, b)


def test_heads_are_refused(make_adversarial_step: MakeAdversarialStep) -> None:
    """Heads are selected by the position in a batch of all axes."""
    with pytest.raises(
        ValueError, match=r"turn off 'Critic heads' or 'Update per axis'"
    ):
        make_adversarial_step(update_per_axis=True, critic_heads=True)
    assert len(make_adversarial_step(False, update_per_axis=True).critics) == 3
