"""Write the weights that training starts from, out of an ended run on two phases.

``sample_data/README.md`` has the commands that made the file that ships.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from napari_slicegan.models.pretrained import FILE, SETTINGS, PretrainedWeights
from napari_slicegan.training.run_folder import RunFolder


def main() -> None:
    """Read the checkpoint, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--origin", required=True, help="material, source, training")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    run = RunFolder.open(options.run)
    settings = run.config().architecture
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
