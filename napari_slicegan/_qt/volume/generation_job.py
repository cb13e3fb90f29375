"""Jobs of the Volume panel: functions that workers call in their threads."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan._qt.volume.forms import GenerationRequest, SampleRequest
from napari_slicegan.runtime.memory import lacks_memory

if TYPE_CHECKING:
    from napari_slicegan.generation.lazy import EndlessVolume
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedGenerator, TrainedNetwork
    from napari_slicegan.runtime.progress import Progress
    from napari_slicegan.volumes.volume import Volume

Request = GenerationRequest | SampleRequest

# Smaller than the engine's default: Cancel takes effect after a tile.
TILE_LATENTS = 5


def load(path: str | Path) -> Generator[None, None, TrainedNetwork]:
    """Load a generator; importing torch for it takes seconds."""
    from napari_slicegan.models.generator_file import load_any_generator

    # A cancelled load ends here.
    yield
    return load_any_generator(path)


def generate_volume(
    trained: TrainedGenerator,
    request: GenerationRequest,
    device: str = "auto",
    progress: Progress | None = None,
) -> Volume | EndlessVolume:
    """Generate a volume tile by tile.

    An endless volume is returned at once, with nothing generated.

    Raises
    ------
    ValueError
        If the volume does not fit into the memory, or cannot be periodic.
    """
    if request.endless:
        return endless_volume(trained, request, device)
    from napari_slicegan.generation.generate import VolumePlan
    from napari_slicegan.runtime.devices import choose_device

    plan = VolumePlan(
        trained, request.size, request.seed, request.periodic, TILE_LATENTS
    )
    try:
        trained.network.to(choose_device(device))
        return plan.generate(progress)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        size = " x ".join(map(str, request.size))
        raise ValueError(
            f"The memory does not suffice for {size} voxels; lower the size of the "
            "volume or close other programs."
        ) from None
    finally:
        # The panel keeps the network; GPU memory is released.
        trained.network.to("cpu")


def endless_volume(
    trained: TrainedGenerator, request: GenerationRequest, device: str = "auto"
) -> EndlessVolume:
    """A volume generated on demand, by a copy of the network.

    Raises
    ------
    ValueError
        If it cannot be periodic.
    """
    from napari_slicegan.generation.generate import VolumePlan
    from napari_slicegan.generation.lazy import EndlessVolume
    from napari_slicegan.runtime.devices import choose_device

    # The panel's own network is moved between devices.
    network = copy.deepcopy(trained.network).to(choose_device(device))
    own = dataclasses.replace(trained, network=network)
    return EndlessVolume(VolumePlan(own, request.size, request.seed, request.periodic))


def draw_samples(
    trained: TrainedNetwork,
    request: SampleRequest,
    device: str = "auto",
    progress: Progress | None = None,
) -> Sheet:
    """Generate images in batches.

    Raises
    ------
    ValueError
        If the generator makes no images, or they do not fit into the memory.
    """
    from napari_slicegan.generation.samples import generate_images
    from napari_slicegan.runtime.devices import choose_device

    try:
        trained.network.to(choose_device(device))
        return generate_images(trained, request.count, request.seed, progress)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise ValueError(
            f"The memory does not suffice for {request.count:,} images; draw fewer, or "
            "close other programs."
        ) from None
    finally:
        trained.network.to("cpu")


WORK: Mapping[type[Request], Callable[..., Any]] = {
    GenerationRequest: generate_volume,
    SampleRequest: draw_samples,
}
"""Function for each kind of request."""
