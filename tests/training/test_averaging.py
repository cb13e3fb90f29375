"""Averaged weights and their batch-norm statistics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.models import build_generator
from napari_slicegan.models.slicegan import GeneratorSpec, VolumeGenerator
from napari_slicegan.training.ema import AveragedGenerator


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


@pytest.mark.parametrize("normalisation", ["pixel", "none"])
def test_nothing_to_recalibrate_without_batch_norm(normalisation: str) -> None:
    averaged = AveragedGenerator(generator(normalisation), 0.9)
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


def test_last_weights_keep_their_own_statistics() -> None:
    """Without averaging the trained network's running statistics fit and are taken."""
    network = generator()
    network.train()
    for batch in batches():
        network(batch)
    averaged = AveragedGenerator(network, 0)
    averaged.recalibrate([100 * batch for batch in batches()])
    averaged.copy_statistics(network)
    latents = batches()[0]
    network.eval()
    with torch.no_grad():
        assert torch.equal(averaged.network(latents), network(latents))
