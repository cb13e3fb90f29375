"""Whether generated slices repeat the images: the nearest real crop of each.

A generator that memorises makes slices that are nearer to a real crop than real crops,
cut elsewhere, are to each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

from napari_slicegan.metrics.crops import Channels, Floats, Place, cut, random_places

N_CROPS = 32
SEED = 0
# A crop nearer than all but this share of real ones counts as near.
NEAR_SHARE = 0.05
# Differing pixels of a copy at most, as a share.
COPY = 0.01


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest real crop, over all positions in all images.

    Attributes
    ----------
    edge
        Of the crops, in pixels.
    generated, real
        Distance of each crop: of labels the share of pixels that differ; else the root
        mean square of the difference, in standard deviations of the real values. Real
        crops are not compared with what overlaps them.
    """

    edge: int
    generated: tuple[float, ...]
    real: tuple[float, ...]

    @property
    def near_share(self) -> float:
        """Share of generated crops nearer than 95 % of real ones; 0.05 by chance."""
        limit = np.quantile(self.real, NEAR_SHARE)
        return float(np.mean(np.less(self.generated, limit)))

    @property
    def probability(self) -> float:
        """Probability of generated distances as small as these by chance.

        One-sided rank test of Mann and Whitney.
        """
        if np.ptp([*self.generated, *self.real]) == 0:
            return 1.0
        test = stats.mannwhitneyu(self.generated, self.real, alternative="less")
        return float(test.pvalue)

    @property
    def copies(self) -> int:
        """Number of generated crops that are copies while no real crop is."""
        if min(self.real) <= COPY:
            return 0
        return sum(distance <= COPY for distance in self.generated)


def memorisation(
    images: Sequence[NDArray[Any]],
    slices: Sequence[NDArray[Any]],
    channels: Channels,
    symmetric: bool,
    edge: int | None = None,
) -> Memorisation | None:
    """Nearest real crops of generated slices and of real crops.

    Every position is looked at, by correlation in Fourier space.

    Parameters
    ----------
    images
        Real images ``[rows, columns(, 3)]``.
    slices
        Generated planes of the same kind.
    channels
        How both become channels.
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
    made = [channels.split(plane) for plane in slices]
    search = _Search(split, edge, symmetric)
    factor = 0.5 if channels.labels else 1 / len(split[0])

    def distance(crop: Floats, own: Place | None) -> float:
        square = max(0.0, search.nearest(crop, own)) * factor / edge**2
        return square if channels.labels else float(np.sqrt(square))

    places = random_places(slices, edge, N_CROPS, rng)
    generated = [distance(cut(made[p.image], p, edge), None) for p in places]
    places = random_places(images, edge, N_CROPS, rng)
    real = [distance(cut(split[p.image], p, edge), p) for p in places]
    return Memorisation(edge, tuple(generated), tuple(real))


class _Search:
    """Smallest squared distance of a crop from all crops of some images."""

    def __init__(self, images: Sequence[Floats], edge: int, symmetric: bool) -> None:
        self.edge, self.symmetric = edge, symmetric
        self.sizes = [
            tuple(fft.next_fast_len(n, real=True) for n in image.shape[1:])
            for image in images
        ]
        self.spectra = [
            fft.rfft2(image, size)
            for image, size in zip(images, self.sizes, strict=True)
        ]
        # [rows - edge + 1, columns - edge + 1]: sum of squares in each window
        self.squares = [_window_sums((image**2).sum(axis=0), edge) for image in images]

    def nearest(self, crop: Floats, own: Place | None) -> float:
        """The distance; nothing that overlaps the place `own` is compared."""
        best = np.inf
        own_square = float((crop.astype(np.float64) ** 2).sum())
        for number, squares in enumerate(self.squares):
            rows, columns = squares.shape
            for turned in self._turned(crop):
                spectrum = np.conj(fft.rfft2(turned, self.sizes[number]))
                spectrum *= self.spectra[number]
                products = fft.irfft2(spectrum.sum(axis=0), self.sizes[number])
                found = squares + own_square - 2 * products[:rows, :columns]
                if own is not None and own.image == number:
                    top, left = (
                        max(0, n - self.edge + 1) for n in (own.row, own.column)
                    )
                    found[top : own.row + self.edge, left : own.column + self.edge] = (
                        np.inf
                    )
                best = min(best, float(found.min()))
        return best

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
