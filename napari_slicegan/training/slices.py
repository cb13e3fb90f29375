"""Critic input of a generated sample: planes of a volume, or the sample itself."""

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
    """Maps generated samples to critic input."""

    @property
    def n_batches(self) -> int:
        """Number of batches returned by :meth:`images`."""

    @property
    def n_axes(self) -> int:
        """Number of viewing directions."""

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Batches of critic input."""


@dataclass(frozen=True)
class Identity:
    """Images or points unchanged, in one batch."""

    n_batches: int = 1
    n_axes: int = 1

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """[N, ...] -> the same; images have no planes to select."""
        return [samples]


@dataclass(frozen=True)
class Slices:
    """Random planes of volumes along the three axes.

    Attributes
    ----------
    merged
        Whether the planes of all axes form one batch for a single critic.
    """

    merged: bool

    @property
    def n_batches(self) -> int:
        """Number of batches returned by :meth:`images`."""
        return 1 if self.merged else len(AXES)

    @property
    def n_axes(self) -> int:
        """Number of axes along which a volume is cut."""
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
    """View for 1-D (points), 2-D or 3-D samples."""
    return Slices(merged=isotropic) if dimensions == 3 else Identity()


def critic_heads(config: RunConfig, view: View, isotropic: bool) -> int:
    """Number of output layers of a critic: one per axis, or a single one.

    Raises
    ------
    ValueError
        If updates per axis are not possible.
    """
    several = isotropic and config.architecture.critic_heads
    heads = view.n_axes if several else 1
    per_axis = config.objective.update_per_axis
    if per_axis and heads > 1:
        raise ValueError(
            "Updates per axis need a critic with a single output layer; turn off "
            "'Critic heads' or 'Update per axis'."
        )
    if per_axis and view.n_axes == 1:
        raise ValueError(
            "Images have no axes for which the critic could be updated in turn, "
            "got 'Update per axis'; turn it off."
        )
    return heads


def planes_along(volumes: Tensor, axis: Axis, positions: Tensor | None) -> Tensor:
    """Planes with normal ``axis``: [B, C, Z, Y, X] -> [B * n, C, rows, columns].

    Viewed along z, rows are Y and columns X; along y: Z, X; along x: Z, Y.
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
