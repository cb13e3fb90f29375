"""Whatever a run can be trained on, kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_slicegan.image_set import ImageSet
from napari_slicegan.point_set import GaussianMixture
from napari_slicegan.training_images import TrainingImages

Data = TrainingImages | ImageSet | GaussianMixture

FOLDERS: Mapping[type[Data], str] = {
    TrainingImages: "micrographs",
    ImageSet: "image-set",
    GaussianMixture: "mixture",
}
"""Where in the run folder each kind is kept."""


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
