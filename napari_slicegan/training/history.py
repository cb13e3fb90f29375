"""History of the losses, which stay on the device until they are read.

Reading a number from a GPU waits for all its queued work; the GPU then idles until the
next work is queued.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

READ_EVERY = 10
"""Steps between two readings on devices with asynchronous execution."""


@dataclass(frozen=True)
class StepLosses:
    """Losses of one training step, means over critics and over updates."""

    critic: float
    generator: float
    penalty: float


class LossHistory:
    """Losses and other columns of the steps since the last save.

    Parameters
    ----------
    device
        Training device. On the CPU losses are read after each step.

    Attributes
    ----------
    every
        Steps between two readings, after the first step.
    last
        Losses of the last step that was read; nan before.
    are_finite
        Whether all losses and weights were finite at the last reading.
    """

    def __init__(self, device: torch.device) -> None:
        self.every = 1 if device.type == "cpu" else READ_EVERY
        self.last = StepLosses(math.nan, math.nan, math.nan)
        self.are_finite = True
        self._waiting: list[Tensor] = []
        self._read: list[StepLosses] = []
        self._rows: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def add(self, losses: Tensor) -> None:
        """Add the losses of a step, [3], on the device."""
        self._waiting.append(losses)

    @property
    def is_due(self) -> bool:
        """Whether to read now: after the first step, then at intervals."""
        return len(self._waiting) >= self.every or math.isnan(self.last.critic)

    def read(self, weights_are_finite: Callable[[], Tensor]) -> None:
        """Read all unread losses from the device in one transfer.

        Parameters
        ----------
        weights_are_finite
            Returns a boolean tensor on the device.
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

    def add_row(
        self, step: int, elapsed_s: float, columns: Iterable[str], quality: Any
    ) -> None:
        """Add the other columns of a step; the quality is None if not measured."""
        row = {"step": step, "elapsed_s": round(elapsed_s, 3)}
        measured = {
            name: "" if quality is None else getattr(quality, name) for name in columns
        }
        self._rows.append((row, measured))

    def take_rows(self) -> list[dict[str, Any]]:
        """Take the rows of all steps since the last call; reads must be complete."""
        steps = zip(self._rows, self._read, strict=True)
        self._rows, self._read = [], []
        return [
            {**row, **{f"{k}_loss": v for k, v in asdict(losses).items()}, **measured}
            for (row, measured), losses in steps
        ]
