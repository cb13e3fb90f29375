"""Whatever a run can be trained on, kept in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.image_sets.image_set import ImageSet
from napari_slicegan.points.gaussian_mixture import GaussianMixture, nine_gaussians
from napari_slicegan.training_images import TrainingImages

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

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
