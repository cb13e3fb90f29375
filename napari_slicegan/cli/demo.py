"""The command ``slicegan demo``: from micrograph to report in minutes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.cli.options import (
    DEMO_MATERIALS,
    DONE,
    STOPPED,
    changes_from,
    say,
)
from napari_slicegan.cli.progress import progress_bar, train_with_progress
from napari_slicegan.cli.window import APPLICATION, window_fault
from napari_slicegan.config import AXES
from napari_slicegan.config.presets import DEFAULT_PRESET, preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report.figure import draw_comparison
from napari_slicegan.report.text import summary, verdict
from napari_slicegan.runtime.atomic_files import (
    check_can_write_into,
    new_folder,
    replacing,
)
from napari_slicegan.sample_data import SAMPLES
from napari_slicegan.sample_data import path as sample_path
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.estimates import STARTS_PRETRAINED
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.config import Axis, MicrographSettings, RunConfig

EDGE = 128
SEED = 1


@dataclass(frozen=True)
class Material:
    """A material of the sample data.

    Attributes
    ----------
    samples
        One image (isotropic), or those seen along z, y and x.
    settings
        Changes to the default preset.
    """

    samples: tuple[str, ...]
    settings: Mapping[str, Any]

    @property
    def paths(self) -> dict[Axis, Path]:
        """Image files by viewing direction; z alone is an isotropic material."""
        return dict(zip(AXES, map(sample_path, self.samples), strict=False))

    def images(self, settings: MicrographSettings) -> TrainingImages:
        """Read the images."""
        opened = [Micrograph.open(path, settings) for path in self.paths.values()]
        if len(opened) == 1:
            return TrainingImages.isotropic(*opened)
        return TrainingImages.anisotropic(*opened)

    def truth(self) -> Volume | None:
        """Ground-truth volume, downsampled like the images; None if there is none."""
        name = SAMPLES[self.samples[0]].truth
        if not name:
            return None
        volume = Volume.open(sample_path(name))
        return volume.rescaled(self.settings.get("rescale", 1.0))


MATERIALS = {name: Material(*facts) for name, facts in DEMO_MATERIALS.items()}


@dataclass(frozen=True)
class DemoJob:
    """Material, settings and output folder of the demo.

    Attributes
    ----------
    out
        New or empty folder.
    material
        What to train on.
    config
        Settings of the run.
    """

    out: Path
    material: Material
    config: RunConfig

    def images(self) -> TrainingImages:
        """Read the images."""
        return self.material.images(self.config.micrograph)

    def measure(self, images: TrainingImages, volume: Volume) -> Measured:
        """Compare a volume with the material; write the volume and the report."""
        source = self.material.truth() or images
        comparison = compare(source, volume)
        volume.save(self.out / "volume.tif")
        draw_comparison(comparison, source, volume, self.out / "report.png")
        title, judged = SAMPLES[self.material.samples[0]].title, verdict(comparison)
        text = f"{title}\n\n{comparison.table()}\n\n{summary(comparison)}\n"
        with replacing(self.out / "report.txt") as temporary:
            temporary.write_text(text, encoding="utf-8")
        files = (
            f"Volume:     {self.out / 'volume.tif'}\n"
            f"Report:     {self.out / 'report.txt'}, {self.out / 'report.png'}\n"
        )
        return Measured(f"{judged.headline}. {judged.largest}", f"{text}\n{files}")


@dataclass(frozen=True)
class Measured:
    """Verdict of the comparison, and its full text with the file names."""

    verdict: str
    text: str


def demo(options: Namespace) -> int:
    """Train on sample data, generate, measure; in a window where one can be opened."""
    material = MATERIALS[options.material]
    settings = {**material.settings, **changes_from(options)}
    config = preset(DEFAULT_PRESET).changed(**settings)
    check_can_write_into(options.out or Path("slicegan-demo"))
    out = options.out or new_folder("slicegan-demo", options.material)
    job = DemoJob(out, material, config)
    if not (options.no_window or os.environ.get("CI")):
        fault = window_fault()
        if fault is None:
            say("Training runs in the window; the result is also printed here.")
            if run_demo_in_window(job):
                return DONE
            say(
                "No volume: training was stopped or the window closed. "
                f"Saved: {job.out}"
            )
            return STOPPED
        say(f"{fault} The demo runs without a window.")
    say(run_demo(job))
    return DONE


def run_demo(job: DemoJob) -> str:
    """Train, generate and measure a volume; write everything to a folder.

    Returns
    -------
    str
        Table, verdict and paths of the files.

    Raises
    ------
    ValueError
        If the run diverges, so that there is no generator.
    """
    images = job.images()
    trainer = Trainer.start(job.config, images, job.out / "run")
    if trainer.config.architecture.initial_weights == "pretrained":
        say(f"{STARTS_PRETRAINED}.")
    if (reason := train_with_progress(trainer)) is FinishReason.DIVERGED:
        raise ValueError(reason.value)
    plan = VolumePlan(load_generator(job.out / "run"), (EDGE,) * 3, SEED)
    with progress_bar("Generating") as progress:
        volume = plan.generate(progress)
    measured = job.measure(images, volume)
    return (
        f"{measured.text}"
        f"Run folder: {job.out / 'run'}\n"
        f"{reason.after(trainer.step, trainer.elapsed_s)}"
    )


def run_demo_in_window(job: DemoJob) -> bool:
    """Train, generate and measure in the window; returns when it is closed.

    Returns
    -------
    bool
        False if the window was closed or training stopped before the measurement.
    """
    is_measured = False

    def measure(volume: Volume) -> str:
        nonlocal is_measured
        measured = job.measure(job.images(), volume)
        sys.stdout.write(measured.text)  # ends with a newline
        sys.stdout.flush()
        is_measured = True
        return measured.verdict

    application = import_module(APPLICATION)
    start = application.WindowStart(
        images={axis: [path] for axis, path in job.material.paths.items()},
        config=job.config,
        run_root=job.out,
        train=True,
        generate=((EDGE,) * 3, SEED),
    )
    application.run_window(start, measure)
    return is_measured
