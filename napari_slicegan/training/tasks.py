"""Tasks: what a run is trained on and what its generator makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from napari_slicegan.data.patch_sampler import Source, patch_samplers
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.generation.generate import generate
from napari_slicegan.models import check_training_size, generator_spec, output_of
from napari_slicegan.systems.gaussian_mixture import GaussianMixture, nine_gaussians
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.image_task import Images
from napari_slicegan.systems.point_task import Points
from napari_slicegan.training.adversarial_step import fractions_of, scaled_labels
from napari_slicegan.training.monitors import (
    QualityMonitor,
    SliceDistance,
    preview_image,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig, TrainingSettings
    from napari_slicegan.data.transforms import Transform
    from napari_slicegan.models.generator_file import TrainedGenerator

Data = TrainingImages | ImageSet | GaussianMixture

FOLDERS: Mapping[type[Data], str] = {
    TrainingImages: "micrographs",
    ImageSet: "image-set",
    GaussianMixture: "mixture",
}
"""Where in the run folder each kind is kept."""


Given = TrainingImages | Path | None
"""What a user brings: micrographs; the path of a set of images, or of a volume."""


def training_data(config: RunConfig, given: Given) -> Data:
    """What a run with these settings is trained on.

    Raises
    ------
    ValueError
        If it is not what the architecture can be trained on.
    """
    return _DATA[config.architecture.dimensions](config, given)


def _of_volumes(config: RunConfig, given: Given) -> TrainingImages:
    if isinstance(given, TrainingImages):
        return given
    raise ValueError(
        f"The architecture '{config.architecture.architecture}' makes volumes from "
        f"micrographs, got {given or 'none'}; give image files, or choose a preset for "
        "sets of images."
    )


def _of_images(config: RunConfig, given: Given) -> TrainingImages | ImageSet:
    """A set of whole images, or micrographs to draw crops from."""
    size, settings = config.architecture.patch_size, config.images
    if isinstance(given, Path):
        return ImageSet.open(given, size, settings)
    if given is None:
        raise ValueError(
            f"The architecture '{config.architecture.architecture}' makes images like "
            "those it is given, got none; give a folder of images, or micrographs."
        )
    if settings.cut_axis == "none":
        return given
    return ImageSet.of_micrographs(given, size, settings)


_DATA: Mapping[int, Callable[[RunConfig, Given], Data]] = {
    3: _of_volumes,
    2: _of_images,
    1: lambda config, given: nine_gaussians(),
}
"""By the dimensions of what the architecture makes."""


def save_data(data: Data, run: Path) -> None:
    """Write the data of a run into its folder."""
    data.save(run / FOLDERS[type(data)])


def load_data(run: Path) -> Data:
    """Read the data of a run, of whatever kind.

    Raises
    ------
    ValueError
        If there are none, or they are damaged.
    """
    for kind, name in FOLDERS.items():
        if (run / name).is_dir():
            return kind.load(run / name)
    return TrainingImages.load(run / FOLDERS[TrainingImages])


PREVIEW_SEED = 0


class Volumes:
    """Volumes whose slices look like micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    command = "generate {} --size 128"
    epoch_steps: int | None = None
    real_preview: Any = None

    def __init__(self, config: RunConfig, data: Data) -> None:
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
        self.training = config.training
        self.isotropic = data.material == "isotropic"
        self.transform: Transform = fit_transform(data)
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        check_training_size(self.spec, patch)
        told: Sequence[float] = ()
        if config.architecture.condition == "phase_fraction":
            self.spec = replace(self.spec, labels=fractions_of(data))
            told = scaled_labels(self.spec.labels)
        symmetries = config.slices.augmentation
        self.samplers: Sequence[Source] = patch_samplers(
            data, self.transform, patch, symmetries, told
        )
        self._slices = config.slices.sliced_wasserstein
        self._images = data

    @cached_property
    def monitor(self) -> Any:
        """Compares previews with the micrographs."""
        slices = SliceDistance(self.samplers, self.transform) if self._slices else None
        return QualityMonitor(self._images, slices)

    def preview(self, trained: TrainedGenerator) -> Any:
        """Volume of the training size or a little more."""
        network = trained.network
        edge = network.size_rule.scale * (network.spec.latent_size - 1)
        return generate(trained, (edge,) * 3, PREVIEW_SEED)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """Its middle planes beside the real material."""
        return preview_image(self._images, preview)


class Subject(Protocol):
    """What the trainer asks for."""

    transform: Transform
    spec: Any
    samplers: Sequence[Source]
    isotropic: bool
    training: TrainingSettings
    """Settings with the limits that the data imply."""
    command: str
    """Of the command line, with which the trained generator is used."""
    epoch_steps: int | None
    """Steps in which as many images are seen as there are; None for micrographs."""

    @property
    def monitor(self) -> Any:
        """Measures what `preview` gives; its ``columns`` go into the history.

        The answer has a ``headline`` that is to fall, and its ``curves`` are drawn.
        """

    @property
    def real_preview(self) -> Any:
        """Real samples as `preview` gives generated ones; None for volumes."""

    def preview(self, trained: Any) -> Any:
        """What the generator makes, always of the same latents."""

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """A preview as one small picture."""


SUBJECTS: Mapping[int, Callable[[RunConfig, Data], Subject]] = {
    3: Volumes,
    2: Images,
    1: Points,
}
"""By the dimensions of what the architecture makes."""


def build_subject(config: RunConfig, data: Data) -> Subject:
    """Subject of the settings and the data.

    Raises
    ------
    ValueError
        If they do not fit together.
    """
    return SUBJECTS[config.architecture.dimensions](config, data)
