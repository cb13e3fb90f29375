"""What the generation worker does: a generator that calls the engine."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slicegan._qt.generation_form import GenerationRequest
    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.volume import Volume

# Smaller than the engine's: a tile is the time that "Cancel" takes.
TILE_LATENTS = 5


def generate_volume(
    trained: TrainedGenerator, request: GenerationRequest, device: str = "auto"
) -> Generator[float, None, Volume]:
    """Generate tile by tile: yields the finished share, returns the volume."""
    from napari_slicegan.devices import choose_device
    from napari_slicegan.generation import VolumePlan, generate_in_steps

    trained.network.to(choose_device(device))
    plan = VolumePlan(
        trained, request.size, request.seed, request.periodic, TILE_LATENTS
    )
    return (yield from generate_in_steps(plan))
