"""The command ``slicegan directions``: fit, list, apply, sweep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.commands.options import SAMPLE, file_path, volume_size
from napari_slicegan.config import AXES
from napari_slicegan.directions import (
    PROPERTIES,
    DirectionSet,
    Gauge,
    Sweeping,
    effects_in_steps,
    fit_in_steps,
    guided_in_steps,
    label,
    load_directions,
    sweep_in_steps,
    table,
)
from napari_slicegan.generation import VolumePlan, generate_in_steps
from napari_slicegan.machine.devices import choose_device
from napari_slicegan.progress_bar import with_bar
from napari_slicegan.regions import Box, ramp
from napari_slicegan.trained_generator import load_any_generator, load_generator
from napari_slicegan.volume_files.planes import check_ending

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.directions import Direction
    from napari_slicegan.generation import Size
    from napari_slicegan.regions import Region
    from napari_slicegan.trained_generator import TrainedGenerator

FILE = "directions.safetensors"


def directions(options: Namespace) -> int:
    """Do what the verb says."""
    verbs = {"fit": _fit, "list": _list, "apply": _apply, "sweep": _sweep}
    verbs[options.verb](options)
    return 0


def _fit(options: Namespace) -> None:
    trained = load_any_generator(file_path(options.run))
    out = options.out or _home(options.run) / FILE
    components = fit_in_steps(
        trained, options.block, options.components, options.samples, options.seed
    )
    found = with_bar("Components", components)
    if options.guided:
        guided = guided_in_steps(
            trained,
            options.guided,
            options.phase,
            options.guided_samples,
            options.seed,
        )
        found = found.with_(*with_bar("Guided", guided))
    if not options.no_effects:
        gauge = Gauge(trained, phase=options.phase)
        sweeping = Sweeping(seeds=tuple(range(options.seeds)))
        steps = effects_in_steps(trained, found, gauge, sweeping)
        found = with_bar("Effects", steps)
    found.save(out)
    _say(f"{table(found)}\n\n{found.sentence()}\nWrote {out}")


def _list(options: Namespace) -> None:
    found = load_directions(options.file)
    _say(f"Found in a generator of {found.model.name}.\n{found.sentence()}\n")
    _say(table(found))


def _apply(options: Namespace) -> None:
    trained, found = _opened(options)
    moves = [_move(found, text) for text in options.move]
    size = volume_size(options.size)
    out = options.out or _home(options.run) / f"edited-seed{options.seed}.tif"
    check_ending(out)
    region = _region(options, size)
    first, last = _blocks(options.blocks)
    edits = [one.edit(strength, first, last, region) for one, strength in moves]
    gauge = Gauge(trained, phase=options.phase, size=size)
    plan = VolumePlan(
        trained,
        size,
        options.seed,
        options.periodic,
        edits=edits,
        truncation=options.truncation,
    )
    volume = with_bar("Generating", generate_in_steps(plan))
    volume.save(out)
    plain = VolumePlan(trained, size, options.seed, options.periodic)
    before = gauge.measure(with_bar("Without", generate_in_steps(plain)).values)
    after = gauge.measure(volume.values)
    if not found.is_of(trained):
        _say("These directions come from another run; this is what they do here:")
    for one, strength in moves:
        _say(f"{one.name} {strength:+g} ({label(one)})")
    for name in gauge.names:
        title = PROPERTIES[name].title
        _say(f"{title:24} {before[name]:10.4g} -> {after[name]:.4g}")
    _say(f"Wrote {out}")


def _sweep(options: Namespace) -> None:
    trained, found = _opened(options)
    direction = found.named(options.name)
    gauge = Gauge(trained, options.properties, options.phase, volume_size(options.size))
    steps = sweep_in_steps(
        gauge, direction, options.strengths, options.seed, *_blocks(options.blocks)
    )
    made = with_bar("Sweep", steps)
    _say("strength  " + "  ".join(PROPERTIES[name].title for name in gauge.names))
    for row in zip(made.strengths, *made.properties.values(), strict=True):
        _say("  ".join(f"{number:10.4g}" for number in row))
    writers = (
        (options.out, made.save_tiff),
        (options.csv, made.save_csv),
        (options.figure, made.save_plot),
        (options.animation, made.save_animation),
    )
    for path, write in writers:
        if path is not None:
            write(path)
            _say(f"Wrote {path}")


def _opened(options: Namespace) -> tuple[TrainedGenerator, DirectionSet]:
    """Generator on its device, and directions that fit it."""
    trained = load_generator(file_path(options.run))
    found = load_directions(options.directions or _home(options.run) / FILE)
    found.check(trained)
    trained.network.to(choose_device(options.device))
    return trained, found


def _home(run: str) -> Path:
    """Folder for what is made of a generator: its own, if it is not a sample."""
    if run.startswith(SAMPLE):
        return Path("slicegan-runs") / run.removeprefix(SAMPLE)
    path = Path(run)
    return path if path.is_dir() else path.parent


def _move(found: DirectionSet, text: str) -> tuple[Direction, float]:
    """Direction and strength of ``NAME=STRENGTH``."""
    name, _, number = text.rpartition("=")
    try:
        strength = float(number)
    except ValueError:
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
        return Box((z0, y0, x0), (z1, y1, x1))
    if options.ramp:
        return ramp(options.ramp, size[AXES.index(options.ramp)])
    return None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
