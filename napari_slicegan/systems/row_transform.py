"""Gray values, standardised row by row or column by column over a set of images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_slicegan.data.line_moments import Line, along, line_moments
from napari_slicegan.generation.sheet import Decibels
from napari_slicegan.runtime.devices import to_host
from napari_slicegan.systems.spectrograms import RATE, SAMPLES

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

DRAWN_RANGE = 80.0


class RowStandardise:
    """Each row of the image minus its mean, over its standard deviation, clipped.

    Means and deviations are those of the whole set, as in SpecGAN (Donahue et al.
    2019). They remove drifts of the rows, such as the loudness of a frequency or the
    curtains of a milled face; `inverse` restores them.

    Parameters
    ----------
    mean, std
        Of each row, in the units of `forward`'s values or of their logarithms; a
        deviation of 0 marks a row that never changes.
    line
        Whether "rows" or "columns" are standardised.
    n_std
        Deviations that become 1, and beyond which values are clipped.
    log_offset
        Added before the logarithm is taken; None for no logarithm.
    low, high
        Values that are drawn black and white.
    dtype
        Numpy type of the values, given back by `inverse`.
    is_sound
        Whether the images are spectrograms of sounds.
    """

    name = "row-standardise"
    kind: Kind = "grayscale"
    range = (-1.0, 1.0)
    channels = 1

    def __init__(
        self,
        mean: ArrayLike,
        std: ArrayLike,
        line: Line,
        n_std: float,
        log_offset: float | None,
        low: float,
        high: float,
        dtype: str,
        is_sound: bool = False,
    ) -> None:
        self.mean = np.asarray(mean, np.float64)
        self.std = np.asarray(std, np.float64)
        self.line: Line = line
        self.n_std, self.log_offset = n_std, log_offset
        self.low, self.high = low, high
        self.dtype = np.dtype(dtype)
        self.is_sound = is_sound

    @classmethod
    def fit(
        cls,
        values: NDArray[Any],
        line: Line = "rows",
        n_std: float = 3.0,
        log_offset: float | None = None,
        is_sound: bool = False,
    ) -> RowStandardise:
        """Moments over images and the other axis, of ``[N, Y, X]``.

        Raises
        ------
        ValueError
            If there are colours, or a logarithm cannot be taken.
        """
        if values.ndim != 3:
            raise ValueError(
                "Rows of grayscale images can be standardised, got an array of the "
                f"shape {values.shape}; convert the images to grayscale."
            )
        low, high = float(values.min()), float(values.max())
        if log_offset is not None and low + log_offset <= 0:
            raise ValueError(
                f"A logarithm needs values above {-log_offset:g}, got {low:g}; raise "
                "'Logarithm offset' or leave it empty."
            )
        units = _units(values, log_offset)
        mean, std = line_moments(units, line)
        dtype = values.dtype.name
        return cls(mean, std, line, n_std, log_offset, low, high, dtype, is_sound)

    def forward(self, values: NDArray[Any]) -> Tensor:
        """``[..., Y, X]`` to float32 ``[..., 1, Y, X]``, from -1 to 1."""
        mean, std = self._moments()
        steady = std == 0
        scaled = (_units(values, self.log_offset) - mean) / np.where(steady, 1, std)
        scaled = np.clip(np.where(steady, 0, scaled / self.n_std), -1, 1)
        return torch.from_numpy(scaled[..., np.newaxis, :, :].astype(np.float32))

    def inverse(self, values: Tensor, channel_axis: int | None = None) -> NDArray[Any]:
        """Network values ``[N, 1, Y, X]`` back to those of the images ``[N, Y, X]``."""
        mean, std = self._moments()
        layers = to_host(values).astype(np.float64)
        units = layers[..., 0, :, :] * self.n_std * std + mean
        made = units
        if self.log_offset is not None:
            made = np.exp(units) - self.log_offset
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            made = np.clip(np.rint(made), limits.min, limits.max)
        return np.asarray(made, self.dtype)

    def state(self) -> dict[str, Any]:
        """Name and parameters; numbers survive JSON bit by bit."""
        return {
            "name": self.name,
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
            "line": self.line,
            "n_std": self.n_std,
            "log_offset": self.log_offset,
            "low": self.low,
            "high": self.high,
            "dtype": self.dtype.name,
            # Left out where earlier releases can read the file.
            **({"is_sound": True} if self.is_sound else {}),
        }

    @property
    def decibels(self) -> Decibels | None:
        """How the values are drawn: up to the largest one, over at most 80 dB."""
        if self.log_offset is None:
            return None
        low, high = (
            20 * math.log10(max(value, 0) + self.log_offset)
            for value in (self.low, self.high)
        )
        axes = (SAMPLES / RATE, RATE / 2) if self.is_sound else (None, None)
        return Decibels(self.log_offset, max(low, high - DRAWN_RANGE), high, *axes)

    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation, for rows [Y, 1], for columns [1, X]."""
        return along(self.line, self.mean), along(self.line, self.std)


def _units(values: NDArray[Any], log_offset: float | None) -> NDArray[np.float64]:
    units = np.asarray(values, np.float64)
    return units if log_offset is None else np.log(units + log_offset)
