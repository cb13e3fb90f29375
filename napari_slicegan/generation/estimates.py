"""Estimates of the time, memory and disk space of a volume.

The operations of all tiles are counted on torch's meta device; the speed of the machine
and the compression ratio are measured on one small tile.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.generation.generate import Tile, VolumePlan
from napari_slicegan.generation.memory import (
    STREAM_BYTES,
    memory_bytes,
    tile_cost,
    tile_shapes,
)
from napari_slicegan.generation.through import (
    STEPS,
    Section,
    fit_bytes,
    pass_cost,
    pass_through,
)
from napari_slicegan.runtime.memory import free_disk_bytes
from napari_slicegan.runtime.quantities import bytes_in_words, duration
from napari_slicegan.volumes.ome_zarr import ENDING

# Edge of the trial tile in latent steps, without the overlap.
TRIAL_STEPS = 2
# Edge of the trial section.
TRIAL_PIXELS = 64
# A pyramid adds 1/8 + 1/64 + ... of the volume.
PYRAMID = 8 / 7
# The rest of the volume may compress less well than the trial tile.
MARGIN = 1.25

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator


@dataclass(frozen=True)
class GenerationCosts:
    """Estimated costs of a volume; see `generation_costs`.

    Attributes
    ----------
    seconds
        Time on this machine alone.
    memory_bytes
        Memory of the program and of a tile, independent of the size of the volume.
    disk_bytes, free_bytes
        Space that the volume needs, and free space, on the disk.
    """

    seconds: float
    memory_bytes: int
    disk_bytes: int
    free_bytes: int

    def sentence(self) -> str:
        """Summary in one sentence."""
        sizes = (self.memory_bytes, self.disk_bytes, self.free_bytes)
        memory, disk, free = map(bytes_in_words, sizes)
        return (
            f"About {duration(self.seconds / 60)} on this machine; needs about "
            f"{memory} of memory, and {disk} on the disk ({free} free)."
        )

    def check(self, path: Path) -> None:
        """Raise a ValueError if the disk is too small."""
        if self.disk_bytes > self.free_bytes:
            needed, free = map(bytes_in_words, (self.disk_bytes, self.free_bytes))
            raise ValueError(
                f"Expected {needed} of free disk space for {path.name}, got {free}; "
                "free some, or choose another folder or a smaller size."
            )


def generation_costs(
    plan: VolumePlan, path: Path, missing: float = 1.0
) -> GenerationCosts:
    """Estimate the costs of a volume; takes about as long as a small tile.

    Parameters
    ----------
    path
        File or folder of the volume; the ending determines the format.
    missing
        Fraction of it that is not written yet.
    """
    speed, compressed = _trial(plan)
    ratio = min(1.0, MARGIN * compressed)
    raw = plan.n_bytes
    disk_bytes = missing * raw * ratio
    if path.suffix == ENDING:
        disk_bytes *= PYRAMID
    else:
        # A file is written beside its tiles.
        disk_bytes += raw if path.suffix == ".npy" else raw * ratio
    return GenerationCosts(
        missing * operations(plan) / speed,
        memory_bytes(plan) + STREAM_BYTES,
        int(disk_bytes),
        free_disk_bytes(path),
    )


def operations_per_second(plan: VolumePlan) -> float:
    """Speed of this machine, measured on a small tile of a volume."""
    speed, _ = _trial(plan)
    return speed


@dataclass(frozen=True)
class FitCosts:
    """Estimated costs of `pass_through`; see `fit_costs`.

    Attributes
    ----------
    seconds
        Time on this machine.
    memory_bytes
        Memory of the program meanwhile.
    n_images
        Number of the images.
    """

    seconds: float
    memory_bytes: int
    n_images: int

    @property
    def images(self) -> str:
        """What is fitted."""
        return "the image" if self.n_images == 1 else f"{self.n_images} images"

    def sentence(self) -> str:
        """Summary in one sentence."""
        return (
            f"About {duration(self.seconds / 60)} on this machine to fit {self.images};"
            f" needs about {bytes_in_words(self.memory_bytes)} of memory."
        )


def time_sentence(plan: VolumePlan, speed: float, fit: FitCosts | None = None) -> str:
    """Estimated time and memory of a volume that is generated in memory.

    In a sentence, which counts the program, a tile and the volume.

    Parameters
    ----------
    speed
        `operations_per_second`.
    fit
        Costs of fitting images before that.
    """
    minutes, fitting = operations(plan) / speed / 60, ""
    if fit is not None:
        minutes += fit.seconds / 60
        fitting = (
            f" ({duration(fit.seconds / 60)} of it, with "
            f"{bytes_in_words(fit.memory_bytes)} of memory, to fit {fit.images})"
        )
    memory, own = map(bytes_in_words, (memory_bytes(plan) + plan.n_bytes, plan.n_bytes))
    return (
        f"About {duration(minutes)}{fitting} on this machine; needs about {memory} of "
        f"memory, {own} of it for the volume."
    )


def fit_costs(plan: VolumePlan, speed: float, sections: Sequence[Section]) -> FitCosts:
    """Estimate the costs of `pass_through`.

    Parameters
    ----------
    speed
        `fit_operations_per_second`.

    Raises
    ------
    ValueError
        If a section is not inside of the volume.
    """
    cost = pass_cost(plan, sections)
    seconds = STEPS * cost.operations / speed
    return FitCosts(seconds, fit_bytes(plan, cost), len(sections))


def fit_operations_per_second(trained: TrainedGenerator) -> float:
    """Speed of `pass_through`, measured on a small section.

    Raises
    ------
    ValueError
        If the generator makes no phases.
    """
    plan = VolumePlan(trained, (TRIAL_PIXELS,) * 3)
    labels = np.full((TRIAL_PIXELS, TRIAL_PIXELS), trained.labels[0])
    section, ends = Section(labels, "z", 0), list[float]()
    pass_through(plan, [section], 2, lambda done: ends.append(time.perf_counter()))
    # The first one also sets up kernels.
    return pass_cost(plan, [section]).operations / (ends[-1] - ends[-2])


def operations(plan: VolumePlan) -> float:
    """Floating-point operations of all tiles, those at their seams done twice."""
    return sum(
        count * tile_cost(plan, shape).operations
        for shape, count in tile_shapes(plan).items()
    )


def _trial(plan: VolumePlan) -> tuple[float, float]:
    """Operations per second, and compressed size as a fraction of the raw size."""
    rule = plan.trained.network.size_rule
    latents = min(rule.overlap + TRIAL_STEPS, plan.tile_latents)
    edge = (latents - rule.overlap) * rule.scale
    z, y, x = (min(n, edge) for n in plan.size)
    tile = Tile(((0, latents),) * 3, (slice(0, z), slice(0, y), slice(0, x)))
    # The first one also sets up kernels.
    plan.values(tile)
    started = time.perf_counter()
    values = plan.values(tile)
    seconds = time.perf_counter() - started
    shape = (latents, latents, latents)
    compressed = len(zlib.compress(values.tobytes(), 6)) / values.nbytes
    return tile_cost(plan, shape).operations / seconds, compressed
