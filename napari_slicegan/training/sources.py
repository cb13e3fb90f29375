"""Sources of real samples on the device and shared among processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_slicegan.data.patch_sampler import ImageSampler, PatchSampler, Source
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.runtime.distributed import DistributedContext

LARGEST_BYTES = 2**30
"""Images that need more memory as network values stay where they are."""
FLOAT = 4


class CropsOnDevice(Source):
    """Gives the crops of a `PatchSampler`, on another device."""

    def __init__(self, source: PatchSampler, device: torch.device) -> None:
        self._source = source
        self._device = device
        self._steps = torch.arange(source.patch_size, device=device)
        # [N, C, Y, X] of each image -> [pixels of all images, C]
        layers = [source.transform.forward(stack) for stack in source.stacks]
        pixels = [layer.movedim(1, -1).flatten(0, 2) for layer in layers]
        self._pixels = torch.cat(pixels).to(device)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` crops, as on the processor."""
        return self._source.draw(n, rng)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen crops: float32 ``[n, C, P, P]``, on the device."""
        positions, symmetries = chosen.T
        places = self._source.strides(positions.numpy(), symmetries.numpy())
        # Each [n, 1]; rows [n, P, 1] + columns [n, 1, P].
        start, down, right = to_device(torch.from_numpy(places), self._device)[
            ..., None
        ]
        rows, columns = start + self._steps * down, self._steps * right
        pixels = self._pixels[rows[:, :, None] + columns[:, None]]
        # [n, P, P, C] -> [n, C, P, P]
        return pixels.movedim(-1, 1)


class ImagesOnDevice(Source):
    """Gives the images of an `ImageSampler` that does not roll, on another device."""

    def __init__(self, source: ImageSampler, device: torch.device) -> None:
        self._source = source
        self._device = device
        self._images = source.transform.forward(source.values).to(device)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` images, as on the processor."""
        return self._source.draw(n, rng)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen images: float32 ``[n, C, Y, X]``, on the device."""
        return self._images[to_device(chosen[:, 0], self._device)]


def on_device(source: Source, device: torch.device) -> Source:
    """Source of the same samples that cuts them on a GPU, where this is possible.

    Images that are too large, labelled, or rolled at random are cut on the processor:
    while a GPU computes a step, the program has the time to do so.
    """
    if device.type == "cpu":
        return source
    if isinstance(source, PatchSampler) and not source.is_labelled:
        fits = FLOAT * source.transform.channels * source.n_pixels <= LARGEST_BYTES
        return CropsOnDevice(source, device) if fits else source
    if isinstance(source, ImageSampler) and not source.roll:
        fits = FLOAT * source.values.size <= LARGEST_BYTES
        return ImagesOnDevice(source, device) if fits else source
    return source


class SharedSource(Source):
    """A source from which all processes draw together.

    All of them draw the same numbers, and each cuts only its own samples: together
    they see what one process would see of a batch as large as all of theirs.

    Parameters
    ----------
    parts
        Equal parts that a batch consists of, such as those of three axes; each
        process gets its shard of each part. A critic that is updated for each axis
        in turn has one part; in the generator's step a pairing objective then pairs
        other images than one process would.
    """

    def __init__(
        self, source: Source, distributed: DistributedContext, parts: int
    ) -> None:
        self._source = source
        self._distributed = distributed
        self._parts = parts

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose this process's `n` samples: ``[n, k]``."""
        chosen = self._source.draw(n * self._distributed.world_size, rng)
        return self._distributed.shard(chosen, self._parts)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen samples as network values."""
        return self._source.take(chosen)


def shared(source: Source, distributed: DistributedContext, parts: int) -> Source:
    """Source of this process's shard; a process that trains alone takes all."""
    alone = distributed.world_size == 1
    return source if alone else SharedSource(source, distributed, parts)
