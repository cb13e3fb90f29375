"""What each command does."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.demo import DemoJob, run_demo
from napari_slicegan.cli.directions import directions
from napari_slicegan.cli.evaluate import evaluate
from napari_slicegan.cli.options import (
    changes_from,
    config_from,
    file_path,
    generator_path,
    output_folder,
    volume_size,
)
from napari_slicegan.cli.progress import progress_bar, train_with_progress
from napari_slicegan.cli.report import export, measure, opened, report
from napari_slicegan.cli.window import run_demo_in_window, run_window, window_fault
from napari_slicegan.config import AXES, FORMAT, MicrographSettings, RunConfig
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.estimates import generation_costs
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.samples import check_stack_ending, generate_images
from napari_slicegan.generation.streaming import (
    StreamedVolume,
    stream_to_file,
    tiles_folder,
    value_type,
)
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.runtime.devices import choose_device, choose_precision
from napari_slicegan.runtime.distributed import distributed_context
from napari_slicegan.systems.spectrograms import write_sounds
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.estimates import estimate
from napari_slicegan.training.fine_tuning import fine_tune
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.tasks import training_data
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.files import check_ending
from napari_slicegan.volumes.ome_zarr import ENDING

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.training.tasks import TrainingData

__all__ = [
    "demo",
    "directions",
    "evaluate",
    "export",
    "generate",
    "gui",
    "info",
    "measure",
    "presets",
    "report",
    "resume",
    "sample",
    "train",
]

DONE, STOPPED, DIVERGED = 0, 130, 1


def demo(options: Namespace) -> int:
    """Train on sample data, generate, measure; in a window where one can be opened."""
    out = options.out or Path("slicegan-demo") / f"{options.material}-{_now()}"
    job = DemoJob.of(out, options.material, changes_from(options))
    if not (options.no_window or os.environ.get("CI")):
        fault = window_fault()
        if fault is None:
            return _demo_in_window(job)
        _say(f"{fault} The demo goes on without a window.")
    _say(run_demo(job))
    return DONE


def _demo_in_window(job: DemoJob) -> int:
    _say("The window opens, and training goes on in it; the result is told here, too.")
    if run_demo_in_window(job):
        return DONE
    _say(f"No volume: training was stopped, or the window closed. Kept: {job.out}")
    return STOPPED


def gui(options: Namespace) -> int:
    """Open napari with the plugin docked."""
    run_window(options)
    return DONE


def train(options: Namespace) -> int:
    """Start a run."""
    distributed = distributed_context()
    config = distributed.raise_on_all_ranks(lambda: config_from(options))
    images = distributed.raise_on_all_ranks(lambda: _training_data(options, config))
    name = Path(images.name).stem.replace(" ", "-")
    out = options.out or Path("slicegan-runs") / f"{name}-{_now()}"
    if options.source:
        trainer = fine_tune(options.source, config, images, out)
    else:
        trainer = Trainer.start(config, images, out)
    # One process measures the speed, while the others leave the processor alone.
    sentence = distributed.raise_on_all_ranks(
        lambda: (
            distributed.is_main and estimate(trainer.config, trainer.task).sentence()
        )
    )
    if sentence:
        _say(sentence)
    return _run(trainer, out)


def resume(options: Namespace) -> int:
    """Go on with a run."""
    return _run(Trainer.resume(options.run, **changes_from(options)), options.run)


def sample(options: Namespace) -> int:
    """Draw images and write them."""
    trained = load_any_generator(generator_path(options.run))
    out = options.out or output_folder(options.run) / f"samples-seed{options.seed}.tif"
    check_stack_ending(out)
    trained.network.to(choose_device(options.device))
    sheet = generate_images(trained, options.count, options.seed)
    sheet.save(out)
    _say(f"Wrote {out}")
    if options.sheet:
        sheet.save_picture(options.sheet)
        _say(f"Wrote {options.sheet}")
    if options.sounds:
        write_sounds(options.sounds, sheet.values)
        _say(f"Wrote {options.sounds}")
    return DONE


def presets(options: Namespace) -> int:
    """List the presets, or the settings of one."""
    if options.name:
        settings = preset(options.name).model_dump(mode="json")
        _say(json.dumps({"format": FORMAT, **settings}, indent=2))
        return DONE
    for name in PRESETS:
        _say(f"{name:16} {PRESETS.summary(name)}")
    return DONE


def info(options: Namespace) -> int:
    """Tell about a run folder or a generator."""
    trained = load_any_generator(generator_path(options.run))
    network = trained.network
    weights = sum(parameter.numel() for parameter in network.parameters())
    size = trained.voxel_size_nm
    lines = {
        "trained on": trained.name,
        "kind": trained.transform.kind,
        "architecture": network.spec.architecture,
        "weights": f"{weights:,}",
        "voxel size": "unknown" if size is None else f"{size:g} nm",
    }
    if options.run.is_dir():
        folder = RunFolder.open(options.run)
        rows = folder.history()
        config = folder.config()
        lines["preset"] = config.preset
        lines["steps"] = rows[-1]["step"] if rows else "0"
        lines["training"] = f"{float(rows[-1]['elapsed_s']):.0f} s" if rows else "0 s"
        lines["checkpoints"] = ", ".join(p.name for p in folder.checkpoints())
    for title, text in lines.items():
        _say(f"{title:14} {text}")
    return DONE


def _run(trainer: Trainer, folder: Path) -> int:
    """Train with a bar and tell how it ended."""
    reason = train_with_progress(trainer)
    if not trainer.distributed.is_main:
        return DONE
    _say(reason.after(trainer.step, trainer.elapsed_s))
    _say(f"Run folder: {folder}")
    if reason is FinishReason.DIVERGED:
        _say(_kept(folder))
        return DIVERGED
    if trainer.step == 0:
        return STOPPED
    if reason is FinishReason.STOPPED:
        _say(f"Resume with:   slicegan resume {folder}")
        return STOPPED
    _say(f"Generate with: slicegan {trainer.task.command.format(folder)}")
    return DONE


def _kept(folder: Path) -> str:
    """What there is of a run whose last step is not saved."""
    checkpoints = RunFolder.open(folder).checkpoints()
    if not checkpoints:
        return "No checkpoint was saved before."
    return f"Kept from before: {checkpoints[0].name}"


def _training_data(options: Namespace, config: RunConfig) -> TrainingData:
    """A folder or a volume to cut is a set of images; all else are micrographs."""
    files = [file_path(file) for file in options.files]
    dimensions = config.architecture.dimensions
    cut = dimensions == 2 and config.images.cut_axis != "none"
    if len(files) == 1 and (files[0].is_dir() or cut):
        return training_data(config, files[0])
    if dimensions == 1 and not files:
        return training_data(config, None)
    return training_data(config, _training_images(options, config.micrograph))


def _training_images(
    options: Namespace, settings: MicrographSettings
) -> TrainingImages:
    """Images of the options ``FILE``, or ``--z``, ``--y`` and ``--x``."""
    views = {axis: getattr(options, axis) for axis in AXES}
    directed = any(views.values())
    if bool(options.files) == directed:
        raise ValueError(
            "Expected image files (isotropic), or files for each of --z, --y and --x "
            "(anisotropic)."
        )
    if directed:
        seen = {axis: opened(files, settings) for axis, files in views.items()}
        return TrainingImages.anisotropic(**seen)
    images = opened(options.files, settings)
    if options.anisotropic:
        if len(images) != 1:
            raise ValueError("Expected one volume with --anisotropic.")
        return TrainingImages.from_volume(images[0])
    return TrainingImages.isotropic(*images)


def _now() -> str:
    return datetime.now().strftime("%Y%m%d-%H%M%S")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


GENERATE_DONE, GENERATE_STOPPED = 0, 130
# Larger volumes are not held in memory, whatever they are written to.
MEMORY_BYTES = 2**29


def generate(options: Namespace) -> int:
    """Generate a volume and write it."""
    trained = load_generator(generator_path(options.run))
    size = volume_size(options.size)
    shape = "x".join(map(str, size))
    name = f"volume-{shape}-seed{options.seed}.tif"
    out: Path = options.out or output_folder(options.run) / name
    if out.suffix != ENDING:
        check_ending(out)
    device = choose_device(options.device)
    trained.network.to(device)
    precision = choose_precision(options.precision, device)
    plan = VolumePlan(
        trained, size, options.seed, options.periodic, precision=precision
    )
    fits = math.prod(size) * value_type(trained).itemsize <= MEMORY_BYTES
    if fits and out.suffix != ENDING and not options.cluster:
        with progress_bar("Generating") as progress:
            made = plan.generate(progress)
        made.save(out)
    elif not _stream(plan, out, options.cluster):
        _say("Stopped; the same command goes on with it.")
        return GENERATE_STOPPED
    _say(f"Wrote {out}")
    return GENERATE_DONE


def _stream(plan: VolumePlan, out: Path, cluster: str | None) -> bool:
    """Make a volume of any size; whether it was finished."""
    is_zarr = out.suffix == ENDING
    path = out if is_zarr else tiles_folder(out)
    begin = functools.partial(StreamedVolume.begin, plan, path, pyramid=is_zarr)
    missing = begin().missing_share() if path.exists() else 1.0
    costs = generation_costs(plan, out, missing)
    costs.check(out)
    _say(costs.sentence())
    volume = begin()
    try:
        with progress_bar("Generating") as progress:
            if is_zarr:
                volume.write(cluster, progress)
            else:
                stream_to_file(plan, out, cluster, progress)
    except KeyboardInterrupt:
        return False
    return True
