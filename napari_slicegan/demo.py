"""The main job on real data, from micrograph to report, in minutes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_slicegan.generation import VolumePlan, generate_in_steps
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.micrograph import Micrograph
from napari_slicegan.presets import preset
from napari_slicegan.progress_bar import generate_with_progress, train_with_progress
from napari_slicegan.report import draw_comparison, summary
from napari_slicegan.sample_data import SAMPLES
from napari_slicegan.sample_data import path as sample_path
from napari_slicegan.step_report import FinishReason
from napari_slicegan.trainer import Trainer
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.metrics.reference import Source

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
        What differs from the default preset.
    """

    samples: tuple[str, ...]
    settings: Mapping[str, Any]


MATERIALS: Mapping[str, Material] = MappingProxyType(
    {
        "bentheimer": Material(("bentheimer_slice",), {}),
        "nanoporous-gold": Material(
            ("nanoporous_gold",),
            {"segmentation": "otsu", "denoise": "gaussian", "rescale": 0.5},
        ),
        "fibres": Material(("fibres_z", "fibres_y", "fibres_x"), {}),
    }
)


def run_demo(out: Path, material: str, changes: Mapping[str, Any]) -> str:
    """Train, generate a volume, measure it, and write all of it to a folder.

    Parameters
    ----------
    out, material
        New or empty folder; key of ``MATERIALS``.
    changes
        Settings that differ from the default preset.

    Returns
    -------
    str
        The measured table, what it amounts to, and where the files are.

    Raises
    ------
    ValueError
        If the losses are no longer finite, so that there is nothing to generate from.
    """
    chosen = MATERIALS[material]
    config = preset("slicegan-fast").changed(**{**chosen.settings, **changes})
    images = _images(chosen, config)
    trainer = Trainer.start(config, images, out / "run")
    if (reason := train_with_progress(trainer)) is FinishReason.DIVERGED:
        raise ValueError(reason.value)
    plan = VolumePlan(trainer.trained_generator(), (EDGE,) * 3, SEED)
    volume = generate_with_progress(generate_in_steps(plan))
    source = _truth(chosen) or images
    comparison = compare(source, volume)
    volume.save(out / "volume.tif")
    draw_comparison(comparison, source, volume, out / "report.png")
    title = SAMPLES[chosen.samples[0]].title
    text = f"{title}\n\n{comparison.table()}\n\n{summary(comparison)}\n"
    (out / "report.txt").write_text(text, encoding="utf-8")
    return (
        f"{text}\n{reason.value} {trainer.step} steps in {trainer.elapsed_s:.0f} s.\n"
        f"Volume:     {out / 'volume.tif'}\n"
        f"Report:     {out / 'report.txt'}, {out / 'report.png'}\n"
        f"Run folder: {out / 'run'}"
    )


def _images(material: Material, config: RunConfig) -> TrainingImages:
    opened = [
        Micrograph.open(sample_path(name), config.micrograph)
        for name in material.samples
    ]
    if len(opened) == 1:
        return TrainingImages.isotropic(*opened)
    return TrainingImages.anisotropic(*opened)


def _truth(material: Material) -> Source | None:
    """The volume that the images were cut from, where there is one."""
    truth = SAMPLES[material.samples[0]].truth
    return Volume.open(sample_path(truth)) if truth else None
