"""From the command line to the window, which is loaded only when it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.demo import EDGE, SEED, DemoJob
from napari_slicegan.cli.options import config_from, file_path
from napari_slicegan.config import AXES

if TYPE_CHECKING:
    from argparse import Namespace

    from napari_slicegan.config import RunConfig
    from napari_slicegan.volumes.volume import Volume

# The Qt part is loaded by its name: the engine knows that there is a window, no more.
APPLICATION = "napari_slicegan._qt.application"
NO_DISPLAY = (
    "There is no display to open a window on; log in with one, or use xvfb-run."
)
NO_QT = (
    "The window needs napari with a Qt binding ({}): pip install 'napari-slicegan[gui]'"
)
NO_WINDOW = "Qt cannot open a window on this display ({})."
# Qt ends the whole program when it cannot open the display, so another one tries.
TRIAL = "from qtpy.QtGui import QGuiApplication; QGuiApplication([])"


def run_window(options: Namespace) -> None:
    """Open the window and stay until it is closed.

    Raises
    ------
    ValueError
        If a window cannot be opened here, or a file cannot be read.
    """
    given = any(name.startswith("setting_") for name in vars(options))
    given = given or options.preset or options.config
    config = config_from(options) if given else None
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


def run_demo_in_window(job: DemoJob) -> bool:
    """Train live in the window, generate the volume there, measure it, tell.

    Stays until the window is closed.

    Returns
    -------
    bool
        Whether it came to the end; the window may be closed or training stopped before.
    """
    told = False

    def measure(volume: Volume) -> str:
        nonlocal told
        measured = job.measure(job.images(), volume)
        sys.stdout.write(measured.text)
        sys.stdout.flush()
        told = True
        return measured.verdict

    application = import_module(APPLICATION)
    start = application.WindowStart(
        images={axis: [path] for axis, path in job.paths.items()},
        config=job.config,
        run_root=job.out,
        train=True,
        generate=((EDGE,) * 3, SEED),
    )
    application.run_window(start, measure)
    return told


def window_fault() -> str | None:
    """Why no window can be opened here, in one sentence; None if one can."""
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
    """Whether there is a screen; on Linux it must be named."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return not sys.platform.startswith("linux") or any(map(os.environ.get, names))


def _images(options: Namespace) -> dict[str, list[Path]]:
    """Files by viewing direction; run folders and generators are none."""
    views = {axis: getattr(options, axis) for axis in AXES}
    if any(views.values()):
        return {axis: [file_path(f) for f in files] for axis, files in views.items()}
    files = [file_path(file) for file in options.files if not _is_folder(file)]
    directions: dict[str, list[Path]] = (
        {"y": [], "x": []} if options.anisotropic else {}
    )
    return {"z": files, **directions} if files else {}


def _folders(options: Namespace, config: RunConfig | None) -> dict[str, Path]:
    """Run or generator to look at; or whole images, where settings ask for some."""
    folders = [Path(file) for file in options.files if _is_folder(file)]
    takes_images = config is not None and config.architecture.dimensions == 2
    images = [path for path in folders if takes_images and _is_no_run(path)]
    runs = [path for path in folders if path not in images]
    found = {"run": runs[-1:], "folder": images[-1:]}
    return {name: path for name, paths in found.items() for path in paths}


def _is_folder(file: str) -> bool:
    """Whether it is no image: a folder, or a generator."""
    return Path(file).is_dir() or file.endswith(".safetensors")


def _is_no_run(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "config.json").exists()
