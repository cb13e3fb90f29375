"""Dialogs for the files of the Explore panel."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

DIRECTIONS, ENDING = "Directions (*.safetensors)", ".safetensors"
SWEEPS = (
    "Volumes, TIFF (*.tif);;Properties, CSV (*.csv);;Properties, plot (*.png);;"
    "Middle planes, animation (*.gif)"
)


def ask_for_directions(parent: QWidget) -> Path | None:
    """File to read directions from; None if the user changes their mind."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load directions", "", DIRECTIONS)
    return Path(path) if path else None


def ask_for_new_directions(parent: QWidget) -> Path | None:
    """File to write directions to."""
    path, _ = QFileDialog.getSaveFileName(parent, "Save the directions", "", DIRECTIONS)
    return Path(path).with_suffix(ENDING) if path else None


def ask_for_new_sweep(parent: QWidget) -> Path | None:
    """File to write a sweep to; the kind that is chosen gives it its ending."""
    path, chosen = QFileDialog.getSaveFileName(parent, "Save the sweep", "", SWEEPS)
    if not path:
        return None
    return Path(path) if Path(path).suffix else Path(path + chosen[-5:-1])
