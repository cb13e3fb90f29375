"""Command line: demo | gui | train | resume | generate | sample | measure | ..."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from napari_slicegan import __version__
from napari_slicegan.cli.directions import add_directions
from napari_slicegan.cli.options import add_config_flags, add_setting_flags
from napari_slicegan.cli.report import RUN_HELP, add_comparison, add_export, add_report
from napari_slicegan.runtime.memory import keep_freed_memory

FAULT = 2
INTERRUPTED = 130
# A launcher ends all processes when one of them ends with another status than 0.
REPORTED_BY_MAIN = 0
IN_SEVERAL_PROCESSES = ("train", "resume")
IMAGE_HELP = (
    "image files, or sample:NAME for sample data; several ones are images of the same "
    "material"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.captureWarnings(capture=True)
    # Threads of torch that wait for each other sleep instead of spinning: no slower on
    # a quiet machine, several times faster where other programs use the cores. It is
    # read when torch is loaded, and only a program may decide it for its process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    options = _parser().parse_args(arguments)
    # Takes seconds: torch is loaded here.
    from napari_slicegan.runtime.distributed import AllRanksError, is_main_process

    if not is_main_process():
        logging.getLogger().setLevel(logging.ERROR)
    try:
        return _run(options)
    except (ValueError, OSError) as error:
        if isinstance(error, AllRanksError) and not is_main_process():
            return REPORTED_BY_MAIN
        sys.stderr.write(f"slicegan: {error}\n")
        return FAULT
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    """Run a command; several processes may only train."""
    from napari_slicegan.runtime.distributed import AllRanksError, is_launched

    if is_launched() and options.command not in IN_SEVERAL_PROCESSES:
        raise AllRanksError(
            f"Several processes together can {' or '.join(IN_SEVERAL_PROCESSES)}, got "
            f"'{options.command}'; start it without torchrun."
        )
    from napari_slicegan.cli import commands

    status: int = getattr(commands, options.command)(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slicegan",
        description="3-D materials from 2-D micrographs (SliceGAN).",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        *(_demo, _gui, _train, _resume, _generate, _sample),
        *(_measure, add_report, add_export, add_directions, _evaluate),
        *(_presets, _info),
    ):
        add(commands)
    return parser


def _demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "demo",
        help="train on a real sandstone slice, generate a volume, measure it",
    )
    command.add_argument(
        "--out",
        type=Path,
        help="new folder for run, volume and report (default: slicegan-demo/DATE)",
    )
    command.add_argument(
        "--material",
        choices=("bentheimer", "nanoporous-gold", "fibres"),
        default="bentheimer",
        help="sample data to train on (default: %(default)s)",
    )
    command.add_argument(
        "--no-window",
        action="store_true",
        help="train in the terminal even where a window can be opened",
    )
    add_setting_flags(command, "training")


def _gui(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("gui", help="open napari with the plugin docked")
    _add_images(command)
    command.add_argument(
        "--out", type=Path, help="folder in which the window keeps its runs"
    )
    command.add_argument(
        "--volume", type=Path, metavar="FILE", help="a volume to look at"
    )
    command.add_argument(
        "--train", action="store_true", help="start training on the images at once"
    )
    add_config_flags(command)
    add_setting_flags(command)


def _train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("train", help="train on micrographs")
    _add_images(command)
    command.add_argument(
        "--out",
        type=Path,
        help="run folder, new or empty (default: slicegan-runs/NAME-DATE)",
    )
    command.add_argument(
        "--from",
        type=Path,
        dest="source",
        metavar="RUN",
        help="begin with the weights, and by default the settings, of another run or "
        "of a .safetensors generator",
    )
    add_config_flags(command)
    add_setting_flags(command)


def _add_images(command: argparse.ArgumentParser) -> None:
    """Files of an isotropic or an anisotropic material."""
    command.add_argument("files", nargs="*", metavar="FILE", help=IMAGE_HELP)
    for axis in "zyx":
        command.add_argument(
            f"--{axis}",
            nargs="+",
            default=[],
            metavar="FILE",
            help=f"anisotropic material: images seen along {axis}",
        )
    command.add_argument(
        "--anisotropic",
        action="store_true",
        help="the file is a volume to be cut along all three axes",
    )


def _resume(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("resume", help="go on with a run")
    command.add_argument("run", type=Path, metavar="RUN", help="run folder")
    add_setting_flags(command, "training")


def _generate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("generate", help="generate a volume")
    _add_run(command)
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
        help="axes along which the volume repeats without a seam, such as z or xyz",
    )
    command.add_argument("--seed", type=int, default=0, help="another sample of it")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    command.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="float32",
        help="number format of the convolutions; bfloat16, and auto on GPUs that "
        "compute with it, is faster and gives a few voxels per thousand another label "
        "(default: %(default)s, in which a seed means the same volume everywhere)",
    )
    command.add_argument(
        "--out",
        type=Path,
        help="where to write it: .tif, .npy, .vti, or of any size .ome.zarr (default: "
        "volume-SIZE-SEED.tif beside RUN's generator); a volume that is larger than "
        "0.5 GB is gone on with if its making was broken off",
    )
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="have it made by the workers of a dask scheduler, such as "
        "tcp://10.0.0.1:8786, that see the same disk",
    )


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)


def _sample(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("sample", help="draw images from a trained generator")
    _add_run(command)
    command.add_argument("--count", type=int, default=64, help="default: %(default)s")
    command.add_argument("--seed", type=int, default=0, help="other images of it")
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


def _measure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "measure", help="compare a volume with the real material"
    )
    command.add_argument(
        "volume",
        type=Path,
        metavar="RUN_OR_VOLUME",
        help="run folder, generator (a volume is generated), volume file, or .ome.zarr "
        "that generate wrote, which is measured in parts",
    )
    add_comparison(command)
    command.add_argument(
        "--json", action="store_true", help="print JSON instead of a table"
    )
    command.add_argument("--figure", type=Path, metavar="PNG", help="draw a figure")
    add_setting_flags(command, "micrograph")


def _evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "evaluate", help="test a game on nine Gaussians: quality, modes, figure"
    )
    command.add_argument("what", choices=("mixture",), help="what to test it on")
    command.add_argument(
        "run",
        type=Path,
        nargs="?",
        metavar="RUN",
        help="run folder (default: a new run is trained)",
    )
    command.add_argument("--points", type=Path, help="a table of points instead")
    command.add_argument("--out", type=Path, help="folder of the new run")
    command.add_argument("--figure", type=Path, metavar="PNG", help="scatter to draw")
    command.add_argument(
        "--preset",
        choices=("realness-toy", "realness-toy-paper"),
        help="settings of the new run (default: realness-toy)",
    )
    command.add_argument(
        "--sweep",
        nargs="*",
        type=int,
        metavar="OUTCOMES",
        help="train for each of these numbers of outcomes, with three ratios of steps; "
        "table and figures (default: those of the paper)",
    )
    add_setting_flags(command)


def _presets(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("presets", help="list the presets")
    command.add_argument("name", nargs="?", help="print all settings of this one")


def _info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("info", help="tell about a run or generator")
    command.add_argument("run", type=Path, metavar="RUN")
