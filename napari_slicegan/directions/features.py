"""What the blocks of a generator make of random latents, one row for each sample."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.architectures import ImageGenerator
from napari_slicegan.edits import LATENT, block_names
from napari_slicegan.latent import LatentField

if TYPE_CHECKING:
    from napari_slicegan.trained_generator import TrainedNetwork

MAX_WIDTH = 4096
"""Above so many numbers of a block its covariance is not held as a whole."""

Rows = dict[str, NDArray[np.float32]]


class Features:
    """Pooled features of the samples of a generator.

    A control of a whole material is the same at every position, so that the output of a
    block is averaged over its positions: C numbers for each sample. The first block of
    a generator of images, a fully connected one, is taken as it is.

    Parameters
    ----------
    trained
        The generator.
    seed
        Picks the samples; sample i is the same however many are drawn at once.
    """

    def __init__(self, trained: TrainedNetwork, seed: int) -> None:
        self.network = trained.network
        self.names = block_names(self.network)
        self._field = LatentField(
            seed, self.network.training_latents[0], self.network.prior
        )
        # Shapes in which an offset is added, by block; [C] is the same everywhere.
        self.shapes = self._offset_shapes()
        self.widths = {name: math.prod(shape) for name, shape in self.shapes.items()}

    @torch.no_grad()
    def _offset_shapes(self) -> dict[str, tuple[int, ...]]:
        latents = self.latents(0, 1)
        shapes: dict[str, tuple[int, ...]] = {LATENT: (self.network.latent_width,)}
        for name, made in self.network.stages(latents):
            whole = self._is_whole(name)
            shapes[name] = tuple(made.shape[1:]) if whole else (made.shape[1],)
        return {name: shapes[name] for name in self.names}

    def latents(self, first: int, last: int) -> Tensor:
        """Latents of samples first to last - 1, [n, *training_latents]."""
        shape = self.network.training_latents
        device = next(self.network.parameters()).device
        if len(shape) == 1:
            numbers = self._field.region((0, 1), (0, 1), (first, last))
            return torch.from_numpy(numbers[:, 0, 0].T.copy()).to(device)
        _, z, y, x = shape
        # Samples are boxes of one field, one behind the other along z.
        boxes = self._field.region((first * z, last * z), (0, y), (0, x))
        parts = np.stack(np.split(boxes, last - first, axis=1))
        return torch.from_numpy(parts).to(device)

    @torch.no_grad()
    def rows(self, latents: Tensor) -> Rows:
        """Features by block; the blocks after the last editable one are not run."""
        rows = self._latent_rows(latents)
        for name, made in self.network.stages(latents):
            rows[name] = _numbers(self.pooled(name, made))
            if name == self.names[-1]:
                break
        return rows

    @torch.no_grad()
    def rows_and_samples(self, latents: Tensor) -> tuple[Rows, Tensor]:
        """Features by block, and what the generator makes, [n, C, ...]."""
        rows = self._latent_rows(latents)
        made = latents
        for name, made in self.network.stages(latents):
            if name in self.names:
                rows[name] = _numbers(self.pooled(name, made))
        return rows, made

    def _latent_rows(self, latents: Tensor) -> Rows:
        return {LATENT: _numbers(_mean(self.network.entering(latents)))}

    def pooled(self, name: str, made: Tensor) -> Tensor:
        """Output of a block as rows, [n, C] or of a fully connected one [n, C Y X]."""
        return made.flatten(1) if self._is_whole(name) else _mean(made)

    def _is_whole(self, name: str) -> bool:
        """Whether a block is fully connected, so that its positions differ."""
        return isinstance(self.network, ImageGenerator) and name == self.names[1]

    @property
    def latent_sigma(self) -> float:
        """Standard deviation of a pooled latent along any direction of length 1.

        A uniform law from -1 to 1 has the variance 1/3; the mean of n positions has
        the n-th part.
        """
        positions = math.prod(self.network.training_latents[1:])
        variance = 1.0 if self.network.prior == "normal" else 1 / 3
        return math.sqrt(variance / positions)


def spans(n_samples: int, batch: int) -> Iterator[tuple[int, int]]:
    """First sample and sample after the last of each batch."""
    for first in range(0, n_samples, batch):
        yield first, min(first + batch, n_samples)


def _mean(made: Tensor) -> Tensor:
    """Mean over positions, [n, C, ...] -> [n, C]."""
    return made.flatten(2).mean(2) if made.ndim > 2 else made


def _numbers(rows: Tensor) -> NDArray[np.float32]:
    return np.asarray(rows.cpu().numpy(), np.float32)
