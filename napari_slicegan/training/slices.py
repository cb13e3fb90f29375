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
    distances
        Voxels between the two planes of a pair along z, y and x, which become the
        channels of one image; 0 for single planes.
    """

    n_axes: int
    n_batches: int
    distances: tuple[int, ...] = (0, 0, 0)

    def planes_in(self, batch: int) -> int:
        """Planes in each image of a batch: 1, or 2 of pairs."""
        return 2 if self.distances[batch] else 1

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
            N = B * planes (* 3 axes). Of pairs [N, 2 C, rows, columns].
        """
        if self.n_axes == 1:
            return [samples]
        sizes = samples.shape[2:]
        chosen = self.positions(sizes, n_planes, rng)
        # All planes in order are the volume itself.
        is_whole = [
            not distance and len(positions) == size
            for distance, positions, size in zip(
                self.distances, chosen, sizes, strict=True
            )
        ]
        planes = [
            planes_along(samples, axis, None if whole else positions)
            for axis, whole, positions in zip(AXES, is_whole, chosen, strict=True)
        ]
        return self.batches(planes, len(samples))

    def positions(
        self, sizes: Sequence[int], n_planes: int | None, rng: torch.Generator
    ) -> list[Tensor]:
        """Positions of the planes of each axis on the CPU; see `images`.

        [n], or of pairs [2 n]: their first planes, then their second ones.
        """
        chosen = []
        for size, distance in zip(sizes, self.distances, strict=True):
            places = size - distance
            first = (
                torch.arange(places)
                if n_planes is None or n_planes >= places
                else torch.randperm(places, generator=rng)[:n_planes]
            )
            chosen.append(torch.cat([first, first + distance]) if distance else first)
        return chosen

    def n_positions(self, sizes: Sequence[int], n_planes: int | None) -> list[int]:
        """Number of the `positions` of each axis."""
        return [
            min(n_planes or size, size - distance) * (2 if distance else 1)
            for size, distance in zip(sizes, self.distances, strict=True)
        ]

    def batches(self, planes: list[Tensor], n_volumes: int) -> list[Tensor]:
        """Batches of critic input from the planes of each axis, [B * n, C, ...]."""
        images = [
            _paired(each, n_volumes) if distance else each
            for each, distance in zip(planes, self.distances, strict=True)
        ]
        return [torch.cat(images)] if self.n_batches == 1 else images


def _paired(planes: Tensor, n_volumes: int) -> Tensor:
    """First and second planes [B * 2 n, C, ...] -> pairs [B * n, 2 C, ...]."""
    # [B, 2, n, C, ...] -> [B, n, 2, C, ...]
    pairs: Tensor = planes.unflatten(0, (n_volumes, 2, -1)).transpose(1, 2)
    return pairs.flatten(2, 3).flatten(0, 1)


def view_of(
    dimensions: int, isotropic: bool, distances: tuple[int, ...] = (0, 0, 0)
) -> View:
    """View for 1-D (points), 2-D or 3-D samples."""
    if dimensions != len(AXES):
        return View(1, 1)
    return View(3, 1 if isotropic else 3, distances)


def pair_distances(config: RunConfig, isotropic: bool) -> tuple[int, ...]:
    """Distances between the planes of a pair along z, y and x; 0 for single planes.

    Raises
    ------
    ValueError
        If the settings of pairs do not fit the others.
    """
    distance, axis = config.slices.pair_distance, config.slices.pair_axis
    if distance is None:
        return (0, 0, 0)
    size = config.architecture.patch_size
    if distance >= size:
        raise ValueError(
            "Expected a 'Pair distance' smaller than the training volumes of "
            f"{size} voxels, got {distance}; give closer sections, or leave it empty."
        )
    if isotropic and axis != "all":
        raise ValueError(
            f"Expected images for each of z, y and x for a 'Pair axis', got {axis} for "
            "an isotropic material; leave it out."
        )
    if config.architecture.condition != "none":
        raise ValueError(
            "A condition is of single images, whose phase fractions differ, got 'Pair "
            f"distance' {distance}; leave one of them out."
        )
    if max(config.architecture.voxel_stretch, default=1) > 1:
        raise ValueError(
            "Pairs need voxels as large as the pixels, got 'Voxel stretch' "
            f"{config.architecture.voxel_stretch}; set it to 1 1 1 or leave 'Pair "
            "distance' empty."
        )
    z, y, x = (distance if axis in ("all", each) else 0 for each in AXES)
    return z, y, x


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
        chosen = to_device(positions, volumes.device)
        volumes = volumes.index_select(dimension, chosen)
    return volumes.movedim(dimension, 1).flatten(0, 1)
