"""The commands ``slicegan presets`` and ``info``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, generator_path, say
from napari_slicegan.config import FORMAT
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.training.run_folder import RunFolder

if TYPE_CHECKING:
    from argparse import Namespace


def presets(options: Namespace) -> int:
    """List the presets, or the settings of one."""
    if options.name:
        settings = preset(options.name).model_dump(mode="json")
        say(json.dumps({"format": FORMAT, **settings}, indent=2))
        return DONE
    for name in PRESETS:
        say(f"{name:16} {PRESETS.summary(name)}")
    return DONE


def info(options: Namespace) -> int:
    """Print facts about a run folder or a generator."""
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
        say(f"{title:14} {text}")
    return DONE
