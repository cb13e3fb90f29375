"""Latents, noise and offsets of features that are given in boxes of positions.

Everywhere else a volume keeps the values of its counters, so tiles still join, and a
volume of any size contains the same boxes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor

from napari_slicegan.config import parse_json
from napari_slicegan.models.generator_file import read_tensors, reproducible
from napari_slicegan.models.noise import NoiseField
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.models.latent import Range

Size = tuple[int, int, int]
Periods = tuple[int | None, int | None, int | None]

FORMAT = "napari-slicegan fixed inputs 1"
LATENTS = "latent"


def noise_of(level: int) -> str:
    """Name of the boxes of noise of a level."""
    return f"noise{level}"


def offsets_of(block: int) -> str:
    """Name of the boxes that are added to the output of a block, numbered from 1."""
    return f"block{block}"


@dataclass(frozen=True, eq=False)
class FixedBox:
    """Values of a box of positions.

    Attributes
    ----------
    first
        First position along z, y, x.
    values
        float32 [C, z, y, x].
    """

    first: Size
    values: Tensor

    def put(
        self,
        drawn: Tensor,
        places: Sequence[Tensor],
        origin: Size,
        periods: Periods,
        *,
        adds: bool = False,
    ) -> Tensor:
        """Drawn values with those of this box where they overlap.

        Parameters
        ----------
        drawn
            [C or more, z, y, x].
        places
            Its positions along each axis, counted from the origin.
        origin
            Position from which they count.
        periods
            Positions after which the field repeats; None if it does not.
        adds
            Whether the values of this box are added instead.
        """
        there, here = [], []
        for number, (chosen, n) in enumerate(
            zip(places, self.values.shape[1:], strict=True)
        ):
            index = chosen.long() + (origin[number] - self.first[number])
            if (period := periods[number]) is not None:
                index = index % period
            inside = ((index >= 0) & (index < n)).nonzero()[:, 0]
            there.append(inside)
            here.append(index[inside].to(self.values.device))
        if not all(map(len, there)):
            return drawn
        (z, y, x), (own_z, own_y, own_x) = there, here
        part = self.values[:, own_z[:, None, None], own_y[:, None], own_x]
        made = drawn.clone()
        place = (slice(len(part)), z[:, None, None], y[:, None], x)
        made[place] = part.to(drawn) + made[place] if adds else part.to(drawn)
        return made


@dataclass(frozen=True, eq=False)
class FixedInputs:
    """Boxes of latents, of noise at every resolution, and of offsets of blocks.

    Attributes
    ----------
    boxes
        By `LATENTS`, `noise_of` a level and `offsets_of` a block. Where boxes of
        latents or noise overlap, the last one counts; offsets add up.
    """

    boxes: Mapping[str, Sequence[FixedBox]]

    def latents(
        self, drawn: Tensor, box: tuple[Range, Range, Range], periods: Periods
    ) -> Tensor:
        """Latents of a box of positions, [C, z, y, x]; further channels are kept."""
        places = [torch.arange(*span, device=drawn.device) for span in box]
        for each in self.boxes.get(LATENTS, ()):
            drawn = each.put(drawn, places, (0, 0, 0), periods)
        return drawn

    def with_offsets(
        self, made: Tensor, block: int, scale: int, first: Size, periods: Periods
    ) -> Tensor:
        """Output of a block with its offsets, [1, C, z, y, x].

        Parameters
        ----------
        scale
            Positions of the block per latent position.
        first
            Position at which the output starts.
        periods
            Latent positions after which the field repeats.
        """
        places = [torch.arange(n, device=made.device) for n in made.shape[2:]]
        for box in self.boxes.get(offsets_of(block), ()):
            scaled = _scaled(periods, scale)
            made = box.put(made[0], places, first, scaled, adds=True)[None]
        return made

    def digest(self) -> str:
        """SHA-256 of all values and their positions."""
        return hashlib.sha256(self._content()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; it is whole or not there."""
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(self._content())

    @classmethod
    def load(cls, path: str | Path) -> FixedInputs:
        """Read the file of `save`.

        Raises
        ------
        ValueError
            If it is damaged or of another kind.
        """
        metadata, tensors = read_tensors(Path(path), [FORMAT], "fixed inputs")
        boxes: dict[str, list[FixedBox]] = {}
        for name, number, first in parse_json(metadata["places"]):
            box = FixedBox(tuple(first), tensors[f"{name}.{number}"])
            boxes.setdefault(name, []).append(box)
        return cls(boxes)

    def _content(self) -> bytes:
        named = {
            (name, number): box
            for name, boxes in self.boxes.items()
            for number, box in enumerate(boxes)
        }
        places = [[*key, box.first] for key, box in named.items()]
        tensors = {
            f"{name}.{number}": box.values.detach().cpu().contiguous()
            for (name, number), box in named.items()
        }
        metadata = {"format": FORMAT, "places": json.dumps(places)}
        return reproducible(save(tensors, metadata))


class FixedNoise(NoiseField):
    """Noise of one box of the latent field, with given values in parts of it.

    Parameters
    ----------
    key
        See `NoiseField`, of one sample: [1, z, y, x].
    fixed
        The given values.
    first
        Latent position at which the box starts.
    periods
        Latent positions after which the field repeats.
    """

    def __init__(
        self, key: Tensor, fixed: FixedInputs, first: Size, periods: Periods
    ) -> None:
        super().__init__(key)
        self._fixed, self._first, self._periods = fixed, first, periods

    def at(self, level: int, scale: int, places: Sequence[Tensor]) -> Tensor:
        """See `NoiseField`."""
        drawn: Tensor = super().at(level, scale, places)[0]
        z, y, x = (first * scale for first in self._first)
        periods = _scaled(self._periods, scale)
        for box in self._fixed.boxes.get(noise_of(level), ()):
            drawn = box.put(drawn, places, (z, y, x), periods)
        return drawn[None]


def _scaled(periods: Periods, scale: int) -> Periods:
    """Periods of latent positions, in positions of a block."""
    z, y, x = (period and period * scale for period in periods)
    return (z, y, x)
