"""Train the generator of sandstones of many porosities; six minutes on two cores."""

from __future__ import annotations

import tempfile
from pathlib import Path

import tifffile

from napari_slicegan.cli.progress import train_with_progress
from napari_slicegan.config.presets import DEFAULT_PRESET, preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.trainer import Trainer
from sample_data import path
from sample_data.scripts.tiff_output import as_labels
from sample_data.scripts.varied_sandstone import planes_of_porosities

SETTINGS = {
    "steps": 500,
    "minutes": None,
    "monitor_interval": 1000,
    "checkpoint_minutes": 60,
}


def main() -> None:
    """Write varied_sandstone.safetensors, its weights in half precision."""
    pore = tifffile.imread(path("bentheimer_truth")) == 255
    images = TrainingImages.isotropic(
        *(
            Micrograph.from_array(as_labels(plane), "phases", None, "sandstone")
            for plane in planes_of_porosities(pore)
        )
    )
    config = preset(DEFAULT_PRESET).changed(**SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        trainer = Trainer.start(config, images, run)
        train_with_progress(trainer)
        trained = load_generator(run)
    trained.network.half()
    trained.save(path("varied_sandstone"))


if __name__ == "__main__":
    main()
