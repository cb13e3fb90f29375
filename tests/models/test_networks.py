"""The networks: sizes, symmetries, weights, and what is refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from napari_slicegan.config.presets import preset
from napari_slicegan.models import (
    build_critic,
    build_generator,
    check_training_size,
    generator_spec,
    training_size,
)
from napari_slicegan.models.blocks import WEIGHTED
from napari_slicegan.models.slicegan import GeneratorSpec, PlaneCritic, VolumeGenerator
from tests.toys import parameter_count

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet, RunConfig

OF_VOLUMES = ("slicegan", "slicegan-rc")
PLAIN: tuple[KernelSet, ...] = ((4, 2, 2), (4, 2, 2), (4, 2, 3))


def spec(**changes: Any) -> GeneratorSpec:
    """Toy generator of two phases: latent of 4 -> 6 -> 10 -> 16 voxels."""
    values: dict[str, Any] = {
        "architecture": "slicegan",
        "channels": 2,
        "output": "phases",
        "latent_channels": 3,
        "latent_size": 4,
        "widths": (6, 6),
        "layers": PLAIN,
        "normalisation": "batch",
    }
    return GeneratorSpec(**{**values, **changes})


def built(seed: int = 0, **changes: Any) -> VolumeGenerator:
    """Toy generator with random weights, scales, shifts and statistics.

    The weights are large, so that without normalisation the volume is no flat gray.
    """
    rng = torch.Generator().manual_seed(seed)
    network = build_generator(spec(**changes), rng)
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            module.weight.data *= 3
        if isinstance(module, nn.BatchNorm3d):
            shape = (module.num_features,)
            module.weight.data = torch.rand(shape, generator=rng) + 0.5
            module.bias.data = torch.randn(shape, generator=rng)
            module.running_mean = torch.randn(shape, generator=rng)
            module.running_var = torch.rand(shape, generator=rng) + 0.5
    return network.eval()


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def critic_for(config: RunConfig, channels: int) -> PlaneCritic:
    critic: PlaneCritic = build_critic(config, channels, 1, torch.Generator())
    return critic


def convolution_weights(network: nn.Module) -> int:
    """Numbers in weights with a kernel; leaves out those of batch norm."""
    return sum(p.numel() for p in network.parameters() if p.ndim > 2)


def test_weights_of_the_paper() -> None:
    """Three phases: 13,119,488 and 2,763,776 by hand from the paper's table.

    Generator: 64 (64 512 + 512 256 + 256 128 + 128 64 + 64 3);
    critic: 16 (3 64 + 64 128 + 128 256 + 256 512 + 512 1).
    """
    config = preset("slicegan-paper")
    with torch.device("meta"):
        generator = build_generator(generator_spec(config, 3, "phases"))
        critic = PlaneCritic(3, config.architecture.critic_widths, 64, 1, 0.0)
    assert convolution_weights(generator) == 13_119_488
    assert parameter_count(critic) == 2_763_776
    # Batch norm adds a scale and a shift for each hidden channel; no layer has a bias.
    assert parameter_count(generator) == 13_119_488 + 2 * (512 + 256 + 128 + 64)
    for network in (generator, critic):
        for module in network.modules():
            if not isinstance(module, nn.BatchNorm3d):
                assert "bias" not in dict(module.named_parameters(recurse=False))


PATCHES: list[tuple[str, int, int]] = [("slicegan", 32, 3), ("slicegan-rc", 64, 4)]


def test_patch_sizes(subtests: pytest.Subtests) -> None:
    """A latent of 4, the paper's kernels: each layer more doubles the patch."""
    for architecture, patch_size, depth in PATCHES:
        with subtests.test(
            architecture=architecture, patch_size=patch_size, depth=depth
        ):
            config = preset("slicegan-fast").changed(
                architecture=architecture,
                noise=False,
                patch_size=patch_size,
                latent_size=4,
                generator_kernels=None,
                latent_channels=2,
                generator_widths=(3,) * depth,
                critic_widths=(2,) * depth,
            )
            shape = generator_spec(config, 2, "phases")
            check_training_size(shape, patch_size)
            with torch.no_grad():
                volume = build_generator(shape)(torch.zeros(1, 2, 4, 4, 4))
                scores = critic_for(config, 2)(volume[:, :, 0])
            assert volume.shape == (1, 2, patch_size, patch_size, patch_size)
            assert scores.shape == (1, 1)


def test_a_chain_of_other_kernels() -> None:
    """{6,3,3} makes 3n - 3: a latent of 4 becomes 9, 24, 69 voxels."""
    chain = spec(widths=(3, 3), layers=((6, 3, 3),) * 3)
    assert training_size(chain) == 69
    with torch.no_grad():
        assert build_generator(chain)(torch.zeros(1, 3, 4, 4, 4)).shape[2:] == (69,) * 3
    # 4 -> 9 -> 24 -> 44, an even edge that a critic of two layers can halve.
    config = preset("slicegan-fast").changed(
        architecture="slicegan",
        patch_size=44,
        latent_size=4,
        generator_widths=(3, 3),
        generator_kernels=((6, 3, 3), (6, 3, 3), (4, 2, 3)),
        critic_widths=(2, 2),
    )
    check_training_size(generator_spec(config, 2, "phases"), 44)
    assert critic_for(config, 2)(torch.zeros(5, 2, 44, 44)).shape == (5, 1)


def test_the_latent_size_that_fits_is_named() -> None:
    """Of 5, {4,2,2} and {4,2,3} make 96 voxels; 80 are no size of theirs."""
    config = preset("slicegan-fast").changed(architecture="slicegan")
    spec = generator_spec(config, 2, "phases")
    with pytest.raises(
        ValueError, match=r"set 'Latent size' to 4 or 'Patch size' to 96"
    ):
        check_training_size(spec, 64)
    with pytest.raises(ValueError, match=r"pixels; set 'Patch size' to 96, or change"):
        check_training_size(spec, 80)


def test_size_of_a_volume() -> None:
    """8 (L - 2) voxels along each axis, whatever the other axes are."""
    for edges, voxels in [((4, 4, 4), (16, 16, 16)), ((3, 5, 7), (8, 24, 40))]:
        for architecture in OF_VOLUMES:
            network = built(architecture=architecture)
            with torch.no_grad():
                assert network(normal(1, 3, *edges)).shape == (1, 2, *voxels)
            assert tuple(map(network.size_rule.latent_size, voxels)) == edges


SHIFTED: list[tuple[str, str, int]] = [
    ("slicegan", "batch", 2),
    ("slicegan-rc", "batch", 3),
    ("slicegan", "pixel", 4),
    ("slicegan-rc", "none", 4),
]


def test_generators_commute_with_shifts(subtests: pytest.Subtests) -> None:
    """One latent position further is 8 voxels further: what lets tiles join."""
    for architecture, normalisation, axis in SHIFTED:
        with subtests.test(
            architecture=architecture, normalisation=normalisation, axis=axis
        ):
            network = built(architecture=architecture, normalisation=normalisation)
            latents = normal(1, 3, 6, 6, 6)
            with torch.no_grad():
                whole = network(latents)
                shifted = network(latents.narrow(axis, 1, 5))
            torch.testing.assert_close(shifted, whole.narrow(axis, 8, 24))
            assert whole.std() > 0.01


UNIT: list[tuple[str, int]] = [("slicegan", 3), ("slicegan-rc", 1)]


def test_gray_and_colour_end_in_the_unit_interval(subtests: pytest.Subtests) -> None:
    """Not in a softmax, which is constant for one channel."""
    for architecture, channels in UNIT:
        with subtests.test(architecture=architecture, channels=channels):
            network = build_generator(
                spec(architecture=architecture, channels=channels, output="unit"),
                torch.Generator().manual_seed(0),
            )
            with torch.no_grad():
                volume = network(normal(2, 3, 4, 4, 4))
            assert volume.min() >= 0
            assert volume.max() <= 1
            for channel in range(channels):
                assert volume[:, channel].std() > 0.01
            # The channels do not sum to 1, nor to any other constant.
            assert volume.sum(dim=1).std() > 0.01


def test_phases_end_in_probabilities(subtests: pytest.Subtests) -> None:
    """They are the softmax of the logits that the network gives without it."""
    for architecture in OF_VOLUMES:
        with subtests.test(architecture):
            network = built(architecture=architecture, channels=3)
            with torch.no_grad():
                volume = network(normal(2, 3, 4, 4, 4))
                logits = network(normal(2, 3, 4, 4, 4), logits=True)
            assert volume.min() >= 0
            torch.testing.assert_close(volume.sum(dim=1), torch.ones(2, 16, 16, 16))
            assert logits.min() < 0
            torch.testing.assert_close(logits.softmax(dim=1), volume)


def test_weights_follow_the_law_of_torch() -> None:
    """Uniform within 1 / sqrt(fan in), as torch draws them itself."""
    rng = torch.Generator().manual_seed(0)
    network = build_generator(spec(widths=(48, 48)), rng)
    for weight in (p for p in network.parameters() if p.ndim > 2):
        # Fan in of a transposed convolution in torch: output channels times kernel.
        bound = 1 / math.sqrt(weight.shape[1] * 4**3)
        assert weight.abs().max() <= bound
        # Standard deviation of the uniform law: bound / sqrt(3).
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_weights_come_from_the_given_generator_alone() -> None:
    torch.manual_seed(1)
    first = list(built(seed=4).parameters())
    torch.manual_seed(2)
    for a, b in zip(first, built(seed=4).parameters(), strict=True):
        assert torch.equal(a, b)
    others = list(built(seed=5).parameters())
    assert not torch.equal(first[0], others[0])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"layers": PLAIN[1:]}, "2 widths needs 3 kernels; got 2"),
    ({"layers": ((4, 2, 2), (4, 2, 1), (4, 2, 3))}, r"\{4,2,1\}.*at least"),
    ({"layers": ((5, 2, 3), *PLAIN[1:])}, "checkerboard"),
    ({"layers": ((6, 2, 4),) * 3}, "never grows"),
    ({"latent_size": 2}, "never grows"),
]


def test_refused_generators() -> None:
    for changes, words in REFUSED:
        with pytest.raises(ValueError, match=words):
            build_generator(spec(**changes))


def test_other_training_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"makes 16 voxels.*patch has 64.*to 16"):
        check_training_size(spec(), 64)
