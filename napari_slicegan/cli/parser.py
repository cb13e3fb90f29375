"""The command line ``slicegan COMMAND``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from napari_slicegan import __version__
from napari_slicegan.cli import flags
from napari_slicegan.cli.options import FAULT, STOPPED
from napari_slicegan.runtime.memory import keep_freed_memory

COMMANDS = {
    "demo": ("demo", "train on a real sandstone slice, generate and measure a volume"),
    "gui": ("window", "open napari with the plugin docked"),
    "train": ("train", "train on micrographs"),
    "resume": ("train", "resume a run"),
    "generate": ("generate", "generate a volume"),
    "sample": ("generate", "draw images from a trained generator"),
    "measure": ("report", "compare a volume with the real material"),
    "report": ("report", "measure the quality of a generator: HTML and JSON report"),
    "export": ("report", "write the generator of a run with a model card"),
    "directions": ("directions", "find, list and use sliders that change the material"),
    "evaluate": ("evaluate", "test an objective on nine Gaussians"),
    "presets": ("report", "list the presets"),
    "info": ("report", "print facts about a run or generator"),
}
"""Command -> the module of its action `COMMAND`; help. Flags: `flags`."""
DISTRIBUTED_COMMANDS = ("train", "resume")
# A launcher kills all processes when one of them exits with a status other than 0.
REPORTED_BY_MAIN = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.captureWarnings(capture=True)
    # Idle threads of torch sleep instead of spinning: as fast on an idle machine and
    # several times faster on a busy one. Must be set before torch is loaded, and only
    # a program may decide this for its process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(words)
    # Only now, since the action loads torch: help and faulty flags do not wait for it.
    module = import_module(f"napari_slicegan.cli.{COMMANDS[options.command][0]}")
    run_command = getattr(module, options.command)
    from napari_slicegan.runtime.distributed import (
        AllRanksError,
        is_launched,
        is_main_process,
    )

    if not is_main_process():
        logging.getLogger().setLevel(logging.ERROR)
    try:
        if is_launched() and options.command not in DISTRIBUTED_COMMANDS:
            raise AllRanksError(
                f"torchrun supports {' and '.join(DISTRIBUTED_COMMANDS)}, got "
                f"'{options.command}'; start it without torchrun."
            )
        status: int = run_command(options)
        return status
    except (ValueError, OSError) as error:
        if isinstance(error, AllRanksError) and not is_main_process():
            return REPORTED_BY_MAIN
        sys.stderr.write(f"slicegan: {error}\n")
        return FAULT
    except KeyboardInterrupt:
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    """Parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="slicegan",
        description="3-D materials from 2-D micrographs (SliceGAN).",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in COMMANDS.items():
        getattr(flags, f"add_{name}_flags")(commands.add_parser(name, help=text))
    return parser
