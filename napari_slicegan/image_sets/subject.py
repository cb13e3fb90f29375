"""Runs whose generator makes images."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_slicegan.architectures import (
    check_training_size,
    generator_spec,
    output_of,
)
from napari_slicegan.dataset import ImageSampler, Source, patch_samplers
from napari_slicegan.image_sets.generation import generate_images, shades_of
from napari_slicegan.image_sets.monitor import ImageMonitor
from napari_slicegan.image_sets.row_transform import RowStandardise
from napari_slicegan.image_sets.sheet import Sheet
from napari_slicegan.points.gaussian_mixture import GaussianMixture
from napari_slicegan.presets import PRESETS
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.transforms import ScaleMinMax, fit_transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import ImageSettings, RunConfig, TrainingSettings
    from napari_slicegan.image_sets.image_set import ImageSet
    from napari_slicegan.run_data import Data
    from napari_slicegan.trained_generator import TrainedNetwork
    from napari_slicegan.transforms import Transform

PREVIEW_SEED = 0
SIGNED = (-1.0, 1.0)


class Images:
    """Images that look like those of a set, or like crops of micrographs.

    Raises
    ------
    ValueError
        If settings and images do not fit together.
    """

    command = "sample {}"
    isotropic = True

    def __init__(self, config: RunConfig, data: Data) -> None:
        if isinstance(data, GaussianMixture):
            raise ValueError(
                f"The architecture '{config.architecture.architecture}' makes images, "
                "got points; choose the preset 'realness-toy' for points."
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
        # Crops show different places, whatever the preset is made for.
        whole = not isinstance(data, TrainingImages)
        self._aligned = whole and config.images.aligned

    @cached_property
    def monitor(self) -> Any:
        """Compares sheets with real images."""
        count = self._settings.evaluation_images
        return ImageMonitor(self._source, self.transform, count, self._aligned)

    @property
    def real_preview(self) -> Any:
        """Sheet of real images."""
        return Sheet(self.monitor.real_values, *shades_of(self.transform))

    def preview(self, trained: TrainedNetwork) -> Any:
        """Sheet of images from fixed noise."""
        return generate_images(trained, self._settings.evaluation_images, PREVIEW_SEED)

    def picture(self, preview: Any) -> NDArray[np.uint8]:
        """The first sixteen of them."""
        picture: NDArray[np.uint8] = preview.picture()
        return picture


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
        return RowStandardise.fit(data.values, line, log_offset=settings.log_offset)
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
                "Images are learnt from one viewing direction, got three; give the "
                "images of one of them, or cut a volume with 'Cut along'."
            )
        if config.images.roll:
            raise ValueError(
                "Random crops come from any column, so they are not rolled, got 'Roll' "
                f"{config.images.roll}; set it to 0, or give a set of images."
            )
        return patch_samplers(data, transform, patch, config.slices.augmentation)[0]
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
    volumes, _ = config.training.volumes
    batch = volumes * config.objective.critic_steps
    return max(1, len(data) // batch)


def _limits(config: RunConfig, epoch_steps: int | None) -> TrainingSettings:
    """The settings with the steps that their epochs stand for.

    Crops have none: those of the preset are passed over, other ones refused.
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
