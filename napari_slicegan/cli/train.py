"""The commands ``slicegan train`` and ``resume``."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.cli.options import (
    DIVERGED,
    DONE,
    STOPPED,
    changes_from,
    config_from,
    expanded,
    file_path,
    flag_of,
    generator_path,
    inherited,
    opened,
    refuse_settings,
    say,
    unused,
    warning_lines,
)
from napari_slicegan.cli.progress import train_with_progress
from napari_slicegan.config import AXES, RESUMABLE, check_changes, group_of_field
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.metrics.image_checks import pair_lines
from napari_slicegan.runtime.atomic_files import (
    check_can_write_into,
    new_folder,
    removed_if_unused,
)
from napari_slicegan.runtime.distributed import distributed_context
from napari_slicegan.systems.image_set import holds_images
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.estimates import choices_made, estimate
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import CONFIG, RunFolder
from napari_slicegan.training.tasks import training_data
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection

    from napari_slicegan.config import RunConfig
    from napari_slicegan.training.tasks import TrainingData

OPEN: tuple[Any, ...] = (None, (), "auto")
"""Values of settings that are chosen when a run starts."""
MOST_IN_FULL = 6
"""Images whose summary is printed in full; of others the first line and warnings."""


def train(options: Namespace) -> int:
    """Start a run."""
    distributed = distributed_context()
    if options.source:
        options.source = distributed.raise_on_all_ranks(
            lambda: generator_path(options.source)
        )
    distributed.raise_on_all_ranks(lambda: _place_pairs(options))
    config = distributed.raise_on_all_ranks(lambda: config_from(options))
    if options.new and not options.out:
        raise unused("new", "a run folder by --out", "none")
    is_made = options.out is None
    parent = options.out or Path("slicegan-runs")
    distributed.raise_on_all_ranks(lambda: check_can_write_into(parent))
    if options.out and (options.out / CONFIG).is_file():
        if not options.new:
            return _continue(options, config)
        is_made = True
        options.out = distributed.raise_on_all_ranks(
            lambda: (
                new_folder(options.out.parent, options.out.name)
                if distributed.is_main
                else Path()
            )
        )
    is_new = options.out is None and not parent.exists()
    images = distributed.raise_on_all_ranks(lambda: _training_data(options, config))
    name = images.name
    out = options.out or distributed.raise_on_all_ranks(
        lambda: new_folder("slicegan-runs", name) if distributed.is_main else Path()
    )
    cleaned = removed_if_unused(out, with_parent=is_new)
    with cleaned if is_made else nullcontext():
        if options.source:
            trainer = fine_tune(options.source, config, images, out)
        else:
            trainer = Trainer.start(config, images, out)
    if distributed.is_main and isinstance(images, TrainingImages):
        _say_what_is_read(images, config)
        slices = trainer.config.slices
        if slices.pair_distance:
            axes = AXES if slices.pair_axis == "all" else (slices.pair_axis,)
            for line in pair_lines(images, slices.pair_distance, axes):
                say(f"  {line}")
        choices = choices_made(config, trainer.config, trainer.task)
        for text, setting, other in choices:
            # That of a generator that is trained further is not chosen here.
            if not options.source or group_of_field()[setting] != "architecture":
                say(f"  {text} ({flag_of(setting)} {other} changes that).")
    # One process measures the speed while the others are idle.
    sentence = distributed.raise_on_all_ranks(
        lambda: (
            distributed.is_main and estimate(trainer.config, trainer.task).sentence()
        )
    )
    if sentence:
        say(sentence)
    return _run(trainer, out)


def _place_pairs(options: Namespace) -> None:
    """Take the images of ``--pairs`` as those of the direction that has none.

    Raises
    ------
    ValueError
        If there is no such direction, or no distance.
    """
    if not options.pairs:
        return
    if "pair_distance" not in changes_from(options):
        raise ValueError(
            "Expected --distance with --pairs, the pixels from one section to the "
            "other, got none; give for example --distance 3."
        )
    missing = [axis for axis in AXES if not getattr(options, axis)]
    if options.files or options.anisotropic or len(missing) not in (1, len(AXES)):
        raise ValueError(
            "Expected the images of --pairs alone (isotropic), or beside two of --z, "
            "--y and --x, of which they are the third, got other images too; leave "
            "out one of them."
        )
    if len(missing) == 1:
        setattr(options, missing[0], options.pairs)
        options.setting_pair_axis = missing[0]
    else:
        options.files = options.pairs
    options.pairs = []


def _continue(options: Namespace, config: RunConfig) -> int:
    """Resume the run that the same command has begun; train as long again if it ended.

    Raises
    ------
    ValueError
        If the run has other settings or training data.
    """
    folder = RunFolder.open(options.out)
    distributed = distributed_context()

    def changes() -> dict[str, Any]:
        if not folder.holds(_training_data(options, config)):
            raise ValueError(
                f"Expected the training data of the run in {options.out}, got others; "
                "give another --out, or --new for another run beside it."
            )
        return _differences(folder.config(), config, changes_from(options))

    trainer = Trainer.resume(options.out, **distributed.raise_on_all_ranks(changes))
    ended = trainer.clock.reason(trainer.step)
    if ended in (FinishReason.STEPS, FinishReason.MINUTES):
        trainer = Trainer.resume(options.out, **_as_long_again(trainer, config))
    if distributed.is_main:
        state = "it has ended and trains as long again" if ended else "it is resumed"
        say(
            f"{options.out} holds this run: {state} from step {trainer.step} (--new "
            "begins another)."
        )
    return _run(trainer, options.out)


def _differences(
    before: RunConfig, config: RunConfig, given: Collection[str]
) -> dict[str, Any]:
    """Settings of the command that differ from those of the run; it must take them.

    What a resumed run can take is that of the run unless it is ``given`` as a flag.
    """
    found = {}
    for name, group in group_of_field().items():
        value = getattr(getattr(config, group), name)
        if name not in given and (group == "training" or name in RESUMABLE):
            continue
        # What is left open was chosen at the start.
        if value not in OPEN and value != getattr(getattr(before, group), name):
            found[name] = value
    try:
        check_changes(before, before.changed(**found))
    except ValueError as error:
        raise ValueError(
            f"{error} Or give another --out, or --new for another run beside it."
        ) from error
    return found


def _as_long_again(trainer: Trainer, config: RunConfig) -> dict[str, Any]:
    """Limits at which a run that has ended will have been trained as long again."""
    limits, step = config.training, trainer.step
    found: dict[str, Any] = {}
    if limits.epochs is not None and trainer.clock.epoch_steps:
        found["epochs"] = step // trainer.clock.epoch_steps + limits.epochs
    if limits.minutes is not None:
        found["minutes"] = trainer.elapsed_s / 60 + limits.minutes
    if step >= trainer.config.training.steps:
        found["steps"] = step + limits.steps
    return found


def _say_what_is_read(images: TrainingImages, config: RunConfig) -> None:
    """Print how each image is read, with its warnings."""
    unique = {id(image): image for image in images}
    for number, image in enumerate(unique.values()):
        lines = image.summary()
        if number >= MOST_IN_FULL:
            lines = [lines[0], *(f"  Warning: {w}" for w in image.warnings)]
        say("\n".join(lines))
    for line in warning_lines(images, config):
        say(line)


def _training_data(options: Namespace, config: RunConfig) -> TrainingData:
    """Image set (from a folder, or a volume to cut), micrographs or points."""
    files = [file_path(file) for file in expanded(options.files)]
    dimensions = config.architecture.dimensions
    cut = dimensions == 2 and config.images.cut_axis != "none"
    is_set = (
        dimensions == 2
        and len(files) == 1
        and (files[0].is_dir() or cut or holds_images(files[0], config))
    )
    if is_set or dimensions == 1:
        what = "a set of whole images" if is_set else "points"
        for name in ("anisotropic", *AXES):
            if getattr(options, name):
                raise unused(name, "micrographs", what)
        refuse_settings(options, "micrographs", what, "micrograph")
    if is_set:
        return training_data(config, files[0])
    if dimensions == 1 and not files:
        return training_data(config, None)
    images = micrographs(options, config)
    if dimensions == 2 and "cut_axis" not in changes_from(options):
        for image in images:
            if image.is_volume:
                raise ValueError(
                    f"{image.name}: expected an image, got a volume of "
                    f"{len(image.values)} planes; give --cut-axis z (y or x) for its "
                    "planes as whole images, or --cut-axis none for random crops."
                )
    return training_data(config, images)


def micrographs(options: Namespace, config: RunConfig) -> TrainingImages:
    """Micrographs from ``FILE``, or from ``--z``, ``--y`` and ``--x``."""
    views = {axis: getattr(options, axis) for axis in AXES}
    directed = any(views.values())
    if bool(options.files) == directed:
        raise ValueError(
            "Expected image files (isotropic), or files for each of --z, --y and --x "
            "(anisotropic)."
        )
    if directed and options.anisotropic:
        raise ValueError(
            "Expected --anisotropic or --z, --y and --x, got both; leave out "
            "--anisotropic for images of each direction."
        )
    if directed:
        named = {axis: expanded(files) for axis, files in views.items()}
        every = [file for of_axis in named.values() for file in of_axis]
        read = iter(opened(every, config.micrograph, inherited=inherited(options)))
        seen = {axis: list(islice(read, len(named[axis]))) for axis in AXES}
        return TrainingImages.anisotropic(**seen)
    images = opened(options.files, config.micrograph, inherited=inherited(options))
    if options.anisotropic:
        if len(images) != 1:
            raise ValueError(
                f"Expected one volume with --anisotropic, got {len(images)} images; "
                "give the folder of its slices, or images of each direction (--z, --y "
                "and --x)."
            )
        return TrainingImages.from_volume(images[0])
    return TrainingImages.isotropic(*images)


def resume(options: Namespace) -> int:
    """Resume a run."""
    distributed = distributed_context()
    distributed.raise_on_all_ranks(lambda: check_can_write_into(options.run))
    trainer = Trainer.resume(options.run, **changes_from(options))
    return _run(trainer, options.run)


def _run(trainer: Trainer, folder: Path) -> int:
    """Train with a progress bar and print how the run ended."""
    reason = train_with_progress(trainer)
    if not trainer.distributed.is_main:
        return DONE
    say(reason.after(trainer.step, trainer.elapsed_s))
    say(f"Run folder: {folder}")
    if reason is FinishReason.DIVERGED:
        checkpoints = RunFolder.open(folder).checkpoints()
        kept = (
            f"Last checkpoint: {checkpoints[0].name}"
            if checkpoints
            else "No checkpoint was saved."
        )
        say(kept)
        rates = trainer.config.optimiser
        say(
            f"Resume with:   slicegan resume {folder} --generator-lr "
            f"{rates.generator_lr / 2:g} --critic-lr {rates.critic_lr / 2:g}"
        )
        return DIVERGED
    if trainer.step == 0:
        return STOPPED
    if reason is FinishReason.STOPPED:
        say(f"Resume with:   slicegan resume {folder}")
        return STOPPED
    say(f"Generate with: slicegan {trainer.task.command.format(folder)}")
    return DONE
