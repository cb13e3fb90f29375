"""The command ``slicegan directions``: flags and actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, SAMPLE, file_path, say, volume_size
from napari_slicegan.cli.progress import progress_bar
from napari_slicegan.config import AXES
from napari_slicegan.directions import (
    PROPERTIES,
    DirectionSet,
    Gauge,
    Sweeping,
    fit_directions,
    guided_directions,
    label,
    load_directions,
    measure_effects,
    sweep,
    table,
)
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.regions import Box, ramp
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.volumes.files import check_ending

if TYPE_CHECKING:
    import argparse
    from argparse import Namespace

    from napari_slicegan.directions import Direction
    from napari_slicegan.generation.generate import Size
    from napari_slicegan.generation.regions import Region
    from napari_slicegan.models.generator_file import TrainedGenerator

FILE = "directions.safetensors"
RUN_HELP = "run folder, .safetensors generator, or sample:varied_sandstone"
FILE_HELP = "file of directions (default: directions.safetensors beside the generator)"


def add_directions_flags(command: argparse.ArgumentParser) -> None:
    """Add the verbs of ``directions``."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in (_add_fit, _add_list, _add_apply, _add_sweep):
        add(verbs)


def directions(options: Namespace) -> int:
    """Run a verb."""
    verbs = {
        "fit": _fit,
        "list": _list,
        "apply": _apply,
        "sweep": _sweep,
    }
    verbs[options.verb](options)
    return DONE


def _add_fit(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("fit", help="find directions and measure what they move")
    verb.add_argument("run", metavar="RUN", help=RUN_HELP)
    verb.add_argument("--out", type=Path, metavar="FILE", help=FILE_HELP)
    verb.add_argument(
        "--block", help="block whose components are found (default: block2, or block1)"
    )
    verb.add_argument("--components", type=int, default=8, help="default: %(default)s")
    verb.add_argument(
        "--samples", type=int, default=1000, help="random latents (default: 1000)"
    )
    verb.add_argument(
        "--guided",
        nargs="*",
        default=["phase_fraction"],
        metavar="PROPERTY",
        help="also find the direction of each of these measured properties, such as "
        "phase_fraction, interface_density, correlation_length, chord_length, "
        "anisotropy, effective_diffusivity (default: phase_fraction; nothing for none)",
    )
    verb.add_argument(
        "--guided-samples",
        type=int,
        default=300,
        metavar="N",
        help="volumes that are measured for them (default: 300)",
    )
    _add_phase(verb)
    verb.add_argument(
        "--seeds", type=int, default=3, help="volumes for each strength (default: 3)"
    )
    verb.add_argument("--seed", type=int, default=1, help="other random latents")
    verb.add_argument(
        "--no-effects", action="store_true", help="do not measure what they move"
    )


def _fit(options: Namespace) -> None:
    trained = load_any_generator(file_path(options.run))
    out = options.out or _home(options.run) / FILE
    with progress_bar("Components") as progress:
        found = fit_directions(
            trained,
            options.block,
            options.components,
            options.samples,
            options.seed,
            progress=progress,
        )
    if options.guided:
        with progress_bar("Guided") as progress:
            guided = guided_directions(
                trained,
                options.guided,
                options.phase,
                options.guided_samples,
                options.seed,
                progress=progress,
            )
        found = found.with_(*guided)
    if not options.no_effects:
        gauge = Gauge(trained, phase=options.phase)
        sweeping = Sweeping(seeds=tuple(range(options.seeds)))
        with progress_bar("Effects") as progress:
            found = measure_effects(trained, found, gauge, sweeping, progress)
    found.save(out)
    say(f"{table(found)}\n\n{found.sentence()}\nWrote {out}")


def _add_list(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("list", help="print directions and what they move")
    verb.add_argument("file", type=Path, metavar="FILE", help="file of directions")


def _list(options: Namespace) -> None:
    found = load_directions(options.file)
    say(f"Found in a generator of {found.model.name}.\n{found.sentence()}\n")
    say(table(found))


def _add_apply(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("apply", help="generate a volume with directions")
    verb.add_argument("run", metavar="RUN", help=RUN_HELP)
    verb.add_argument("--directions", type=Path, metavar="FILE", help=FILE_HELP)
    verb.add_argument(
        "--move",
        nargs="+",
        required=True,
        metavar="NAME=STRENGTH",
        help="directions and their strengths, such as 'phase fraction=2'",
    )
    _add_blocks(verb)
    verb.add_argument(
        "--box",
        type=float,
        nargs=6,
        metavar=("Z0", "Y0", "X0", "Z1", "Y1", "X1"),
        help="act only inside of this box of voxels",
    )
    verb.add_argument(
        "--ramp",
        choices=("z", "y", "x"),
        help="let the strength rise from 0 to all along this axis",
    )
    verb.add_argument("--truncation", type=float, default=1.0, help="0 to 1")
    verb.add_argument(
        "--size", type=int, nargs="+", default=[128], metavar="N", help="default: 128"
    )
    verb.add_argument("--periodic", default="", metavar="AXES")
    _add_phase(verb)
    verb.add_argument("--seed", type=int, default=0, help="another sample")
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    verb.add_argument(
        "--out",
        type=Path,
        help="file to write (default: edited-seedSEED.tif beside the generator)",
    )


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
    with progress_bar("Generating") as progress:
        volume = plan.generate(progress)
    volume.save(out)
    plain = VolumePlan(trained, size, options.seed, options.periodic)
    with progress_bar("Without") as progress:
        before = gauge.measure(plain.generate(progress).values)
    after = gauge.measure(volume.values)
    if not found.is_of(trained):
        say("These directions come from another run; this is what they do here:")
    for one, strength in moves:
        say(f"{one.name} {strength:+g} ({label(one)})")
    for name in gauge.names:
        title = PROPERTIES[name].title
        say(f"{title:24} {before[name]:10.4g} -> {after[name]:.4g}")
    say(f"Wrote {out}")


def _add_sweep(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("sweep", help="one sample at several strengths")
    verb.add_argument("run", metavar="RUN", help=RUN_HELP)
    verb.add_argument("name", metavar="NAME", help="of the direction")
    verb.add_argument("--directions", type=Path, metavar="FILE", help=FILE_HELP)
    verb.add_argument(
        "--strengths",
        type=float,
        nargs="+",
        default=[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        help="default: -3 -2 -1 0 1 2 3",
    )
    _add_blocks(verb)
    verb.add_argument(
        "--size", type=int, nargs="+", default=[64], metavar="N", help="default: 64"
    )
    verb.add_argument(
        "--properties",
        nargs="+",
        metavar="PROPERTY",
        help="what to measure (default: all that is quick)",
    )
    _add_phase(verb)
    verb.add_argument("--seed", type=int, default=0, help="another sample")
    verb.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    verb.add_argument("--out", type=Path, metavar="TIF", help="4-D TIFF to write")
    verb.add_argument("--csv", type=Path, help="table of the properties to write")
    verb.add_argument("--figure", type=Path, metavar="PNG", help="figure of them")
    verb.add_argument(
        "--animation", type=Path, metavar="GIF", help="middle planes; needs imageio"
    )


def _sweep(options: Namespace) -> None:
    trained, found = _opened(options)
    direction = found.named(options.name)
    gauge = Gauge(trained, options.properties, options.phase, volume_size(options.size))
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
    say("strength  " + "  ".join(PROPERTIES[name].title for name in gauge.names))
    for row in zip(made.strengths, *made.properties.values(), strict=True):
        say("  ".join(f"{number:10.4g}" for number in row))
    writers = (
        (options.out, made.save_tiff),
        (options.csv, made.save_csv),
        (options.figure, made.save_plot),
        (options.animation, made.save_animation),
    )
    for path, write in writers:
        if path is not None:
            write(path)
            say(f"Wrote {path}")


def _add_blocks(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--blocks",
        nargs="+",
        default=[None],
        metavar="BLOCK",
        help="block that is edited, or the first and the last of a range; latent comes "
        "before block1 (default: the direction's own)",
    )


def _add_phase(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--phase", type=int, metavar="LABEL", help="phase to measure (default: last)"
    )


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
