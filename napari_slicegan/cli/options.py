"""Flags, paths and output shared by the commands, and ``slicegan presets``."""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import logging
import math
import os
import re
import signal
import sys
import threading
import types
import typing
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from napari_slicegan.config import (
    AXES,
    FORMAT,
    FORMER_NAMES,
    GROUPS,
    RunConfig,
    choices_of,
    group_of_field,
)
from napari_slicegan.config.images import OF_ONE_FILE, non_default, without
from napari_slicegan.config.presets import DEFAULT_PRESET, PRESETS, preset
from napari_slicegan.sample_data import path as sample_path

if typing.TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from napari_slicegan.config import Axis, MicrographSettings
    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.data.training_images import TrainingImages
    from napari_slicegan.training.run_folder import RunFolder

logger = logging.getLogger(__name__)

DONE, DIVERGED, FAULT, STOPPED, PIPE_CLOSED = 0, 1, 2, 130, 141
"""Exit statuses; the last two as of a shell for SIGINT and SIGPIPE."""
COMMON = (
    "kind",
    "segmentation",
    "thresholds",
    "crop",
    "rescale",
    "pixel_size_nm",
    "steps",
    "epochs",
    "minutes",
    "seed",
    "device",
    "cut_axis",
    "objective",
)
"""Settings that the help of a command with all of them shows; see `--help-all`."""
ALWAYS_SHOWN = ("objective", "critic_steps", "generator_lr", "critic_lr", "steps")
"""Settings of a preset that are printed also where they have their defaults."""
DEMO_MATERIALS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "bentheimer": (("bentheimer_slice",), {}),
    "nanoporous-gold": (
        ("nanoporous_gold",),
        {
            **{"segmentation": "otsu", "denoise": "gaussian", "rescale": 0.5},
            # The pretrained weights have seen this material.
            "initial_weights": "random",
        },
    ),
    "fibres": (("fibres_z", "fibres_y", "fibres_x"), {}),
}
"""Sample images and settings of each material of the demo."""
SIZES = frozenset(("pixel_size_nm", "z_step_nm"))
OUTPUTS = ("out", "csv", "figure", "sheet", "sounds", "animation")
"""Options that name what is written."""
BESIDE_REPORTS = {".html": ".json", ".htm": ".json"}
"""Ending of a report -> that of its numbers, which are written beside it."""
MOST_WIDER = 1000
NOTHING = "none"
SAMPLE = "sample:"
IMAGE_HELP = (
    "image files, or sample:NAME for sample data; several files are images of the same "
    "material"
)
RUN_HELP = "run folder, .safetensors generator, or sample:NAME of a ready model"


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def ending_signals() -> list[signal.Signals]:
    """Signals besides Ctrl+C by which systems end a program, unless ignored.

    SIGTERM is that of batch systems, SIGHUP that of closed terminals, which nohup
    ignores.
    """
    names = ("SIGTERM", "SIGHUP", "SIGBREAK")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [one for one in known if signal.getsignal(one) is not signal.SIG_IGN]


@contextlib.contextmanager
def handling(
    signals: Sequence[signal.Signals], handler: Callable[[int, Any], None]
) -> Iterator[None]:
    """Handle signals in this way, where this is the main thread of the program."""
    if threading.current_thread() is not threading.main_thread():
        signals = ()
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def check_outputs(options: argparse.Namespace) -> None:
    """Refuse an output that would replace an input, or another output.

    Files that belong to a run are inputs of commands that read it.

    Raises
    ------
    ValueError
        Names the file.
    """
    given = vars(options)
    outputs = [path for name in OUTPUTS if (path := given.get(name)) is not None]
    if not outputs:
        return
    from napari_slicegan.volumes.files import BESIDE

    beside = {**BESIDE, **BESIDE_REPORTS}
    outputs += [
        path.with_suffix(beside[path.suffix.lower()])
        for path in outputs
        if path.suffix.lower() in beside
    ]
    places = Counter(path.absolute() for path in outputs)
    for path in outputs:
        if places[path.absolute()] > 1:
            raise ValueError(
                f"Expected a file of its own for each output, got {path} for two of "
                "them; give another name."
            )
    replaced = [path for path in outputs if os.path.isfile(path)]
    if not replaced:
        return
    others = [value for name, value in given.items() if name not in OUTPUTS]
    for file in _files_read(others):
        for path in replaced:
            if os.path.samefile(file, path):
                raise ValueError(
                    f"Expected another name for the output, got {path}, which this "
                    "command reads; choose another name or folder."
                )


def _files_read(values: Sequence[Any]) -> Iterator[Path]:
    """Files that are named by options, and those of runs that are."""
    from napari_slicegan.training.run_folder import CONFIG, RUN_FILES
    from napari_slicegan.training.tasks import DATA

    patterns = (*RUN_FILES, *(f"{name}/*" for name in DATA))
    for value in values:
        words = value if isinstance(value, list) else [value]
        names = [str(word) for word in words if isinstance(word, (str, Path))]
        with contextlib.suppress(ValueError):
            names = expanded(names)
        for name in names:
            if os.path.isfile(name):
                yield Path(name)
            elif os.path.isfile(folder := Path(name) / CONFIG):
                for pattern in patterns:
                    yield from filter(Path.is_file, folder.parent.glob(pattern))


def presets(options: argparse.Namespace) -> int:
    """List the presets, or what one of them sets: a file for ``--config``."""
    if options.name:
        settings = preset(options.name).model_dump(mode="json")
        if not options.all:
            settings = _other_than(settings, RunConfig().model_dump(mode="json"))
        say(json.dumps({"format": FORMAT, **settings}, indent=2))
        return DONE
    if options.all:
        raise unused("all", "the name of a preset", "none")
    for name in PRESETS:
        say(f"{name:16} {PRESETS.summary(name)}")
    return DONE


def _other_than(settings: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    """Nested settings without those that have their defaults, but `ALWAYS_SHOWN`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            value = _other_than(value, default[name])
            if not value:
                continue
        elif value == default[name] and name not in ALWAYS_SHOWN:
            continue
        found[name] = value
    return found


def add_setting_flags(
    parser: argparse.ArgumentParser, *groups: str, others: Collection[str] = ()
) -> None:
    """Add a flag for every setting of the named groups; all groups by default.

    Also for the settings ``others``. Former names also work but are hidden. Of all
    groups, the help shows the settings `COMMON` only, unless all are asked for.
    """
    is_short = not groups and not getattr(parser, "shows_all", False)
    if is_short:
        parser.epilog = f"All other settings: {parser.prog} --help-all"
    former = {new: old for old, new in FORMER_NAMES.items()}
    default = preset(DEFAULT_PRESET)
    for name, settings in GROUPS.items():
        is_named = not groups or name in groups
        fields = {
            field: facts
            for field, facts in settings.model_fields.items()
            if is_named or field in others
        }
        if not fields:
            continue
        is_hidden = is_short and not any(field in COMMON for field in fields)
        title = (None, None) if is_hidden else (f"settings: {name}", settings.__doc__)
        section = parser.add_argument_group(*title)
        for field, facts in fields.items():
            is_shown = not is_short or field in COMMON
            shown = _help(facts, getattr(getattr(default, name), field))
            for flag, text in (
                (field, shown if is_shown else argparse.SUPPRESS),
                (former.get(field), argparse.SUPPRESS),
            ):
                if flag is not None:
                    section.add_argument(
                        flag_of(flag),
                        dest=f"setting_{field}",
                        default=argparse.SUPPRESS,
                        help=text,
                        **_argument_type(facts),
                    )


def add_image_flags(command: argparse.ArgumentParser) -> None:
    """Add images of an isotropic or anisotropic material."""
    command.add_argument("files", nargs="*", metavar="FILE", help=IMAGE_HELP)
    for axis in "zyx":
        command.add_argument(
            f"--{axis}",
            nargs="+",
            default=[],
            metavar="FILE",
            help=f"anisotropic material: images viewed along {axis}",
        )
    command.add_argument(
        "--anisotropic",
        action="store_true",
        help="the file is a volume; cut it along all three axes",
    )


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--preset`` and ``--config``."""
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help=f"bundle of settings to start from (default: {DEFAULT_PRESET})",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="JSON file with settings, such as the config.json of a run",
    )
    add_batch_size_flag(parser)
    parser.add_argument(
        "--width-multiplier",
        type=finite,
        metavar="FACTOR",
        help="factor on all widths of generator and critic, such as 0.25 for networks "
        "with a quarter of the channels",
    )


def add_batch_size_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--batch-size``."""
    parser.add_argument(
        "--batch-size",
        dest="setting_batch_size",
        default=argparse.SUPPRESS,
        metavar="N",
        help="images or volumes in a step of generator and critic: short for "
        "--generator-batch-size N --critic-batch-size N",
    )


def config_from(options: argparse.Namespace) -> RunConfig:
    """Settings of a preset, a file or another run, changed by the flags.

    Raises
    ------
    ValueError
        If both a preset and a file are given, or a value is not allowed.
    """
    if options.preset and options.config:
        raise ValueError("Give either --preset or --config, not both.")
    if options.config:
        from napari_slicegan.training.run_folder import read_config

        start = read_config(options.config)
    elif options.preset is None and getattr(options, "source", None):
        from napari_slicegan.training.fine_tuning import settings_of

        start = settings_of(options.source)
    else:
        start = preset(options.preset or DEFAULT_PRESET)
    names = inherited(options)
    if names:
        start = without_crop(start, names, files_of(options))
    return start.changed(**{**_widened(start, options), **changes_from(options)})


def _widened(start: RunConfig, options: argparse.Namespace) -> dict[str, Any]:
    """Widths of the networks, multiplied by ``--width-multiplier``."""
    factor = getattr(options, "width_multiplier", None)
    if factor is None:
        return {}
    if not 0 < factor <= MOST_WIDER:
        raise ValueError(
            f"Expected a factor above 0, at most {MOST_WIDER}, for --width-multiplier, "
            f"got {factor:g}; give for example 0.25."
        )
    networks = start.architecture
    widths = {
        "generator_widths": networks.generator_widths,
        "critic_widths": networks.critic_widths,
    }
    return {
        name: tuple(max(1, round(factor * width)) for width in each)
        for name, each in widths.items()
    }


def inherited(options: argparse.Namespace) -> frozenset[str]:
    """Settings of the run in ``--from`` or ``--config`` that describe its own images.

    Empty if these images are trained on again.
    """
    folder = getattr(options, "source", None)
    if folder is None and options.config:
        folder = options.config.parent
    return inherited_from(folder, files_of(options), changes_from(options))


def inherited_from(
    folder: Path | None, files: Sequence[str], given: Collection[str]
) -> frozenset[str]:
    """Settings of a run that describe its own images, not these files.

    Parameters
    ----------
    given
        Settings that are given for these files.
    """
    if folder is None or not (folder / "micrographs").is_dir():
        return frozenset()
    from napari_slicegan.data.training_images import TrainingImages

    # Names that occur in several folders include the folder.
    names = TrainingImages.names_in(folder / "micrographs")
    own = {PurePath(name).name for name in names}
    if own.issuperset(file_path(file).name for file in expanded(files)):
        return frozenset()
    return frozenset(("crop", "pixel_size_nm", *OF_ONE_FILE)) - set(given)


def without_crop(
    config: RunConfig, names: Collection[str], files: Sequence[str]
) -> RunConfig:
    """Settings without an inherited crop by hand, which is reported."""
    crop = config.micrograph.crop
    if "crop" not in names or not isinstance(crop, tuple):
        return config
    logger.warning(
        "The run's crop to rows %d to %d and columns %d to %d is of its own images; "
        "all of %s is used. To crop it too, give --crop %d %d %d %d.",
        *crop,
        ", ".join(file_path(file).name for file in expanded(files)),
        *crop,
    )
    return config.changed(crop=None)


def files_of(options: argparse.Namespace) -> list[str]:
    """Image files of any direction."""
    named = [file for axis in "zyx" for file in getattr(options, axis, ())]
    return [*getattr(options, "files", ()), *named]


def changes_from(options: argparse.Namespace) -> dict[str, Any]:
    """Settings given as flags."""
    prefix = "setting_"
    given = {
        name.removeprefix(prefix): value
        for name, value in vars(options).items()
        if name.startswith(prefix)
    }
    if "batch_size" in given:
        size = given.pop("batch_size")
        for name in ("generator_batch_size", "critic_batch_size"):
            if name in given:
                raise unused(name, "one number of images in a step", "--batch-size")
            given[name] = size
    fields = {
        name: GROUPS[group].model_fields[name]
        for name, group in group_of_field().items()
    }
    return {name: _parsed(value, fields[name]) for name, value in given.items()}


def refuse_settings(
    options: argparse.Namespace, wanted: str, got: str, *groups: str
) -> None:
    """Refuse settings that are given where they have no effect.

    Parameters
    ----------
    wanted, got
        What they need, and what is there instead.
    groups
        Of these settings; by default all.
    """
    homes = group_of_field()
    for name in changes_from(options):
        if not groups or homes[name] in groups:
            raise unused(name, wanted, got)


def unused(name: str, wanted: str, got: str) -> ValueError:
    """Error about an option that would have no effect."""
    message = f"Expected {wanted} for {flag_of(name)}, got {got}; leave it out."
    return ValueError(message)


def flag_of(name: str) -> str:
    """Option of a setting."""
    return f"--{name.replace('_', '-')}"


def numbers(word: str) -> str:
    """A word with numbers, ``none`` or ``auto``; the settings parse it.

    Raises
    ------
    argparse.ArgumentTypeError
        For other words, such as the name of a file.
    """
    if word in (NOTHING, "auto") or re.fullmatch(r"[-+\d.,eE]+", word):
        return word
    raise argparse.ArgumentTypeError(f"expected a number, got '{word}'")


def edges(word: str) -> str:
    """A number of voxels, or three as in ``64x96x96``; `volume_size` parses it.

    Raises
    ------
    argparse.ArgumentTypeError
        For other words.
    """
    if re.fullmatch(r"-?\d+(?:[xX]\d+)*", word):
        return word
    raise argparse.ArgumentTypeError(
        f"expected voxels such as 64 or 64x96x96, got '{word}'"
    )


def place(word: str) -> dict[Axis, int]:
    """A plane such as ``z=64``, or with its corner as in ``z=64,y=0,x=32``.

    Raises
    ------
    argparse.ArgumentTypeError
        For other words.
    """
    found: dict[Axis, int] = {}
    parts = word.split(",")
    for part in parts:
        for axis in AXES:
            if re.fullmatch(rf"{axis}=\d+", part):
                found[axis] = int(part[2:])
    if len(parts) not in (1, 3) or len(found) != len(parts):
        raise argparse.ArgumentTypeError(
            "expected a plane such as z=64, or with its first row and column "
            f"z=64,y=0,x=32, got '{word}'"
        )
    return found


def finite(word: str) -> float:
    """A finite number.

    Raises
    ------
    argparse.ArgumentTypeError
        For other words.
    """
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(word)):
            return number
    raise argparse.ArgumentTypeError(f"expected a finite number, got '{word}'")


def expanded(files: Sequence[str]) -> list[str]:
    """Names with wildcards replaced by the files that they match, in order.

    Shells of Windows leave that to the program.

    Raises
    ------
    ValueError
        If no file matches.
    """
    found: list[str] = []
    for file in files:
        is_pattern = any(sign in file for sign in "*?[")
        if not is_pattern or file.startswith(SAMPLE) or Path(file).exists():
            found.append(file)
            continue
        matches = sorted(glob.glob(file, recursive=True))
        if not matches:
            raise ValueError(
                f"Expected files whose names match '{file}', got none; check the "
                "pattern and the folder."
            )
        found += matches
    return found


def file_path(file: str) -> Path:
    """Path of a file, or of sample data named ``sample:NAME``."""
    if file.startswith(SAMPLE):
        sample: Path = sample_path(file.removeprefix(SAMPLE))
        return sample
    if not file:
        raise ValueError(
            "Expected the name of an image file, got an empty one; give the file."
        )
    # Names of files are part of the messages; those of . and .. are empty.
    return Path(file) if Path(file).name else Path(file).absolute()


def opened(
    files: list[str],
    settings: MicrographSettings,
    *,
    optional: Collection[str] = (),
    inherited: Collection[str] = (),
) -> list[Micrograph]:
    """Micrographs from files or sample data.

    Parameters
    ----------
    optional
        Settings that need not apply to any of the files.
    inherited
        Settings made for other files: they apply where these need them, and sizes of
        pixels only where a header has none.
    """
    from napari_slicegan.data.micrograph import Micrograph, open_all

    def read(path: Path, fitting: MicrographSettings) -> Micrograph:
        if SIZES & non_default(fitting) & set(inherited):
            sized = Micrograph.open(path, without(fitting, SIZES & set(inherited)))
            if sized.pixel_size_nm is not None:
                return sized
        return Micrograph.open(path, fitting)

    paths = [file_path(file) for file in expanded(files)]
    images = open_all(paths, settings, read, optional={*optional, *inherited})
    # One file may be given for several directions.
    names = Counter(path.name for path in {path.absolute() for path in paths})
    return [
        replace(image, name=f"{path.absolute().parent.name}/{image.name}")
        if names[path.name] > 1
        else image
        for path, image in zip(paths, images, strict=True)
    ]


def opened_as_of(
    run: RunFolder | None,
    files: list[str],
    options: argparse.Namespace,
    *,
    optional: Collection[str] = (),
) -> list[Micrograph]:
    """Micrographs prepared as those of a run, if there is one, and by the flags.

    Parameters
    ----------
    optional
        See `opened`.
    """
    given = changes_from(options)
    config = run.config() if run else RunConfig()
    names = inherited_from(run.path if run else None, files, given)
    config = without_crop(config, names, files).changed(**given)
    images = opened(files, config.micrograph, optional=optional, inherited=names)
    for image in images:
        for warning in image.warnings:
            logger.warning("%s: %s", image.name, warning)
    return images


def warning_lines(images: TrainingImages, config: RunConfig) -> list[str]:
    """Warnings about images as training data, beside those of `Micrograph.summary`."""
    from napari_slicegan.metrics.image_checks import image_warnings, rescale_advice

    patch_size, rescale = config.architecture.patch_size, config.micrograph.rescale
    warnings = image_warnings(images, patch_size, rescale=rescale)
    stretch = config.architecture.voxel_stretch
    advice = rescale_advice(images, patch_size, rescale, stretch)
    if advice is not None:
        warnings.append(advice.text)
    return [f"  Warning: {warning}" for warning in warnings]


def generator_path(run: Path) -> Path:
    """Run folder or file of a generator; ``sample:NAME`` is a ready model."""
    name = str(run)
    if name.startswith(SAMPLE):
        from napari_slicegan.report.ready_models import model_file

        return model_file(name.removeprefix(SAMPLE))
    return run


def output_folder(run: Path) -> Path:
    """Default output folder: beside the generator; for bundled ones the current."""
    if str(run).startswith(SAMPLE):
        return Path()
    return run if run.is_dir() else run.parent


def volume_size(words: list[str]) -> tuple[int, int, int]:
    """Voxels along z, y, x; one number is a cube. The words are `edges`.

    Raises
    ------
    ValueError
        If there are neither one nor three.
    """
    numbers = [int(n) for word in words for n in word.lower().split("x")]
    if len(numbers) == 1:
        numbers = numbers * 3
    if len(numbers) != 3:
        raise ValueError(
            f"Expected one size or three (z y x) in voxels; got {len(numbers)} numbers."
        )
    z, y, x = numbers
    return (z, y, x)


def _parsed(value: Any, facts: FieldInfo) -> Any:
    """Convert words to setting values; the model parses numbers."""
    if _may_be_empty(facts) and value in (NOTHING, [NOTHING]):
        return () if facts.default == () else None
    for part in _parts(facts.annotation):
        # A word in place of numbers, such as ``--crop auto``.
        if value in [[word] for word in typing.get_args(part) if isinstance(word, str)]:
            return value[0]
    if isinstance(value, list):
        return tuple(tuple(v.split(",")) if "," in v else v for v in value)
    return value


def _may_be_empty(facts: FieldInfo) -> bool:
    """Whether a setting can be left without a value."""
    return facts.default == () or type(None) in _parts(facts.annotation)


def _argument_type(facts: FieldInfo) -> dict[str, Any]:
    """Keyword arguments of ``add_argument`` for a field."""
    kind = facts.annotation
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if choices := choices_of(facts):
        return {"choices": list(choices)}
    if any(typing.get_origin(part) is tuple for part in _parts(kind)):
        return {"nargs": "+", "metavar": "VALUE", "type": numbers}
    return {"metavar": "VALUE"}


def _help(facts: FieldInfo, default: Any) -> str:
    """Description, bounds and the value in the default preset."""
    bounds = [
        f"{sign} {getattr(rule, name):g}"
        for rule in facts.metadata
        for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))
        if getattr(rule, name, None) is not None
    ]
    text = str(facts.description)
    if _may_be_empty(facts):
        text += f" Write '{NOTHING}' for empty."
    if bounds:
        text += f" Allowed: {', '.join(bounds)}."
    if default is not None:
        text += f" Default: {_shown(default)}."
    return text.replace("%", "%%")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        value = " ".join(map(str, value))
    return str(value) or "empty"


def _parts(kind: Any) -> tuple[Any, ...]:
    """Members of a union, or the type alone."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)
