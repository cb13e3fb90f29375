"""Train the generators that ship, with their model cards and reports.

``make models MINUTES=30`` trains each for 30 minutes; names choose among them. A run
that has ended, for instance of a given number of steps, is exported by

    python -m sample_data.scripts.models bentheimer --run runs/bentheimer
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.demo import MATERIALS, Material
from napari_slicegan.cli.progress import train_with_progress
from napari_slicegan.config.presets import preset
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.report.card_facts import card_path
from napari_slicegan.report.model_card import exported, write_card
from napari_slicegan.report.page import write_report
from napari_slicegan.report.proof import ProofSettings, prove
from napari_slicegan.report.provenance import provenance_of
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume
from sample_data import MODELS, model_path
from sample_data.scripts.particles import binder_bridges, speckle

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

TRAINED = {
    **MATERIALS,
    "spheres": Material(("spheres_slice",), {}),
    "binder-bridges": Material(("binder_bridges_slice",), {}),
    "speckle": Material(("speckle_slice",), {}),
}
# Volumes that their scripts make anew, where no file holds them.
TRUTHS = {"binder-bridges": binder_bridges, "speckle": speckle}
PRESET, SEED, MINUTES = "slicegan-fine", 1, 20.0
REPORTS = Path(__file__).resolve().parents[2] / "docs" / "models"


def main() -> None:
    """Train, export, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(MODELS), metavar="NAME")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for each")
    parser.add_argument("--out", type=Path, help="folder (default: sample_data/models)")
    parser.add_argument("--reports", type=Path, default=REPORTS)
    parser.add_argument("--run", type=Path, help="ended run to export, of one model")
    parser.add_argument("--quick", action="store_true", help="without diffusion")
    options = parser.parse_args()
    for name in options.names:
        if name not in MODELS:
            parser.error(f"no model is called {name}; choose among {', '.join(MODELS)}")
    if options.run is not None and len(options.names) != 1:
        parser.error(f"--run is of one model, got {len(options.names)} names")
    for name in options.names:
        file = model_path(name)
        if options.out is not None:
            file = options.out / file.name
        settings = ProofSettings(transport=not options.quick)
        report = options.reports / f"{name}.html"
        with tempfile.TemporaryDirectory() as folder:
            run = options.run or Path(folder) / "run"
            if options.run is None:
                train(name, options.minutes, run)
            ship(name, run, file, report, settings)


def train(name: str, minutes: float, run: Path) -> None:
    """Train one model in a new run folder."""
    config = config_of(TRAINED[name], minutes)
    images = TRAINED[name].images(config.micrograph)
    train_with_progress(Trainer.start(config, images, run))


def ship(
    name: str, run: Path, file: Path, report: Path, settings: ProofSettings
) -> None:
    """Write the file of a model, its card beside it, and its report."""
    trained = load_generator(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    origin = exported(trained, provenance_of(run, trained), file, half=True)
    # What ships is measured: the rounded weights.
    material = TRAINED[name]
    if name in TRUTHS:
        source: Volume | TrainingImages = Volume(TRUTHS[name](), "phases")
    else:
        source = material.truth() or RunFolder.open(run).images()
    proof = prove(load_generator(file), source, settings)
    origin = replace(origin, name=MODELS[name])
    write_card(card_path(file), proof.to_dict(), origin, file.name)
    write_report(proof, origin, report)


def config_of(material: Material, minutes: float) -> RunConfig:
    """Settings of a model."""
    return preset(PRESET).changed(
        **material.settings,
        minutes=minutes,
        seed=SEED,
        monitor_interval=1000,
        checkpoint_minutes=60,
    )


if __name__ == "__main__":
    main()
