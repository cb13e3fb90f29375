"""Noise at every resolution, as a function of the latent field (cf. StyleGAN).

Karras et al. 2019, arXiv:1812.04948, section 3.2: all channels of a layer receive the
same noise, each scaled by its own learned gain. It is the source of structure that is
random from voxel to voxel.

Here the noise is a hash of one more latent channel, the key. It is the same on every
device and in every tile, is periodic where the latents are, and does not change while a
slider moves the other latents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_slicegan.runtime.devices import to_device

INITIAL_GAIN = 0.1
"""Gain of new generators, relative to features of unit variance."""


def _signed(value: int) -> int:
    """The 32-bit pattern of a number as a signed integer."""
    return value - 2**32 if value >= 2**31 else value


# Multipliers and shifts of a 32-bit hash with low bias (C. Wellons 2018, "Prospecting
# for hash functions", public domain); the third spreads the counter (golden ratio).
_FIRST, _SECOND = 0x7FEB352D, _signed(0x846CA68B)
_GOLDEN = _signed(0x9E3779B9)


def _mixed(bits: Tensor) -> Tensor:
    """Hash of 32-bit integers; products wrap around."""
    bits = bits ^ ((bits >> 16) & 0xFFFF)
    bits *= _FIRST
    bits ^= (bits >> 15) & 0x1FFFF
    bits *= _SECOND
    bits ^= (bits >> 16) & 0xFFFF
    return bits


class NoiseField:
    """Noise of a box of the latent field at every resolution.

    Parameters
    ----------
    key
        Key channel of the latents, float32 [B, z, y, x]; its bits are hashed.
    """

    def __init__(self, key: Tensor) -> None:
        self._key = _mixed(key.float().contiguous().view(torch.int32))

    def at(self, level: int, scale: int, places: Sequence[Tensor]) -> Tensor:
        """Noise of unit variance, uniform from -sqrt(3) to sqrt(3).

        Parameters
        ----------
        level
            Number of the block; each has other noise.
        scale
            Positions per latent position along each axis.
        places
            Positions along z, y and x, counted from the first latent position of the
            box; int32, each [n].

        Returns
        -------
        Tensor
            float32 [B, 1, n_z, n_y, n_x].
        """
        cells = self._key
        counter = cells.new_full((), _signed(level * _GOLDEN % 2**32))
        # From x to z: small arrays first, and the last pass copies rows.
        for axis, positions in zip((3, 2, 1), reversed(places), strict=True):
            cells = cells.index_select(axis, positions // scale)
            shape = [-1 if axis == other else 1 for other in range(1, 4)]
            # (((z scale + y) scale + x) 64 + level) times the constant, modulo 2^32.
            factor = _signed(64 * scale ** (3 - axis) * _GOLDEN % 2**32)
            counter = counter + ((positions % scale) * factor).view(shape)
        bits = _mixed(cells ^ counter)
        # 2^32 steps of the interval; their mean is 0.
        unit = bits.float().add_(0.5).mul_(math.sqrt(3) * 2.0**-31)
        return unit[:, None]


class _AddedNoise(torch.autograd.Function):
    """Features plus noise times gain, as products of matrices.

    Torch's own operations are not vectorised over channels that lie together.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, field: Tensor, gain: Tensor) -> Tensor:
        """[B, C, z, y, x] channels last, [B, 1, z, y, x], [C] -> the shape of x."""
        ctx.save_for_backward(field, gain)
        made = torch.empty_like(x)
        noise = field.view(-1, 1)
        torch.addmm(
            _rows(x).flatten(0, 1), noise, gain[None], out=_rows(made).flatten(0, 1)
        )
        return made

    @staticmethod
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Gradients of the features, the noise and the gain, where they are needed."""
        field, gain = ctx.saved_tensors
        _, of_field, of_gain = ctx.needs_input_grad
        rows = _rows(gradient.contiguous(memory_format=torch.channels_last_3d))
        along = (rows @ gain).view_as(field) if of_field else None
        sums = (field.view(len(rows), 1, -1) @ rows).sum((0, 1)) if of_gain else None
        return gradient, along, sums


def _rows(x: Tensor) -> Tensor:
    """[B, C, z, y, x] channels last -> [B, z * y * x, C], the same memory."""
    return x.movedim(1, -1).flatten(1, -2)


class NoiseInput(nn.Module):
    """Adds noise to features, with a learned gain for each channel.

    Parameters
    ----------
    channels
        Channels of the features.
    level, scale
        As of `NoiseField.at`.
    """

    takes_noise = True

    def __init__(self, channels: int, level: int, scale: int) -> None:
        super().__init__()
        self.level, self.scale = level, scale
        self.gain = nn.Parameter(torch.full((channels,), INITIAL_GAIN))

    def forward(
        self, x: Tensor, noise: NoiseField, start: Sequence[int] = (0, 0, 0)
    ) -> Tensor:
        """[B, C, z, y, x] -> the same shape.

        Parameters
        ----------
        start
            First position of ``x`` along z, y, x, see `NoiseField.at`.
        """
        field = self.field(x, noise, start)
        if not x.is_contiguous(memory_format=torch.channels_last_3d):
            return self._added(x, field)
        gain = self.gain.to(x.dtype)
        made: Tensor = _AddedNoise.apply(x, field, gain)  # type: ignore[no-untyped-call]
        return made

    def field(
        self, x: Tensor, noise: NoiseField, start: Sequence[int] = (0, 0, 0)
    ) -> Tensor:
        """Noise of features [B, C, z, y, x] before the gain, [B, 1, z, y, x]."""
        return noise.at(self.level, self.scale, _places(x, start)).to(x.dtype)

    def on_planes(
        self, planes: Tensor, noise: NoiseField, axis: int, positions: Tensor
    ) -> Tensor:
        """The same for planes at some positions along an axis.

        Parameters
        ----------
        planes
            [B, n, C, rows, columns].
        axis
            0, 1, 2: perpendicular to z, y, x.
        positions
            [n].
        """
        whole = planes.movedim(1, 2 + axis)
        places = _places(whole, (0, 0, 0))
        places[axis] = to_device(positions.int(), planes.device)
        field = noise.at(self.level, self.scale, places)
        return self._added(whole, field).movedim(2 + axis, 1)

    def _added(self, x: Tensor, field: Tensor) -> Tensor:
        gain = self.gain.to(x.dtype).view(-1, 1, 1, 1)
        return torch.addcmul(x, field.to(x.dtype), gain)


def _places(x: Tensor, start: Sequence[int]) -> list[Tensor]:
    """Positions of features [B, C, z, y, x] along each axis."""
    return [
        torch.arange(first, first + n, dtype=torch.int32, device=x.device)
        for first, n in zip(start, x.shape[2:], strict=True)
    ]
