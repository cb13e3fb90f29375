"""Optimizers by name, and lookahead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import nn

from benchmarks.objectives import PUBLISHED
from napari_slicegan.config import OptimiserSettings
from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.optimizers import OPTIMISERS, Lookahead
from tests.toys import Crops

ROOT = Path(__file__).parents[2]
MakeAdversarialStep = Callable[..., AdversarialStep]


def test_every_choice_has_an_optimiser() -> None:
    for field in ("generator_optimiser", "critic_optimiser"):
        choices = get_args(OptimiserSettings.model_fields[field].annotation)
        assert sorted(choices) == sorted(OPTIMISERS)


STEPS: list[tuple[str, list[float]]] = [
    # Gradients 1 and 3, rate 0.1, betas 0.5 and 0.75, worked out by hand.
    # Adam: (0.5 * 0.5 + 0.5 * 3) / 0.75 = 7/3, (0.75 * 0.25 + 0.25 * 9) / 0.4375
    # = 39/7.
    ("adam", [0.1, 0.1 * (7 / 3) / (39 / 7) ** 0.5]),
    # RMSprop: sqrt(0.25) and sqrt(0.75 * 0.25 + 0.25 * 9).
    ("rmsprop", [0.1 / 0.5, 0.1 * 3 / 2.4375**0.5]),
    ("sgd", [0.1, 0.3]),
]


def test_steps(subtests: pytest.Subtests) -> None:
    for name, sizes in STEPS:
        with subtests.test(name=name, sizes=sizes):
            weight = nn.Parameter(torch.zeros(1))
            optimiser = OPTIMISERS[name]([weight], 0.1, (0.5, 0.75), True)
            for gradient, size in zip((1.0, 3.0), sizes, strict=True):
                before = weight.item()
                weight.grad = torch.tensor([gradient])
                optimiser.step()
                assert before - weight.item() == pytest.approx(size, rel=1e-5)


def test_states_and_steps_are_those_of_torch(subtests: pytest.Subtests) -> None:
    """Checkpoints of torch's own classes continue and give the same weights."""
    for name in OPTIMISERS:
        with subtests.test(name):
            kind = OPTIMISERS[name](
                [nn.Parameter(torch.zeros(1))], 0.1, (0.5, 0.75), False
            )
            of_torch: dict[str, dict[str, Any]] = {
                "adam": {"betas": (0.5, 0.75)},
                "rmsprop": {"alpha": 0.75},
                "sgd": {},
            }
            start = torch.randn(5, generator=torch.Generator().manual_seed(0))
            theirs, ours = (nn.Parameter(start.clone()) for _ in range(2))
            published = type(kind).__mro__[1]([theirs], lr=0.1, **of_torch[name])
            built = OPTIMISERS[name]([ours], 0.1, (0.5, 0.75), False)
            for step in range(4):
                if step == 2:
                    built.load_state_dict(deepcopy(published.state_dict()))
                    with torch.no_grad():
                        ours.copy_(theirs)
                for weight, optimiser in ((theirs, published), (ours, built)):
                    optimiser.zero_grad()
                    weight.square().sum().backward()
                    optimiser.step()
            assert torch.equal(ours, theirs)
            assert str(built.state_dict()["state"]) == str(
                published.state_dict()["state"]
            )


def test_training_loads_no_compiler() -> None:
    """Torch's own optimisers import it when they are made, as estimates do."""
    code = """
import sys
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.training.trainer import Trainer
from tests.toys import phases_image, small_config
images = TrainingImages.isotropic(phases_image(40, 48))
list(Trainer(small_config(), images).run())
assert not {"torch._dynamo", "sympy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_each_network_has_the_optimiser_of_the_settings(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    game = make_adversarial_step(generator_optimiser="rmsprop", critic_optimiser="sgd")
    assert isinstance(game.generator_optimiser, torch.optim.RMSprop)
    assert isinstance(game.critic_optimiser, torch.optim.SGD)
    game = make_adversarial_step()
    assert isinstance(game.generator_optimiser, torch.optim.Adam)
    assert isinstance(game.critic_optimiser, torch.optim.Adam)


def test_the_last_layer_learns_at_its_share_of_the_rate(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Adam's first step is the rate, whatever the gradient."""
    game = make_adversarial_step(
        generator_lr=1e-3, output_lr_scale=0.1, lookahead=0, lr_decay_start=1
    )
    before = [weight.detach().clone() for weight in game.generator.parameters()]
    game.step(Crops(), 0)
    moved = [
        float((weight.detach() - old).abs().max())
        for weight, old in zip(game.generator.parameters(), before, strict=True)
    ]
    assert moved[-1] == pytest.approx(1e-4, rel=0.01)
    assert max(moved[:-1]) == pytest.approx(1e-3, rel=0.01)


def test_published_settings() -> None:
    """All objectives have some but the one of the default preset."""
    assert set(PUBLISHED) == set(OBJECTIVES) - {"r3gan"}


OF_OBJECTIVES: list[tuple[str, str, float, tuple[float, float] | None, int]] = [
    ("wgan-gp", "Adam", 1e-4, (0.0, 0.9), 5),
    ("lsgan", "RMSprop", 1e-4, None, 1),
]


def test_each_objective_with_its_optimiser(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """As published; all other settings stay, and the game can be played."""
    for objective, optimiser, rate, betas, critic_steps in OF_OBJECTIVES:
        with subtests.test(objective):
            changes: dict[str, Any] = {"objective": objective, **PUBLISHED[objective]}
            game = make_adversarial_step(**changes)
            assert game.config.objective.critic_steps == critic_steps
            for found in (game.generator_optimiser, game.critic_optimiser):
                assert type(found).__name__ == optimiser
                assert found.defaults["lr"] == rate
                assert found.defaults.get("betas") == betas
            game.step(Crops(), 1)
            # Constant rates: the same at the end of the run.
            assert game.critic_optimiser.param_groups[0]["lr"] == rate
            assert game.is_finite()


class Player(nn.Module):
    """One number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def play(lookahead: Lookahead, players: tuple[Player, Player], steps: int) -> None:
    """The game min over x, max over y of x y, by simultaneous gradient steps."""
    for _ in range(steps):
        lookahead.begin_step()
        x, y = (player.value for player in players)
        with torch.no_grad():
            dx, dy = y.clone(), x.clone()
            x.sub_(0.1 * dx)
            y.add_(0.1 * dy)
        lookahead.end_step()


def distance(players: tuple[Player, Player]) -> float:
    values = [player.value.detach() for player in players]
    return float(torch.stack(values).norm())


def test_weights_go_back_half_of_the_way() -> None:
    """Rounds of two steps of +1 each, by hand: 0, 1, then (0 + 2) / 2 = 1."""
    player = Player(0.0)
    lookahead = Lookahead((player,), 2)
    seen = []
    for _ in range(5):
        lookahead.begin_step()
        with torch.no_grad():
            player.value.add_(1)
        lookahead.end_step()
        seen.append(player.value.item())
    assert seen == [1, 1, 2, 2, 3]


def test_circling_players_come_to_rest() -> None:
    """Plain steps spiral outwards from the equilibrium, with lookahead inwards."""
    apart, together = ((Player(1.0), Player(1.0)) for _ in range(2))
    play(Lookahead(apart, 0), apart, 300)
    play(Lookahead(together, 5), together, 300)
    start = 2**0.5
    assert distance(apart) > 4 * start
    assert distance(together) < 0.5 * start


def test_it_goes_on_from_its_state(subtests: pytest.Subtests) -> None:
    for steps in [3, 5]:
        with subtests.test(steps=steps):
            first = Player(1.0), Player(0.5)
            lookahead = Lookahead(first, 5)
            play(lookahead, first, steps)
            second = Player(first[0].value.item()), Player(first[1].value.item())
            again = Lookahead(second, 5)
            again.load_state_dict(lookahead.state_dict())
            play(lookahead, first, 9)
            play(again, second, 9)
            assert [one.value.item() for one in first] == [
                one.value.item() for one in second
            ]


def test_old_weights_are_kept_within_a_round_only() -> None:
    players = Player(1.0), Player(1.0)
    lookahead = Lookahead(players, 5)
    play(lookahead, players, 5)
    assert lookahead.state_dict()["old"] == []
    play(lookahead, players, 1)
    assert len(lookahead.state_dict()["old"]) == 2  # type: ignore[arg-type]
