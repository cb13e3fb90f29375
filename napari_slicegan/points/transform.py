"""Points are network values as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.machine.devices import to_host

if TYPE_CHECKING:
    from napari_slicegan.config import Kind


class Unchanged:
    """Coordinates of points, neither bounded nor scaled.

    Parameters
    ----------
    channels
        Coordinates of a point.
    """

    name = "unchanged"
    kind: Kind = "grayscale"
    range: Literal["unbounded"] = "unbounded"

    def __init__(self, channels: int) -> None:
        self.channels = int(channels)

    @classmethod
    def fit(cls, images: Any) -> Unchanged:
        """For as many coordinates as the points have."""
        return cls(images.values.shape[1])

    def forward(self, values: NDArray[Any]) -> Tensor:
        """``[N, D]`` to float32 of the same shape."""
        return torch.from_numpy(np.asarray(values, np.float32))

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """The same numbers, on the CPU."""
        return to_host(values)

    def state(self) -> dict[str, Any]:
        """Name and number of coordinates."""
        return {"name": self.name, "channels": self.channels}
