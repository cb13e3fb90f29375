"""Random crops of images, memorisation of training images, diversity of volumes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_slicegan.config import Kind

N_CROPS = 32
SEED = 0
# Largest fraction of differing pixels in a copy.
COPY = 0.01
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


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest real crop, over all positions in all images.

    Attributes
    ----------
    edge
        Edge of the crops, in pixels.
    generated, real
        Distance of each crop: of labels the fraction of differing pixels; else the root
        mean square of the difference, in standard deviations of the real values. Real
        crops are not compared with crops that overlap them; generated ones, for
        fairness, not with crops that overlap a random place.
    nearest
        Distance of each generated crop from all real crops.
    """

    edge: int
    generated: tuple[float, ...]
    real: tuple[float, ...]
    nearest: tuple[float, ...]

    @property
    def probability(self) -> float:
        """Probability of generated distances as small as these by chance.

        One-sided rank test of Mann and Whitney.
        """
        if np.ptp([*self.generated, *self.real]) == 0:
            return 1.0
        test = scipy.stats.mannwhitneyu(self.generated, self.real, alternative="less")
        return float(test.pvalue)

    @property
    def copies(self) -> int:
        """Number of generated crops that are copies while no real crop is."""
        if min(self.real) <= COPY:
            return 0
        return sum(distance <= COPY for distance in self.nearest)


def memorisation(
    images: Sequence[NDArray[Any]],
    slices: Sequence[NDArray[Any]],
    channels: Channels,
    symmetric: bool,
    edge: int | None = None,
) -> Memorisation | None:
    """Nearest real crops, at any position, of generated slices and of real crops.

    Parameters
    ----------
    images
        Real images ``[rows, columns(, 3)]``.
    slices
        Generated planes of the same kind.
    channels
        Conversion of both to channels.
    symmetric
        Whether quarter turns and mirror images of the real crops count as well, as for
        isotropic materials.
    edge
        Of the crops; by default a quarter of the smallest image, 16 to 64 pixels.

    Returns
    -------
    None if an image or slice is smaller than the crops.
    """
    smallest = min(min(image.shape[:2]) for image in images)
    edge = edge or int(np.clip(smallest // 4, 16, 64))
    if min(smallest // 2, *(min(plane.shape[:2]) for plane in slices)) < edge:
        return None
    rng = np.random.default_rng(SEED)
    split = [channels.split(image) for image in images]
    search = _Search(split, edge, symmetric, channels)
    hidden = random_places(images, edge, N_CROPS, rng)
    real = [search.nearest(cut(split[p.image], p, edge), p) for p in hidden]
    split = [channels.split(plane) for plane in slices]
    places = random_places(slices, edge, N_CROPS, rng)
    crops = (cut(split[p.image], p, edge) for p in places)
    made = [search.nearest(*pair) for pair in zip(crops, hidden, strict=True)]
    return Memorisation(
        edge=edge,
        generated=tuple(fair for fair, _ in made),
        real=tuple(fair for fair, _ in real),
        nearest=tuple(nearest for _, nearest in made),
    )


class _Search:
    """Smallest distance of a crop from all crops of some images."""

    def __init__(
        self,
        images: Sequence[Floats],
        edge: int,
        symmetric: bool,
        channels: Channels,
    ) -> None:
        self.edge, self.symmetric = edge, symmetric
        self.labelled, self.n_channels = bool(channels.labels), len(images[0])
        self.sizes = [
            tuple(scipy.fft.next_fast_len(n, real=True) for n in image.shape[1:])
            for image in images
        ]
        self.spectra = [
            scipy.fft.rfft2(image, size)
            for image, size in zip(images, self.sizes, strict=True)
        ]
        # [rows - edge + 1, columns - edge + 1]: sum of squares in each window
        self.squares = [_window_sums((image**2).sum(axis=0), edge) for image in images]

    def nearest(self, crop: Floats, hidden: Place) -> tuple[float, float]:
        """Distance without the crops that overlap the hidden place, and with them."""
        fair = nearest = np.inf
        own_square = float((crop.astype(np.float64) ** 2).sum())
        for number, squares in enumerate(self.squares):
            rows, columns = squares.shape
            for turned in self._turned(crop):
                spectrum = np.conj(scipy.fft.rfft2(turned, self.sizes[number]))
                spectrum *= self.spectra[number]
                products = scipy.fft.irfft2(spectrum.sum(axis=0), self.sizes[number])
                found = squares + own_square - 2 * products[:rows, :columns]
                nearest = min(nearest, float(found.min()))
                if hidden.image == number:
                    found[self._around(hidden)] = np.inf
                fair = min(fair, float(found.min()))
        return self._distance(fair), self._distance(nearest)

    def _distance(self, square: float) -> float:
        """Fraction of differing pixels, or root mean square of the difference."""
        mean = max(0.0, square) / self.edge**2
        return mean / 2 if self.labelled else float(np.sqrt(mean / self.n_channels))

    def _around(self, place: Place) -> tuple[slice, slice]:
        """Positions of the crops that overlap the one at a place."""
        row, column = (
            slice(max(0, n - self.edge + 1), n + self.edge)
            for n in (place.row, place.column)
        )
        return row, column

    def _turned(self, crop: Floats) -> Iterator[Floats]:
        """The crop; with its quarter turns and mirror images if they count."""
        if not self.symmetric:
            yield crop
            return
        for mirrored in (crop, crop[:, ::-1]):
            for turns in range(4):
                yield np.rot90(mirrored, turns, axes=(1, 2))


def _window_sums(values: Floats, edge: int) -> NDArray[np.float64]:
    """Sums over all square windows."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.astype(np.float64).cumsum(0).cumsum(1)
    return np.asarray(
        sums[edge:, edge:]
        - sums[:-edge, edge:]
        - sums[edge:, :-edge]
        + sums[:-edge, :-edge]
    )


@dataclass(frozen=True)
class Diversity:
    """Similarity of volumes of different seeds, voxel by voxel.

    Attributes
    ----------
    likeness
        Mean over the pairs of volumes: of labels Cohen's kappa, the agreement beyond
        chance; of gray values the correlation. 0 for independent volumes, 1 for equal
        ones.
    chance
        Root mean square of the same between volumes and others that are shifted by half
        their edge: the value for independent volumes.
    n_volumes
        Number of volumes.
    """

    likeness: float
    chance: float
    n_volumes: int


def diversity(volumes: Sequence[NDArray[Any]], labels: Sequence[int] = ()) -> Diversity:
    """Compare volumes of the same generator and different seeds.

    Parameters
    ----------
    volumes
        At least two of equal shape.
    labels
        Phases; empty for gray values and colours.

    Raises
    ------
    ValueError
        If there are fewer than two, or their shapes differ.
    """
    if len(volumes) < 2 or len({volume.shape for volume in volumes}) > 1:
        raise ValueError(
            "Diversity needs at least two volumes of the same shape; got "
            f"{[volume.shape for volume in volumes]}. Generate more."
        )
    pairs = list(itertools.combinations(volumes, 2))
    found = [_likeness(one, other, labels) for one, other in pairs]
    # By an odd number: a pattern of every second, fourth ... voxel must not match.
    moved = [
        _likeness(one, np.roll(other, one.shape[axis] // 2 | 1, axis), labels)
        for one, other in pairs
        for axis in range(3)
    ]
    return Diversity(
        float(np.mean(found)),
        float(np.sqrt(np.mean(np.square(moved)))),
        len(volumes),
    )


def _likeness(one: NDArray[Any], other: NDArray[Any], labels: Sequence[int]) -> float:
    """Cohen's kappa, or Pearson's correlation; 1 where nothing varies."""
    if not labels:
        first, second = (v.astype(np.float64) - v.mean() for v in (one, other))
        scale = np.sqrt((first**2).mean() * (second**2).mean())
        return float((first * second).mean() / scale) if scale else 1.0
    agreement = float((one == other).mean())
    chance = sum(
        float((one == label).mean()) * float((other == label).mean())
        for label in labels
    )
    return (agreement - chance) / (1 - chance) if chance < 1 else 1.0
