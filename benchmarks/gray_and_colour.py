"""Gray and coloured micrographs: how near the volumes come, and what they look like.

    python -m benchmarks.gray_and_colour --minutes 5 --out build/intensities

trains the default preset on a scanning electron micrograph of nanoporous gold, gray
values as they are, and on a stained tissue section (scikit-image's sample, in colour).
A volume of each is compared with the micrograph by its histogram and by the sliced
Wasserstein distance of its planes, beside the same distances between real pieces; a
picture of each shows a real crop and the planes along z, y and x.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from napari_slicegan.sample_data import path
from numpy.typing import NDArray
from PIL import Image
from skimage.data import immunohistochemistry

from benchmarks.time_to_quality import parse_setting
from benchmarks.yardstick import as_number
from napari_slicegan.config import AXES
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.patch_sampler import PatchSampler
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.generation.generate import generate
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.sliced_wasserstein import RealPatches
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training.monitors import preview_image
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    import numpy as np

    from napari_slicegan.config import Axis, MicrographSettings
    from napari_slicegan.volumes.volume import Volume

EDGE = 64
CROPS = 96
SIZE = 128
VOLUME_SEED = 1000

Reader = Callable[["MicrographSettings"], Micrograph]


def gold(settings: MicrographSettings) -> Micrograph:
    """Nanoporous gold, gray values."""
    return Micrograph.open(path("nanoporous_gold"), settings)


def tissue(settings: MicrographSettings) -> Micrograph:
    """A stained section of tissue, colour."""
    section = Micrograph.from_array(
        immunohistochemistry(),  # type: ignore[no-untyped-call]
        "colour",
        name="tissue",
    )
    return section.prepared(settings)


CASES: Mapping[str, tuple[Reader, Mapping[str, Any]]] = MappingProxyType(
    {
        "grayscale": (gold, {"kind": "grayscale", "rescale": 0.25}),
        "colour": (tissue, {"kind": "colour", "rescale": 0.5}),
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on each micrograph, print a line, write a picture."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.cases:
        read, settings = CASES[name]
        own = {"minutes": options.minutes, **dict(map(parse_setting, options.set))}
        config = preset("slicegan-fast").changed(**{**settings, **own})
        images = TrainingImages.isotropic(read(config.micrograph))
        trainer = Trainer(config, images)
        for _ in trainer.run():
            pass
        trained = trainer.trained_generator()
        volume = generate(trained, (options.size,) * 3, VOLUME_SEED)
        sys.stdout.write(f"{name}, {trainer.step} steps: {summary(images, volume)}\n")
        picture = preview_image(images, volume)
        Image.fromarray(picture).save(options.out / f"{name}.png")
    return 0


def summary(images: TrainingImages, volume: Volume) -> str:
    """Distances of a volume, each beside that of real pieces."""
    rows = compare(images, volume).rows
    levels = [row for row in rows if row.metric == "histogram"]
    distance = fmean(as_number(row.distance) for row in levels)
    floor = fmean(as_number(row.noise_floor) for row in levels)
    image = next(iter(images))
    half = image.values.shape[1] // 2
    rows_of_image = (0, image.values.shape[0])
    left = image.crop(rows_of_image, (0, half))
    right = image.crop(rows_of_image, (half, 2 * half))
    made = Micrograph.from_array(volume.values, volume.kind)
    real = RealPatches(crops(image))
    by_axis = (real.distance(crops(made, axis)) for axis in AXES)
    between = RealPatches(crops(left)).distance(crops(right))
    along = ", ".join(f"{value:.0f}" for value in by_axis)
    return (
        f"histogram distance {distance:.4g} real sd (floor {floor:.4g}), sliced "
        f"Wasserstein distance along z, y, x {along} (left against right half "
        f"{between:.0f})"
    )


def crops(image: Micrograph, axis: Axis = "z") -> NDArray[np.float32]:
    """Random crops, turned and mirrored, [n, C, 64, 64]; of a volume its planes'."""
    transform = fit_transform(TrainingImages.isotropic(image))
    sampler = PatchSampler([image], transform, EDGE, "rotations", axis)
    rng = torch.Generator().manual_seed(0)
    drawn: NDArray[np.float32] = sampler.sample(CROPS, rng).numpy()
    return drawn


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    made.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    made.add_argument("--minutes", type=float, default=5.0)
    made.add_argument("--size", type=int, default=SIZE, help="edge of the volumes")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
