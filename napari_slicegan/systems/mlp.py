"""Fully connected networks for points, to test adversarial training."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from napari_slicegan.models.blocks import init_uniform_fan_in
from napari_slicegan.models.network import GeneratorNetwork, Output, Prior, value_range
from napari_slicegan.models.table import Architecture
from napari_slicegan.systems.dcgan import (
    ImageCritic,
    critic_of,
    flat_normalisation,
    normalised,
)

if TYPE_CHECKING:
    from napari_slicegan.config import ArchitectureSettings
    from napari_slicegan.models.table import CriticSpec

POOL = 5


@dataclass(frozen=True)
class PointSpec:
    """Parameters from which a generator of points is rebuilt.

    Attributes
    ----------
    architecture
        Key of the table ``ARCHITECTURES``.
    channels
        Coordinates of a point.
    output
        "linear": unbounded coordinates.
    latent_channels
        Latent dimensions.
    widths
        Units of the hidden layers.
    normalisation
        "batch" or "none" in the hidden layers.
    prior
        Distribution of the latents.
    """

    architecture: str
    channels: int
    output: Output
    latent_channels: int
    widths: tuple[int, ...]
    normalisation: Literal["batch", "none"] = "batch"
    prior: Prior = "normal"


class PointGenerator(GeneratorNetwork):
    """Generator of points, [B, C_latent] -> [B, D]."""

    def __init__(self, spec: PointSpec, **blocks: nn.Module) -> None:
        super().__init__(spec, **blocks)
        self.spec: PointSpec = spec
        self.prior = spec.prior
        self.value_range = value_range(spec.output)

    @property
    def training_size(self) -> int:
        """Coordinates of a point."""
        return self.spec.channels


class Maxout(nn.Module):
    """Largest of several linear maps (Goodfellow et al. 2013)."""

    def __init__(self, inputs: int, outputs: int, pool: int = POOL) -> None:
        super().__init__()
        self.maps = nn.Linear(inputs, pool * outputs)
        self.shape = (pool, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]."""
        made: Tensor = self.maps(x)
        return made.view(-1, *self.shape).amax(dim=1)


def build_mlp(spec: PointSpec) -> PointGenerator:
    """Generator of linear layers, batch norm and ReLU; the last layer is linear."""
    blocks: dict[str, nn.Module] = {}
    inputs = spec.latent_channels
    for number, width in enumerate(spec.widths, start=1):
        blocks[f"block{number}"] = nn.Sequential(
            nn.Linear(inputs, width, bias=spec.normalisation != "batch"),
            normalised(spec.normalisation, nn.BatchNorm1d(width)),
            nn.ReLU(),
        )
        inputs = width
    blocks[f"block{len(spec.widths) + 1}"] = nn.Linear(inputs, spec.channels)
    return PointGenerator(spec, **blocks)


def build_maxout_critic(critic: CriticSpec) -> ImageCritic:
    """Critic of maxout layers and a linear output layer."""
    widths = (critic.generator.channels, *critic.settings.critic_widths)
    layers = [Maxout(*pair) for pair in itertools.pairwise(widths)]
    return critic_of(critic, layers, widths[-1])


def _point_spec(
    settings: ArchitectureSettings, channels: int, output: Output
) -> PointSpec:
    return PointSpec(
        architecture=settings.architecture,
        channels=channels,
        output=output,
        latent_channels=settings.latent_channels,
        widths=settings.generator_widths,
        normalisation=flat_normalisation(settings),
    )


MLP = Architecture(
    PointSpec, _point_spec, build_mlp, build_maxout_critic, init_uniform_fan_in
)
