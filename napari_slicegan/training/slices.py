"""What the critic sees of a generated sample: all of it, or planes of a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from napari_slicegan.config import AXES, Axis
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

DIMENSION: Mapping[Axis, int] = {"z": 2, "y": 3, "x": 4}


class View(Protocol):
    """What the critic sees of generated samples."""

    @property
    def n_batches(self) -> int:
        """Number of batches that :meth:`images` gives."""

    @property
    def n_axes(self) -> int:
        """Directions along which a sample is seen."""

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Batches of what is seen of the samples."""


@dataclass(frozen=True)
class Identity:
    """Images or points as they are, in one batch."""

    n_batches: int = 1
    n_axes: int = 1

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """[N, ...] -> the same; images have no planes to choose from."""
        return [samples]


@dataclass(frozen=True)
class Slices:
    """Random planes of volumes along the three axes.

    Attributes
    ----------
    merged
        Whether the planes of all axes are one batch, for a critic that does not tell
        the axes apart.
    """

    merged: bool

    @property
    def n_batches(self) -> int:
        """Number of batches that :meth:`images` gives."""
        return 1 if self.merged else len(AXES)

    @property
    def n_axes(self) -> int:
        """Directions along which a volume is cut."""
        return len(AXES)

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Batches of planes.

        Parameters
        ----------
        samples
            [B, C, Z, Y, X].
        n_planes
            Random planes per axis, the same positions in all volumes of the batch;
            None takes all planes.

        Returns
        -------
        list of Tensor
            One [N, C, rows, columns] for each axis, or one for all of them;
            N = B * planes (* 3 axes).
        """
        planes = [
            planes_along(samples, axis, _positions(samples, axis, n_planes, rng))
            for axis in AXES
        ]
        return [torch.cat(planes)] if self.merged else planes


def view_of(dimensions: int, isotropic: bool) -> View:
    """View of samples of so many dimensions: slices of volumes, all of an image."""
    return Slices(merged=isotropic) if dimensions == 3 else Identity()


def critic_heads(config: RunConfig, view: View, isotropic: bool) -> int:
    """Last layers of a critic: one for each axis where it tells the axes apart.

    Raises
    ------
    ValueError
        If the critic is to be updated for each axis in turn and cannot be.
    """
    several = isotropic and config.architecture.critic_heads
    heads = view.n_axes if several else 1
    per_axis = config.objective.update_per_axis
    if per_axis and heads > 1:
        raise ValueError(
            "A critic that is updated for each axis in turn has one last layer for "
            "all axes; turn off 'Critic heads' or 'Update per axis'."
        )
    if per_axis and view.n_axes == 1:
        raise ValueError(
            "Images have no axes for which the critic could be updated in turn, "
            "got 'Update per axis'; turn it off."
        )
    return heads


def planes_along(volumes: Tensor, axis: Axis, positions: Tensor | None) -> Tensor:
    """Planes with normal ``axis``: [B, C, Z, Y, X] -> [B * n, C, rows, columns].

    Seen along z the rows are Y and the columns X; along y: Z, X; along x: Z, Y.
    """
    dimension = DIMENSION[axis]
    if positions is not None:
        positions = to_device(positions, volumes.device)
        volumes = volumes.index_select(dimension, positions)
    return volumes.movedim(dimension, 1).flatten(0, 1)


def _positions(
    volumes: Tensor, axis: Axis, n_planes: int | None, rng: torch.Generator
) -> Tensor | None:
    size = volumes.shape[DIMENSION[axis]]
    if n_planes is None or n_planes >= size:
        return None
    return torch.randperm(size, generator=rng)[:n_planes]
