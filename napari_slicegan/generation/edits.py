"""Edits: offsets added to the latents and to the outputs of blocks.

An edit of the latents is a channel vector that is added at every position, or with a
factor that depends on the position; an edit of a block is the same for its output.
Nothing is attached to the network: it is called block by block while edited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.generation.regions import Profile
from napari_slicegan.models.network import LATENT

if TYPE_CHECKING:
    from napari_slicegan.generation.regions import Region
    from napari_slicegan.models import GeneratorNetwork, VolumeGenerator

Size = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Edit:
    """Offsets that one direction adds.

    Attributes
    ----------
    offsets
        By block, or ``"latent"``: offset of its channels, [C]; for a fully connected
        first block of the whole output, [C, Y, X].
    region
        Where it acts; None is everywhere.
    """

    offsets: Mapping[str, NDArray[np.float64]]
    region: Region | None = None


def block_names(network: GeneratorNetwork) -> tuple[str, ...]:
    """Where edits may act: the latents and every block but the last, the output."""
    names = [name for name, _ in network.blocks.named_children()]
    return (LATENT, *names[:-1])


def checked_edits(
    network: VolumeGenerator, edits: Sequence[Edit], periodic: str
) -> list[Edit]:
    """Edits of a volume without those that change nothing.

    Raises
    ------
    ValueError
        If an edit does not fit the network, or changes along a periodic axis.
    """
    effective = [edit for edit in edits if any(map(np.any, edit.offsets.values()))]
    for edit in effective:
        check_fit(network, edit)
        if isinstance(edit.region, Profile) and edit.region.axis in periodic:
            raise ValueError(
                "An edit cannot change along a periodic axis, got a profile along "
                f"{edit.region.axis}; choose another axis or make this one not "
                "periodic."
            )
    return effective


def run_volume(
    network: VolumeGenerator,
    latents: Tensor,
    edits: Sequence[Edit],
    origin: Size,
    periods: Sequence[int | None],
) -> Tensor:
    """Edited volume of a box of the latent field.

    Parameters
    ----------
    latents
        [1, C, z, y, x].
    edits
        Edits, which add up; see `checked_edits`.
    origin
        First latent position of the box along z, y, x.
    periods
        Voxels after which the whole volume repeats along z, y, x; None if it does not.
    """
    offsets: dict[str, Tensor] = {}
    for number, name in enumerate(block_names(network)):
        before, after = network.rules_around(number)
        # Voxel coordinates of the block's positions along z, y, x.
        places = []
        for first, n, period, factor in zip(
            origin, latents.shape[2:], periods, network.spec.stretch, strict=True
        ):
            start = first * before.scale
            centres = after.centre(np.arange(start, start + before.output_size(n)))
            voxels = factor * (centres + 0.5) - 0.5
            places.append(voxels if period is None else voxels % period)
        parts = [
            edit.offsets[name][:, None, None, None]
            * (1.0 if edit.region is None else edit.region.weights(*places))
            for edit in edits
            if name in edit.offsets
        ]
        if parts:
            # [C, z, y, x], or broadcasting to it
            offsets[name] = torch.from_numpy(sum(parts[1:], parts[0])).to(latents)
    made: Tensor = network(latents, offsets=offsets)
    return made


def run_images(
    network: GeneratorNetwork, latents: Tensor, edits: Sequence[Edit]
) -> Tensor:
    """Edited images or points of latents [B, C].

    Raises
    ------
    ValueError
        If an edit does not fit the network, or has a region.
    """
    offsets: dict[str, Tensor] = {}
    for edit in edits:
        check_fit(network, edit)
        if edit.region is not None:
            raise ValueError(
                "Edits of images have no regions, got one; leave the region out."
            )
        for name, offset in edit.offsets.items():
            more = torch.from_numpy(offset).to(latents)
            offsets[name] = offsets[name] + more if name in offsets else more
    made: Tensor = network(latents, offsets=offsets)
    return made


def check_fit(network: GeneratorNetwork, edit: Edit) -> None:
    """Raise a ValueError if the network lacks an edited block or its channels."""
    names = block_names(network)
    channels = (network.latent_width, *network.spec.widths)
    for name, offset in edit.offsets.items():
        if name not in names:
            raise ValueError(
                f"Expected one of the blocks {', '.join(names)} to edit, got '{name}'; "
                "choose one of them."
            )
        wanted = channels[names.index(name)]
        if len(offset) != wanted:
            raise ValueError(
                f"Expected an edit of {wanted} channels of '{name}', got "
                f"{len(offset)}; find directions in this generator."
            )
