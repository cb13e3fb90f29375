"""The command line ``slicegan``."""

from __future__ import annotations

from napari_slicegan.cli.parser import main

__all__ = ["main"]
