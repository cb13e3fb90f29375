"""Random crops of micrographs and random images of a set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.data.transforms import Transform

Symmetries = Literal["none", "flips", "rotations"]


class Source(Protocol):
    """Source of the real samples of a critic."""

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` samples by numbers, int64 ``[n, k]``, on the CPU."""

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen samples as network values, float32 ``[n, C, ...]``."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `n` of them as network values, float32 ``[n, C, ...]``."""
        return self.take(self.draw(n, rng))

    def packed(self, chosen: Tensor) -> Tensor:
        """What the device needs of chosen samples, on the CPU: their values."""
        return self.take(chosen)

    def unpacked(self, packed: Tensor) -> Tensor:
        """Samples ``[n, C, ...]`` of the `packed` values on the device."""
        return packed


class PatchSampler(Source):
    """Random square crops; all positions in all images are equally probable.

    Crops are cut when they are drawn, so memory does not grow with their number.

    Parameters
    ----------
    micrographs
        Images of one viewing direction. Of a volume, random planes are used.
    transform
        Turns labels, gray values or colours into network values.
    patch_size
        Edge of the crops in pixels; an image of exactly this size is fine.
    symmetries
        Applied at random to each crop: ``"flips"`` mirrors rows and columns,
        ``"rotations"`` adds quarter turns, all eight symmetries of the square.
    axis
        Direction along which the planes of a volume are seen.
    labels
        One number per image, appended to its crops as a further channel.

    Raises
    ------
    ValueError
        If there is no image, or one is smaller than the patch.
    """

    def __init__(
        self,
        micrographs: Sequence[Micrograph],
        transform: Transform,
        patch_size: int,
        symmetries: Symmetries = "none",
        axis: Axis = "z",
        labels: Sequence[float] = (),
    ) -> None:
        if not micrographs:
            raise ValueError(
                "Expected at least one image to draw from, got none; load one."
            )
        for micrograph in micrographs:
            micrograph.check_patch(patch_size, axis)
        # [N, rows, columns(, 3)] each; views of the images, not copies.
        self.stacks = [micrograph.planes(axis) for micrograph in micrographs]
        self.transform = transform
        self.patch_size = patch_size
        self.symmetries = symmetries
        # Planes, and first rows and columns of a crop, of each image.
        self._grids = [
            (planes, rows - patch_size + 1, columns - patch_size + 1)
            for planes, rows, columns, *_ in (stack.shape for stack in self.stacks)
        ]
        # Position p belongs to the first image whose end lies beyond p.
        self._ends = np.cumsum([int(np.prod(grid)) for grid in self._grids])
        self._labels = torch.tensor(labels, dtype=torch.float32)

    @property
    def n_positions(self) -> int:
        """Number of different crops, symmetries not counted."""
        return int(self._ends[-1])

    @property
    def is_labelled(self) -> bool:
        """Whether crops have a further channel with the label of their image."""
        return len(self._labels) > 0

    @property
    def n_pixels(self) -> int:
        """Number of pixels of all images."""
        return sum(int(np.prod(stack.shape[:3])) for stack in self.stacks)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen crops as network values: float32 ``[n, C, P, P]``, on the CPU.

        Labels add one channel.
        """
        positions, symmetries = chosen.T
        crops = [
            self._turned(self._crop(position), symmetry)
            for position, symmetry in zip(
                positions.tolist(), symmetries.tolist(), strict=True
            )
        ]
        values = self.transform.forward(np.stack(crops))
        if not self.is_labelled:
            return values
        images = np.searchsorted(self._ends, positions.numpy(), side="right")
        labels = self._labels[torch.from_numpy(images)].reshape(-1, 1, 1, 1)
        return torch.cat([values, labels.expand_as(values[:, :1])], dim=1)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` crops: ``[n, 2]``, number through all images, and symmetry."""
        positions = torch.randint(self.n_positions, (n,), generator=rng)
        symmetries = torch.randint(8, (n,), generator=rng)
        return torch.stack([positions, symmetries], dim=1)

    def strides(
        self, positions: NDArray[np.int64], symmetries: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Positions of crops in the flattened pixels of all images.

        Returns
        -------
        ndarray
            [3, n]: index of the crop's first pixel, and steps from there to the pixel
            below and to the one on the right. A symmetry changes start and steps.
        """
        image = np.searchsorted(self._ends, positions, side="right")
        grids = np.array(self._grids)
        shapes = np.array([stack.shape[:3] for stack in self.stacks])
        before = np.cumsum([0, *shapes.prod(axis=1)])[image]
        inside = positions - np.array([0, *self._ends])[image]
        _, rows, columns = grids[image].T
        plane, row = inside // (rows * columns), inside // columns % rows
        _, height, width = shapes[image].T
        start = before + (plane * height + row) * width + inside % columns
        down, right = width, np.ones_like(width)
        if self.symmetries != "none":
            last = self.patch_size - 1
            for bit, step in ((1, down), (2, right)):
                start = start + np.where(symmetries & bit, last * step, 0)
            down = np.where(symmetries & 1, -down, down)
            right = np.where(symmetries & 2, -right, right)
        if self.symmetries == "rotations":
            turned = symmetries & 4 > 0
            down, right = np.where(turned, right, down), np.where(turned, down, right)
        return np.stack([start, down, right])

    def _crop(self, position: int) -> NDArray[Any]:
        """Crop number `position`, counting through all images: ``[P, P(, 3)]``."""
        image = int(np.searchsorted(self._ends, position, side="right"))
        start = int(self._ends[image - 1]) if image else 0
        plane, row, column = np.unravel_index(position - start, self._grids[image])
        size = self.patch_size
        return self.stacks[image][plane, row : row + size, column : column + size]

    def _turned(self, crop: NDArray[Any], symmetry: int) -> NDArray[Any]:
        """One of the eight symmetries of the square, as far as they are allowed."""
        if self.symmetries == "none":
            return crop
        if symmetry & 1:
            crop = crop[::-1]
        if symmetry & 2:
            crop = crop[:, ::-1]
        if symmetry & 4 and self.symmetries == "rotations":
            crop = crop.swapaxes(0, 1)
        return crop


class PairSampler(Source):
    """Crops at the same place of two aligned parallel sections, as channels.

    Both crops of a pair have the same symmetry. Under symmetries other than "none" they
    also come in either order: half a turn about an axis in the plane exchanges the
    sections and mirrors them.

    Parameters
    ----------
    micrographs
        Images of one viewing direction, two by two: first and second section.
    transform, patch_size, symmetries, axis
        As of `PatchSampler`.

    Raises
    ------
    ValueError
        If the images are no pairs: an odd number, volumes, or of different sizes.
    """

    def __init__(
        self,
        micrographs: Sequence[Micrograph],
        transform: Transform,
        patch_size: int,
        symmetries: Symmetries = "none",
        axis: Axis = "z",
    ) -> None:
        _check_pairs(micrographs)
        self.sides = tuple(
            PatchSampler(side, transform, patch_size, symmetries, axis)
            for side in (micrographs[::2], micrographs[1::2])
        )
        self._is_ordered = symmetries == "none"

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` pairs: ``[n, 3]``, as of `PatchSampler`, and 1 if exchanged."""
        places = self.sides[0].draw(n, rng)
        exchanged = torch.randint(1 if self._is_ordered else 2, (n, 1), generator=rng)
        return torch.cat([places, exchanged], dim=1)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen pairs as network values: float32 ``[n, 2 C, P, P]``, on the CPU."""
        crops = [side.take(chosen[:, :2]) for side in self.sides]
        return in_order(torch.stack(crops), chosen[:, 2])


def in_order(crops: Tensor, exchanged: Tensor) -> Tensor:
    """Pairs [n, 2 C, P, P] of crops [2, n, C, P, P], in the other order where 1."""
    numbers = torch.arange(len(exchanged), device=crops.device)
    return torch.cat([crops[exchanged, numbers], crops[1 - exchanged, numbers]], 1)


def _check_pairs(micrographs: Sequence[Micrograph]) -> None:
    """Refuse images that are no pairs of sections."""
    if len(micrographs) % 2 or not micrographs:
        got = f"{len(micrographs)} images"
        if len(micrographs) == 1:
            got = f"only {micrographs[0].name}"
        raise ValueError(
            "Expected pairs of parallel sections, an even number of images, got "
            f"{got}; add the second section, or leave 'Pair distance' empty."
        )
    for micrograph in micrographs:
        if micrograph.is_volume:
            raise ValueError(
                f"{micrograph.name}: expected an image of a section for a pair, got a "
                "volume; give two of its planes as images."
            )
    for first, second in zip(micrographs[::2], micrographs[1::2], strict=True):
        sizes = [image.values.shape[:2] for image in (first, second)]
        if sizes[0] != sizes[1]:
            a, b = (f"{rows} x {columns}" for rows, columns in sizes)
            raise ValueError(
                "Expected aligned sections of the same size for a pair, got "
                f"{a} pixels ({first.name}) and {b} ({second.name}); crop both to the "
                "area that they share."
            )
        corners = [
            (crop[0], crop[2]) if (crop := image.facts.crop) else (0, 0)
            for image in (first, second)
        ]
        if corners[0] != corners[1]:
            raise ValueError(
                "Expected the same crop of both sections of a pair, got first rows and "
                f"columns {corners[0]} ({first.name}) and {corners[1]} ({second.name});"
                " set one 'Crop' by numbers for both."
            )


def patch_samplers(
    images: TrainingImages,
    transform: Transform,
    patch_size: int,
    symmetries: Symmetries,
    labels: Sequence[float] = (),
    pair_axes: Collection[Axis] = (),
) -> list[Source]:
    """One sampler for each viewing direction of the images, in the order z, y, x.

    Parameters
    ----------
    pair_axes
        Directions whose images are pairs.
    """
    return [
        PairSampler(images.views[axis], transform, patch_size, symmetries, axis)
        if axis in pair_axes
        else PatchSampler(
            images.views[axis], transform, patch_size, symmetries, axis, labels
        )
        for axis in AXES
        if axis in images.views
    ]


class ImageSampler(Source):
    """Whole images of a set, each equally probable at every draw.

    Parameters
    ----------
    values
        ``[N, Y, X]`` or ``[N, Y, X, 3]``.
    transform
        Turns gray values or colours into network values.
    roll
        Largest number of columns by which an image is rolled at random.
    """

    def __init__(
        self, values: NDArray[Any], transform: Transform, roll: int = 0
    ) -> None:
        self.values = values
        self.roll = roll
        self.transform = transform

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Choose `n` images: ``[n, 2]``, number, and columns by which it is rolled."""
        numbers = torch.randint(len(self.values), (n,), generator=rng)
        steps = torch.zeros_like(numbers)
        if self.roll:
            steps = torch.randint(-self.roll, self.roll + 1, (n,), generator=rng)
        return torch.stack([numbers, steps], dim=1)

    def take(self, chosen: Tensor) -> Tensor:
        """Chosen images as network values: float32 ``[n, C, Y, X]``, on the CPU."""
        numbers, steps = chosen.T
        images = self.values[numbers.numpy()]
        if self.roll:
            pairs = zip(images, steps.tolist(), strict=True)
            images = np.stack([np.roll(image, step, axis=1) for image, step in pairs])
        return self.transform.forward(images)
