"""What the workers of the Volume panel do: generators that call the engine."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.memory import lacks_memory

if TYPE_CHECKING:
    from napari_slicegan._qt.generation_form import GenerationRequest
    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.volume import Volume

# Smaller than the engine's: a tile is the time that "Cancel" takes.
TILE_LATENTS = 5


def load(path: str | Path) -> Generator[None, None, TrainedGenerator]:
    """Load a generator; importing torch for it takes seconds."""
    from napari_slicegan.trained_generator import load_generator

    # Where a load that was given up ends.
    yield
    return load_generator(path)


def generate_volume(
    trained: TrainedGenerator, request: GenerationRequest, device: str = "auto"
) -> Generator[float, None, Volume]:
    """Generate tile by tile: yields the finished share, returns the volume.

    Raises
    ------
    ValueError
        If the volume does not fit into the memory, or cannot be periodic.
    """
    from napari_slicegan.devices import choose_device
    from napari_slicegan.generation import VolumePlan, generate_in_steps

    plan = VolumePlan(
        trained, request.size, request.seed, request.periodic, TILE_LATENTS
    )
    try:
        trained.network.to(choose_device(device))
        return (yield from generate_in_steps(plan))
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        size = " x ".join(map(str, request.size))
        raise ValueError(
            f"The memory does not suffice for {size} voxels; lower the size of the "
            "volume or close other programs."
        ) from None
    finally:
        # The panel keeps the network; the memory of a GPU is for those who compute.
        trained.network.to("cpu")
