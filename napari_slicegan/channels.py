"""Channels of network values: where they stand, and which one is the largest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def most_probable(values: Tensor, axis: int, weights: Sequence[float] = ()) -> Tensor:
    """Index of the largest value along an axis, the first one of equals.

    For a handful of channels, comparing them one by one is several times faster than
    ``argmax`` along an axis that is not the last.

    Parameters
    ----------
    values
        One channel for each phase.
    axis
        Where the channels stand.
    weights
        By channel: its values are multiplied by it first. None for equal ones.

    Returns
    -------
    Tensor
        Without the axis, on the same device; uint8, of more than 256 channels int16.
    """
    dtype = torch.uint8 if values.shape[axis] <= 256 else torch.int16
    channels = iter(values.unbind(axis))
    if weights:
        precise = values.to(torch.promote_types(values.dtype, torch.float32))
        channels = map(torch.mul, precise.unbind(axis), weights)
    best = next(channels)
    index = torch.zeros(best.shape, dtype=dtype, device=values.device)
    for number, channel in enumerate(channels, start=1):
        index.masked_fill_(channel > best, number)
        best = torch.maximum(best, channel)
    return index


def channel_axis_of(values: Tensor, channel_axis: int | None) -> int:
    """Second axis of a batch of volumes, else the first, unless given."""
    if channel_axis is not None:
        return channel_axis
    return 1 if values.ndim == 5 else 0
