"""The flags of every command. Loads no torch, so that help and faults come at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import (
    DEMO_MATERIALS,
    RUN_HELP,
    add_batch_size_flag,
    add_config_flags,
    add_image_flags,
    add_setting_flags,
    edges,
    finite,
    place,
)
from napari_slicegan.config import RESUMABLE

if TYPE_CHECKING:
    # argparse has no public name for it.
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

LICENCE_HELP = "licence of the images, for the card (that of sample data is known)"
DIRECTIONS_RUN_HELP = "run folder, .safetensors generator, or sample:varied_sandstone"
FILE_HELP = "file of directions (default: directions.safetensors beside the generator)"


def add_demo_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``demo``."""
    add = command.add_argument
    add(
        "--out",
        type=Path,
        help="new folder for run, volume and report (default: slicegan-demo/DATE)",
    )
    add(
        "--material",
        choices=tuple(DEMO_MATERIALS),
        default="bentheimer",
        help="sample data to train on (default: %(default)s)",
    )
    add(
        "--no-window",
        action="store_true",
        help="train in the terminal even where a window can be opened",
    )
    add_setting_flags(command, "training")


def add_gui_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``gui``."""
    add_image_flags(command)
    add = command.add_argument
    add("--out", type=Path, help="folder in which the window keeps its runs")
    add("--volume", type=Path, metavar="FILE", help="a volume to look at")
    add("--train", action="store_true", help="start training on the images at once")
    add_config_flags(command)
    add_setting_flags(command)


def add_train_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``train``."""
    add_image_flags(command)
    command.add_argument(
        "--pairs",
        nargs="+",
        default=[],
        metavar="FILE",
        help="two aligned pictures of parallel sections, or several times two, in "
        "place of FILE; beside two of --z, --y and --x they are of the third direction",
    )
    command.add_argument(
        "--distance",
        dest="setting_pair_distance",
        default=argparse.SUPPRESS,
        metavar="N",
        help="pixels between the two sections of a pair: short for --pair-distance",
    )
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
        help="start from the weights (and by default the settings) of another run "
        "or of a generator: .safetensors, or sample:NAME of a ready model",
    )
    command.add_argument(
        "--new",
        action="store_true",
        help="begin another run where --out holds one, in a folder beside it (by "
        "default the same command resumes that run)",
    )
    add_config_flags(command)
    add_setting_flags(command)


def add_resume_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``resume``."""
    command.add_argument("run", type=Path, metavar="RUN", help="run folder")
    add_batch_size_flag(command)
    add_setting_flags(command, "training", others=RESUMABLE)


def add_batch_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``batch``."""
    add = command.add_argument
    add(
        "table",
        type=Path,
        metavar="TABLE",
        help="CSV or YAML: 'image' (or z, y, x), 'name', and options of train such as "
        "segmentation or minutes as columns",
    )
    add(
        "--out",
        type=Path,
        help="folder of the runs and of batch.html (default: TABLE-runs beside it); "
        "finished rows in it are skipped, others resumed",
    )
    add("--jobs", type=int, default=1, help="rows at a time (default: %(default)s)")
    add("--size", type=int, default=128, help="edge of the measured volumes")


def add_generate_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``generate``."""
    add = command.add_argument
    add("run", type=Path, metavar="RUN", help=RUN_HELP)
    _add_sample(command)
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="float32",
        help="number format of the convolutions; bfloat16 (auto: if the device is "
        "faster with it) changes the label of a few voxels per thousand (default: "
        "%(default)s, with which a seed gives the same volume everywhere)",
    )
    add(
        "--out",
        type=Path,
        help="where to write it: .tif, .npy, .vti, .nrrd, .mrc, .mha, .mhd (with "
        ".raw), or of any size .ome.zarr (default: "
        "volume-SIZE-SEED.tif beside RUN's generator); a volume larger than "
        "0.5 GB can be continued after an interruption",
    )
    add(
        "--through",
        action="append",
        default=[],
        metavar="FILE",
        help="a real section that the volume contains, read as the training images "
        "are; give --at for each, such as: --through a.tif --at z=0 --through b.tif "
        "--at z=40",
    )
    add(
        "--at",
        action="append",
        default=[],
        type=place,
        metavar="PLANE",
        help="plane of the section, such as z=64; the section is centred, or begins at "
        "the row and column of, for example, z=64,y=0,x=32",
    )
    add(
        "--cluster",
        metavar="ADDRESS",
        help="generate on the workers of this dask scheduler, such as "
        "tcp://10.0.0.1:8786; they must share the disk",
    )
    add_setting_flags(command, "micrograph")


def add_baseline_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``baseline``."""
    add_image_flags(command)
    _add_sample(command)
    command.add_argument(
        "--out",
        type=Path,
        help="where to write it: .tif, .npy, .vti, .nrrd, .mrc, .mha or .mhd (default: "
        "NAME-gaussian-SIZE-SEED.tif here)",
    )
    add_config_flags(command)
    add_setting_flags(command, "micrograph")


def add_sample_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``sample``."""
    add = command.add_argument
    add("run", type=Path, metavar="RUN", help=RUN_HELP)
    add("--count", type=int, default=64, help="default: %(default)s")
    add("--seed", type=int, default=0, help="random seed")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add(
        "--out",
        type=Path,
        help="stack to write, .tif or .npy (default: samples-seedSEED.tif beside RUN's "
        "generator)",
    )
    add(
        "--sheet", type=Path, metavar="PNG", help="also write the first 16 as one image"
    )
    add("--sounds", type=Path, metavar="FOLDER", help="also write spectrograms as WAV")


def add_mesh_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``mesh``."""
    add = command.add_argument
    add("volume", metavar="VOLUME", help="volume file, or sample:NAME")
    phases = command.add_mutually_exclusive_group(required=True)
    phases.add_argument(
        "--phase",
        type=int,
        nargs="+",
        metavar="LABEL",
        help="phases to mesh; several share the vertices where they meet",
    )
    phases.add_argument("--all-phases", action="store_true", help="mesh all of them")
    add(
        "--cells",
        choices=("surface", "hexahedra", "tetrahedra"),
        default="surface",
        help="triangles of the surface, or each voxel as a cell or as six tetrahedra "
        "(default: %(default)s)",
    )
    add(
        "--coarsen",
        type=int,
        default=1,
        metavar="N",
        help="merge N x N x N voxels into one first, with the fraction of each phase "
        "kept; fewer cells by about the cube of N (of surfaces its square)",
    )
    add(
        "--smoothing",
        type=int,
        metavar="N",
        help="iterations that smooth the steps of the voxels (default: 20 for "
        "surfaces, 0 for tetrahedra); the volume of each phase is kept",
    )
    add(
        "--open",
        action="store_true",
        help="leave the surface open at the border of the volume",
    )
    add(
        "--unit",
        choices=("nm", "um", "mm", "m"),
        help="of the coordinates (default: nm, or voxels if their size is unknown)",
    )
    add(
        "--pixel-size-nm",
        type=finite,
        metavar="NM",
        help="edge of a voxel, where the file holds none",
    )
    add(
        "--out",
        type=Path,
        required=True,
        help="surfaces: .stl, .obj, .ply (of several phases a file for each); all "
        "cells: .vtu, .msh (Gmsh), .inp (Abaqus, with element sets)",
    )


def add_measure_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``measure``."""
    add = command.add_argument
    add(
        "volume",
        type=Path,
        nargs="+",
        metavar="RUN_OR_VOLUME",
        help="run folder, generator (a volume is generated), volume file, or .ome.zarr "
        "that generate wrote, which is measured in parts; of several volumes of one "
        "generator the transport properties are measured together",
    )
    _add_comparison_flags(command)
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--figure", type=Path, metavar="PNG", help="draw a figure")
    add(
        "--transport",
        action="store_true",
        help="also effective diffusivities and tortuosity factors, which take minutes; "
        "with this and the next two a volume can be measured without --against",
    )
    _add_transport_flags(command)
    add("--csv", type=Path, help="table of the transport properties to write")
    add_setting_flags(command, "micrograph")


def add_report_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``report``."""
    add = command.add_argument
    add("run", type=Path, metavar="RUN", help=RUN_HELP)
    add(
        "--out",
        type=Path,
        metavar="HTML",
        help="file to write (default: report.html in the run folder)",
    )
    _add_comparison_flags(command)
    add("--seeds", type=int, default=4, help="volumes for diversity (default: 4)")
    add("--quick", action="store_true", help="leave out diffusion, which takes minutes")
    _add_transport_flags(command)
    add("--licence", default="", help=LICENCE_HELP)
    add_setting_flags(command, "micrograph")


def _add_comparison_flags(command: argparse.ArgumentParser) -> None:
    """Add the reference, and the size and seed of the generated volume."""
    add = command.add_argument
    add(
        "--against",
        nargs="+",
        metavar="FILE",
        help="image files or a 3-D truth (default: the images of the run)",
    )
    add("--size", type=int, help="edge to generate (default: 128)")
    add("--seed", type=int, help="seed to generate with (default: 1)")


def _add_transport_flags(command: argparse.ArgumentParser) -> None:
    """Add transport properties, and the blocks that they are measured on."""
    add = command.add_argument
    add(
        "--permeability",
        type=int,
        nargs="+",
        default=[],
        metavar="LABEL",
        help="also the permeability of these phases",
    )
    add(
        "--conductivity",
        type=finite,
        nargs="+",
        default=[],
        metavar="K",
        help="also the effective conductivity of the composite: conductivities of its "
        "phases, in the order of their labels",
    )
    add(
        "--block",
        type=int,
        metavar="EDGE",
        help="edge of the blocks whose mean and standard error are reported (default: "
        "half of the shortest edge, at most 96)",
    )
    add(
        "--transport-seeds",
        type=int,
        metavar="N",
        help="generate N volumes with successive seeds: transport properties with the "
        "standard deviation between them (default: 1)",
    )


def add_models_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``models``."""
    add = command.add_argument
    add("name", nargs="?", metavar="NAME", help="show the card of this model")
    add(
        "--add",
        metavar="PLACE",
        help="a folder of .safetensors files with their cards, or the URL of such a "
        "file, which is downloaded",
    )
    add("--remove", metavar="PLACE", help="a folder or URL that was added")


def add_export_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``export``."""
    add = command.add_argument
    add("run", type=Path, metavar="RUN", help="run folder")
    add("out", type=Path, metavar="FILE", help=".safetensors; the card ends in .md")
    add(
        "--half",
        action="store_true",
        help="weights in half precision: half the size, a few voxels per thousand "
        "get another label",
    )
    add("--licence", default="", help=LICENCE_HELP)


def add_presets_flags(command: argparse.ArgumentParser) -> None:
    """Add the argument of ``presets``."""
    command.add_argument(
        "name", nargs="?", help="print what this one sets, as JSON for --config"
    )
    command.add_argument(
        "--all", action="store_true", help="also the settings that have their defaults"
    )


def add_info_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``info``."""
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="run folders, .safetensors generators, or images: how they would be read",
    )
    add_setting_flags(command, "micrograph")


def add_evaluate_flags(command: argparse.ArgumentParser) -> None:
    """Add the flags of ``evaluate``."""
    add = command.add_argument
    add("what", choices=("mixture",), help="what to test it on")
    add(
        "run",
        type=Path,
        nargs="?",
        metavar="RUN",
        help="run folder (default: a new run is trained)",
    )
    add("--points", type=Path, help="a table of points instead")
    add("--out", type=Path, help="folder of the new run")
    add("--figure", type=Path, metavar="PNG", help="scatter to draw")
    add(
        "--preset",
        choices=("realness-toy", "realness-toy-paper"),
        help="settings of the new run (default: realness-toy)",
    )
    add(
        "--sweep",
        nargs="*",
        type=int,
        metavar="OUTCOMES",
        help="train for each of these numbers of outcomes, with three ratios of steps; "
        "table and figures (default: those of the paper)",
    )
    add_setting_flags(
        command, "architecture", "slices", "objective", "optimiser", "training"
    )


def add_directions_flags(command: argparse.ArgumentParser) -> None:
    """Add the verbs of ``directions``."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    for add in (_add_fit_flags, _add_list_flags, _add_apply_flags, _add_sweep_flags):
        add(verbs)


def _add_fit_flags(verbs: Verbs) -> None:
    verb = verbs.add_parser("fit", help="find directions and measure what they move")
    add = verb.add_argument
    add("run", metavar="RUN", help=DIRECTIONS_RUN_HELP)
    add("--out", type=Path, metavar="FILE", help=FILE_HELP)
    add("--block", help="block whose components are found (default: block2, or block1)")
    add("--components", type=int, default=8, help="default: %(default)s")
    add("--samples", type=int, default=1000, help="random latents (default: 1000)")
    add(
        "--guided",
        nargs="*",
        metavar="PROPERTY",
        help="also find the direction of each of these measured properties: of phases "
        "phase_fraction, interface_density, correlation_length, chord_length, "
        "anisotropy, effective_diffusivity; of gray values mean_gray, contrast, "
        "gray_correlation_length, and of images bright_area (default: the first; "
        "nothing for none)",
    )
    add(
        "--guided-samples",
        type=int,
        metavar="N",
        help="volumes that are measured for them (default: 300)",
    )
    _add_phase(verb)
    add("--seeds", type=int, help="volumes for each strength (default: 3)")
    add("--seed", type=int, default=1, help="other random latents")
    add("--no-effects", action="store_true", help="do not measure what they move")


def _add_list_flags(verbs: Verbs) -> None:
    verb = verbs.add_parser("list", help="print directions and what they move")
    verb.add_argument("file", type=Path, metavar="FILE", help="file of directions")


def _add_apply_flags(verbs: Verbs) -> None:
    verb = verbs.add_parser("apply", help="generate a volume or images with directions")
    add = verb.add_argument
    add("run", metavar="RUN", help=DIRECTIONS_RUN_HELP)
    add("--directions", type=Path, metavar="FILE", help=FILE_HELP)
    add(
        "--move",
        nargs="+",
        required=True,
        metavar="NAME=STRENGTH",
        help="directions and their strengths, such as 'phase fraction=2'",
    )
    _add_blocks(verb)
    add(
        "--box",
        type=finite,
        nargs=6,
        metavar=("Z0", "Y0", "X0", "Z1", "Y1", "X1"),
        help="act only inside of this box of voxels",
    )
    add(
        "--ramp",
        choices=("z", "y", "x"),
        help="let the strength rise from 0 to all along this axis",
    )
    add("--truncation", type=finite, default=1.0, help="0 to 1")
    _add_size(verb)
    verb.set_defaults(size=None)
    _add_any_model(verb)
    add("--periodic", default="", metavar="AXES")
    _add_phase(verb)
    add("--seed", type=int, default=0, help="another sample")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add(
        "--out",
        type=Path,
        help="file to write (default: edited-seedSEED.tif beside the generator)",
    )


def _add_sweep_flags(verbs: Verbs) -> None:
    verb = verbs.add_parser("sweep", help="one sample at several strengths")
    add = verb.add_argument
    add("run", metavar="RUN", help=DIRECTIONS_RUN_HELP)
    add("name", metavar="NAME", help="of the direction")
    add("--directions", type=Path, metavar="FILE", help=FILE_HELP)
    add(
        "--strengths",
        type=finite,
        nargs="+",
        default=[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0],
        help="default: -3 -2 -1 0 1 2 3",
    )
    _add_blocks(verb)
    _add_size(verb, "64")
    verb.set_defaults(size=None)
    _add_any_model(verb)
    add(
        "--properties",
        nargs="+",
        metavar="PROPERTY",
        help="what to measure (default: all that is quick)",
    )
    _add_phase(verb)
    add("--seed", type=int, default=0, help="another sample")
    add("--device", default="auto", help="auto, cpu, cuda or mps")
    add("--out", type=Path, metavar="TIF", help="4-D TIFF to write")
    add("--csv", type=Path, help="table of the properties to write")
    add(
        "--sheet",
        type=Path,
        metavar="PNG",
        help="picture with a column for each strength: four images, or middle planes",
    )
    add("--figure", type=Path, metavar="PNG", help="figure of them")
    add("--animation", type=Path, metavar="GIF", help="middle planes; needs imageio")


def _add_size(command: argparse.ArgumentParser, edge: str = "128") -> None:
    command.add_argument(
        "--size",
        type=edges,
        nargs="+",
        default=[edge],
        metavar="N",
        help="voxels along z, y and x, such as 64 96 96 or 64x96x96, or one number for "
        f"a cube (default: {edge})",
    )


def _add_any_model(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--any-model",
        action="store_true",
        help="use directions of a generator that is no relative of this one; their "
        "effects are measured anew",
    )


def _add_sample(command: argparse.ArgumentParser) -> None:
    """Size, periodic axes and seed of a volume."""
    _add_size(command)
    add = command.add_argument
    add(
        "--periodic",
        default="",
        metavar="AXES",
        help="axes along which the volume is periodic, such as z or xyz",
    )
    add("--seed", type=int, default=0, help="random seed")


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
