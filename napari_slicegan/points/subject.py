"""Runs whose generator makes points."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_slicegan.architectures import generator_spec, output_of
from napari_slicegan.dataset import ImageSampler, Source
from napari_slicegan.image_sets.generation import generate_samples
from napari_slicegan.points.gaussian_mixture import GaussianMixture
from napari_slicegan.points.monitor import PointMonitor
from napari_slicegan.points.scatter import Scatter
from napari_slicegan.points.transform import Unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig
    from napari_slicegan.run_data import Data
    from napari_slicegan.trained_generator import TrainedNetwork
    from napari_slicegan.transforms import Transform

N_POINTS = 10_000
PREVIEW_SEED = 0


class Points:
    """Points that are spread like those of a mixture of Gaussians.

    Raises
    ------
    ValueError
        If settings and data do not fit together.
    """

    command = "evaluate mixture {}"
    isotropic = True
    epoch_steps: int | None = None

    def __init__(self, config: RunConfig, data: Data) -> None:
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
        self.transform: Transform = Unchanged.fit(data)
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        self.samplers: Sequence[Source] = [ImageSampler(data.values, self.transform)]
        self._mixture = data

    @cached_property
    def monitor(self) -> Any:
        """Counts modes and points of high quality."""
        return PointMonitor(self._mixture)

    @cached_property
    def real_preview(self) -> Any:
        """As many points of the mixture itself."""
        return Scatter(self._mixture.values[:N_POINTS], self._mixture)

    def preview(self, trained: TrainedNetwork) -> Any:
        """Points from fixed noise."""
        points = generate_samples(trained, N_POINTS, PREVIEW_SEED)
        return Scatter(points, self._mixture)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """The points as a scatter."""
        picture: NDArray[np.uint8] = preview.picture()
        return picture
