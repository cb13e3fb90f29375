"""Slices of a brain by a DCGAN: how near the images come to real ones.

    python -m benchmarks.mri --minutes 10 --out build/mri

cuts a magnetic resonance image into planes across the body, trains a preset for brain
slices on them, and measures its images as it goes: sliced Wasserstein distance and
structural similarity, beside the same numbers of a second set of real slices. `mri.csv`
gets a row for each moment; `samples.png` and `real.png` are sheets; `run` is the run.

The image is the MNI152 template, the mean of 152 heads, which the package nilearn ships
(`pip install nilearn`; the plugin does without it). Another volume is given with
`--volume FILE`. Neighbouring planes of one head are alike, so what is learned is this
head, not how heads differ.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.time_to_quality import parse_setting
from napari_slicegan.config import AXES, ImageSettings
from napari_slicegan.config.presets import preset
from napari_slicegan.data.image_files import read_image
from napari_slicegan.generation.sheet import Sheet
from napari_slicegan.systems.image_set import ImageSet
from napari_slicegan.systems.presets import OASIS
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.systems.image_task import ImageMonitor, ImageQuality

FILE, PLANES = "mri.csv", "planes.npy"
SAMPLES, REAL = "samples.png", "real.png"
# Planes that show less than this share of what the fullest one shows are left out.
SHOWN = 0.2
# Images are measured after each epoch; one of so few planes would be over in seconds.
PASSES = 16
SHEET = 16
Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, and print a line for each moment."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    limits = {"epochs": None, "minutes": options.minutes, "monitor_interval": 10**7}
    changes = dict(map(parse_setting, options.set))
    config = preset(options.preset).changed(**{**limits, **changes})
    images = planes(options, config.architecture.patch_size)
    repeated = ImageSet(np.tile(images.values, (PASSES, 1, 1)), images.name)
    trainer = Trainer.start(config, repeated, options.out / "run")
    sys.stdout.write(f"{len(images)} planes; {text(second_set(trainer))} if real\n")
    rows = [moment(0.0, 0, trainer.monitor.measure(trainer.preview()))]
    for report in trainer.run():
        if report.quality is not None:
            rows.append(moment(report.elapsed_s, report.step, report.quality))
    made = trainer.preview()
    rows.append(moment(trainer.elapsed_s, trainer.step, trainer.monitor.measure(made)))
    write(rows, options.out / FILE)
    made.save_picture(options.out / SAMPLES)
    shown = np.linspace(0, len(images) - 1, SHEET).astype(int)
    low, high = float(images.values.min()), float(images.values.max())
    Sheet(images.values[shown], low, high).save_picture(options.out / REAL)
    return 0


def template() -> NDArray[np.float32]:
    """The MNI152 template, 197 x 233 x 189 voxels of 1 mm: sagittal, coronal, axial.

    Raises
    ------
    ValueError
        If nilearn is not installed.
    """
    try:
        from nilearn.datasets import load_mni152_template
    except ModuleNotFoundError as error:
        raise ValueError(
            "Expected a brain, got neither the package nilearn nor a file; say 'pip "
            "install nilearn', or give a volume with '--volume'."
        ) from error
    image: Any = load_mni152_template(resolution=1)
    return np.asarray(image.get_fdata(dtype=np.float32))


def planes(options: argparse.Namespace, size: int) -> ImageSet:
    """Planes of the volume that show something, [N, size, size], forehead upwards."""
    volume = options.volume
    values = template() if volume is None else read_image(volume).values
    stack = np.moveaxis(values, AXES.index(options.axis), 0)
    share = (stack > np.median(values)).mean(axis=(1, 2))
    kept = np.rot90(stack[share >= SHOWN * share.max()], axes=(1, 2))
    np.save(options.out / PLANES, kept, allow_pickle=False)
    return ImageSet.open(options.out / PLANES, size, ImageSettings(cut_axis="z"))


def second_set(trainer: Trainer) -> ImageQuality:
    """The quality of real images that are drawn anew."""
    (source,) = trainer.samplers
    monitor = cast("ImageMonitor", trainer.monitor)
    rng = torch.Generator().manual_seed(1)
    drawn = source.sample(len(monitor.real_values), rng)
    return monitor.measure(Sheet(trainer.transform.inverse(drawn, 1), 0, 1))


def moment(seconds: float, step: int, quality: Any) -> Row:
    """A row of the CSV, shown at once."""
    sys.stdout.write(f"{seconds:7.1f} s, step {step}: {text(quality)}\n")
    sys.stdout.flush()
    return {"seconds": round(seconds, 1), "step": step, **asdict(quality)}


def text(quality: ImageQuality) -> str:
    """What was measured, in a few words."""
    return (
        f"SWD {quality.swd:.1f}, structural similarity {quality.ssim:.3f}, luminance "
        f"overlap {quality.luminance_overlap:.3f}"
    )


def write(rows: Sequence[Row], file: Path) -> None:
    """All rows, with a line of titles."""
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # The template's last axis runs along the body.
    axis: Axis = "x"
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument("--volume", type=Path, help="file of another volume")
    made.add_argument("--axis", choices=AXES, default=axis, help="to cut it along")
    made.add_argument("--preset", choices=OASIS, default="oasis-64")
    made.add_argument("--minutes", type=float, default=10.0)
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
