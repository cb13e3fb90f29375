"""Runs whose generator makes images, and their quality."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from napari_slicegan.config.presets import PRESETS
from napari_slicegan.data.patch_sampler import ImageSampler, Source, patch_samplers
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import ScaleMinMax, fit_transform
from napari_slicegan.generation.samples import generate_images, sheet_of
from napari_slicegan.metrics.similarity import luminance_overlap, structural_similarity
from napari_slicegan.metrics.sliced_wasserstein import RealPatches
from napari_slicegan.models import check_training_size, generator_spec, output_of
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.row_transform import RowStandardise
from napari_slicegan.training.monitors import MonitoredCurve
from napari_slicegan.training.tasks import symmetries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from napari_slicegan.config import ImageSettings, RunConfig, TrainingSettings
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.generation.sheet import Sheet
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.training.tasks import Given, TrainingData

SEED = 0
DISTANCE = MonitoredCurve("swd", "Sliced Wasserstein distance", "images", "swd_floor")
SIMILARITY = MonitoredCurve("ssim", "Structural similarity, pair by pair")


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
        Published as structural similarity; nan as above.
    """

    swd: float
    swd_floor: float
    ssim: float = float("nan")
    luminance_overlap: float = float("nan")

    @property
    def headline(self) -> float:
        """Main distance; lower is better."""
        return self.swd

    def sentence(self) -> str:
        """A few words for a progress bar."""
        text = f"SWD {self.swd:.2f} (real {self.swd_floor:.2f})"
        return text if math.isnan(self.ssim) else f"{text}, SSIM {self.ssim:.3f}"


class ImageMonitor:
    """Measures sheets of generated images against a fixed set of `count` real ones.

    Aligned images show the same thing at the same place.
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
        self._patches = RealPatches(self._real)
        self._floor = self._patches.distance(other)

    @property
    def curves(self) -> tuple[MonitoredCurve, ...]:
        """Plotted measures."""
        return (DISTANCE, SIMILARITY) if self._aligned else (DISTANCE,)

    @property
    def real_values(self) -> NDArray[Any]:
        """The fixed set of real images, as image values."""
        return self._transform.inverse(torch.from_numpy(self._real), 1)

    def is_collapsed(self, sheet: Sheet) -> bool:
        """Whether all images are of one and the same value."""
        return bool(sheet.values.min() == sheet.values.max())

    def measure(self, sheet: Sheet) -> ImageQuality:
        """Quality of as many generated images as there are real ones."""
        made = self._transform.forward(sheet.values[: len(self._real)]).numpy()
        swd = self._patches.distance(made)
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


PREVIEW_SEED = 0
SIGNED = (-1.0, 1.0)


class ImageTask:
    """Images that look like those of a set, or like crops of micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    command = "sample {}"
    isotropic = True

    @staticmethod
    def training_data(config: RunConfig, given: Given) -> TrainingImages | ImageSet:
        """A set of whole images, or micrographs for crops."""
        size, settings = config.architecture.patch_size, config.images
        if isinstance(given, Path):
            return ImageSet.open(given, size, settings)
        if given is None:
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes images "
                "like those it is given, got none; give a folder of images, or "
                "micrographs."
            )
        if settings.cut_axis == "none":
            return given
        return ImageSet.of_micrographs(given, size, settings)

    def __init__(self, config: RunConfig, data: TrainingData) -> None:
        if not isinstance(data, TrainingImages | ImageSet):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes images, "
                f"got {data.what}; choose a preset for {data.what}."
            )
        self.transform: Transform = _transform(data, config.images)
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        check_training_size(self.spec, config.architecture.patch_size)
        self._source = _source(config, data, self.transform)
        self.samplers: Sequence[Source] = [self._source]
        self.epoch_steps = _epoch_steps(config, data)
        self.training = _limits(config, self.epoch_steps)
        self._settings = config.images
        # Crops show different places, even if the preset expects aligned images.
        whole = not isinstance(data, TrainingImages)
        self._aligned = whole and config.images.aligned

    @cached_property
    def monitor(self) -> ImageMonitor:
        """Compares sheets with real images."""
        count = self._settings.evaluation_images
        return ImageMonitor(self._source, self.transform, count, self._aligned)

    @property
    def real_preview(self) -> Sheet:
        """Sheet of real images."""
        return sheet_of(self.monitor.real_values, self.transform)

    def preview(self, trained: TrainedNetwork) -> Sheet:
        """Sheet of images from fixed noise."""
        return generate_images(trained, self._settings.evaluation_images, PREVIEW_SEED)

    def picture(self, preview: Sheet) -> NDArray[np.uint8]:
        """The first sixteen images."""
        return preview.picture()


def _transform(data: TrainingImages | ImageSet, settings: ImageSettings) -> Transform:
    """Phases as they are; gray values and colours of the whole set from -1 to 1.

    This is the range of tanh, with which generators of images end.
    """
    line = settings.scaling
    if isinstance(data, TrainingImages):
        if line != "min-max":
            raise ValueError(
                f"Random crops have no {line} of their own to scale, got 'Scaling' by "
                f"{line}; give a set of images, cut a volume with 'Cut along', or "
                "destripe the micrograph with 'Destriping'."
            )
        return fit_transform(data, SIGNED)
    if line != "min-max":
        return RowStandardise.fit(
            data.values,
            line,
            log_offset=settings.log_offset,
            is_sound=data.is_sound and line == "rows",
        )
    low, high = float(data.values.min()), float(data.values.max())
    channels = 3 if data.kind == "colour" else 1
    return ScaleMinMax(low, high, channels, data.values.dtype.name, SIGNED)


def _source(
    config: RunConfig, data: TrainingImages | ImageSet, transform: Transform
) -> Source:
    patch = config.architecture.patch_size
    if isinstance(data, TrainingImages):
        if data.material != "isotropic":
            raise ValueError(
                "Images are learned from one viewing direction, got three; give the "
                "images of one of them, or cut a volume with 'Cut along'."
            )
        if config.images.roll:
            raise ValueError(
                "Random crops come from any column, so they are not rolled, got 'Roll' "
                f"{config.images.roll}; set it to 0, or give a set of images."
            )
        chosen = config.slices.augmentation
        symmetries = symmetries_of(data) if chosen == "auto" else chosen
        return patch_samplers(data, transform, patch, symmetries)[0]
    if data.values.shape[1:3] != (patch, patch):
        rows, columns = data.values.shape[1:3]
        raise ValueError(
            f"{data.name}: expected images of {patch} x {patch} pixels, got {rows} x "
            f"{columns}; set 'Patch size' to their size or open them again."
        )
    return ImageSampler(data.values, transform, config.images.roll)


def _epoch_steps(config: RunConfig, data: TrainingImages | ImageSet) -> int | None:
    """Full batches in a set of images; None for crops."""
    if isinstance(data, TrainingImages):
        return None
    volumes, _ = config.training.volumes
    batch = volumes * config.objective.critic_steps
    return max(1, len(data) // batch)


def _limits(config: RunConfig, epoch_steps: int | None) -> TrainingSettings:
    """The settings, with epochs converted to steps.

    Crops have no epochs: those of the preset are ignored, others are refused.
    """
    training = config.training
    if training.epochs is None:
        return training
    if epoch_steps is not None:
        steps = min(training.steps, training.epochs * epoch_steps)
        return training.model_copy(update={"steps": steps})
    start = PRESETS.get(config.preset)
    if start is not None and start.training.epochs == training.epochs:
        return training
    raise ValueError(
        "Crops of micrographs have no epochs, since they are drawn without end, got "
        f"'Epochs' {training.epochs}; leave it empty and set 'Steps' or 'Minutes'."
    )
