"""Image sources and their preparation for training; no Qt.

The panel calls these functions in a worker thread.
"""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path

from napari_slicegan._qt.jobs import sentence_of
from napari_slicegan.config import AXES, Axis, MicrographSettings
from napari_slicegan.config.images import OF_ONE_FILE, settled, without
from napari_slicegan.data.image_files import SourceImage, read_image
from napari_slicegan.data.micrograph import CropNeededError, Micrograph, open_all
from napari_slicegan.data.pixel_classifier import PixelClassifier
from napari_slicegan.data.pixel_values import (
    MAX_PHASES,
    distinct_values,
    nearest,
)
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.image_checks import (
    Fractions,
    image_warnings,
    rescale_advice,
    view_fractions,
)
from napari_slicegan.runtime.progress import Cancelled, Progress, subrange

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
    advised_rescale
        'Rescale factor' that a warning advises; None without such advice.
    segmented
        Ids of the images whose phases are not just the values of the source.
    """

    images: TrainingImages
    settings: MicrographSettings
    sources: tuple[SourceImage, ...]
    fractions: Mapping[Axis, Fractions]
    warnings: tuple[str, ...]
    advised_rescale: float | None = None
    segmented: frozenset[int] = frozenset()

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
        """How the images were read and are used, a sentence each."""
        found = [note for image in self.unique for note in image.facts.notes]
        for image in self.unique:
            if image.is_volume and self.images.material == "isotropic":
                found.append(
                    f"Each of the {len(image.values)} slices of {image.name} is used "
                    "as an image."
                )
            elif image.is_volume and len(self.unique) == 1:
                found.append(f"{image.name} is cut along z, y and x.")
        if self.images.kind == "grayscale":
            found.append(
                "Gray values are learned as they are; choose a 'Segmentation' to learn "
                "phases."
            )
        return list(dict.fromkeys(found))


def prepare_images(
    sources: Sources,
    settings: MicrographSettings,
    patch_size: int,
    progress: Progress | None = None,
) -> PreparedImages:
    """Preprocess and check all images.

    Parameters
    ----------
    sources
        By viewing direction; only z for an isotropic material. A single volume among
        three directions is sliced along each of them.
    patch_size
        Edge of the training crops, for the warnings.
    progress
        Called after each image; may raise `Cancelled`.

    Raises
    ------
    ValueError
        If an image is unusable or the images do not match.
    """
    images = _training_images(sources, settings, subrange(progress))
    fractions = view_fractions(images) if images.kind == "phases" else {}
    found = [w for image in images for w in image.warnings]
    found += image_warnings(images, patch_size, fractions or None, settings.rescale)
    advice = rescale_advice(images, patch_size, settings.rescale, stretch=())
    if advice is not None:
        found.append(advice.text)
    given = tuple(source for of_axis in sources.values() for source in of_axis)
    warnings = tuple(dict.fromkeys(found))
    factor = None if advice is None else advice.factor
    prepared = PreparedImages(images, settings, given, fractions, warnings, factor)
    segmented = frozenset(
        id(image)
        for image, source in zip(prepared.unique, given, strict=True)
        if not _are_values_of(source, image)
    )
    return replace(prepared, segmented=segmented)


def _are_values_of(source: SourceImage, image: Micrograph) -> bool:
    """Whether an image has the values of its source, perhaps of a part of it."""
    values = source.values
    if image.facts.crop is not None and np.ndim(values) == image.values.ndim:
        top, bottom, left, right = image.facts.crop
        values = values[..., top:bottom, left:right]
    return np.array_equal(np.asarray(values), image.values)


@dataclass(frozen=True, eq=False)
class ReadFile:
    """A file as read, and its phases if it can be shown as labels."""

    source: SourceImage
    labels: tuple[int, ...]


def read_files(
    paths: Sequence[Path],
    settings: MicrographSettings,
    may_drop: bool,
    optional: Collection[str],
    progress: Progress,
) -> tuple[tuple[ReadFile, ...], MicrographSettings]:
    """Read image files; returns them and the settings that they were read with.

    Parameters
    ----------
    may_drop
        Whether `OF_ONE_FILE` settings were meant for former files: they are left out
        where these files can be read only without them.
    optional
        Settings that need not apply to any of the files.
    progress
        Called before each file; may raise `Cancelled`.

    Raises
    ------
    ValueError
        If one of them cannot be read.
    """
    try:
        return _read_all(paths, settings, optional, progress), settings
    except ValueError:
        plain = without(settings, OF_ONE_FILE)
        if may_drop and plain != settings:
            with suppress(ValueError):
                return _read_all(paths, plain, optional, progress), plain
        raise


def _read_all(
    paths: Sequence[Path],
    settings: MicrographSettings,
    optional: Collection[str],
    progress: Progress,
) -> tuple[ReadFile, ...]:
    done = count()

    def read(path: Path, fitting: MicrographSettings) -> ReadFile:
        progress(min(1.0, next(done) / len(paths)))
        source = read_image(path, fitting)
        return ReadFile(source, _shown_labels(source))

    return tuple(open_all(paths, settings, read, optional=optional))


def _shown_labels(source: SourceImage) -> tuple[int, ...]:
    """Few whole numbers are shown as labels."""
    values = np.asarray(source.values)
    if values.dtype.kind not in "bui" or source.is_colour:
        return ()
    return tuple(map(int, distinct_values(values, MAX_PHASES) or ()))


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of `attempt`, or one sentence why there is none.

    ``topic`` and ``number`` identify the request, so that outdated ones can be dropped.
    """

    topic: str
    number: int
    result: Any
    fault: str = ""
    is_crop_needed: bool = False


def attempt(
    topic: str, number: int, work: Callable[..., Any], *args: Any, progress: Progress
) -> Outcome:
    """Call ``work(*args, progress=progress)``, with any error as part of the outcome.

    A plain exception would not show which request it belongs to.
    """
    try:
        return Outcome(topic, number, work(*args, progress=progress))
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 any error is shown
        if not isinstance(error, (ValueError, OSError, MemoryError)):
            logger.error("Work on the images failed:\n%s", traceback.format_exc())
        is_crop_needed = isinstance(error, CropNeededError)
        return Outcome(topic, number, None, sentence_of(error), is_crop_needed)


def _training_images(
    sources: Sources, settings: MicrographSettings, report: Progress
) -> TrainingImages:
    given = [source for of_axis in sources.values() for source in of_axis]
    done = count()

    def opened(source: SourceImage, fitting: MicrographSettings) -> Micrograph:
        report(min(1.0, next(done) / len(given)))
        return Micrograph.of(source.with_header(), fitting)

    images = open_all(given, settings, opened)
    if set(sources) == {"z"}:
        return TrainingImages.isotropic(*images)
    if len(given) == 1 and given[0].is_volume:
        return TrainingImages.from_volume(*images)
    rest = iter(images)
    seen = {axis: tuple(islice(rest, len(of))) for axis, of in sources.items()}
    return TrainingImages({axis: seen.get(axis, ()) for axis in AXES})


def learn(
    source: SourceImage,
    strokes: NDArray[Any],
    settings: MicrographSettings,
    progress: Progress,
) -> Path:
    """Fit a classifier of pixels to strokes; the file that holds it.

    Parameters
    ----------
    source
        The image that the strokes were painted on.
    strokes
        ``[Y, X]`` or ``[Z, Y, X]``; 0 where nothing is painted, else the number of the
        phase.
    settings
        Crop, destriping and denoising are applied before, as when it is used.
    progress
        Called before the fit; may raise `Cancelled`.

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
    plain = settled(settings.model_copy(update=before))
    image = Micrograph.of(source.with_header(), plain)
    progress(0.5)
    top, bottom, left, right = image.facts.crop or (0, None, 0, None)
    drawn = strokes[..., top:bottom, left:right]
    if drawn.shape != image.values.shape:
        # The pixels of the image are not square.
        drawn = nearest(drawn, image.values.shape)
    classifier = PixelClassifier.fit(image.values, drawn, source.name)
    name = hashlib.sha1(classifier.features.tobytes() + drawn.tobytes()).hexdigest()
    path = user_cache_path("napari-slicegan") / "classifiers" / f"{name[:16]}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    classifier.save(path)
    return path
