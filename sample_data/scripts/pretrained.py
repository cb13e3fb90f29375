"""Write the weights that training starts from, out of an ended run on two phases.

``sample_data/README.md`` has the commands that made the file that ships.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_slicegan.models.pretrained import SETTINGS, PretrainedWeights
from napari_slicegan.training.run_folder import RunFolder


def main() -> None:
    """Read the checkpoint, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--origin", required=True, help="material, source, training")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    run = RunFolder.open(options.run)
    config, images = run.config(), run.images()
    settings = config.architecture
    is_single = config.slices.pair_distance is None and settings.critic_heads
    if len(images.labels) != 2 or images.material != "isotropic" or not is_single:
        parser.error(
            "expected a run of an isotropic material of two phases with critic heads "
            "and without pairs of planes, got another one"
        )
    values = settings.model_dump(mode="json")
    game = run.load_checkpoint()["game"]
    PretrainedWeights(
        generator=game["generator"],
        critic={k.removeprefix("0."): v for k, v in game["critics"].items()},
        fields=settings.fields_per_phase,
        settings={name: values[name] for name in SETTINGS},
        origin=options.origin,
    ).save(options.out)


if __name__ == "__main__":
    main()
