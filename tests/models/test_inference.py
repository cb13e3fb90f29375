"""The form for making volumes computes what the network computes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.models import VolumeGenerator, build_generator
from napari_slicegan.models.inference import inference_form
from tests.toys import random_generator

if TYPE_CHECKING:
    import pytest

# Decisions as near as this may fall either way.
ROUNDING = 1e-4


Normalisation = Literal["batch", "pixel", "none"]


def network_of(
    transform: OneHotPhases | ScaleMinMax,
    architecture: str,
    normalisation: Normalisation,
    negative_slope: float,
) -> VolumeGenerator:
    """A small network whose batch norms have statistics and factors of their own."""
    spec = random_generator(transform, architecture).network.spec
    rng = torch.Generator().manual_seed(1)
    noise = architecture == "slicegan-aa"
    spec = replace(
        spec,
        fields=1 if transform.kind != "phases" or normalisation == "none" else 3,
        normalisation=normalisation,
        noise=noise,
        voxel_noise=noise and normalisation == "batch",
        negative_slope=negative_slope,
    )
    network = build_generator(spec, rng)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            for value in layer.state_dict().values():
                value.copy_(torch.rand(value.shape, generator=rng) + 0.3)
    network.eval().requires_grad_(False)
    for name, weight in network.named_parameters():
        weight.mul_(6 if weight.ndim > 1 else 1)
        if name.endswith("gain"):
            weight.copy_(torch.rand(weight.shape, generator=rng))
    return network


def latents_of(network: VolumeGenerator) -> torch.Tensor:
    rng = torch.Generator().manual_seed(2)
    return torch.randn(2, network.field_channels, 5, 4, 6, generator=rng)


NETWORKS: list[tuple[int, str, Normalisation, float]] = [
    (1, "slicegan", "batch", 0.0),
    (3, "slicegan-rc", "batch", 0.2),
    (1, "slicegan-rc", "pixel", 0.2),
    (3, "slicegan", "none", 0.0),
    (1, "slicegan-aa", "batch", 0.0),
    (3, "slicegan-aa", "batch", 0.2),
    (3, "slicegan-aa", "none", 0.2),
]


def test_every_block_makes_the_same(subtests: pytest.Subtests) -> None:
    for row in NETWORKS:
        with subtests.test(row=row):
            channels, architecture, normalisation, slope = row
            transform = ScaleMinMax(0, 255, channels, "uint8")
            network = network_of(transform, architecture, normalisation, slope)
            latents = latents_of(network)
            expected = list(network.stages(latents))
            made = list(inference_form(network).stages(latents))
            assert [name for name, _ in made] == [name for name, _ in expected]
            for (_, ours), (_, theirs) in zip(made, expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
            assert expected[-1][1].std() > 0.01


WEIGHTED: list[tuple[tuple[float, ...], str, Normalisation, float]] = [
    ((1.0, 1.0), "slicegan-rc", "batch", 0.0),
    ((1.0, 1.3), "slicegan", "none", 0.0),
    ((1.0, 0.9, 1.2), "slicegan", "batch", 0.0),
    ((1.0, 0.9, 1.2), "slicegan-aa", "batch", 0.2),
    ((1.0, 0.04), "slicegan-aa", "none", 0.0),
]


def test_the_chosen_phase_is_the_most_probable(subtests: pytest.Subtests) -> None:
    for row in WEIGHTED:
        with subtests.test(row=row):
            weights, architecture, normalisation, slope = row
            transform = OneHotPhases([7, 20, 207][: len(weights)])
            network = network_of(transform, architecture, normalisation, slope)
            latents = latents_of(network)
            shape = (1, -1, 1, 1, 1)
            weighted = network(latents) * torch.tensor(weights).view(shape)
            made = inference_form(network, weights)(latents)
            assert made.dtype == torch.uint8
            assert made.shape == (2, 1, *weighted.shape[2:])
            chosen = weighted.gather(1, made.long())
            assert (chosen >= weighted.amax(1, keepdim=True) - ROUNDING).all()
            assert made.unique().tolist() == list(range(len(weights)))


def test_the_network_is_left_as_it_is() -> None:
    network = network_of(OneHotPhases([0, 1]), "slicegan", "batch", 0.2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    form = inference_form(network, (1.0, 1.0))
    for value in form.state_dict().values():
        value.zero_()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not any(isinstance(one, nn.BatchNorm3d) for one in form.modules())
