"""Flags of ``slicegan directions``. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

RUN_HELP = "run folder, .safetensors generator, or sample:varied_sandstone"
FILE_HELP = "file of directions (default: directions.safetensors beside the generator)"


def add_directions(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> None:
    """Add the command with its four verbs."""
    command = commands.add_parser(
        "directions", help="find, list and use sliders that change the material"
    )
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in (_fit, _list, _apply, _sweep):
        add(verbs)


def _fit(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
        "phase_fraction, face_density, correlation_length, chord_length, anisotropy, "
        "effective_diffusivity (default: phase_fraction; nothing for none)",
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


def _list(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("list", help="print directions and what they move")
    verb.add_argument("file", type=Path, metavar="FILE", help="file of directions")


def _apply(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


def _sweep(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
