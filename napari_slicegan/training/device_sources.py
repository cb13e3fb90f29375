"""Real samples cut on a GPU, from images that are copied there once.

The places are drawn on the processor, from the same random numbers as without a GPU;
they are all that is copied in a step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_slicegan.dataset import ImageSampler, PatchSampler, Source
from napari_slicegan.machine.devices import to_device

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
