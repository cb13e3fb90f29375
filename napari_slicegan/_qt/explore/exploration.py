"""What the Explore panel shows: where all its knobs stand, and the way back.

Nothing of Qt is in here, and no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slicegan.generation.regions import Region

Size = tuple[int, int, int]
# What a preview may take while a slider is dragged.
PREVIEW_S = 0.12
SMALLEST_EDGE = 16
EDGE_STEP = 8


@dataclass(frozen=True)
class Exploration:
    """One volume that is wanted.

    Attributes
    ----------
    seed, size, truncation
        As of `napari_slicegan.generation.generate.VolumePlan`.
    first, last
        Blocks that are edited, as of `Direction.edit`; None is each direction's own.
    region
        Where; None is everywhere.
    strengths
        Of each direction, in their order, in standard deviations. Those that are
        missing are 0.
    """

    seed: int = 0
    size: Size = (64, 64, 64)
    truncation: float = 1.0
    first: str | None = None
    last: str | None = None
    region: Region | None = None
    strengths: tuple[float, ...] = ()

    def reset(self) -> Exploration:
        """The same sample as it came from the generator."""
        return replace(
            self,
            truncation=1.0,
            region=None,
            strengths=(0.0,) * len(self.strengths),
        )


class History:
    """Steps that can be taken back and made again."""

    def __init__(self, now: Exploration) -> None:
        self.now = now
        self._past: list[Exploration] = []
        self._future: list[Exploration] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to make again."""
        return bool(self._future)

    def add(self, now: Exploration) -> None:
        """Note a step, unless nothing changed."""
        if now != self.now:
            self._past.append(self.now)
            self._future.clear()
            self.now = now

    def undo(self) -> Exploration:
        """Go back a step, if there is one; where that leads."""
        if self._past:
            self._future.append(self.now)
            self.now = self._past.pop()
        return self.now

    def redo(self) -> Exploration:
        """Go forward a step, if there is one; where that leads."""
        if self._future:
            self._past.append(self.now)
            self.now = self._future.pop()
        return self.now


def preview_size(size: Size, voxels_per_s: float) -> Size:
    """Corner of a volume that is made quickly enough to follow a slider.

    Parameters
    ----------
    size
        Voxels of the whole volume along z, y, x.
    voxels_per_s
        What this machine made lately.
    """
    part = (PREVIEW_S * voxels_per_s / math.prod(size)) ** (1 / 3)
    if part >= 1:
        return size
    z, y, x = (
        min(n, max(SMALLEST_EDGE, int(n * part) // EDGE_STEP * EDGE_STEP)) for n in size
    )
    return (z, y, x)
