"""What the critics see in a training step: real crops and generated planes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from napari_slicegan.training.adversarial_step import AdversarialStep
from tests.toys import Crops

MakeAdversarialStep = Callable[..., AdversarialStep]


@pytest.mark.parametrize(
    ("isotropic", "heads", "expected"),
    [
        # Per axis 3 planes of 1 volume for the critic, 5 for the generator.
        (True, False, [(0, 9), (0, 15)]),
        (True, True, [(0, 9), (0, 15)]),
        (False, True, [(0, 3), (1, 3), (2, 3), (0, 5), (1, 5), (2, 5)]),
        (False, False, [(0, 3), (1, 3), (2, 3), (0, 5), (1, 5), (2, 5)]),
    ],
)
def test_paired_crops(
    make_adversarial_step: MakeAdversarialStep,
    isotropic: bool,
    heads: bool,
    expected: list[tuple[int, int]],
) -> None:
    """One real crop for each generated plane, from the axis of the critic."""
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


@pytest.mark.parametrize(
    ("isotropic", "heads", "real_batch_size", "expected"),
    [
        # The setting counts crops per axis, also where the axes share a batch.
        (True, False, 4, [(0, 12)]),
        (True, True, 4, [(0, 12)]),
        (False, False, 4, [(0, 4), (1, 4), (2, 4)]),
        # Empty: as many as generated planes.
        (True, False, None, [(0, 9)]),
        (False, False, None, [(0, 3), (1, 3), (2, 3)]),
    ],
)
def test_real_crops_per_axis(
    make_adversarial_step: MakeAdversarialStep,
    isotropic: bool,
    heads: bool,
    real_batch_size: int | None,
    expected: list[tuple[int, int]],
) -> None:
    game = make_adversarial_step(
        isotropic,
        objective="wgan-gp",
        critic_heads=heads,
        real_batch_size=real_batch_size,
        critic_slices=3,
    )
    crops = Crops()
    game.step(crops, progress=0)
    # The generator step compares with no real image, and draws none.
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
    depth = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(1, 1, 16, 16, 16)
    game.generator.register_forward_hook(lambda _, __, made: 0 * made + depth)
    seen = critic_inputs(game)
    game.step(Crops(1), progress=0)
    # The first images of each critic are the generated ones of the critic step.
    z, y, x = (images[0] for images in seen)
    assert (z.flatten(1).std(dim=1) == 0).all()
    rows = torch.arange(16.0).view(1, 1, 16, 1).expand(3, 1, 16, 16)
    assert torch.equal(y, rows)
    assert torch.equal(x, rows)


@pytest.mark.parametrize("hard", [True, False])
def test_hard_phases(make_adversarial_step: MakeAdversarialStep, hard: bool) -> None:
    """With it the critic sees zeros and ones, like those of the micrograph."""
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
