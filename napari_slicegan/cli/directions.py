"""The command ``slicegan directions``: flags and actions."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_slicegan.cli.options import (
    DONE,
    SAMPLE,
    finite,
    generator_path,
    say,
    unused,
    volume_size,
)
from napari_slicegan.cli.progress import progress_bar
from napari_slicegan.config import AXES
from napari_slicegan.directions import (
    DirectionSet,
    Gauge,
    Sweep,
    Sweeping,
    fit_directions,
    guided_directions,
    label,
    load_directions,
    measure_effects,
    sweep,
    table,
)
from napari_slicegan.directions.fit import check_guided
from napari_slicegan.directions.properties import default_guides
from napari_slicegan.directions.sweep import SIMILARITY, check_animation, heading
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.regions import Box, ramp
from napari_slicegan.generation.samples import sheet_of
from napari_slicegan.generation.sheet import ENDINGS as STACK_ENDINGS
from napari_slicegan.models.generator_file import (
    TrainedGenerator,
    load_any_generator,
)
from napari_slicegan.runtime.atomic_files import check_can_write, make_folder
from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.runtime.limits import check_repeats
from napari_slicegan.volumes.files import check_can_write_volume

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.directions import Direction
    from napari_slicegan.generation.generate import Size
    from napari_slicegan.generation.regions import Region
    from napari_slicegan.models.generator_file import TrainedNetwork

FILE = "directions.safetensors"
EDGE, SWEEP_EDGE = "128", "64"
"""Default sizes of the volumes of `apply` and `sweep`."""
OF_VOLUMES = ("size", "box", "ramp", "periodic")
GUIDED_SAMPLES, SEEDS = 300, 3


def directions(options: Namespace) -> int:
    """Run a verb."""
    verbs = {"fit": _fit, "list": _list, "apply": _apply, "sweep": _sweep}
    verbs[options.verb](options)
    return DONE


def _fit(options: Namespace) -> None:
    out = options.out or _home(options.run) / FILE
    check_can_write(out, ".safetensors")
    seeds, guided_samples = options.seeds, options.guided_samples
    if options.no_effects and seeds is not None:
        raise unused("seeds", "measured effects", "--no-effects")
    if options.guided == [] and guided_samples is not None:
        raise unused("guided_samples", "properties for --guided", "none")
    if options.no_effects and options.guided == [] and options.phase is not None:
        raise unused("phase", "a property to measure", "none")
    trained = load_any_generator(generator_path(Path(options.run)))
    guides = default_guides(trained) if options.guided is None else options.guided
    n_guided = GUIDED_SAMPLES if guided_samples is None else guided_samples
    if guides:
        check_guided(trained, guides, options.phase, n_guided)
    if not options.no_effects:
        gauge = Gauge(trained, phase=options.phase)
        n_seeds = SEEDS if seeds is None else seeds
        check_repeats("seeds", n_seeds, 2)
        sweeping = Sweeping(seeds=tuple(range(n_seeds)))
    with progress_bar("Components") as progress:
        found = fit_directions(
            trained,
            options.block,
            options.components,
            options.samples,
            options.seed,
            progress=progress,
        )
    if guides:
        with progress_bar("Guided") as progress:
            guided = guided_directions(
                trained,
                guides,
                options.phase,
                n_guided,
                options.seed,
                progress=progress,
            )
        found = found.with_(*guided)
    if not options.no_effects:
        with progress_bar("Effects") as progress:
            found = measure_effects(trained, found, gauge, sweeping, progress)
    found.save(out)
    say(f"{table(found)}\n\n{found.sentence()}\nSaved {out}")


def _list(options: Namespace) -> None:
    found = load_directions(options.file)
    say(f"Found in a generator of {found.model.name}.\n{found.sentence()}\n")
    say(table(found))


def _apply(options: Namespace) -> None:
    out = options.out or _home(options.run) / f"edited-seed{options.seed}.tif"
    check_can_write_volume(out)
    trained, found = _opened(options)
    moves = [_move(found, text) for text in options.move]
    size = volume_size(options.size or [EDGE])
    gauge = Gauge(trained, phase=options.phase, size=size)
    if not gauge.is_volume:
        check_can_write(out, *STACK_ENDINGS)
    region = _region(options, size)
    first, last = _blocks(options.blocks)
    edits = [one.edit(strength, first, last, region) for one, strength in moves]
    if isinstance(trained, TrainedGenerator):
        plain = VolumePlan(trained, size, options.seed, options.periodic)
        plan = replace(plain, edits=edits, truncation=options.truncation)
        with progress_bar("Generating") as progress:
            volume = plan.generate(progress)
        volume.save(out)
        made = volume.values
        with progress_bar("Without") as progress:
            start = plain.generate(progress).values
    else:
        made = gauge.make(options.seed, edits, options.truncation)
        sheet_of(made, trained.transform).save(out)
        start = gauge.make(options.seed)
    before, after = gauge.measure(start), gauge.measure(made)
    if not found.is_of(trained):
        say("These directions come from another run; their effects are measured anew.")
        found = found.only(*(one.name for one, _ in moves))
        sweeping = Sweeping(first=first, last=last)
        with progress_bar("Effects") as progress:
            found = measure_effects(
                trained, found, Gauge(trained, phase=options.phase), sweeping, progress
            )
    for one, strength in moves:
        words = label(found.named(one.name), gauge.dimensions)
        say(f"{one.name} {strength:+g} ({words})")
    for name in gauge.names:
        title = heading(name, gauge.dimensions)
        say(f"{title:24} {before[name]:10.4g} -> {after[name]:.4g}")
    if not gauge.is_volume:
        title = heading(SIMILARITY, gauge.dimensions)
        say(f"{title:24} {gauge.similarity(made, start):10.4g}")
    if region and np.array_equal(made, start):
        say(
            "No voxel changes: choose a larger region, a later block (--blocks) or a "
            "larger strength."
        )
    say(f"Saved {out}")


def _sweep(options: Namespace) -> None:
    outputs = {
        options.out: (Sweep.save_tiff, (".tif", ".tiff")),
        options.csv: (Sweep.save_csv, (".csv",)),
        options.figure: (Sweep.save_plot, (".png",)),
        options.animation: (Sweep.save_animation, (".gif",)),
        options.sheet: (Sweep.save_sheet, (".png",)),
    }
    for path, (_, endings) in outputs.items():
        if path is not None:
            check_can_write(path, *endings)
    if options.animation:
        check_animation()
    trained, found = _opened(options)
    direction = found.named(options.name)
    size = volume_size(options.size or [SWEEP_EDGE])
    gauge = Gauge(trained, options.properties, options.phase, size)
    first, last = _blocks(options.blocks)
    with progress_bar("Sweep") as progress:
        made = sweep(
            gauge,
            direction,
            options.strengths,
            options.seed,
            first,
            last,
            progress=progress,
        )
    say("strength  " + "  ".join(map(made.heading, made.properties)))
    for row in zip(made.strengths, *made.properties.values(), strict=True):
        say("  ".join(f"{number:10.4g}" for number in row))
    for path, (write, _) in outputs.items():
        if path is not None:
            make_folder(path.parent)
            write(made, path)
            say(f"Saved {path}")


def _opened(options: Namespace) -> tuple[TrainedNetwork, DirectionSet]:
    """Generator on its device, and directions that fit it."""
    trained = load_any_generator(generator_path(Path(options.run)))
    if not isinstance(trained, TrainedGenerator):
        for name in OF_VOLUMES:
            if getattr(options, name, None):
                raise unused(name, "a generator of volumes", "one of images")
    found = load_directions(options.directions or _home(options.run) / FILE)
    found.check(trained, of_any_model=options.any_model)
    trained.network.to(choose_device(options.device))
    return trained, found


def _home(run: str) -> Path:
    """Output folder: that of the generator, or of its own for a bundled one."""
    if run.startswith(SAMPLE):
        return Path("slicegan-runs") / run.removeprefix(SAMPLE)
    path = Path(run)
    return path if path.is_dir() else path.parent


def _move(found: DirectionSet, text: str) -> tuple[Direction, float]:
    """Direction and strength of ``NAME=STRENGTH``."""
    name, _, number = text.rpartition("=")
    try:
        strength = finite(number)
    except ArgumentTypeError:
        name = ""
    if not name:
        raise ValueError(
            f"Expected a direction and its strength as NAME=STRENGTH, got '{text}'; "
            "write for example 'component 1=2'."
        )
    return found.named(name), strength


def _blocks(names: list[str | None]) -> tuple[str | None, str | None]:
    if len(names) > 2:
        raise ValueError(
            f"Expected one block or the first and the last of a range, got "
            f"{len(names)} names; give one or two."
        )
    return names[0], names[-1]


def _region(options: Namespace, size: Size) -> Region | None:
    if options.box and options.ramp:
        raise ValueError("Expected --box or --ramp, got both; leave one out.")
    if options.box:
        z0, y0, x0, z1, y1, x1 = options.box
        box = Box((z0, y0, x0), (z1, y1, x1))
        box.check_within(size)
        return box
    if options.ramp:
        return ramp(options.ramp, size[AXES.index(options.ramp)])
    return None
