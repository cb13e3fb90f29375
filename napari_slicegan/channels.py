"""Channels of network values: where they stand, and which one is the largest."""

from __future__ import annotations

import torch
from torch import Tensor


def most_probable(values: Tensor, axis: int) -> Tensor:
    """Index of the largest value along an axis, the first one of equals; int64.

    For a handful of channels, comparing them one by one is several times faster than
    ``argmax`` along an axis that is not the last.
    """
    channels = values.unbind(axis)
    best = channels[0]
    index = torch.zeros(best.shape, dtype=torch.int64, device=values.device)
    for number, channel in enumerate(channels[1:], start=1):
        index.masked_fill_(channel > best, number)
        best = torch.maximum(best, channel)
    return index


def channel_axis_of(values: Tensor, channel_axis: int | None) -> int:
    """Second axis of a batch of volumes, else the first, unless given."""
    if channel_axis is not None:
        return channel_axis
    return 1 if values.ndim == 5 else 0
