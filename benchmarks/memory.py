"""Estimates of memory beside peaks.

    python -m benchmarks.memory

Trains and generates with each of some settings in a process of its own, and prints the
estimate beside the largest memory that the process had (VmHWM of Linux), in all and
without the program: what it had after a step of a toy network, and what the estimate
adds for it. Loads no more of the program than these processes need.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.own_process import in_own_process, peak_memory
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.memory import STREAM_BYTES, memory_bytes
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.models import build_generator, generator_spec, output_of
from napari_slicegan.models.generator_file import TrainedGenerator
from napari_slicegan.runtime.limits import PROGRAM_BYTES
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training.estimates import estimate as training_estimate
from napari_slicegan.training.trainer import Trainer
from tests.toys import small_config, smooth_field

MB = 10**6
EDGE = 512
"""Pixels along an edge of the images."""


@dataclass(frozen=True)
class Case:
    """Settings whose estimate is compared with the peak.

    Attributes
    ----------
    changes
        Of the preset.
    kind
        "gray", or the number of phases.
    size
        Voxels of a volume to generate; empty to train.
    is_streamed
        Whether the volume is written block by block.
    views
        Number of viewing directions that have an image.
    steps
        Of training; the last one is monitored and saved.
    """

    changes: Mapping[str, Any]
    preset: str = "slicegan-fast"
    kind: str = "2"
    size: tuple[int, ...] = ()
    is_streamed: bool = False
    views: int = 1
    steps: int = 2


def _volumes(n: int, **changes: Any) -> dict[str, Any]:
    return {"critic_batch_size": n, "generator_batch_size": n, **changes}


WIDER = {
    "generator_widths": (384, 192, 96, 48),
    "critic_widths": (64, 128, 256, 512),
}
TOY = {"patch_size": 16, "latent_channels": 4, "generator_widths": (6, 6)}
TOY |= {"critic_widths": (6, 6), "critic_slices": 3, "generator_slices": 3}
TRAINING = {
    "default, 2 volumes": Case({}),
    "4 volumes": Case(_volumes(4)),
    "8 volumes": Case(_volumes(8)),
    "twice the widths": Case(WIDER),
    "network of slicegan-v1": Case(_volumes(2, critic_steps=1), "slicegan-v1"),
    "gray values": Case({}, kind="gray"),
    "three phases": Case({}, kind="3"),
    "bfloat16": Case({"precision": "bfloat16"}),
    "bfloat16, 8 volumes": Case(_volumes(8, precision="bfloat16")),
    "three views": Case({}, views=3),
    "noise in each voxel": Case({"voxel_noise": "on"}),
}
GENERATION = {
    "128^3 in one piece": Case({}, size=(128,) * 3),
    "320^3 in tiles": Case({}, size=(320,) * 3),
    "320^3 to OME-Zarr": Case({}, size=(320,) * 3, is_streamed=True),
    "224^3 of three phases": Case({}, kind="3", size=(224,) * 3),
    "224^3 of gray values": Case({}, kind="gray", size=(224,) * 3),
    "224^3 of slicegan-v1": Case({}, "slicegan-v1", size=(224,) * 3),
}
QUICK = {
    "quick-training": Case(TOY),
    "quick-volume": Case(TOY, size=(40,) * 3),
}
CASES = {**TRAINING, **GENERATION, **QUICK}


def images_of(case: Case) -> TrainingImages:
    """Images of a made-up material."""

    def image(seed: int) -> Micrograph:
        field = smooth_field(EDGE, EDGE, seed=seed)
        if case.kind == "gray":
            values = np.clip(128 + 900 * field, 0, 255).astype(np.uint8)
            return Micrograph.from_array(values, "grayscale", 5.0)
        levels = np.quantile(field, np.arange(1, int(case.kind)) / int(case.kind))
        return Micrograph.from_array(np.digitize(field, levels), "phases", 5.0)

    if case.views == 1:
        return TrainingImages.isotropic(image(0))
    return TrainingImages.anisotropic(*map(image, range(3)))


def measured(case: Case) -> dict[str, int]:
    """Estimate and peak of a case, in this process; call it once."""
    config = preset(case.preset).changed(
        precision="float32", device="cpu", minutes=None, patience_minutes=None
    )
    interval = case.steps // 2
    config = config.changed(steps=case.steps, monitor_interval=interval, **case.changes)
    images = images_of(case)
    run = _generate if case.size else _train
    # The program with the libraries that it uses.
    toy = Trainer(small_config().changed(steps=1), images)
    for _ in toy.run():
        toy.preview()
    del toy
    before = psutil.Process().memory_info().rss
    with tempfile.TemporaryDirectory() as temporary:
        estimate = run(case, config, images, Path(temporary))
        # The estimates take memory, too.
        peak = peak_memory()
        return {"before": before, "peak": peak, **estimate()}


Estimated = Callable[[], dict[str, int]]


def _train(case: Case, config: Any, images: TrainingImages, folder: Path) -> Estimated:
    trainer = Trainer.start(config, images, folder / "run")
    for _ in trainer.run():
        pass
    return lambda: {
        "estimate": training_estimate(trainer.config, trainer.task).memory_bytes,
        "program": PROGRAM_BYTES,
    }


def _generate(
    case: Case, config: Any, images: TrainingImages, folder: Path
) -> Estimated:
    transform = fit_transform(images)
    spec = generator_spec(config, transform.channels, output_of(transform.range))
    network = build_generator(spec, torch.Generator().manual_seed(0)).eval()
    plan = VolumePlan(TrainedGenerator(network, transform, 5.0), case.size)  # type: ignore[arg-type]
    if case.is_streamed:
        StreamedVolume.begin(plan, folder / "a.ome.zarr").write()
    else:
        plan.generate().save(folder / "a.tif")
    return lambda: {
        "estimate": memory_bytes(plan)
        + (STREAM_BYTES if case.is_streamed else plan.n_bytes),
        "program": PROGRAM_BYTES,
    }


ROW = "| {} | {} | {} | {} | {} | {} |\n"


def peaks(names: Sequence[str]) -> None:
    """Print the table."""
    head = ("settings", "estimate, MB", "peak, MB", "ratio", "without the program, MB")
    sys.stdout.write(ROW.format(*head, "ratio"))
    sys.stdout.write(ROW.format(*["---"] * 6))
    for name in names:
        found = in_own_process("benchmarks.memory", ["--only", name])
        own = found["estimate"] - found["program"], found["peak"] - found["before"]
        sys.stdout.write(
            ROW.format(
                name,
                f"{found['estimate'] / MB:.0f}",
                f"{found['peak'] / MB:.0f}",
                f"{found['estimate'] / found['peak']:.2f}",
                f"{own[0] / MB:.0f}, {own[1] / MB:.0f}",
                f"{own[0] / max(own[1], 1):.2f}",
            )
        )
        sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the peaks."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    if options.alone:
        [name] = options.only
        sys.stdout.write(json.dumps(measured(CASES[name])) + "\n")
    else:
        peaks(options.only or [*TRAINING, *GENERATION])
    return 0


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--only", nargs="+", choices=CASES, help="settings whose peak is measured")
    add("--threads", type=int, default=1)
    add("--alone", action="store_true", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    sys.exit(main())
