"""How good a generator of images is while it trains."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from napari_slicegan.metrics.similarity import (
    luminance_overlap,
    structural_similarity,
)
from napari_slicegan.metrics.sliced_wasserstein import mean_distance
from napari_slicegan.training.monitored_curve import MonitoredCurve

if TYPE_CHECKING:
    from napari_slicegan.dataset import Source
    from napari_slicegan.image_sets.sheet import Sheet
    from napari_slicegan.transforms import Transform

SEED = 0
DISTANCE = MonitoredCurve("swd", "Sliced Wasserstein distance to real", "swd_floor")
SIMILARITY = MonitoredCurve(
    "ssim", "Structural similarity, pair by pair", is_distance=False
)


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

    columns = tuple(field.name for field in fields(ImageQuality))

    def __init__(
        self, source: Source, transform: Transform, count: int, aligned: bool
    ) -> None:
        rng = torch.Generator().manual_seed(SEED)
        drawn = source.sample(2 * count, rng).numpy()
        self._real, other = drawn[:count], drawn[count:]
        self._transform = transform
        self._aligned = aligned
        self._floor = mean_distance(self._real, other)

    @property
    def curves(self) -> tuple[MonitoredCurve, ...]:
        """What is drawn."""
        return (DISTANCE, SIMILARITY) if self._aligned else (DISTANCE,)

    @property
    def real_values(self) -> NDArray[Any]:
        """The real images that others are measured against, as they came."""
        return self._transform.inverse(torch.from_numpy(self._real), 1)

    def measure(self, sheet: Sheet) -> ImageQuality:
        """Quality of as many generated images as there are real ones."""
        made = self._transform.forward(sheet.values[: len(self._real)]).numpy()
        swd = mean_distance(self._real, made)
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
