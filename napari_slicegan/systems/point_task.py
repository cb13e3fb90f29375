"""Points in place of images: fully connected networks and their runs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_slicegan.data.patch_sampler import ImageSampler, Source
from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.models import generator_spec, output_of
from napari_slicegan.models.blocks import init_uniform_fan_in
from napari_slicegan.models.network import GeneratorNetwork, Output, Prior, value_range
from napari_slicegan.models.table import Architecture
from napari_slicegan.runtime.devices import to_host
from napari_slicegan.systems.dcgan import (
    ImageCritic,
    critic_of,
    flat_normalisation,
    normalised,
)
from napari_slicegan.systems.gaussian_mixture import (
    GaussianMixture,
    mixture_coverage,
    nine_gaussians,
)
from napari_slicegan.training.monitors import MonitoredCurve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_slicegan.config import ArchitectureSettings, Kind, RunConfig
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.models.table import CriticSpec
    from napari_slicegan.training.tasks import Given, TrainingData


POOL = 5


@dataclass(frozen=True)
class PointSpec:
    """Parameters from which a generator of points is rebuilt.

    Channels are the coordinates of a point, widths the units of the hidden layers; the
    output is "linear", unbounded coordinates.
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


class Unchanged:
    """Coordinates of points, one per channel, neither bounded nor scaled."""

    name = "unchanged"
    kind: Kind = "grayscale"
    range: Literal["unbounded"] = "unbounded"

    def __init__(self, channels: int) -> None:
        self.channels = int(channels)

    def forward(self, values: NDArray[Any]) -> Tensor:
        """``[N, D]`` to float32 of the same shape."""
        return torch.from_numpy(np.asarray(values, np.float32))

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """The same numbers, on the CPU."""
        return to_host(values)

    def state(self) -> dict[str, Any]:
        """Name and number of coordinates."""
        return {"name": self.name, "channels": self.channels}


PIXELS = 256
WHITE = 255
MARGIN = 1.0


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points ``[n, D]`` of a generator; the mixture fixes the frame of the picture."""

    values: NDArray[Any]
    mixture: GaussianMixture

    def picture(self) -> NDArray[np.uint8]:
        """Points in their first two coordinates, black on white, y upwards."""
        means = np.array(self.mixture.means)[:, :2]
        low, high = means.min() - MARGIN, means.max() + MARGIN
        edges = np.linspace(low, high, PIXELS + 1)
        # [x, y] -> rows from the top
        x, y = self.values[:, 0], self.values[:, 1]
        counts, _, _ = np.histogram2d(x, y, bins=[edges, edges])
        shades = np.where(counts.T[::-1] > 0, 0, WHITE)
        return np.asarray(shades, np.uint8)

    def thumbnail(self) -> NDArray[np.uint8]:
        """The same small picture."""
        return self.picture()


@dataclass(frozen=True)
class PointQuality:
    """Coverage of a mixture.

    Attributes
    ----------
    high_quality
        Fraction of points within 4 standard deviations of a mean.
    modes
        Modes with more than 100 such points.
    """

    high_quality: float
    modes: int

    @property
    def headline(self) -> float:
        """Fraction of points of low quality; lower is better."""
        return 1 - self.high_quality

    def sentence(self) -> str:
        """A few words for a progress bar."""
        return f"{self.modes} modes, {100 * self.high_quality:.1f} % high quality"


class PointMonitor:
    """Measures generated points against the mixture that was trained on."""

    columns = ("high_quality", "modes")
    curves = (
        MonitoredCurve("high_quality", "Share of high quality"),
        MonitoredCurve("modes", "Recovered modes"),
    )

    def __init__(self, mixture: GaussianMixture) -> None:
        self._means = np.array(mixture.means)
        self._sigma = mixture.sigma

    def is_collapsed(self, scatter: Scatter) -> bool:
        """Whether all points are one."""
        return bool((scatter.values == scatter.values[0]).all())

    def measure(self, scatter: Scatter) -> PointQuality:
        """Quality of points."""
        found = mixture_coverage(scatter.values, self._means, self._sigma)
        return PointQuality(*found)


N_POINTS = 10_000
PREVIEW_SEED = 0


class PointTask:
    """Points distributed like those of a mixture of Gaussians.

    Raises
    ------
    ValueError
        If settings and data do not fit together.
    """

    command = "evaluate mixture {}"
    isotropic = True
    epoch_steps: int | None = None

    @staticmethod
    def training_data(config: RunConfig, given: Given) -> GaussianMixture:
        """Nine Gaussians; the input is ignored."""
        return nine_gaussians()

    def __init__(self, config: RunConfig, data: TrainingData) -> None:
        if not isinstance(data, GaussianMixture):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes points, "
                f"got {data.what} ({data.name}); choose a preset for {data.what}, or "
                "run 'slicegan evaluate mixture'."
            )
        if config.training.epochs is not None:
            raise ValueError(
                "Points have no epochs, since they are drawn without end, got 'Epochs' "
                f"{config.training.epochs}; leave it empty and set 'Steps'."
            )
        self.training = config.training
        self.transform: Transform = Unchanged(len(data.means[0]))
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        self.samplers: Sequence[Source] = [ImageSampler(data.values, self.transform)]
        self._mixture = data

    @cached_property
    def monitor(self) -> PointMonitor:
        """Counts modes and points of high quality."""
        return PointMonitor(self._mixture)

    @cached_property
    def real_preview(self) -> Scatter:
        """As many points of the mixture itself."""
        return Scatter(self._mixture.values[:N_POINTS], self._mixture)

    def preview(self, trained: TrainedNetwork) -> Scatter:
        """Points from fixed noise."""
        points = generate_samples(trained, N_POINTS, PREVIEW_SEED)
        return Scatter(points, self._mixture)

    def picture(self, preview: Scatter) -> NDArray[np.uint8]:
        """The points as a scatter."""
        return preview.picture()
