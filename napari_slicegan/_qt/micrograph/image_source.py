"""Image sources and their preparation for training; no Qt.

The panel calls these functions in a worker thread.
"""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan.config import AXES, Axis, MicrographSettings
from napari_slicegan.data.image_files import SourceImage
from napari_slicegan.data.micrograph import CropNeededError, Micrograph
from napari_slicegan.data.pixel_classifier import PixelClassifier
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.image_checks import (
    Fractions,
    image_warnings,
    view_fractions,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


logger = logging.getLogger(__name__)

Sources = Mapping[Axis, tuple[SourceImage, ...]]


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """Images ready for training, with their phase fractions and warnings.

    Attributes
    ----------
    sources
        The images before preprocessing, one for each different image of `images`.
    fractions
        Phase fractions by viewing direction; empty unless the images hold phases.
    warnings
        One sentence each.
    """

    images: TrainingImages
    settings: MicrographSettings
    sources: tuple[SourceImage, ...]
    fractions: Mapping[Axis, Fractions]
    warnings: tuple[str, ...]

    @property
    def unique(self) -> list[Micrograph]:
        """Different images, in the order of `sources`."""
        return list({id(image): image for image in self.images}.values())

    @property
    def has_suggestion(self) -> bool:
        """Whether a data bar was found that is not cropped."""
        return any(image.facts.suggested is not None for image in self.unique)

    @property
    def notes(self) -> list[str]:
        """How the images were read, a sentence each."""
        return list(
            dict.fromkeys(n for image in self.unique for n in image.facts.notes)
        )


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
    found = [w for image in images for w in image.facts.warnings]
    found += image_warnings(images, patch_size, fractions or None)
    given = tuple(source for of_axis in sources.values() for source in of_axis)
    return PreparedImages(
        images, settings, given, fractions, tuple(dict.fromkeys(found))
    )


@dataclass(frozen=True, eq=False)
class Preparation:
    """Outcome of `try_prepare`: prepared images, or one sentence why there are none.

    ``number`` identifies the request, so that outdated outcomes can be dropped.
    """

    number: int
    prepared: PreparedImages | None
    fault: str = ""
    is_crop_needed: bool = False


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
        is_crop_needed = isinstance(error, CropNeededError)
        return Preparation(number, None, sentence_of(error), is_crop_needed)
    return Preparation(number, prepared)


def _training_images(sources: Sources, settings: MicrographSettings) -> TrainingImages:
    if set(sources) == {"z"}:
        return TrainingImages.isotropic(*_micrographs(sources["z"], settings))
    given = [source for of_axis in sources.values() for source in of_axis]
    if len(given) == 1 and given[0].is_volume:
        (volume,) = _micrographs(tuple(given), settings)
        return TrainingImages.from_volume(volume)
    views = {axis: _micrographs(sources.get(axis, ()), settings) for axis in AXES}
    return TrainingImages(views)


def _micrographs(
    sources: tuple[SourceImage, ...], settings: MicrographSettings
) -> tuple[Micrograph, ...]:
    return tuple(Micrograph.of(each.with_header(), settings) for each in sources)


def learn(
    source: SourceImage, strokes: NDArray[Any], settings: MicrographSettings
) -> Path:
    """Fit a classifier of pixels to strokes; the file that holds it.

    Parameters
    ----------
    source
        The image that the strokes were painted on.
    strokes
        ``[Y, X]``; 0 where nothing is painted, else the number of the phase.
    settings
        Crop, destriping and denoising are applied before, as when it is used.

    Raises
    ------
    ValueError
        If fewer than two phases are marked.
    """
    before = {
        "segmentation": "none",
        "kind": "grayscale",
        "smallest_object": 0,
        "smallest_hole": 0,
        "rescale": 1.0,
    }
    image = Micrograph.of(source.with_header(), settings.model_copy(update=before))
    rows, columns = image.values.shape
    top, _, left, _ = image.facts.crop or (0, rows, 0, columns)
    drawn = strokes[top : top + rows, left : left + columns]
    classifier = PixelClassifier.fit(image.values, drawn, source.name)
    name = hashlib.sha1(classifier.features.tobytes() + drawn.tobytes()).hexdigest()
    path = user_cache_path("napari-slicegan") / "classifiers" / f"{name[:16]}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(path)
    return path
