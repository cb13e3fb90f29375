"""Sources of real samples on the training device and sharded across processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_slicegan.data.patch_sampler import (
    ImageSampler,
    PairSampler,
    PatchSampler,
    Source,
    in_order,
)
from napari_slicegan.runtime.devices import to_device

if TYPE_CHECKING:
    from napari_slicegan.runtime.distributed import DistributedContext

MAX_DEVICE_BYTES = 2**30
"""Images that need more memory as network values stay on the CPU."""
FLOAT32_BYTES = 4


class DerivedSource(Source):
    """Samples chosen by another source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose the same samples as the other source."""
        return self._source.draw(n, rng)


class CropsOnDevice(DerivedSource):
    """The crops of a `PatchSampler`, cut on a GPU."""

    _source: PatchSampler

    def __init__(self, source: PatchSampler, device: torch.device) -> None:
        super().__init__(source)
        self._device = device
        self._steps = torch.arange(source.patch_size, device=device)
        # [N, C, Y, X] of each image -> [pixels of all images, C]
        layers = [source.transform.forward(stack) for stack in source.stacks]
        pixels = [layer.movedim(1, -1).flatten(0, 2) for layer in layers]
        self._pixels = torch.cat(pixels).to(device)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen crops: float32 ``[n, C, P, P]``, on the device."""
        return self.unpacked(to_device(self.packed(chosen), self._device))

    def packed(self, chosen: Tensor) -> Tensor:
        """First pixel of each crop, steps down and to the right: [3, n]."""
        positions, symmetries = chosen.T
        places = self._source.strides(positions.numpy(), symmetries.numpy())
        return torch.from_numpy(places)

    def unpacked(self, packed: Tensor) -> Tensor:
        """Cut the crops."""
        # Each [n, 1]; rows [n, P, 1] + columns [n, 1, P].
        start, down, right = packed[..., None]
        rows, columns = start + self._steps * down, self._steps * right
        pixels = self._pixels[rows[:, :, None] + columns[:, None]]
        # [n, P, P, C] -> [n, C, P, P]
        return pixels.movedim(-1, 1)


class PairsOnDevice(DerivedSource):
    """The pairs of a `PairSampler`, cut on a GPU."""

    def __init__(self, source: PairSampler, device: torch.device) -> None:
        super().__init__(source)
        self._device = device
        self._sides = [CropsOnDevice(side, device) for side in source.sides]

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen pairs: float32 ``[n, 2 C, P, P]``, on the device."""
        return self.unpacked(to_device(self.packed(chosen), self._device))

    def packed(self, chosen: Tensor) -> Tensor:
        """Places of the first and of the second crops, 1 if exchanged: [7, n]."""
        places = [side.packed(chosen[:, :2]) for side in self._sides]
        return torch.cat([*places, chosen[None, :, 2]])

    def unpacked(self, packed: Tensor) -> Tensor:
        """Cut the crops."""
        *places, exchanged = packed.split((3, 3, 1))
        crops = [
            side.unpacked(each) for side, each in zip(self._sides, places, strict=True)
        ]
        return in_order(torch.stack(crops), exchanged[0])


class ImagesOnDevice(DerivedSource):
    """The images of an `ImageSampler` without random shifts, stored on a GPU."""

    def __init__(self, source: ImageSampler, device: torch.device) -> None:
        super().__init__(source)
        self._device = device
        self._images = source.transform.forward(source.values).to(device)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen images: float32 ``[n, C, Y, X]``, on the device."""
        return self.unpacked(to_device(self.packed(chosen), self._device))

    def packed(self, chosen: Tensor) -> Tensor:
        """Numbers of the images, [n]."""
        return chosen[:, 0]

    def unpacked(self, packed: Tensor) -> Tensor:
        """Select the images."""
        return self._images[packed]


def move_to_device(source: Source, device: torch.device) -> Source:
    """Source of the same samples on the device, if possible.

    Images that are too large, labelled or shifted at random stay on the CPU, which is
    idle while a GPU computes a step.
    """
    if device.type == "cpu":
        return source
    most = MAX_DEVICE_BYTES // FLOAT32_BYTES
    if isinstance(source, PatchSampler) and not source.is_labelled:
        fits = source.transform.channels * source.n_pixels <= most
        return CropsOnDevice(source, device) if fits else source
    if isinstance(source, PairSampler):
        pixels = sum(side.n_pixels for side in source.sides)
        fits = source.sides[0].transform.channels * pixels <= most
        return PairsOnDevice(source, device) if fits else source
    if isinstance(source, ImageSampler) and not source.roll:
        return ImagesOnDevice(source, device) if source.values.size <= most else source
    return source


class ShardedSource(DerivedSource):
    """A source sharded across processes.

    All processes draw the same random numbers and each cuts only its own samples, so
    that together they see one global batch.

    Parameters
    ----------
    parts
        Number of equal parts of a batch, such as three axes; each process gets its
        shard of each part. A critic updated per axis has one part; a relativistic
        objective then pairs other images in the generator step than a single process
        would.
    """

    def __init__(
        self, source: Source, distributed: DistributedContext, parts: int
    ) -> None:
        super().__init__(source)
        self._distributed = distributed
        self._parts = parts

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose this process's `n` samples: ``[n, k]``."""
        chosen = self._source.draw(n * self._distributed.world_size, rng)
        return self._distributed.shard(chosen, self._parts)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen samples as network values."""
        return self._source.take(chosen)

    def packed(self, chosen: Tensor) -> Tensor:
        """As the other source packs them."""
        return self._source.packed(chosen)

    def unpacked(self, packed: Tensor) -> Tensor:
        """As the other source unpacks them."""
        return self._source.unpacked(packed)


def shard_source(source: Source, distributed: DistributedContext, parts: int) -> Source:
    """Source of this process's shard; a single process gets the source itself."""
    if distributed.world_size == 1:
        return source
    return ShardedSource(source, distributed, parts)
