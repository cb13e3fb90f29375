"""Losses of training steps, left on the device until somebody must know them.

Asking a GPU for a number stops the program until the GPU has done all it was given; it
then idles until the program has handed it the next work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

READ_EVERY = 10
"""Steps from one reading to the next where this makes the device wait."""


@dataclass(frozen=True)
class StepLosses:
    """Losses of one training step, means over critics and over steps of each side."""

    critic: float
    generator: float
    penalty: float

    @classmethod
    def of(cls, losses: Tensor) -> StepLosses:
        """Losses that a step gave, [3]; waits for the device."""
        return cls(*losses.tolist())


class LossHistory:
    """Losses of the steps since the last save, and what else is kept of each step.

    Parameters
    ----------
    device
        Where the steps are computed. A processor has nothing to wait for: its losses
        are read after each step.

    Attributes
    ----------
    every
        Steps from one reading to the next, after the first step.
    last
        Losses of the last step that was read; not a number before.
    are_finite
        Whether all losses and weights were so at the last reading.
    """

    def __init__(self, device: torch.device) -> None:
        self.every = 1 if device.type == "cpu" else READ_EVERY
        self.last = StepLosses(math.nan, math.nan, math.nan)
        self.are_finite = True
        self._waiting: list[Tensor] = []
        self._read: list[StepLosses] = []
        self._rows: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def add(self, losses: Tensor) -> None:
        """Take the losses of a step, [3], as they are on the device."""
        self._waiting.append(losses)

    @property
    def is_due(self) -> bool:
        """Whether to read now: after the first step, then every so many steps."""
        return len(self._waiting) >= self.every or math.isnan(self.last.critic)

    def read(self, weights_are_finite: Callable[[], Tensor]) -> None:
        """Wait for the device, and read all losses that have not been read, at once.

        Parameters
        ----------
        weights_are_finite
            Gives a truth value on the device.
        """
        if not self._waiting:
            return
        losses = torch.stack(self._waiting)  # [steps, 3]
        finite = losses.isfinite().all() & weights_are_finite()
        *numbers, fine = torch.cat([losses.flatten(), finite.float()[None]]).tolist()
        columns = (numbers[number::3] for number in range(3))
        self._read += map(StepLosses, *columns)
        self.last, self.are_finite = self._read[-1], bool(fine)
        self._waiting = []

    def note(
        self, step: int, elapsed_s: float, columns: Iterable[str], quality: Any
    ) -> None:
        """Keep what else is known of a step; its measured quality may be None."""
        row = {"step": step, "elapsed_s": round(elapsed_s, 3)}
        measured = {
            name: "" if quality is None else getattr(quality, name) for name in columns
        }
        self._rows.append((row, measured))

    def take_rows(self) -> list[dict[str, Any]]:
        """Rows of all steps since the last time; their losses must have been read."""
        steps = zip(self._rows, self._read, strict=True)
        self._rows, self._read = [], []
        return [
            {**row, **{f"{k}_loss": v for k, v in asdict(losses).items()}, **measured}
            for (row, measured), losses in steps
        ]
