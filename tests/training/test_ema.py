"""Averaged generator: batch-norm statistics and phase weights."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.models import build_generator
from napari_slicegan.models.slicegan import GeneratorSpec, VolumeGenerator
from napari_slicegan.training.ema import AveragedGenerator, matching_weights
from napari_slicegan.training.trainer import Trainer
from tests.toys import Crops, small_config

if TYPE_CHECKING:
    from napari_slicegan.training.adversarial_step import AdversarialStep


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator(normalisation: str = "batch") -> VolumeGenerator:
    return build_generator(
        GeneratorSpec(
            architecture="slicegan",
            channels=2,
            output="phases",
            latent_channels=3,
            latent_size=4,
            widths=(6, 6),
            layers=((4, 2, 2), (4, 2, 2), (4, 2, 3)),
            normalisation=normalisation,  # type: ignore[arg-type]
        ),
        rng(),
    )


def set_weights(network: nn.Module, value: float) -> None:
    for parameter in network.parameters():
        nn.init.constant_(parameter, value)


def first_weight(averaged: AveragedGenerator) -> float:
    values = next(averaged.network.parameters())
    # All weights move together.
    assert values.min() == values.max()
    return values.flatten()[0].item()


def test_average_in_closed_form() -> None:
    """The decay is min(decay, n / (n + 3)) at update n: by hand for 0.5."""
    network = generator()
    set_weights(network, 0)
    averaged = AveragedGenerator(network, 0.5)
    expected = 0.0
    for n in range(1, 30):
        set_weights(network, n)
        averaged.update(network)
        decay = min(0.5, n / (n + 3))
        expected = decay * expected + (1 - decay) * n
        assert first_weight(averaged) == pytest.approx(expected, rel=1e-5)
    # Far from the start it lags by decay / (1 - decay) = 1 step behind a ramp.
    assert first_weight(averaged) == pytest.approx(29 - 1, abs=0.01)


def test_initial_weights_are_soon_forgotten() -> None:
    """Decays 1/4, 2/5, 3/6: 1 / 20 of the initial weights after three updates."""
    network = generator()
    set_weights(network, 1)
    averaged = AveragedGenerator(network, 0.995)
    set_weights(network, 0)
    for _ in range(3):
        averaged.update(network)
    assert first_weight(averaged) == pytest.approx(1 / 20)


def test_no_averaging_keeps_the_last_weights() -> None:
    network = generator()
    averaged = AveragedGenerator(network, 0)
    for value in (1.0, 2.0, -3.0):
        set_weights(network, value)
        averaged.update(network)
        assert first_weight(averaged) == value


def test_average_is_a_copy_that_needs_no_gradient() -> None:
    network = generator()
    averaged = AveragedGenerator(network, 0.9)
    before = next(averaged.network.parameters()).clone()
    set_weights(network, 5)
    assert torch.equal(next(averaged.network.parameters()), before)
    assert not any(p.requires_grad for p in averaged.network.parameters())
    assert all(p.requires_grad for p in network.parameters())
    assert not averaged.network.training


def batches(n: int = 4) -> list[Tensor]:
    """Latents of very different scales."""
    source = rng(1)
    return [(i + 1) * torch.randn(2, 3, 4, 4, 4, generator=source) for i in range(n)]


def test_recalibrated_statistics_are_the_means_over_the_batches() -> None:
    """Against means and variances measured by hooks, all batches counting equally."""
    averaged = AveragedGenerator(generator(), 0.9)
    inputs: dict[str, list[Tensor]] = {}
    norms = {
        name: module
        for name, module in averaged.network.named_modules()
        if isinstance(module, nn.BatchNorm3d)
    }
    assert len(norms) == 2
    for name, norm in norms.items():
        seen = inputs.setdefault(name, [])
        norm.register_forward_pre_hook(lambda _, args, seen=seen: seen.append(args[0]))
    averaged.recalibrate(batches())
    for name, norm in norms.items():
        means = torch.stack([x.mean(dim=(0, 2, 3, 4)) for x in inputs[name]])
        variances = torch.stack([x.var(dim=(0, 2, 3, 4)) for x in inputs[name]])
        assert len(means) == 4
        torch.testing.assert_close(norm.running_mean, means.mean(dim=0))
        torch.testing.assert_close(norm.running_var, variances.mean(dim=0))


def test_recalibration_forgets_what_was_before() -> None:
    network = generator()
    averaged = AveragedGenerator(network, 0.9)
    averaged.recalibrate(batches())
    expected = {k: v.clone() for k, v in averaged.network.state_dict().items()}
    averaged.recalibrate([100 * batch for batch in batches()])
    averaged.recalibrate(batches())
    for key, value in averaged.network.state_dict().items():
        assert torch.equal(value, expected[key])
    assert not averaged.network.training
    momenta = {m.momentum for m in averaged.network.modules() if hasattr(m, "momentum")}
    assert momenta == {0.1}


def test_recalibration_changes_no_weights() -> None:
    averaged = AveragedGenerator(generator(), 0.9)
    before = [p.clone() for p in averaged.network.parameters()]
    averaged.recalibrate(batches())
    for a, b in zip(before, averaged.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_nothing_to_recalibrate_without_batch_norm() -> None:
    averaged = AveragedGenerator(generator("pixel"), 0.9)
    # Not one batch is drawn.
    averaged.recalibrate(iter([]))
    untouched = iter(batches())
    averaged.recalibrate(untouched)
    assert len(list(untouched)) == 4


def test_resumed_average_goes_on_alike() -> None:
    network = generator()
    first = AveragedGenerator(network, 0.9)
    for value in (1.0, 2.0, 3.0):
        set_weights(network, value)
        first.update(network)
    second = AveragedGenerator(generator(), 0.9)
    second.load_state_dict(first.state_dict())
    set_weights(network, 4)
    first.update(network)
    second.update(network)
    assert first.n_updates == second.n_updates == 4
    for a, b in zip(
        first.network.parameters(), second.network.parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_last_weights_keep_their_own_statistics(
    make_adversarial_step: Callable[..., AdversarialStep],
) -> None:
    """Without averaging the trained network is taken with its running statistics."""
    game = make_adversarial_step(ema_decay=0)
    for _ in range(2):
        game.step(Crops(), 0)
    game.recalibrate()
    found, trained = game.averaged.network.state_dict(), game.generator.state_dict()
    assert any("running_mean" in name for name in trained)
    for name, value in trained.items():
        assert torch.equal(found[name], value), name


def test_volumes_are_freed_once_their_logits_are_taken() -> None:
    """96 volumes of 64^3 voxels would take 200 MB."""
    averaged = AveragedGenerator(generator(), 0.9)
    freed: list[None] = []
    counts: list[int] = []

    def watch(_: object, __: object, volume: Tensor) -> None:
        weakref.finalize(volume.untyped_storage(), freed.append, None)
        counts.append(len(freed))

    averaged.network.register_forward_hook(watch)
    averaged.logits(batches())
    assert counts == [0, 0, 1, 2]


def random_logits(phases: int, n: int = 20_001, spread: float = 0.8) -> Tensor:
    """Normal logits, whose means differ from phase to phase."""
    rng = torch.Generator().manual_seed(phases)
    logits = spread * torch.randn(phases, n, generator=rng)
    return logits + 0.3 * torch.arange(phases)[:, None]


def shares(logits: Tensor, weights: tuple[float, ...]) -> list[float]:
    probabilities = logits.softmax(dim=0)
    best = (probabilities * torch.tensor(weights)[:, None]).argmax(dim=0)
    return [float((best == phase).double().mean()) for phase in range(len(weights))]


def test_each_phase_gets_its_share(subtests: pytest.Subtests) -> None:
    for fractions in [(0.7, 0.3), (0.2, 0.3, 0.15, 0.35)]:
        with subtests.test(fractions=fractions):
            seen = random_logits(len(fractions))
            equal = shares(seen, (1.0,) * len(fractions))
            assert (
                max(abs(np.subtract(equal, fractions))) > 0.02
            )  # there is something to do
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


def test_weights_choose_the_phase() -> None:
    """Of 0.4 and 0.6 the first wins with a weight of 2; a batch agrees."""
    labels = (0, 127, 255)
    weighted = OneHotPhases(labels, (2.0, 1.0, 0.0))
    values = torch.tensor([0.4, 0.6, 0.0]).view(-1, 1, 1, 1)
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
