"""Writes settings.json: no setting has its default. Needs release 0.1.0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_slicegan.config import RunConfig

GIVEN: dict[str, Any] = {
    "kind": "grayscale",
    "segmentation": "otsu",
    "level_lines": "rows",
    "denoise": "median",
    "architecture": "slicegan-rc",
    "critic_normalisation": "batch",
    "image_padding": "torch",
    "condition": "phase_fraction",
    "normalisation": "pixel",
    "symmetries": "flips",
    "objective": "realness",
    "anchors": "skew-normal",
    "realness_form": "O3",
    "generator_optimiser": "rmsprop",
    "critic_optimiser": "sgd",
    "precision": "float32",
    "cut_axis": "z",
    "scaling": "rows",
    "device": "cpu",
    # Empty by default.
    "thresholds": (10.5, 99.5),
    "crop": (0, 48, 2, 50),
    "pixel_size_nm": 5.5,
    "generator_layers": ((6, 3, 3), (4, 2, 3)),
    "real_anchor": (0.25, 0.75),
    "generated_anchor": (0.75, 0.25),
    "epochs": 3,
    "settle_minutes": 7.5,
    "generator_volumes": 5,
    "critic_volumes": 6,
    "real_images": 7,
    "threads": 3,
    "largest_set": 90,
    "log_offset": 1e-6,
    "betas": (0.25, 0.75),
    "generator_widths": (24, 12),
    "critic_widths": (12, 24),
}


def other(value: Any) -> Any:
    """Another value within the bounds of the setting."""
    if isinstance(value, bool):
        return not value
    return value + 2 if isinstance(value, int) else value * 0.75 or 0.5


groups = {name: group for name, group in RunConfig() if name != "preset"}
defaults = {name: value for group in groups.values() for name, value in group}
values = {n: GIVEN[n] if n in GIVEN else other(v) for n, v in defaults.items()}
config = RunConfig(preset="slicegan-v1").changed(**values)
text = config.model_dump_json(indent=1)
Path(__file__).with_name("settings.json").write_text(text + "\n")
