"""One training step: who trains how often, on what, and how fast."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.training.adversarial_step import AdversarialStep
from napari_slicegan.training.history import StepLosses
from tests.toys import Crops

MakeAdversarialStep = Callable[..., AdversarialStep]


def steps_of(optimiser: torch.optim.Optimizer) -> set[int]:
    """How often Adam has moved its weights."""
    return {int(state["step"]) for state in optimiser.state.values()}


def generated(game: AdversarialStep) -> list[int]:
    """Filled with the batch size of each generator pass."""
    sizes: list[int] = []
    game.generator.register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    return sizes


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


@pytest.mark.parametrize("critic_steps", [1, 3, 5])
def test_critic_steps(
    make_adversarial_step: MakeAdversarialStep, critic_steps: int
) -> None:
    game = make_adversarial_step(critic_steps=critic_steps)
    for number in (1, 2):
        game.step(Crops(), progress=0)
        assert steps_of(game.critic_optimiser) == {critic_steps * number}
        assert steps_of(game.generator_optimiser) == {number}
        assert game.averaged.n_updates == number


@pytest.mark.parametrize(
    ("critic_batch_size", "generator_batch_size", "share", "expected"),
    [
        # Three critic steps; the last one's volumes serve the generator too.
        (2, 2, True, [2, 2, 2]),
        (2, 2, False, [2, 2, 2, 2]),
        # Unequal numbers cannot be shared.
        (2, 4, True, [2, 2, 2, 4]),
        (2, 4, False, [2, 2, 2, 4]),
    ],
)
def test_generated_volumes(
    make_adversarial_step: MakeAdversarialStep,
    critic_batch_size: int,
    generator_batch_size: int,
    share: bool,
    expected: list[int],
) -> None:
    game = make_adversarial_step(
        critic_steps=3,
        critic_batch_size=critic_batch_size,
        generator_batch_size=generator_batch_size,
        share_batch=share,
    )
    sizes = generated(game)
    game.step(Crops(), progress=0)
    assert sizes == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        # One critic step; its volumes serve the first generator step.
        (True, [2, 2, 2]),
        (False, [2, 2, 2, 2]),
    ],
)
def test_generator_steps(
    make_adversarial_step: MakeAdversarialStep, share: bool, expected: list[int]
) -> None:
    """Each with volumes of its own."""
    game = make_adversarial_step(
        generator_steps=3,
        critic_batch_size=2,
        generator_batch_size=2,
        share_batch=share,
    )
    sizes = generated(game)
    game.step(Crops(), progress=0)
    assert sizes == expected
    assert steps_of(game.generator_optimiser) == {3}
    assert steps_of(game.critic_optimiser) == {1}


@pytest.mark.parametrize("share", [True, False])
def test_a_step_moves_all_weights(
    make_adversarial_step: MakeAdversarialStep, share: bool
) -> None:
    game = make_adversarial_step(share_batch=share)
    networks = (game.generator, game.critics, game.averaged.network)
    before = [[p.detach().clone() for p in net.parameters()] for net in networks]
    game.step(Crops(), progress=0)
    for network, old in zip(networks, before, strict=True):
        for a, b in zip(network.parameters(), old, strict=True):
            assert not torch.equal(a, b)


def test_the_average_is_that_of_the_weights_after_lookahead(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Without averaging the generator to keep is the trained one, also gone back."""
    game = make_adversarial_step(averaging=0, lookahead=2)
    for _ in range(3):
        game.step(Crops(), progress=0)
        pairs = zip(
            game.averaged.network.parameters(), game.generator.parameters(), strict=True
        )
        assert all(torch.equal(kept, trained) for kept, trained in pairs)


def test_generator_step_leaves_the_critics_trainable(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """And sends no gradient into them."""
    game = make_adversarial_step()
    after_critic_step: list[Tensor] = []
    game.critic_optimiser.register_step_post_hook(
        lambda *_: after_critic_step.extend(gradients(game.critics))
    )
    game.step(Crops(), progress=0)
    assert all(p.requires_grad for p in game.critics.parameters())
    found = gradients(game.critics)
    assert len(found) == len(after_critic_step) == len(list(game.critics.parameters()))
    for a, b in zip(found, after_critic_step, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("lr_decay_start", "progress", "factor"),
    [
        # Full to the start of the decay, then straight towards 0, at least 1/20.
        (0.5, 0.0, 1.0),
        (0.5, 0.5, 1.0),
        (0.5, 0.75, 0.5),
        (0.5, 0.9, 0.2),
        (0.5, 0.99, 0.05),
        (0.5, 1.0, 0.05),
        (0.0, 0.25, 0.75),
        # 1 keeps the rates constant.
        (1.0, 0.5, 1.0),
        (1.0, 1.0, 1.0),
    ],
)
def test_learning_rates(
    make_adversarial_step: MakeAdversarialStep,
    lr_decay_start: float,
    progress: float,
    factor: float,
) -> None:
    rates = {"generator_lr": 1e-3, "critic_lr": 4e-3, "output_lr_scale": 0.5}
    game = make_adversarial_step(lr_decay_start=lr_decay_start, **rates)
    game.step(Crops(), progress=progress)
    generator, output = game.generator_optimiser.param_groups
    (critic,) = game.critic_optimiser.param_groups
    assert generator["lr"] == pytest.approx(1e-3 * factor)
    assert output["lr"] == pytest.approx(0.5e-3 * factor)
    assert critic["lr"] == pytest.approx(4e-3 * factor)


def test_adam_gets_the_betas_of_the_settings(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    game = make_adversarial_step(betas=(0.3, 0.7))
    for optimiser in (game.generator_optimiser, game.critic_optimiser):
        assert optimiser.defaults["betas"] == (0.3, 0.7)
        assert optimiser.defaults["weight_decay"] == 0


@pytest.mark.parametrize("weight", [0, 1000])
def test_the_penalty_is_reported_apart(
    make_adversarial_step: MakeAdversarialStep, weight: float
) -> None:
    """Before training all scores are nearly equal: the loss is ln 2, penalty or not."""
    game = make_adversarial_step(objective="r3gan", penalty_weight=weight)
    losses = StepLosses.of(game.step(Crops(), progress=0))
    assert losses.critic == pytest.approx(math.log(2), abs=0.05)
    assert losses.generator == pytest.approx(math.log(2), abs=0.05)
    assert (losses.penalty > 0) == (weight > 0)


def test_seed_fixes_a_step(make_adversarial_step: MakeAdversarialStep) -> None:
    def losses(seed: int) -> StepLosses:
        game = make_adversarial_step(seed=seed, objective="wgan-gp")
        game.step(Crops(), progress=0)
        return StepLosses.of(game.step(Crops(), progress=0))

    torch.manual_seed(1)
    first = losses(3)
    torch.manual_seed(2)
    assert losses(3) == first
    assert losses(4) != first


def test_recalibration_is_the_same_at_every_call(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """And takes no random numbers from the training."""
    game, other = make_adversarial_step(), make_adversarial_step()
    norms = [
        m for m in game.averaged.network.modules() if isinstance(m, nn.BatchNorm3d)
    ]
    game.recalibrate()
    first = [
        norm.running_mean.clone() for norm in norms if norm.running_mean is not None
    ]
    assert len(first) == len(norms) > 0
    game.recalibrate()
    for norm, mean in zip(norms, first, strict=True):
        assert norm.running_mean is not None
        assert torch.equal(norm.running_mean, mean)
    assert torch.equal(game.step(Crops(), 0), other.step(Crops(), 0))


def test_latents_are_normal(make_adversarial_step: MakeAdversarialStep) -> None:
    """4 channels of 4^3; 200 fields have mean 0 and variance 1 within 4 sigma."""
    latents = make_adversarial_step().latents(200)
    assert latents.shape == (200, 4, 4, 4, 4)
    n = latents.numel()
    assert abs(latents.mean().item()) < 4 / math.sqrt(n)
    assert abs(latents.var().item() - 1) < 4 * math.sqrt(2 / n)
