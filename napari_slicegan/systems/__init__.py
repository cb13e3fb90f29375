"""The other published systems: OASIS DCGAN, RealnessGAN, SpecGAN, nine Gaussians.

They plug into the core: `register` adds their architectures, objectives, transforms,
tasks, training data and presets to its tables, by place, so that nothing of torch is
loaded. A further system is one module and its lines here, or a package of its own that
calls the same functions.
"""

from __future__ import annotations

from napari_slicegan.config import add_architecture, add_task
from napari_slicegan.config.presets import PRESETS
from napari_slicegan.config.registry import add_part
from napari_slicegan.systems.presets import SYSTEM_PRESETS

_ROOM = "napari_slicegan.systems"


def register() -> None:
    """Add the systems to the tables of the core."""
    add_task("images", f"{_ROOM}.image_task:ImageTask", 2)
    add_task("points", f"{_ROOM}.point_task:PointTask", 1)
    for name in ("dcgan-28", "dcgan-64", "dcgan-128", "dcgan-256"):
        add_architecture(name, f"{_ROOM}.dcgan:ARCHITECTURES", "images")
    add_architecture("dcgan-relu", f"{_ROOM}.realness_networks:DCGAN_RELU", "images")
    add_architecture("specgan", f"{_ROOM}.specgan:SPECGAN", "images")
    add_architecture("mlp-toy", f"{_ROOM}.point_task:MLP", "points")
    add_part("objective", "realness", f"{_ROOM}.realness_loss:build_realness")
    add_part("transform", "row-standardise", f"{_ROOM}.row_transform:RowStandardise")
    add_part("transform", "unchanged", f"{_ROOM}.point_task:Unchanged")
    add_part("data", "image-set", f"{_ROOM}.image_set:ImageSet")
    add_part("data", "mixture", f"{_ROOM}.gaussian_mixture:GaussianMixture")
    PRESETS.add(SYSTEM_PRESETS)
