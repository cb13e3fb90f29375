"""Critic input of a generated sample: planes of a volume, or the sample itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_slicegan.config import AXES, Axis
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

DIMENSION: Mapping[Axis, int] = {"z": 2, "y": 3, "x": 4}


@dataclass(frozen=True)
class View:
    """Critic input of generated samples: planes of volumes, or the samples themselves.

    Attributes
    ----------
    n_axes
        Viewing directions: 3 for volumes, 1 for images and points.
    n_batches
        1 if the planes of all axes form one batch for a single critic, else `n_axes`.
    """

    n_axes: int
    n_batches: int

    def images(
        self, samples: Tensor, n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Batches of critic input.

        Parameters
        ----------
        samples
            Volumes [B, C, Z, Y, X]; other samples are returned unchanged.
        n_planes
            Random planes per axis, the same positions in all volumes of the batch;
            None takes all planes.

        Returns
        -------
        list of Tensor
            One [N, C, rows, columns] for each axis, or one for all of them;
            N = B * planes (* 3 axes).
        """
        if self.n_axes == 1:
            return [samples]
        sizes = samples.shape[2:]
        return self.batches(
            [
                planes_along(samples, axis, positions)
                for axis, positions in zip(
                    AXES, self.positions(sizes, n_planes, rng), strict=True
                )
            ]
        )

    def positions(
        self, sizes: Sequence[int], n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Positions of the planes of each axis, [n] on the CPU; see `images`."""
        return [
            torch.arange(size)
            if n_planes is None or n_planes >= size
            else torch.randperm(size, generator=rng)[:n_planes]
            for size in sizes
        ]

    def batches(self, planes: list[Tensor]) -> list[Tensor]:
        """Batches of critic input from the planes of each axis."""
        return [torch.cat(planes)] if self.n_batches == 1 else planes


def view_of(dimensions: int, isotropic: bool) -> View:
    """View for 1-D (points), 2-D or 3-D samples."""
    return View(3, 1 if isotropic else 3) if dimensions == 3 else View(1, 1)


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
    if positions is not None and len(positions) < volumes.shape[dimension]:
        chosen = to_device(positions, volumes.device)
        volumes = volumes.index_select(dimension, chosen)
    return volumes.movedim(dimension, 1).flatten(0, 1)
