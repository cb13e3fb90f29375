"""The command ``slicegan gui``; Qt is loaded only when the window opens."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, config_from, file_path
from napari_slicegan.config import AXES
from napari_slicegan.runtime.atomic_files import check_can_write_into

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.config import RunConfig

# Loaded by name: the command line does not import the Qt package.
APPLICATION = "napari_slicegan._qt.application"
NO_DISPLAY = (
    "There is no display to open a window on; log in with one, or use xvfb-run."
)
NO_QT = (
    "The window needs napari with a Qt binding ({}): pip install 'napari-slicegan[gui]'"
)
NO_WINDOW = "Qt cannot open a window on this display ({})."
# Qt aborts the process if it cannot open the display, so a child process tries.
TRIAL = "from qtpy.QtGui import QGuiApplication; QGuiApplication([])"


def gui(options: Namespace) -> int:
    """Open napari with the plugin docked; returns when the window is closed.

    Raises
    ------
    ValueError
        If a window cannot be opened here, or a file cannot be read.
    """
    given = any(name.startswith("setting_") for name in vars(options))
    given = given or options.preset or options.config
    config = config_from(options) if given else None
    if options.out:
        check_can_write_into(options.out)
    fault = window_fault()
    if fault is not None:
        raise ValueError(fault)
    application = import_module(APPLICATION)
    start = application.WindowStart(
        images=_images(options),
        volume=options.volume,
        config=config,
        run_root=options.out,
        train=options.train,
        **_folders(options, config),
    )
    application.run_window(start)
    return DONE


def window_fault() -> str | None:
    """One sentence on why no window can be opened; None if one can."""
    if not has_display():
        return NO_DISPLAY
    with subprocess.Popen(
        [sys.executable, "-c", TRIAL], stderr=subprocess.PIPE, text=True
    ) as trial:
        try:
            # Takes longer than the trial. torch must come before Qt on Windows
            # (WinError 1114).
            import_module("torch")
            import_module("qtpy.QtWidgets")
            import_module(APPLICATION)
        except ImportError as error:
            return NO_QT.format(error)
        _, words = trial.communicate()
    if trial.returncode == 0:
        return None
    reasons = [line for line in words.splitlines() if line.strip()]
    return NO_WINDOW.format(reasons[0] if reasons else f"status {trial.returncode}")


def has_display() -> bool:
    """Whether there is a display (on Linux: named by the environment)."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or any(map(os.environ.get, names))


def _images(options: Namespace) -> dict[str, list[Path]]:
    """Image files by viewing direction, without run folders and generators."""
    views = {axis: getattr(options, axis) for axis in AXES}
    if any(views.values()):
        return {axis: [file_path(f) for f in files] for axis, files in views.items()}
    files = [file_path(file) for file in options.files if not _is_folder(file)]
    directions: dict[str, list[Path]] = (
        {"y": [], "x": []} if options.anisotropic else {}
    )
    return {"z": files, **directions} if files else {}


def _folders(options: Namespace, config: RunConfig | None) -> dict[str, Path]:
    """Run or generator to open; or a folder of images, if the settings use one."""
    folders = [Path(file) for file in options.files if _is_folder(file)]
    takes_images = config is not None and config.architecture.dimensions == 2
    images = [path for path in folders if takes_images and _is_no_run(path)]
    runs = [path for path in folders if path not in images]
    found = {"run": runs[-1:], "folder": images[-1:]}
    return {name: path for name, paths in found.items() for path in paths}


def _is_folder(file: str) -> bool:
    """Whether the path is a folder or a generator instead of an image."""
    return Path(file).is_dir() or file.endswith(".safetensors")


def _is_no_run(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "config.json").exists()
