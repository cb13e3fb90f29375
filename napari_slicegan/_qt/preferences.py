"""User defaults from the plugin's page in napari's Preferences."""

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
    """Defaults of a new run; these values apply without a page.

    Attributes
    ----------
    run_folder
        Folder for new runs; None for the default.
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
        Invalid values are replaced by defaults; the string is a warning about them, or
        empty.
    """
    read = getattr(settings, "get_plugin_settings", None)
    if read is None:
        return Preferences(), ""
    try:
        page = read(PLUGIN).defaults
    except KeyError:
        # The package is imported without being installed.
        return Preferences(), ""
    return checked({name: getattr(page, name) for name in READERS})


def checked(entered: Mapping[str, Any]) -> tuple[Preferences, str]:
    """Apply valid values; return a warning about the others."""
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
        f"Invalid values on the SliceGAN page of napari's Preferences are replaced by "
        f"defaults; correct them there: {'; '.join(faults)}."
    )


def _folder(text: str) -> Path | None:
    if not text.strip():
        return None
    path = Path(text.strip()).expanduser()
    if not path.is_absolute():
        raise ValueError(f"expected an absolute path, got '{text}'")
    if path.exists() and not path.is_dir():
        raise ValueError(f"expected a folder, got the file {path}")
    return path


READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"device": str, "preset": str, "preview_interval": int, "run_folder": _folder}
)
"""Values of the page and their converters."""
