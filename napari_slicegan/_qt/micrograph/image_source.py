"""Image sources and their preparation for training; no Qt.

The panel calls these functions in a worker thread.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan.config import AXES, Axis, MicrographSettings
from napari_slicegan.data.image_files import read_image
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.image_checks import (
    Fractions,
    image_warnings,
    view_fractions,
)

logger = logging.getLogger(__name__)

Sources = Mapping[Axis, tuple["ImageSource", ...]]


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Values of a layer or a file, before preprocessing.

    Attributes
    ----------
    values
        ``[Y, X]``, ``[Y, X, 3]``, or a volume; possibly lazy.
    path
        File of the values; its header may hold the pixel size.
    """

    values: Any = field(repr=False)
    name: str
    pixel_size_nm: float | None = None
    path: Path | None = None

    @classmethod
    def read(cls, path: Path) -> ImageSource:
        """Read a file.

        Raises
        ------
        ValueError
            If it holds no image.
        """
        file = read_image(path)
        return cls(file.values, path.name, file.pixel_size_nm, path)

    @property
    def is_volume(self) -> bool:
        """Whether there is a third spatial axis."""
        shape = np.shape(self.values)
        return len(shape) == 4 or (len(shape) == 3 and shape[-1] not in (3, 4))

    @property
    def size(self) -> str:
        """Number of pixels per axis, as text."""
        shape = np.shape(self.values)
        return " x ".join(map(str, shape[: 3 if self.is_volume else 2]))

    def micrograph(self, settings: MicrographSettings) -> Micrograph:
        """Crop, denoise, segment and rescale.

        Raises
        ------
        ValueError
            If the values cannot be trained on, or a setting does not fit them.
        """
        values = np.asarray(self.values)
        return Micrograph.from_values(values, settings, self.known_size(), self.name)

    def known_size(self) -> float | None:
        """Pixel size in nanometres from the layer, else from the file header."""
        if self.pixel_size_nm is not None or self.path is None:
            return self.pixel_size_nm
        try:
            return read_image(self.path).pixel_size_nm
        except ValueError:
            return None  # a format of another napari reader


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """Images ready for training, with their phase fractions and warnings.

    Attributes
    ----------
    fractions
        Phase fractions by viewing direction; empty unless the images hold phases.
    warnings
        One sentence each.
    """

    images: TrainingImages
    settings: MicrographSettings
    fractions: Mapping[Axis, Fractions]
    warnings: tuple[str, ...]


def prepare_images(
    sources: Sources, settings: MicrographSettings, patch_size: int
) -> PreparedImages:
    """Preprocess and check all images.

    Parameters
    ----------
    sources
        By viewing direction; only z for an isotropic material. A single volume among
        three directions is sliced along each of them.
    patch_size
        Edge of the training crops, for the warnings.

    Raises
    ------
    ValueError
        If an image is unusable or the images do not match.
    """
    images = _training_images(sources, settings)
    fractions = view_fractions(images) if images.kind == "phases" else {}
    found = image_warnings(images, patch_size, fractions or None)
    return PreparedImages(images, settings, fractions, tuple(found))


@dataclass(frozen=True, eq=False)
class Preparation:
    """Outcome of `try_prepare`: prepared images, or one sentence why there are none.

    ``number`` identifies the request, so that outdated outcomes can be dropped.
    """

    number: int
    prepared: PreparedImages | None
    fault: str = ""


def try_prepare(
    number: int, sources: Sources, settings: MicrographSettings, patch_size: int
) -> Preparation:
    """`prepare_images`, with any error as part of the outcome.

    A plain exception would not show which request it belongs to.
    """
    try:
        prepared = prepare_images(sources, settings, patch_size)
    except Exception as error:  # noqa: BLE001 any error is shown
        if not isinstance(error, (ValueError, MemoryError)):
            logger.error("Preparing the images failed:\n%s", traceback.format_exc())
        return Preparation(number, None, sentence_of(error))
    return Preparation(number, prepared)


def _training_images(sources: Sources, settings: MicrographSettings) -> TrainingImages:
    if set(sources) == {"z"}:
        return TrainingImages.isotropic(*_micrographs(sources["z"], settings))
    given = [source for of_axis in sources.values() for source in of_axis]
    if len(given) == 1 and given[0].is_volume:
        return TrainingImages.from_volume(given[0].micrograph(settings))
    views = {axis: _micrographs(sources.get(axis, ()), settings) for axis in AXES}
    return TrainingImages(views)


def _micrographs(
    sources: tuple[ImageSource, ...], settings: MicrographSettings
) -> tuple[Micrograph, ...]:
    return tuple(source.micrograph(settings) for source in sources)
