"""One adversarial training step and its random streams."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_slicegan.training.adversarial_step import (
    PURPOSES,
    AdversarialStep,
    RandomStreams,
    straight_through,
)
from napari_slicegan.training.history import StepLosses
from tests.toys import Crops

MakeAdversarialStep = Callable[..., AdversarialStep]


def steps_of(optimiser: torch.optim.Optimizer) -> set[int]:
    """How often Adam has moved its weights."""
    return {int(state["step"]) for state in optimiser.state.values()}


def generated(game: AdversarialStep) -> list[int]:
    """Filled with the batch size of each generator pass."""
    sizes: list[int] = []
    first = game.generator.blocks[0][0]  # type: ignore[index]
    first.register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    return sizes


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def test_critic_steps(make_adversarial_step: MakeAdversarialStep) -> None:
    game = make_adversarial_step(critic_steps=3)
    for number in (1, 2):
        game.step(Crops(), progress=0)
        assert steps_of(game.critic_optimiser) == {3 * number}
        assert steps_of(game.generator_optimiser) == {number}
        assert game.averaged.n_updates == number


SHARED: list[tuple[int, int, bool, list[int]]] = [
    # Three critic steps; the last one's volumes serve the generator too.
    (2, 2, True, [2, 2, 2]),
    (2, 2, False, [2, 2, 2, 2]),
    # Unequal numbers cannot be shared.
    (2, 4, True, [2, 2, 2, 4]),
]


def test_generated_volumes(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    for critic_batch_size, generator_batch_size, share, expected in SHARED:
        with subtests.test(
            critic_batch_size=critic_batch_size,
            generator_batch_size=generator_batch_size,
            share=share,
            expected=expected,
        ):
            game = make_adversarial_step(
                critic_steps=3,
                critic_batch_size=critic_batch_size,
                generator_batch_size=generator_batch_size,
                share_batch=share,
            )
            sizes = generated(game)
            game.step(Crops(), progress=0)
            assert sizes == expected


GENERATOR_STEPS: list[tuple[bool, list[int]]] = [
    # One critic step; its volumes serve the first generator step.
    (True, [2, 2, 2]),
    (False, [2, 2, 2, 2]),
]


def test_generator_steps(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """Each with volumes of its own."""
    for share, expected in GENERATOR_STEPS:
        with subtests.test(share=share, expected=expected):
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


def test_a_step_moves_all_weights(make_adversarial_step: MakeAdversarialStep) -> None:
    game = make_adversarial_step()
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


@pytest.mark.parametrize("isotropic", [True, False])
def test_a_generator_step_with_the_same_planes_takes_the_scores_of_real_images(
    make_adversarial_step: MakeAdversarialStep, isotropic: bool
) -> None:
    """Those of the critic before its step, of the images that it has seen."""
    game = make_adversarial_step(
        isotropic, critic_slices=3, generator_slices=3, share_planes=True
    )
    before = copy.deepcopy(game.critics)
    scored: list[int] = []
    given: list[tuple[Tensor, Tensor]] = []
    for critic in game.critics:
        critic.register_forward_hook(lambda _, args, __: scored.append(len(args[0])))
    usual = game.objective.generator_loss

    def spied(
        critic: Any, real: Tensor, fake: Tensor, real_scores: Any = None
    ) -> Tensor:
        given.append((real, real_scores))
        return usual(critic, real, fake, real_scores)

    game.objective.generator_loss = spied  # type: ignore[method-assign]
    crops = Crops()
    game.step(crops, progress=0)
    n, parts = (9, 1) if isotropic else (3, 3)
    assert crops.asked == [(part, n) for part in range(parts)]
    assert scored == [2 * n] * parts + [n] * parts
    for critic, (real, scores) in zip(before, given, strict=True):
        torch.testing.assert_close(scores, critic(real).detach())


RATES: list[tuple[float, float, float]] = [
    # Full to the start of the decay, then straight towards 0, at least 1/20.
    (0.5, 0.5, 1.0),
    (0.5, 0.75, 0.5),
    (0.5, 1.0, 0.05),
    (0.0, 0.25, 0.75),
    # 1 keeps the rates constant.
    (1.0, 1.0, 1.0),
]


def test_learning_rates(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    for lr_decay_start, progress, factor in RATES:
        with subtests.test(
            lr_decay_start=lr_decay_start, progress=progress, factor=factor
        ):
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


def test_the_penalty_is_reported_apart(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """Before training all scores are nearly equal: the loss is ln 2, penalty or not."""
    for weight in [0, 1000]:
        with subtests.test(weight=weight):
            game = make_adversarial_step(objective="r3gan", penalty_weight=weight)
            losses = StepLosses(*game.step(Crops(), progress=0).tolist())
            assert losses.critic == pytest.approx(math.log(2), abs=0.05)
            assert losses.generator == pytest.approx(math.log(2), abs=0.05)
            assert (losses.penalty > 0) == (weight > 0)


def test_seed_fixes_a_step(make_adversarial_step: MakeAdversarialStep) -> None:
    def losses(seed: int) -> StepLosses:
        game = make_adversarial_step(seed=seed, objective="wgan-gp")
        game.step(Crops(), progress=0)
        return StepLosses(*game.step(Crops(), progress=0).tolist())

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


PAIRED: list[tuple[bool, bool, list[tuple[int, int]]]] = [
    # Per axis 3 planes of 1 volume for the critic, 5 for the generator.
    (True, True, [(0, 9), (0, 15)]),
    (False, False, [(0, 3), (1, 3), (2, 3), (0, 5), (1, 5), (2, 5)]),
]


def test_paired_crops(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """One real crop for each generated plane, from the axis of the critic."""
    for isotropic, heads, expected in PAIRED:
        with subtests.test(isotropic=isotropic, heads=heads, expected=expected):
            game = make_adversarial_step(
                isotropic,
                objective="r3gan",
                critic_heads=heads,
                real_batch_size=2,
                critic_slices=3,
                generator_slices=5,
            )
            crops = Crops()
            game.step(crops, progress=0)
            assert crops.asked == expected
            assert len(game.critics) == (1 if isotropic else 3)


CROPS_PER_AXIS: list[tuple[bool, bool, int | None, list[tuple[int, int]]]] = [
    # The setting counts crops per axis, also where the axes share a batch.
    (True, True, 4, [(0, 12)]),
    (False, False, 4, [(0, 4), (1, 4), (2, 4)]),
    # Empty: as many as generated planes.
    (False, False, None, [(0, 3), (1, 3), (2, 3)]),
]


def test_real_crops_per_axis(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    for isotropic, heads, real_batch_size, expected in CROPS_PER_AXIS:
        with subtests.test(
            isotropic=isotropic,
            heads=heads,
            real_batch_size=real_batch_size,
            expected=expected,
        ):
            game = make_adversarial_step(
                isotropic,
                objective="wgan-gp",
                pattern_weight=0,
                critic_heads=heads,
                real_batch_size=real_batch_size,
                critic_slices=3,
            )
            crops = Crops()
            game.step(crops, progress=0)
            # Without patterns the generator step compares with no real image.
            assert crops.asked == expected


def test_all_planes_reach_the_critic(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """Empty settings: 16 planes per axis of 2 volumes, in both steps."""
    game = make_adversarial_step(
        critic_slices=None,
        generator_slices=None,
        critic_batch_size=2,
        generator_batch_size=2,
        critic_heads=False,
        share_planes=False,
    )
    crops = Crops()
    game.step(crops, progress=0)
    assert crops.asked == [(0, 3 * 16 * 2)] * 2


def critic_inputs(game: AdversarialStep) -> list[list[Tensor]]:
    """Filled with the images that each critic sees."""
    seen: list[list[Tensor]] = [[] for _ in game.critics]
    for critic, images in zip(game.critics, seen, strict=True):
        critic.register_forward_pre_hook(
            lambda _, args, images=images: images.append(args[0].detach())
        )
    return seen


def test_each_critic_sees_its_own_axis(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """In a volume that is its own z coordinate only planes along z are flat."""
    game = make_adversarial_step(
        isotropic=False, output="unit", channels=1, objective="wgan-gp"
    )
    *_, before, last = game.generator.blocks.children()
    *_, activation = before.children()
    activation.register_forward_hook(lambda _, __, made: 0 * made + depth(made))
    with torch.no_grad():
        next(last.parameters()).fill_(1e-4)
    seen = critic_inputs(game)
    game.step(Crops(1), progress=0)
    # The first images of each critic are the generated ones of the critic step.
    z, y, x = (images[0] for images in seen)
    assert (z.flatten(1).std(dim=1) < 1e-6).all()
    for images in (y, x):
        assert (images.std(dim=3) < 1e-6).all()
        # Two planes share their features.
        assert (images.diff(dim=2) >= 0).all()
        assert (images[:, :, -1] > images[:, :, 0]).all()


def depth(features: Tensor) -> Tensor:
    """The z coordinate in the shape of features, [B, C, z, y, x]."""
    n = features.shape[2]
    return torch.arange(float(n)).view(1, 1, n, 1, 1).expand_as(features)


def test_hard_phases(
    make_adversarial_step: MakeAdversarialStep, subtests: pytest.Subtests
) -> None:
    """With it the critic sees zeros and ones, like those of the micrograph."""
    for hard in [True, False]:
        with subtests.test(hard=hard):
            game = make_adversarial_step(
                straight_through=hard, objective="wgan-gp", critic_heads=False
            )
            seen = critic_inputs(game)
            game.step(Crops(), progress=0)
            fake = seen[0][0]
            is_one_hot = bool(((fake - fake.round()).abs() < 1e-6).all())
            assert is_one_hot == hard
            torch.testing.assert_close(fake.sum(dim=1), torch.ones(9, 16, 16))


def test_a_sure_generator_learns_from_hard_phases(
    make_adversarial_step: MakeAdversarialStep,
) -> None:
    """A last layer of 2**16 times the weights: the blocks before learn alike."""
    gradients: list[list[Tensor]] = []
    for factor in (1, 2**16):
        game = make_adversarial_step(hard_phases=True)
        *before, last = game.generator.blocks.children()
        with torch.no_grad():
            for weight in last.parameters():
                weight.mul_(factor)
        game.step(Crops(), progress=0)
        learned = [weight for block in before for weight in block.parameters()]
        gradients.append([w.grad for w in learned if w.grad is not None])
    unsure, sure = gradients
    assert len(unsure) == len(sure) > 0
    for one, other in zip(unsure, sure, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-7)


def soft_sum(logits: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Weighted sum of a softmax of logits of root mean square 3, [C, voxels]."""
    centred = logits - logits.mean(axis=0)
    scaled = 3 * centred / np.sqrt((centred**2).mean())
    powers = np.exp(scaled)
    return float((weights * powers / powers.sum(axis=0)).sum())


def slow_gradient(
    logits: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Central differences of `soft_sum`, one logit after the other."""
    gradient, step = np.zeros_like(logits), 1e-5
    for place in np.ndindex(logits.shape):
        ahead, behind = logits.copy(), logits.copy()
        ahead[place] += step
        behind[place] -= step
        difference = soft_sum(ahead, weights) - soft_sum(behind, weights)
        gradient[place] = difference / (2 * step)
    return gradient


def test_hardened() -> None:
    """One-hot values; the gradient of a softmax of fixed scale, however sure it is.

    In the second voxel the phases are 40 apart: a probability of 4e-18.
    """
    logits = np.array([[0.2, 20.0, 3.0], [0.5, -20.0, 9.0], [0.1, 0.0, 8.0]])
    weights = np.arange(9.0).reshape(3, 3) ** 2
    scores = torch.tensor(logits, dtype=torch.float32).view(1, 3, 3, 1, 1)
    scores.requires_grad_(True)
    made = straight_through(scores)
    expected = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 0, 0]]).view(1, 3, 3, 1, 1)
    torch.testing.assert_close(made, expected)
    pulled = made * torch.tensor(weights, dtype=torch.float32).view(1, 3, 3, 1, 1)
    (found,) = torch.autograd.grad(pulled.sum(), scores)
    slow = torch.tensor(slow_gradient(logits, weights)).view(1, 3, 3, 1, 1)
    assert slow.abs().min() > 1e-4
    torch.testing.assert_close(found.double(), slow, rtol=1e-4, atol=1e-6)


def test_hardened_does_not_depend_on_how_sure_the_generator_is() -> None:
    """Ten times the logits: the same values, a tenth of the gradient."""
    scores = torch.randn(2, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    weights = torch.arange(3.0).view(1, 3, 1, 1, 1)
    gradients: list[Tensor] = []
    for factor in (0.1, 1.0):
        logits = (factor * scores).requires_grad_(True)
        made = straight_through(logits)
        torch.testing.assert_close(made.detach().argmax(dim=1), scores.argmax(dim=1))
        gradients += torch.autograd.grad((made * weights).sum(), logits)
    torch.testing.assert_close(gradients[0], 10 * gradients[1], rtol=1e-3, atol=1e-6)


def drawn(streams: RandomStreams, purpose: str, n: int = 5) -> Tensor:
    return torch.rand(n, generator=streams[purpose])


def test_a_seed_fixes_every_purpose() -> None:
    """Also the largest seed."""
    for seed, purpose in itertools.product((7, 2**63 - 1), PURPOSES):
        first, second = RandomStreams(seed), RandomStreams(seed)
        assert torch.equal(drawn(first, purpose), drawn(second, purpose))


def test_purposes_and_seeds_draw_different_numbers() -> None:
    """Also purposes of neighbouring seeds."""
    keys = list(itertools.product(range(6), PURPOSES))
    first = [tuple(drawn(RandomStreams(seed), p).tolist()) for seed, p in keys]
    assert len(set(first)) == len(keys)


def test_one_purpose_never_shifts_another() -> None:
    used, fresh = RandomStreams(3), RandomStreams(3)
    drawn(used, "latents", 1000)
    for purpose in PURPOSES:
        same = torch.equal(drawn(used, purpose), drawn(fresh, purpose))
        assert same == (purpose != "latents")


def test_resumed_streams_continue_where_they_stopped() -> None:
    first = RandomStreams(3)
    for number, purpose in enumerate(PURPOSES):
        drawn(first, purpose, 10 * number + 1)
    second = RandomStreams(99)
    second.load_state_dict(first.state_dict())
    for purpose in PURPOSES:
        assert torch.equal(drawn(first, purpose), drawn(second, purpose))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    streams = RandomStreams(3)
    for purpose in PURPOSES:
        drawn(streams, purpose)
    assert torch.equal(torch.get_rng_state(), before)
