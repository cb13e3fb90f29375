"""Defaults that the user set on the plugin's page in napari's Preferences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari import settings

from napari_slicegan.config.presets import preset

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

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

    def config(self) -> RunConfig:
        """Settings of a run.

        Raises
        ------
        ValueError
            If a value is not allowed.
        """
        return preset(self.preset).changed(
            device=self.device, monitor_interval=self.preview_interval
        )


def read_preferences() -> tuple[Preferences, str]:
    """Read the page; napari before 0.9 has none.

    Returns
    -------
    tuple of Preferences and str
        With the usual value for each that is not allowed, and a sentence that tells
        of these; it is empty if there are none.
    """
    read = getattr(settings, "get_plugin_settings", None)
    if read is None:
        return Preferences(), ""
    try:
        page = read(PLUGIN).defaults
    except KeyError:
        # The plugin is not installed, only imported.
        return Preferences(), ""
    return checked({name: getattr(page, name) for name in READERS})


def checked(entered: Mapping[str, Any]) -> tuple[Preferences, str]:
    """Take each value that is allowed, and tell of the others."""
    taken, faults = Preferences(), []
    for name, read in READERS.items():
        try:
            changed = replace(taken, **{name: read(entered[name])})
            changed.config()
        except (ValueError, TypeError, RuntimeError) as error:
            faults.append(f"{name} ({str(error).rstrip('.')})")
        else:
            taken = changed
    if not faults:
        return taken, ""
    return taken, (
        f"The usual values are used in place of these on the SliceGAN page of napari's "
        f"Preferences, which are to be corrected there: {'; '.join(faults)}."
    )


def _folder(text: str) -> Path | None:
    if not text.strip():
        return None
    path = Path(text.strip()).expanduser()
    if not path.is_absolute():
        raise ValueError(f"expected a whole path, got '{text}'")
    if path.exists() and not path.is_dir():
        raise ValueError(f"expected a folder, got the file {path}")
    return path


READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"device": str, "preset": str, "preview_interval": int, "run_folder": _folder}
)
"""Every value of the page, and what it is read by."""
