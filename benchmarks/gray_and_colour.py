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

import numpy as np
from napari_slicegan.sample_data import path
from numpy.typing import NDArray
from PIL import Image
from skimage.data import immunohistochemistry

from benchmarks.time_to_quality import parse_setting
from benchmarks.yardstick import number
from napari_slicegan.config import AXES, RunConfig
from napari_slicegan.generation import generate
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.sliced_wasserstein import sliced_wasserstein
from napari_slicegan.micrograph import Micrograph
from napari_slicegan.preview_image import preview_image
from napari_slicegan.trainer import Trainer
from napari_slicegan.training_images import TrainingImages

if TYPE_CHECKING:
    from napari_slicegan.config import MicrographSettings
    from napari_slicegan.volume import Volume

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
    section = Micrograph.from_array(immunohistochemistry(), "colour", name="tissue")
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
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.cases:
        read, settings = CASES[name]
        own = {"minutes": options.minutes, **dict(map(parse_setting, options.set))}
        config = RunConfig().changed(**{**settings, **own})
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
    distance = fmean(number(row.distance) for row in levels)
    floor = fmean(number(row.noise_floor) for row in levels)
    image = next(iter(images)).values
    halves = np.array_split(image, 2, axis=1)
    rng = np.random.default_rng(0)
    real = crops([image], CROPS, rng)
    by_axis = [
        fmean(sliced_wasserstein(real, crops(volume.planes(axis), CROPS, rng), rng))
        for axis in AXES
    ]
    first, second = (crops([half], CROPS, rng) for half in halves)
    between = fmean(sliced_wasserstein(first, second, rng))
    along = ", ".join(f"{value:.0f}" for value in by_axis)
    return (
        f"histogram distance {distance:.4g} (floor {floor:.4g}), sliced Wasserstein "
        f"distance along z, y, x {along} (left against right half {between:.0f})"
    )


def crops(
    planes: Sequence[NDArray[Any]] | NDArray[Any], n: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Random crops of random planes, turned and mirrored, [n, C, 64, 64]."""
    found = []
    for _ in range(n):
        plane = planes[rng.integers(len(planes))]
        row, column = (rng.integers(length - EDGE + 1) for length in plane.shape[:2])
        crop = np.rot90(
            plane[row : row + EDGE, column : column + EDGE], rng.integers(4)
        )
        found.append(crop if rng.integers(2) else crop[::-1])
    whole = np.asarray(found, np.float32)
    return whole[:, None] if whole.ndim == 3 else np.moveaxis(whole, -1, 1)


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
