"""Flags of ``slicegan report`` and ``slicegan export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.commands.options import add_setting_flags

if TYPE_CHECKING:
    import argparse

RUN_HELP = "run folder, .safetensors generator, or sample:NAME of one that ships"
LICENCE_HELP = "licence of the images, for the card (that of sample data is known)"


def add_comparison(command: argparse.ArgumentParser) -> None:
    """Add what a generator is compared with, and which volume of it."""
    command.add_argument(
        "--against",
        nargs="+",
        metavar="FILE",
        help="image files or a 3-D truth (default: the images of the run)",
    )
    command.add_argument("--size", type=int, default=128, help="edge to generate")
    command.add_argument("--seed", type=int, default=1, help="seed to generate with")


def add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``report``."""
    command = commands.add_parser(
        "report", help="prove the quality of a generator: one HTML file, and JSON"
    )
    command.add_argument("run", type=Path, metavar="RUN", help=RUN_HELP)
    command.add_argument(
        "--out",
        type=Path,
        metavar="HTML",
        help="file to write (default: report.html in the run folder)",
    )
    add_comparison(command)
    command.add_argument(
        "--seeds", type=int, default=4, help="volumes for diversity (default: 4)"
    )
    command.add_argument(
        "--quick", action="store_true", help="leave out diffusion, which takes minutes"
    )
    command.add_argument("--licence", default="", help=LICENCE_HELP)
    add_setting_flags(command, "micrograph")


def add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``export``."""
    command = commands.add_parser(
        "export", help="a run's generator in one file, with a model card beside it"
    )
    command.add_argument("run", type=Path, metavar="RUN", help="run folder")
    command.add_argument(
        "out", type=Path, metavar="FILE", help=".safetensors; the card ends in .md"
    )
    command.add_argument(
        "--half",
        action="store_true",
        help="weights in half precision: half the size, a few voxels per thousand "
        "get another label",
    )
    command.add_argument("--licence", default="", help=LICENCE_HELP)
