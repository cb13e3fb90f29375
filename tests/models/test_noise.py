"""Noise at every resolution: what it is, where it lies, and what it depends on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from napari_slicegan.config.presets import preset
from napari_slicegan.metrics.lattice import lattice
from napari_slicegan.models import build_generator, volume_spec
from napari_slicegan.models.latent import LatentField
from napari_slicegan.models.noise import NoiseField, NoiseInput
from tests.toys import assert_same_gradients

Span = tuple[int, int]


def places(*spans: Span) -> list[Tensor]:
    return [torch.arange(*span, dtype=torch.int32) for span in spans]


def key_of(*spans: Span, seed: int = 1, period: int | None = None) -> Tensor:
    """Key of a box of the latent field, [1, z, y, x]."""
    z, y, x = spans
    field = LatentField(seed, 1, periods=(None, None, period))
    return torch.from_numpy(field.region(z, y, x))


def cube(scale: int, n: int, level: int = 4, seed: int = 1) -> Tensor:
    """Noise of n latent positions per axis, [Z, Y, X]."""
    key = key_of(*[(0, n)] * 3, seed=seed)
    return NoiseField(key).at(level, scale, places(*[(0, scale * n)] * 3))[0, 0]


def test_mean_and_variance() -> None:
    """0 and 1, within four standard errors of 64^3 values; all within sqrt(3)."""
    values = cube(16, 4)
    n = values.numel()
    assert abs(values.mean().item()) < 4 / math.sqrt(n)
    # The square of a uniform variable with variance 1 has the variance 4/5.
    assert abs(values.var().item() - 1) < 4 * math.sqrt(0.8 / n)
    assert values.abs().max().item() <= math.sqrt(3)


def test_neighbours_are_independent(subtests: pytest.Subtests) -> None:
    """Also those in other latent positions, other levels and other seeds."""
    for scale in [2, 16]:
        with subtests.test(scale=scale):
            values = cube(scale, 64 // scale)
            others = [
                *(
                    values.roll(shift, axis)
                    for axis in range(3)
                    for shift in (1, scale)
                ),
                cube(scale, 64 // scale, level=3),
                cube(scale, 64 // scale, seed=2),
            ]
            for other in others:
                correlation = (values * other).mean().item()
                assert abs(correlation) < 4 / math.sqrt(values.numel())


def test_it_has_no_grid() -> None:
    """The test that finds the grid of a network finds none, at any period."""
    found = lattice([cube(16, 8).numpy()])
    assert [one.modulus for one in found] == [2, 4, 8, 16]
    assert not any(one.is_visible for one in found)


def test_a_box_gets_the_noise_of_its_place() -> None:
    """Latent positions 2 to 4 of a box that begins at -1; its planes out of order."""
    whole = NoiseField(key_of((-1, 6), (0, 5), (0, 5)))
    part = NoiseField(key_of((2, 5), (1, 5), (0, 5)))
    chosen = [torch.tensor([9, 0, 4]), *places((3, 12), (0, 20))]
    shifted = [chosen[0] + 3 * 4, chosen[1] + 1 * 4, chosen[2]]
    assert torch.equal(part.at(2, 4, chosen), whole.at(2, 4, shifted))


def test_it_repeats_with_the_latents() -> None:
    key = key_of((0, 3), (0, 3), (0, 6), period=3)
    values = NoiseField(key).at(3, 8, places((0, 24), (0, 24), (0, 48)))
    assert torch.equal(values[..., :24], values[..., 24:])
    assert not torch.equal(values[..., :8], values[..., 8:16])


def test_each_volume_of_a_batch_has_its_own() -> None:
    key = torch.cat([key_of(*[(0, 2)] * 3, seed=seed) for seed in (1, 2)])
    both = NoiseField(key).at(1, 2, places(*[(0, 4)] * 3))
    assert torch.equal(both[:1], NoiseField(key[:1]).at(1, 2, places(*[(0, 4)] * 3)))
    assert not torch.equal(both[0], both[1])


def test_gains() -> None:
    """Channel c receives the noise times its gain; the gain learns from it."""
    layer = NoiseInput(3, level=2, scale=4)
    with torch.no_grad():
        layer.gain.copy_(torch.tensor([0.0, 1.0, -2.0]))
    noise = NoiseField(key_of(*[(0, 3)] * 3))
    features = torch.randn(1, 3, 5, 6, 7)
    made = layer(features, noise, start=(2, 0, 1))
    field = noise.at(2, 4, places((2, 7), (0, 6), (1, 8)))[0, 0]
    for channel, gain in enumerate((0.0, 1.0, -2.0)):
        expected = features[0, channel] + gain * field
        torch.testing.assert_close(made[0, channel], expected)
    made.sum().backward()
    assert layer.gain.grad is not None
    torch.testing.assert_close(layer.gain.grad, field.sum().expand(3))


def test_latents_without_a_key_are_refused() -> None:
    spec = volume_spec(preset("slicegan-fast"), 2, "phases")
    network = build_generator(spec, torch.Generator())
    with pytest.raises(ValueError, match=r"Expected latents of 17 channels.* got 16"):
        network(torch.zeros(1, 16, 5, 5, 5))


def test_channels_last_gets_the_same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values, and the gradients of features, gain and given noise."""
    layer = NoiseInput(3, 2, 4)
    torch.nn.init.normal_(layer.gain)
    noise = NoiseField(key_of((0, 2), (0, 3), (0, 4)))
    x = torch.randn(1, 3, 8, 12, 16, requires_grad=True)
    last = x.contiguous(memory_format=torch.channels_last_3d)
    expected, found = layer(x, noise), layer(last, noise)
    torch.testing.assert_close(found, expected)
    inputs = (x, layer.gain)
    assert_same_gradients(found, expected, inputs, rtol=1e-4, atol=1e-4)
    given = torch.randn(1, 1, 8, 12, 16, requires_grad=True)
    monkeypatch.setattr(noise, "at", lambda *_: given)
    expected, found = layer(x, noise), layer(last, noise)
    assert_same_gradients(found, expected, (*inputs, given), rtol=1e-4, atol=1e-4)
