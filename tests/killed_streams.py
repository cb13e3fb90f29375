"""Streams volumes and kills them: ``python -m tests.killed_streams FOLDER``.

Each one is a child of this process, which has loaded torch once for all of them, and
never uses zarr itself, whose threads would not survive in a child.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import torch

from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from tests.toys import random_generator
from tests.training.killed_runs import kill_at_event

SIZE, SEED, TILE_LATENTS = (40, 33, 24), 3, 4
BLOCKS_BEFORE = 5
# Openings and renamings of files from the sixth block on.
EVENTS = (1, 2, 3, 4, 7)


def killed_plan() -> VolumePlan:
    """Volume of blocks of 16 voxels."""
    trained = random_generator(OneHotPhases([7, 207]))
    return VolumePlan(trained, SIZE, SEED, tile_latents=TILE_LATENTS)


def stream_until(path: Path, event: int) -> None:
    """Die at the n-th use of a file after some blocks."""
    blocks = itertools.count(1)

    def progress(fraction: float) -> None:
        if next(blocks) == BLOCKS_BEFORE:
            kill_at_event(event)

    StreamedVolume.begin(killed_plan(), path).write(progress=progress)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for number in EVENTS:
        child = os.fork()
        if child == 0:
            stream_until(folder / f"event-{number}.ome.zarr", number)
            os._exit(0)
        os.waitpid(child, 0)
