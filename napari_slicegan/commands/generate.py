"""The command generate: a volume in memory, or streamed onto the disk."""

from __future__ import annotations

import functools
import math
import sys
from typing import TYPE_CHECKING

from napari_slicegan.commands.options import generator_path, output_folder, volume_size
from napari_slicegan.estimates.volumes import generation_costs
from napari_slicegan.generation import VolumePlan, generate_in_steps
from napari_slicegan.large_volumes.stream_settings import value_type
from napari_slicegan.machine.devices import choose_device
from napari_slicegan.machine.precision import choose_precision
from napari_slicegan.progress_bar import generate_with_progress, with_bar
from napari_slicegan.streaming import StreamedVolume, stream_to_file, tiles_folder
from napari_slicegan.trained_generator import load_generator
from napari_slicegan.volume_files.ome_zarr import ENDING
from napari_slicegan.volume_files.planes import check_ending

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

DONE, STOPPED = 0, 130
# Larger volumes are not held in memory, whatever they are written to.
MEMORY_BYTES = 2**29


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
        generate_with_progress(generate_in_steps(plan)).save(out)
    elif not _stream(plan, out, options.cluster):
        _say("Stopped; the same command goes on with it.")
        return STOPPED
    _say(f"Wrote {out}")
    return DONE


def _stream(plan: VolumePlan, out: Path, cluster: str | None) -> bool:
    """Make a volume of any size; whether it was finished."""
    is_zarr = out.suffix == ENDING
    path = out if is_zarr else tiles_folder(out)
    begin = functools.partial(StreamedVolume.begin, plan, path, pyramid=is_zarr)
    missing = begin().missing_share() if path.exists() else 1.0
    costs = generation_costs(plan, out, missing)
    costs.check(out)
    _say(costs.sentence())
    volume = begin()
    steps = volume.steps(cluster) if is_zarr else stream_to_file(plan, out, cluster)
    try:
        with_bar("Generating", steps)
    except KeyboardInterrupt:
        return False
    return True


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
