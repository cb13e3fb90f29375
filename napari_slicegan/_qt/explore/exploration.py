"""State of the Explore panel with its undo history. Needs neither Qt nor torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slicegan.generation.regions import Region

Size = tuple[int, int, int]
# Time limit of a preview while a slider is dragged.
PREVIEW_S = 0.12
SMALLEST_EDGE = 16
EDGE_STEP = 8


@dataclass(frozen=True)
class Exploration:
    """Settings of one volume.

    Attributes
    ----------
    seed, size, truncation
        As in `napari_slicegan.generation.generate.VolumePlan`.
    first, last
        Edited blocks, as in `Direction.edit`; None for the default of each direction.
    region
        Edited region; None for the whole volume.
    strengths
        Strength of each direction, in standard deviations; missing ones are 0.
    """

    seed: int = 0
    size: Size = (64, 64, 64)
    truncation: float = 1.0
    first: str | None = None
    last: str | None = None
    region: Region | None = None
    strengths: tuple[float, ...] = ()

    def reset(self) -> Exploration:
        """Return the same sample without edits."""
        return replace(
            self, truncation=1.0, region=None, strengths=(0.0,) * len(self.strengths)
        )


class History:
    """Undo history."""

    def __init__(self, now: Exploration) -> None:
        self.now = now
        self._past: list[Exploration] = []
        self._future: list[Exploration] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._future)

    def add(self, now: Exploration) -> None:
        """Record a step, unless nothing changed."""
        if now != self.now:
            self._past.append(self.now)
            self._future.clear()
            self.now = now

    def undo(self) -> Exploration:
        """Undo a step, if there is one; returns the current state."""
        return self._step(self._past, self._future)

    def redo(self) -> Exploration:
        """Redo a step, if there is one; returns the current state."""
        return self._step(self._future, self._past)

    def _step(
        self, source: list[Exploration], target: list[Exploration]
    ) -> Exploration:
        if source:
            target.append(self.now)
            self.now = source.pop()
        return self.now


def preview_size(size: Size, voxels_per_s: float) -> Size:
    """Size of the corner that can be generated fast enough to follow a slider.

    Parameters
    ----------
    size
        Voxels of the whole volume, Z, Y, X.
    voxels_per_s
        Recently measured generation speed.
    """
    part = (PREVIEW_S * voxels_per_s / math.prod(size)) ** (1 / 3)
    if part >= 1:
        return size
    z, y, x = (
        min(n, max(SMALLEST_EDGE, int(n * part) // EDGE_STEP * EDGE_STEP)) for n in size
    )
    return (z, y, x)
