"""Latent fields: noise as a function of seed and position.

The counter-based generator Philox (Salmon et al. 2011) makes the values independent of
device, worker and tile order; neighbouring tiles agree where they overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

Range = tuple[int, int]
WORDS_PER_COUNT = 4
KEY_BITS = 128
"""Of Philox as numpy has it."""


@dataclass(frozen=True)
class LatentField:
    """Infinite field of independent random numbers.

    Attributes
    ----------
    seed
        Non-negative integer; each seed gives another realisation.
    channels
        Values per position.
    prior
        "normal" (mean 0, variance 1) or "uniform" (-1 to 1).
    periods
        Period along z, y, x in latent positions; None for an aperiodic axis.
    """

    seed: int
    channels: int
    prior: Literal["normal", "uniform"] = "normal"
    periods: tuple[int | None, int | None, int | None] = (None, None, None)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**KEY_BITS:
            raise ValueError(
                f"Expected a seed from 0 to 2^{KEY_BITS} - 1, got {self.seed}; choose "
                "another."
            )

    def region(self, z: Range, y: Range, x: Range) -> NDArray[np.float32]:
        """Values in a box of positions.

        Parameters
        ----------
        z, y, x
            Start and stop position; may be negative.

        Returns
        -------
        ndarray
            float32 [channels, z, y, x].
        """
        zs, ys, xs = (
            _wrapped(span, period)
            for span, period in zip((z, y, x), self.periods, strict=True)
        )
        first, last = int(xs.min()), int(xs.max()) + 1
        field = np.empty((len(zs), len(ys), len(xs), self.channels), np.float32)
        for i, at_z in enumerate(zs):
            for j, at_y in enumerate(ys):
                row = self._row(int(at_z), int(at_y), first, last)
                field[i, j] = row[xs - first]
        return np.ascontiguousarray(field.transpose(3, 0, 1, 2))

    def _row(self, z: int, y: int, first: int, last: int) -> NDArray[np.float64]:
        """Values of positions first to last - 1 of one row, [n, channels]."""
        counts = -(-self.channels // WORDS_PER_COUNT)
        # One 256-bit counter, so a row may cross the origin: for x < 0 it borrows from
        # y and z, which the carry at x = 0 restores.
        counter = (z * 2**192 + y * 2**128 + first * counts) % 2**256
        bits = np.random.Philox(key=self.seed, counter=counter)
        words = bits.random_raw((last - first) * counts * WORDS_PER_COUNT)
        row = words.reshape(last - first, -1)[:, : self.channels]
        # 52 bits plus one half: never 0 or 1, where the normal quantile is infinite.
        unit = ((row >> np.uint64(12)) + 0.5) * 2.0**-52
        values = scipy.special.ndtri(unit) if self.prior == "normal" else 2 * unit - 1
        return np.asarray(values, np.float64)


def _wrapped(span: Range, period: int | None) -> NDArray[np.int64]:
    positions = np.arange(*span, dtype=np.int64)
    return positions if period is None else positions % period
