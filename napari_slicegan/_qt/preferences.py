"""Defaults that the user set on the plugin's page in napari's Preferences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari import settings

PLUGIN = "napari-slicegan"


@dataclass(frozen=True)
class Preferences:
    """What a new run starts from; the values here are those without a page.

    Attributes
    ----------
    run_folder
        Folder in which runs are kept; None for the usual one.
    """

    device: str = "auto"
    preset: str = "slicegan-fast"
    preview_interval: int = 50
    run_folder: Path | None = None


def read_preferences() -> Preferences:
    """Read the page; napari before 0.9 has none."""
    read = getattr(settings, "get_plugin_settings", None)
    if read is None:
        return Preferences()
    try:
        page = read(PLUGIN).defaults
    except KeyError:
        # The plugin is not installed, only imported.
        return Preferences()
    folder = Path(page.run_folder).expanduser() if page.run_folder else None
    return Preferences(page.device, page.preset, page.preview_interval, folder)
