"""The commands ``slicegan generate`` and ``sample``."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import (
    DONE,
    STOPPED,
    expanded,
    generator_path,
    opened_as_of,
    output_folder,
    refuse_settings,
    say,
    volume_size,
)
from napari_slicegan.cli.progress import progress_bar
from napari_slicegan.config import AXES
from napari_slicegan.generation.cluster import check_cluster
from napari_slicegan.generation.estimates import (
    fit_costs,
    fit_operations_per_second,
    generation_costs,
    operations_per_second,
    time_sentence,
)
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.memory import (
    STREAM_BYTES,
    check_tiles,
    fits_in_memory,
    with_fitting_tiles,
)
from napari_slicegan.generation.samples import generate_images
from napari_slicegan.generation.sheet import ENDINGS as STACK_ENDINGS
from napari_slicegan.generation.streaming import (
    StreamedVolume,
    stream_to_file,
    tiles_folder,
    value_type,
)
from napari_slicegan.generation.through import Section, agreement, pass_through
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_can_write_into,
    make_folder,
)
from napari_slicegan.runtime.devices import choose_device, choose_precision
from napari_slicegan.systems.spectrograms import check_sounds, write_sounds
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.volumes.files import check_can_write_volume
from napari_slicegan.volumes.ome_zarr import ENDING

if TYPE_CHECKING:
    from argparse import Namespace

MEMORY_BYTES = 2**29
"""Larger volumes are written block by block."""


def generate(options: Namespace) -> int:
    """Generate a volume and write it."""
    path = generator_path(options.run)
    trained = load_generator(path)
    size = volume_size(options.size)
    shape = "x".join(map(str, size))
    through = "-through" if options.through else ""
    name = f"volume-{shape}-seed{options.seed}{through}.tif"
    out: Path = options.out or output_folder(options.run) / name
    if out.suffix != ENDING:
        check_can_write_volume(out)
    else:
        check_can_write_into(out)
    sections = _sections(options, path)
    if options.cluster:
        check_cluster(options.cluster)
    device = choose_device(options.device)
    trained.network.to(device)
    precision = choose_precision(options.precision, device)
    plan = VolumePlan(
        trained, size, options.seed, options.periodic, precision=precision
    )
    if sections:
        costs = fit_costs(plan, fit_operations_per_second(trained), sections)
        say(costs.sentence())
        with progress_bar("Fitting") as progress:
            plan = pass_through(plan, sections, progress=progress)
        for section in sections:
            say(
                f"{section.name} at {section.axis}={section.position}: "
                f"{100 * agreement(plan, section):.1f} % of the pixels agree"
            )
    # One that takes no more memory than writing it block by block is not written so.
    n_bytes = math.prod(size) * value_type(trained).itemsize
    fits = n_bytes <= MEMORY_BYTES and (n_bytes <= STREAM_BYTES or fits_in_memory(plan))
    if fits and out.suffix != ENDING and not options.cluster:
        plan = with_fitting_tiles(plan, plan.n_bytes)
        if any(n > edge for n, edge in zip(size, plan.tile_edges, strict=True)):
            # One tile would take hardly longer than the estimate.
            say(time_sentence(plan, operations_per_second(plan)))
        with progress_bar("Generating") as progress:
            made = plan.generate(progress)
        made.save(out)
    elif not _stream(plan, out, options.cluster):
        say("Stopped; run the same command again to continue.")
        return STOPPED
    say(f"Saved {out}")
    return DONE


def _sections(options: Namespace, path: Path) -> list[Section]:
    """The real sections that the volume contains."""
    files = expanded(options.through)
    if len(files) != len(options.at):
        raise ValueError(
            f"Expected a plane by --at for each section by --through, got "
            f"{len(options.at)} for {len(files)}; write for example "
            "--through a.tif --at z=64."
        )
    if not files:
        refuse_settings(options, "images by --through", "none")
        return []
    run = RunFolder.open(path) if path.is_dir() else None
    images = opened_as_of(run, files, options)
    sections = []
    for image, places in zip(images, options.at, strict=True):
        (axis, position), *_ = places.items()
        corner = tuple(places[a] for a in AXES if a != axis and a in places)
        sections.append(Section.of(image, axis, position, corner or None))
    return sections


def _stream(plan: VolumePlan, out: Path, cluster: str | None) -> bool:
    """Generate a volume of any size block by block; False if interrupted."""
    is_zarr = out.suffix == ENDING
    path = out if is_zarr else tiles_folder(out)
    begin = functools.partial(StreamedVolume.begin, plan, path, pyramid=is_zarr)
    missing = 1.0
    if path.exists():
        begun = begin()
        missing, plan = begun.missing_fraction(), begun.plan
    else:
        plan = with_fitting_tiles(plan, STREAM_BYTES)
    if not cluster:
        advice = "generate it on another machine, or close other programs"
        check_tiles(plan, STREAM_BYTES, advice)
    costs = generation_costs(plan, out, missing)
    costs.check(out)
    say(costs.sentence())
    try:
        with progress_bar("Generating") as progress:
            if is_zarr:
                begin().write(cluster, progress)
            else:
                stream_to_file(plan, out, cluster, progress)
    except KeyboardInterrupt:
        return False
    return True


def sample(options: Namespace) -> int:
    """Draw images and write them."""
    out = options.out or output_folder(options.run) / f"samples-seed{options.seed}.tif"
    check_can_write(out, *STACK_ENDINGS)
    if options.sheet:
        check_can_write(options.sheet, ".png")
    if options.sounds:
        check_can_write_into(options.sounds)
    trained = load_any_generator(generator_path(options.run))
    if options.sounds:
        check_sounds(trained)
    trained.network.to(choose_device(options.device))
    sheet = generate_images(trained, options.count, options.seed)
    make_folder(out.parent)
    sheet.save(out)
    say(f"Saved {out}")
    if options.sheet:
        make_folder(options.sheet.parent)
        sheet.save_picture(options.sheet)
        say(f"Saved {options.sheet}")
    if sheet.decibels is not None and sheet.decibels.hertz and not options.sounds:
        say(f"As sounds: slicegan sample {options.run} --sounds FOLDER")
    if options.sounds:
        write_sounds(options.sounds, sheet.values)
        say(f"Saved {options.sounds}")
    return DONE
