"""Tasks: training data of a run and the output of its generator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from napari_slicegan.config import AXES
from napari_slicegan.config.registry import Table
from napari_slicegan.data.patch_sampler import Source, Symmetries, patch_samplers
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.generation.generate import generate, latent_steps
from napari_slicegan.metrics.correlation import nugget
from napari_slicegan.metrics.image_checks import voxel_stretch
from napari_slicegan.metrics.mirror_symmetry import are_mirror_symmetric
from napari_slicegan.models import check_training_size, generator_spec, output_of
from napari_slicegan.training.adversarial_step import fractions_of, scaled_labels
from napari_slicegan.training.monitors import (
    QualityMonitor,
    SliceDistance,
    preview_image,
)
from napari_slicegan.training.slices import pair_distances

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig, TrainingSettings
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.models import GeneratorSpec, NetworkSpec
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.training.monitors import MonitoredCurve
    from napari_slicegan.volumes.volume import Volume

Given = TrainingImages | Path | None
"""User input: micrographs, or the path of an image set or a volume."""
T = TypeVar("T")
PreviewT = TypeVar("PreviewT")
MeasuredT = TypeVar("MeasuredT", contravariant=True)
TrainedT = TypeVar("TrainedT", contravariant=True)


class TrainingData(Protocol):
    """Training data, stored in the run folder."""

    @property
    def name(self) -> str:
        """Source of the data."""

    @property
    def what(self) -> str:
        """Plural noun for messages."""

    @property
    def pixel_size_nm(self) -> float | None:
        """Edge of a pixel in nanometres; None where unknown."""

    @property
    def colours(self) -> Mapping[int, str]:
        """Colours of the phases where they have some."""

    def save(self, folder: Path) -> None:
        """Write the data into a new folder."""


class Monitor(Protocol[MeasuredT]):
    """Measures previews while a run trains."""

    @property
    def columns(self) -> Sequence[str]:
        """Measured values that go into the history."""

    @property
    def curves(self) -> Sequence[MonitoredCurve]:
        """Measured values that are plotted."""

    def measure(self, preview: MeasuredT) -> MeasuredQuality:
        """Quality of a preview."""

    def is_collapsed(self, preview: MeasuredT) -> bool:
        """Whether all of a preview is one value, although the data are not."""


class MeasuredQuality(Protocol):
    """Measured values of a preview; its attributes are the monitor's columns."""

    @property
    def headline(self) -> float:
        """Main distance; lower is better."""

    def sentence(self) -> str:
        """A few words for a progress bar."""


class Task(Protocol[TrainedT, PreviewT]):
    """Training data and output of a run, as used by the trainer and the estimates.

    Built once per run from settings and data; raises a ValueError if these do not fit
    together.

    Attributes
    ----------
    transform
        Converts data values to network values and back.
    isotropic
        Whether all viewing directions share one set of images.
    samplers
        Real samples, one source for each viewing direction.
    training
        Training settings, with limits derived from the data.
    epoch_steps
        Steps per epoch; None if the data have no epochs.
    command
        Command-line example for using the trained generator.
    """

    transform: Transform
    isotropic: bool
    samplers: Sequence[Source]
    training: TrainingSettings
    epoch_steps: int | None
    command: str

    @property
    def spec(self) -> NetworkSpec:
        """Specification of the generator."""

    @property
    def monitor(self) -> Monitor[PreviewT]:
        """Measures previews."""

    @property
    def real_preview(self) -> PreviewT | None:
        """Real samples in the form of a preview; None for volumes."""

    def preview(self, trained: TrainedT) -> PreviewT:
        """Output of the generator for fixed latents."""

    def picture(self, preview: PreviewT) -> NDArray[np.uint8]:
        """A preview as one small picture, [Y, X] or [Y, X, 3]."""


class TaskType(Protocol):
    """Class of tasks, see `TASKS`."""

    def __call__(self, config: RunConfig, data: TrainingData) -> Task[Any, Any]:
        """Task for settings and data."""

    def training_data(self, config: RunConfig, given: Given) -> TrainingData:
        """Training data from user input."""


PREVIEW_SEED = 0
LARGE_NUGGET = 0.5
"""Smooth phases have 0.0 to 0.3 (imaging noise), speckle has 0.95."""


def once_per_images(measure: Callable[..., T]) -> Callable[..., T]:
    """Decorate a measurement: its results are kept as long as the images are."""
    known: WeakKeyDictionary[TrainingImages, dict[Any, T]] = WeakKeyDictionary()

    @functools.wraps(measure)
    def measured(images: TrainingImages, *args: Any) -> T:
        results = known.setdefault(images, {})
        if args not in results:
            results[args] = measure(images, *args)
        return results[args]

    return measured


@once_per_images
def needs_voxel_noise(images: TrainingImages) -> bool:
    """Whether single pixels vary at random.

    Gray values and colours do; phases, if neighbouring pixels are nearly independent
    (see `napari_slicegan.metrics.correlation.nugget`).
    """
    return images.kind != "phases" or any(
        nugget(image.values == label) > LARGE_NUGGET
        for image in {id(image): image for image in images}.values()
        for label in images.labels
    )


stretch_of = once_per_images(voxel_stretch)
"""Voxel stretch for images and patch size."""


@once_per_images
def symmetries_of(images: TrainingImages) -> Symmetries:
    """Symmetries of the square under which crops stay as probable as they are.

    All of them for an isotropic material; for others the mirrors, if the images of
    each view look the same in them (see `napari_slicegan.metrics.mirror_symmetry`).
    """
    if images.material == "isotropic":
        return "rotations"
    return "flips" if are_mirror_symmetric(images) else "none"


class VolumeTask:
    """Volumes whose slices match micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    command = "generate {} --size 128"
    epoch_steps: int | None = None
    real_preview: Volume | None = None

    @staticmethod
    def training_data(config: RunConfig, given: Given) -> TrainingImages:
        """Check that micrographs are given."""
        if isinstance(given, TrainingImages):
            return given
        raise ValueError(
            f"The architecture '{config.architecture.architecture}' makes volumes from "
            f"micrographs, got {given or 'none'}; give image files, or choose a preset "
            "for sets of images."
        )

    def __init__(self, config: RunConfig, data: TrainingData) -> None:
        if not isinstance(data, TrainingImages):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes volumes "
                f"from micrographs, got {data.what}; choose a preset for {data.what} "
                "or give micrographs."
            )
        if config.training.epochs is not None:
            raise ValueError(
                "Micrographs have no epochs, since crops are drawn from them without "
                f"end, got 'Epochs' {config.training.epochs}; leave it empty and set "
                "'Steps'."
            )
        patch = config.architecture.patch_size
        data.check_patch(patch)
        self.isotropic = data.material == "isotropic"
        distances = pair_distances(config, self.isotropic)
        stretch = config.architecture.voxel_stretch or (
            (1, 1, 1) if any(distances) else stretch_of(data, patch)
        )
        coarse = data.reduced(stretch)
        try:
            coarse.check_patch(patch)
        except ValueError as error:
            raise ValueError(
                f"The images are too small for a voxel stretch of {stretch}: {error} "
                "Or choose smaller factors."
            ) from error
        self.training = config.training
        self.transform: Transform = fit_transform(data)
        output = output_of(self.transform.range)
        config = config.changed(voxel_stretch=stretch)
        self.spec: GeneratorSpec = generator_spec(
            config, self.transform.channels, output
        )
        if config.architecture.voxel_noise == "auto" and config.architecture.noise:
            self.spec = replace(self.spec, voxel_noise=needs_voxel_noise(data))
        check_training_size(self.spec, patch)
        labels: Sequence[float] = ()
        if config.architecture.condition == "phase_fraction":
            self.spec = replace(self.spec, labels=fractions_of(data))
            labels = scaled_labels(self.spec.labels)
        chosen = config.slices.augmentation
        self.augmentation = symmetries_of(data) if chosen == "auto" else chosen
        pair_axes = [a for a, n in zip(AXES, distances, strict=True) if n]
        self.samplers: Sequence[Source] = patch_samplers(
            coarse, self.transform, patch, self.augmentation, labels, pair_axes
        )
        self._slices, self._patch = config.slices.sliced_wasserstein, patch
        self._images = data

    @cached_property
    def monitor(self) -> QualityMonitor:
        """Compares previews with the micrographs."""
        slices = None
        if self._slices:
            # Those of finished volumes.
            sources = patch_samplers(
                self._images, self.transform, self._patch, self.augmentation
            )
            slices = SliceDistance(sources, self.transform)
        return QualityMonitor(self._images, slices)

    def preview(self, trained: TrainedGenerator) -> Volume:
        """Volume of about the training size."""
        network = trained.network
        rule = network.size_rule
        # One latent position more than in training: 96 voxels for a patch of 64.
        steps = network.spec.latent_size - rule.overlap + 1
        z, y, x = (steps * step for step in latent_steps(network))
        return generate(trained, (z, y, x), PREVIEW_SEED)

    def picture(self, preview: Volume) -> NDArray[np.uint8]:
        """Middle planes beside the real material."""
        return preview_image(self._images, preview)


TASKS: Mapping[str, TaskType] = Table("task", {"volumes": VolumeTask})
"""By kind of output; see `napari_slicegan.config.add_task`. Built from settings and
training data: ``TASKS[config.architecture.task](config, data)``."""

DATA: Mapping[str, type[Any]] = Table("data", {"micrographs": TrainingImages})
"""Kinds of training data, by the name of their subfolder in the run folder."""


def training_data(config: RunConfig, given: Given) -> TrainingData:
    """Training data of a run with these settings.

    Raises
    ------
    ValueError
        If the architecture cannot be trained on the input.
    """
    return TASKS[config.architecture.task].training_data(config, given)
