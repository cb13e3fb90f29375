"""Runs whose generator makes volumes from micrographs."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from napari_slicegan.architectures import (
    check_training_size,
    generator_spec,
    output_of,
)
from napari_slicegan.dataset import Source, patch_samplers
from napari_slicegan.generation import generate
from napari_slicegan.monitors import QualityMonitor
from napari_slicegan.training.conditioning import fractions_of, scaled_labels
from napari_slicegan.training.preview_image import preview_image
from napari_slicegan.training.slice_distance import SliceDistance
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.transforms import fit_transform

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from napari_slicegan.config import RunConfig
    from napari_slicegan.run_data import Data
    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.transforms import Transform

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
