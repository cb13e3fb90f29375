"""How good a generator of images is while it trains."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_slicegan.metrics.similarity import (
    luminance_overlap,
    structural_similarity,
)
from napari_slicegan.metrics.sliced_wasserstein import sliced_wasserstein

if TYPE_CHECKING:
    from napari_slicegan.dataset import Source
    from napari_slicegan.sheet import Sheet
    from napari_slicegan.transforms import Transform

SEED = 0


@dataclass(frozen=True)
class ImageQuality:
    """Distance of generated images from real ones.

    Attributes
    ----------
    swd
        Sliced Wasserstein distance, mean over scales, times 1,000.
    swd_floor
        The same distance between two sets of real images of the same size.
    ssim
        Mean structural similarity of generated and real images, pair by pair; nan
        for images that are not aligned.
    luminance_overlap
        What has been published as structural similarity; nan as above.
    """

    swd: float
    swd_floor: float
    ssim: float = float("nan")
    luminance_overlap: float = float("nan")

    @property
    def headline(self) -> float:
        """The number that is to fall."""
        return self.swd

    def sentence(self) -> str:
        """A few words for a progress bar."""
        return f"SWD {self.swd:.2f} (real {self.swd_floor:.2f})"

    @staticmethod
    def columns(quality: Any) -> dict[str, float | str]:
        """Columns for the history; empty where nothing was measured."""
        names = [field.name for field in fields(ImageQuality)]
        return {
            name: "" if quality is None else getattr(quality, name) for name in names
        }


class ImageMonitor:
    """Measures sheets of generated images against real ones, always the same.

    Parameters
    ----------
    source
        Of the real images.
    transform
        From image values to network values.
    count
        Images of each kind.
    aligned
        Whether the images show the same thing at the same place.
    """

    def __init__(
        self, source: Source, transform: Transform, count: int, aligned: bool
    ) -> None:
        rng = torch.Generator().manual_seed(SEED)
        drawn = source.sample(2 * count, rng).numpy()
        self._real, other = drawn[:count], drawn[count:]
        self._transform = transform
        self._aligned = aligned
        self._floor = _distance(self._real, other)

    def measure(self, sheet: Sheet) -> ImageQuality:
        """Quality of as many generated images as there are real ones."""
        made = self._transform.forward(sheet.values[: len(self._real)]).numpy()
        swd = _distance(self._real, made)
        if not self._aligned:
            return ImageQuality(swd, self._floor)
        # Means over the channels, [N, C, Y, X] -> [N, Y, X], from -1 to 1.
        pairs = list(zip(self._real.mean(axis=1), made.mean(axis=1), strict=True))
        return ImageQuality(
            swd,
            self._floor,
            statistics.fmean(structural_similarity(a, b, 2.0) for a, b in pairs),
            statistics.fmean(luminance_overlap(a, b) for a, b in pairs),
        )


def _distance(real: NDArray[Any], made: NDArray[Any]) -> float:
    rng = np.random.default_rng(SEED)
    return float(sliced_wasserstein(real, made, rng).mean())
