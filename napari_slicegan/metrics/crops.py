"""Square crops of images as channels, for distances between sets of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Channels:
    """Conversion of values to channels, the same for all images that are compared.

    Phases are given by their labels; gray values and colours, without labels, are
    standardised by mean and deviation.
    """

    labels: tuple[int, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(
        cls, kind: Kind, labels: tuple[int, ...], images: Sequence[NDArray[Any]]
    ) -> Channels:
        """Channels for images like these."""
        if kind == "phases":
            return cls(labels)
        values = np.concatenate([image.ravel() for image in images])
        deviation = float(values.std(dtype=np.float64)) or 1.0
        return cls((), float(values.mean(dtype=np.float64)), deviation)

    def split(self, image: NDArray[Any]) -> Floats:
        """Image ``[rows, columns(, 3)]`` as channels ``[C, rows, columns]``.

        Of labels, squared distances between channels are twice the number of pixels
        that differ; two phases have one channel of +-1 over the square root of 2.
        """
        if len(self.labels) == 2:
            signs = np.where(image == self.labels[1], 1.0, -1.0) / np.sqrt(2)
            return np.asarray(signs[np.newaxis], np.float32)
        if self.labels:
            return np.stack([image == label for label in self.labels]).astype(
                np.float32
            )
        scaled = (image.astype(np.float32) - self.mean) / self.deviation
        return np.moveaxis(scaled, -1, 0) if scaled.ndim == 3 else scaled[np.newaxis]


class Place(NamedTuple):
    """Position of a crop: number of the image, first row and column."""

    image: int
    row: int
    column: int


def random_places(
    images: Sequence[NDArray[Any]], edge: int, count: int, rng: np.random.Generator
) -> list[Place]:
    """Positions of square crops in ``[rows, columns(, 3)]``, all equally probable."""
    room = np.array([image.shape[:2] for image in images]) - edge + 1
    areas = room.prod(axis=1)
    chosen = rng.choice(len(images), count, p=areas / areas.sum())
    return [
        Place(int(number), *(int(rng.integers(n)) for n in room[number]))
        for number in chosen
    ]


def cut(image: NDArray[Any], place: Place, edge: int) -> NDArray[Any]:
    """The crop at a place of channels ``[C, rows, columns]``."""
    return image[:, place.row : place.row + edge, place.column : place.column + edge]
