"""The command ``slicegan gui``; Qt is loaded only when the window opens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import (
    DONE,
    config_from,
    expanded,
    file_path,
    inherited,
)
from napari_slicegan.config import AXES
from napari_slicegan.data.image_files import slices_in
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
    folders = _folders(options, config)
    if options.out:
        check_can_write_into(options.out)
    fault = window_fault()
    if fault is not None:
        raise ValueError(fault)
    application = import_module(APPLICATION)
    start = application.WindowStart(
        images=_images(options, [str(path) for path in folders.values()]),
        volume=options.volume,
        config=config,
        run_root=options.out,
        train=options.train,
        inherited=inherited(options),
        **folders,
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


def _images(options: Namespace, folders: Sequence[str]) -> dict[str, list[Path]]:
    """Image files by viewing direction, without run folders and generators.

    Raises
    ------
    ValueError
        If there are files of one material and of directions too.
    """
    views = {axis: expanded(getattr(options, axis)) for axis in AXES}
    files = [file for file in expanded(options.files) if file not in folders]
    if not any(views.values()):
        directions: dict[str, list[Path]] = (
            {"y": [], "x": []} if options.anisotropic else {}
        )
        return {"z": [*map(file_path, files)], **directions} if files else {}
    if files or options.anisotropic:
        raise ValueError(
            "Expected image files, with --anisotropic or not, or files for --z, --y "
            f"and --x, got both; leave out {files[0] if files else '--anisotropic'}."
        )
    return {axis: [*map(file_path, files)] for axis, files in views.items()}


def _folders(options: Namespace, config: RunConfig | None) -> dict[str, Path]:
    """Run or generator to open; or a folder of images, if the settings use one.

    A folder of slices is an image instead: a volume.

    Raises
    ------
    ValueError
        If there are several.
    """
    takes_images = config is not None and config.architecture.dimensions == 2
    found: dict[str, Path] = {}
    for file in options.files:
        path = Path(file)
        is_run = (path / "config.json").exists() or file.endswith(".safetensors")
        if not (path.is_dir() or is_run):
            continue
        if not (is_run or takes_images) and slices_in(path):
            continue
        what = "folder" if takes_images and not is_run else "run"
        if what in found:
            raise ValueError(
                f"Expected one {what} to open, got {found[what]} and {path}; name one."
            )
        found[what] = path
    return found
