"""Sliced Wasserstein distance of the slices of a volume from real crops."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.metrics.sliced_wasserstein import mean_distance

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.dataset import Source
    from napari_slicegan.transforms import Transform
    from napari_slicegan.volume import Volume

SEED = 0
# Along each axis; neighbouring planes of a volume show nearly the same.
PLANES = 16


class SliceDistance:
    """Slices of volumes along every axis against crops, always the same ones.

    A volume that cannot be told from the material lies about as high as ``floor``.

    Parameters
    ----------
    samplers
        Sources of real crops: one, or one for each axis.
    transform
        From micrograph values to network values.

    Attributes
    ----------
    floor
        The same distance between two sets of crops.
    """

    def __init__(self, samplers: Sequence[Source], transform: Transform) -> None:
        rng = torch.Generator().manual_seed(SEED)
        # Without the channel of labels that crops may have.
        drawn = [
            source.sample(2 * PLANES, rng).numpy()[:, : transform.channels]
            for source in samplers
        ]
        self._real = [crops[:PLANES] for crops in drawn]
        self._transform = transform
        others = [crops[PLANES:] for crops in drawn]
        self.floor = statistics.fmean(map(mean_distance, self._real, others))

    def measure(self, volume: Volume) -> float:
        """Mean over the axes of the distance of evenly spaced slices."""
        edge = min(*volume.values.shape[:3], self._real[0].shape[-1])
        return statistics.fmean(
            mean_distance(real[:, :, :edge, :edge], self._slices(volume, axis, edge))
            for axis, real in zip(AXES, itertools.cycle(self._real), strict=False)
        )

    def _slices(self, volume: Volume, axis: Axis, edge: int) -> NDArray[Any]:
        """Slices as network values, [n, C, edge, edge]."""
        planes = volume.planes(axis)
        chosen = np.arange(PLANES) * len(planes) // PLANES
        return self._transform.forward(planes[chosen, :edge, :edge]).numpy()
