"""What a run is about: volumes from micrographs, or images from a set.

The trainer asks its subject for whatever depends on this: where real samples come
from, how long an epoch is, what is previewed and how it is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from napari_slicegan.architectures import (
    ARCHITECTURES,
    check_training_size,
    generator_spec,
    output_of,
)
from napari_slicegan.conditioning import fractions_of, scaled_labels
from napari_slicegan.dataset import ImageSampler, Source, patch_samplers
from napari_slicegan.generation import generate
from napari_slicegan.image_generation import generate_images, generate_samples
from napari_slicegan.image_monitor import ImageMonitor, ImageQuality
from napari_slicegan.monitors import Quality, QualityMonitor
from napari_slicegan.point_monitor import (
    PointMonitor,
    PointQuality,
    scatter_picture,
)
from napari_slicegan.point_set import GaussianMixture
from napari_slicegan.point_transform import Unchanged
from napari_slicegan.preview_image import preview_image
from napari_slicegan.row_transform import RowStandardise
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.transforms import ScaleMinMax, fit_transform

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import ImageSettings, RunConfig, TrainingSettings
    from napari_slicegan.image_set import ImageSet
    from napari_slicegan.run_data import Data
    from napari_slicegan.trained_generator import TrainedGenerator, TrainedNetwork
    from napari_slicegan.transforms import Transform

Judgement = type[Quality] | type[ImageQuality] | type[PointQuality]

PREVIEW_SEED = 0
N_POINTS = 10_000
SIGNED = (-1.0, 1.0)


class Subject(Protocol):
    """What the trainer asks for."""

    transform: Transform
    spec: Any
    samplers: Sequence[Source]
    isotropic: bool
    monitor: Any
    """Measures what `preview` gives; the answer has a ``headline`` that is to fall."""
    quality: Judgement
    training: TrainingSettings
    """Settings with the limits that the data imply."""
    command: str
    """Of the command line, with which the trained generator is used."""
    epoch_steps: int | None
    """Steps in which as many images are seen as there are; None for micrographs."""

    def preview(self, trained: Any) -> Any:
        """What the generator makes, always of the same latents."""

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """A preview as one small picture."""


class Volumes:
    """Volumes whose slices look like micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    quality: Judgement = Quality
    command = "generate {} --size 128"
    epoch_steps: int | None = None
    samplers: Sequence[Source]

    def __init__(self, config: RunConfig, data: Data) -> None:
        if not isinstance(data, TrainingImages):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes volumes "
                "from micrographs, got a set of images; choose a preset for images or "
                "give micrographs."
            )
        if config.training.epochs is not None:
            raise ValueError(
                "Micrographs have no epochs, since crops are drawn from them without "
                "end; leave 'Epochs' empty and set 'Steps'."
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
        symmetries = config.slices.symmetries
        self.samplers = patch_samplers(data, self.transform, patch, symmetries, told)
        self.monitor: Any = QualityMonitor(data)
        self._images = data

    def preview(self, trained: TrainedGenerator) -> Any:
        """Volume of the training size or a little more."""
        network = trained.network
        edge = network.size_rule.scale * (network.spec.latent_size - 1)
        return generate(trained, (edge,) * 3, PREVIEW_SEED)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """Its middle planes beside the real material."""
        return preview_image(self._images, preview)


class Images:
    """Images that look like those of a set, or like crops of micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    quality: Judgement = ImageQuality
    command = "sample {}"
    isotropic = True

    def __init__(self, config: RunConfig, data: Data) -> None:
        if isinstance(data, GaussianMixture):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes images, "
                "got points; choose the preset 'realness-toy' for points."
            )
        self.transform: Transform = _image_transform(data, config.images)
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        check_training_size(self.spec, config.architecture.patch_size)
        source = _image_source(config, data, self.transform)
        self.samplers: Sequence[Source] = [source]
        self.epoch_steps = _epoch_steps(config, data)
        self.training = _with_epochs(config.training, self.epoch_steps)
        settings = config.images
        self._count = settings.judged_images
        self.monitor: Any = ImageMonitor(
            source, self.transform, self._count, settings.aligned
        )

    def preview(self, trained: TrainedNetwork) -> Any:
        """Sheet of images from fixed noise."""
        return generate_images(trained, self._count, PREVIEW_SEED)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """The first sixteen of them."""
        picture: NDArray[np.uint8] = preview.picture()
        return picture


class Points:
    """Points that are spread like those of a mixture of Gaussians.

    Raises
    ------
    ValueError
        If settings and data do not fit together.
    """

    quality: Judgement = PointQuality
    command = "evaluate mixture {}"
    isotropic = True

    def __init__(self, config: RunConfig, data: Data) -> None:
        if not isinstance(data, GaussianMixture):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes points, "
                f"got images ({data.name}); choose a preset for images, or run "
                "'slicegan evaluate mixture'."
            )
        self.transform: Transform = Unchanged.fit(data)
        output = output_of(self.transform.range)
        self.spec = generator_spec(config, self.transform.channels, output)
        self.samplers: Sequence[Source] = [ImageSampler(data.values, self.transform)]
        self.epoch_steps: int | None = None
        self.training = _with_epochs(config.training, None)
        self.monitor: Any = PointMonitor(data)
        self._mixture = data

    def preview(self, trained: TrainedNetwork) -> Any:
        """Points [n, D] from fixed noise."""
        return generate_samples(trained, N_POINTS, PREVIEW_SEED)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """The points as a scatter."""
        return scatter_picture(preview, self._mixture)


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
    architecture = ARCHITECTURES[config.architecture.architecture]
    return SUBJECTS[architecture.dimensions](config, data)


def _image_transform(
    data: TrainingImages | ImageSet, settings: ImageSettings
) -> Transform:
    """Phases as they are; gray values and colours of the whole set from -1 to 1.

    This is the range of tanh, with which generators of images end.
    """
    line = settings.scaling
    if isinstance(data, TrainingImages):
        if line != "min-max":
            raise ValueError(
                f"Random crops have no {line} of their own to scale, got 'Scaling' by "
                f"{line}; give a set of images, or cut a volume with 'Cut along'."
            )
        return fit_transform(data, SIGNED)
    if line != "min-max":
        return RowStandardise.fit(data.values, line, log_offset=settings.log_offset)
    low, high = float(data.values.min()), float(data.values.max())
    channels = 3 if data.kind == "colour" else 1
    return ScaleMinMax(low, high, channels, data.values.dtype.name, SIGNED)


def _image_source(
    config: RunConfig, data: TrainingImages | ImageSet, transform: Transform
) -> Source:
    patch = config.architecture.patch_size
    if isinstance(data, TrainingImages):
        if data.material != "isotropic":
            raise ValueError(
                "Images are learnt from one viewing direction, got three; give the "
                "images of one of them."
            )
        return patch_samplers(data, transform, patch, config.slices.symmetries)[0]
    if data.values.shape[1:3] != (patch, patch):
        rows, columns = data.values.shape[1:3]
        raise ValueError(
            f"{data.name}: expected images of {patch} x {patch} pixels, got {rows} x "
            f"{columns}; set 'Patch size' to their size or open them again."
        )
    return ImageSampler(data.values, transform, config.images.roll)


def _epoch_steps(config: RunConfig, data: TrainingImages | ImageSet) -> int | None:
    """Steps for which the images of a set suffice; the rest of a batch is dropped."""
    if isinstance(data, TrainingImages):
        return None
    batch = config.training.critic_volumes * config.objective.critic_steps
    return max(1, len(data) // batch)


def _with_epochs(
    training: TrainingSettings, epoch_steps: int | None
) -> TrainingSettings:
    """The settings with the steps that their epochs stand for."""
    if training.epochs is None:
        return training
    if epoch_steps is None:
        raise ValueError(
            "Crops of micrographs have no epochs, since they are drawn without end; "
            "leave 'Epochs' empty and set 'Steps'."
        )
    steps = min(training.steps, training.epochs * epoch_steps)
    return training.model_copy(update={"steps": steps})
