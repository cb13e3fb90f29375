"""The commands ``slicegan generate`` and ``sample``."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import (
    DONE,
    RUN_HELP,
    STOPPED,
    generator_path,
    output_folder,
    say,
    volume_size,
)
from napari_slicegan.cli.progress import progress_bar
from napari_slicegan.generation.estimates import generation_costs
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.samples import generate_images
from napari_slicegan.generation.sheet import check_stack_ending
from napari_slicegan.generation.streaming import (
    StreamedVolume,
    stream_to_file,
    tiles_folder,
    value_type,
)
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.runtime.devices import choose_device, choose_precision
from napari_slicegan.systems.spectrograms import write_sounds
from napari_slicegan.volumes.files import check_ending
from napari_slicegan.volumes.ome_zarr import ENDING

if TYPE_CHECKING:
    import argparse
    from argparse import Namespace

MEMORY_BYTES = 2**29
"""Larger volumes are written block by block."""


def add_generate_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``generate``."""
    command.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    command.add_argument(
        "--size",
        type=int,
        nargs="+",
        default=[128],
        metavar="N",
        help="voxels along z, y and x, or one number for a cube (default: 128)",
    )
    command.add_argument(
        "--periodic",
        default="",
        metavar="AXES",
        help="axes along which the volume is periodic, such as z or xyz",
    )
    command.add_argument("--seed", type=int, default=0, help="random seed")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    command.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="float32",
        help="number format of the convolutions; bfloat16 (auto: if the GPU supports "
        "it) is faster but changes the label of a few voxels per thousand (default: "
        "%(default)s, with which a seed gives the same volume everywhere)",
    )
    command.add_argument(
        "--out",
        type=Path,
        help="where to write it: .tif, .npy, .vti, or of any size .ome.zarr (default: "
        "volume-SIZE-SEED.tif beside RUN's generator); a volume larger than "
        "0.5 GB can be continued after an interruption",
    )
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="generate on the workers of this dask scheduler, such as "
        "tcp://10.0.0.1:8786; they must share the disk",
    )


def generate(options: Namespace) -> int:
    """Generate a volume and write it."""
    trained = load_generator(generator_path(options.run))
    size = volume_size(options.size)
    shape = "x".join(map(str, size))
    name = f"volume-{shape}-seed{options.seed}.tif"
    out: Path = options.out or output_folder(options.run) / name
    if out.suffix != ENDING:
        check_ending(out)
    device = choose_device(options.device)
    trained.network.to(device)
    precision = choose_precision(options.precision, device)
    plan = VolumePlan(
        trained, size, options.seed, options.periodic, precision=precision
    )
    fits = math.prod(size) * value_type(trained).itemsize <= MEMORY_BYTES
    if fits and out.suffix != ENDING and not options.cluster:
        with progress_bar("Generating") as progress:
            made = plan.generate(progress)
        made.save(out)
    elif not _stream(plan, out, options.cluster):
        say("Stopped; run the same command again to continue.")
        return STOPPED
    say(f"Wrote {out}")
    return DONE


def _stream(plan: VolumePlan, out: Path, cluster: str | None) -> bool:
    """Generate a volume of any size block by block; False if interrupted."""
    is_zarr = out.suffix == ENDING
    path = out if is_zarr else tiles_folder(out)
    begin = functools.partial(StreamedVolume.begin, plan, path, pyramid=is_zarr)
    missing = begin().missing_share() if path.exists() else 1.0
    costs = generation_costs(plan, out, missing)
    costs.check(out)
    say(costs.sentence())
    volume = begin()
    try:
        with progress_bar("Generating") as progress:
            if is_zarr:
                volume.write(cluster, progress)
            else:
                stream_to_file(plan, out, cluster, progress)
    except KeyboardInterrupt:
        return False
    return True


def add_sample_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``sample``."""
    command.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    command.add_argument("--count", type=int, default=64, help="default: %(default)s")
    command.add_argument("--seed", type=int, default=0, help="random seed")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    command.add_argument(
        "--out",
        type=Path,
        help="stack to write, .tif or .npy (default: samples-seedSEED.tif beside RUN's "
        "generator)",
    )
    command.add_argument(
        "--sheet", type=Path, metavar="PNG", help="also write the first 16 as one image"
    )
    command.add_argument(
        "--sounds", type=Path, metavar="FOLDER", help="also write spectrograms as WAV"
    )


def sample(options: Namespace) -> int:
    """Draw images and write them."""
    trained = load_any_generator(generator_path(options.run))
    out = options.out or output_folder(options.run) / f"samples-seed{options.seed}.tif"
    check_stack_ending(out)
    trained.network.to(choose_device(options.device))
    sheet = generate_images(trained, options.count, options.seed)
    sheet.save(out)
    say(f"Wrote {out}")
    if options.sheet:
        sheet.save_picture(options.sheet)
        say(f"Wrote {options.sheet}")
    if options.sounds:
        write_sounds(options.sounds, sheet.values)
        say(f"Wrote {options.sounds}")
    return DONE
