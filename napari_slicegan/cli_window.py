"""From the command line to the window, which is loaded only when it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.cli_options import NOTHING, changes_from, config_from, file_path
from napari_slicegan.config import AXES
from napari_slicegan.demo import MATERIALS

if TYPE_CHECKING:
    from argparse import Namespace

# The Qt part is loaded by its name: the engine knows that there is a window, no more.
APPLICATION = "napari_slicegan._qt.application"
NO_QT = (
    "The window needs a Qt binding, and none is installed: "
    "pip install 'napari-slicegan[gui]'"
)


def run_window(options: Namespace) -> None:
    """Open the window and stay until it is closed.

    Raises
    ------
    ValueError
        If no Qt binding is installed, there is no display, or a file cannot be read.
    """
    if not has_display():
        raise ValueError(
            "There is no display to open a window on; log in with one, or use xvfb-run."
        )
    application = _application()
    given = any(name.startswith("setting_") for name in vars(options))
    given = given or options.preset or options.config
    start = application.WindowStart(
        images=_images(options),
        volume=options.volume,
        config=config_from(options) if given else None,
        run_root=options.out,
        train=options.train,
        **_run_of(options),
    )
    application.run_window(start)


def window_of_demo(out: Path, material: str, options: Namespace) -> str:
    """Open a window on the demo's results, with training live in it.

    The window is a program of its own: the demo does not wait for it.

    Returns
    -------
    str
        What to tell the user.
    """
    if not has_display():
        return "No display, so no window. Open one later: slicegan gui"
    try:
        _application()
    except ValueError as error:
        return str(error)
    chosen = MATERIALS[material]
    samples = [f"sample:{name}" for name in chosen.samples]
    views = zip(AXES, samples, strict=False)
    images = [word for axis, name in views for word in (f"--{axis}", name)]
    words = ["gui", *(samples if len(samples) == 1 else images)]
    words += ["--train", "--out", str(out / "live")]
    words += ["--volume", str(out / "volume.tif")]
    words += _flags({**chosen.settings, **changes_from(options)})
    code = "import sys; from napari_slicegan.cli import main; sys.exit(main())"
    with (out / "window.log").open("w", encoding="utf-8") as log:
        subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return "The window opens: the volume, and a new run that trains live."


def has_display() -> bool:
    """Whether windows can be opened; on Linux a display must be named."""
    if sys.platform.startswith("linux"):
        names = ("DISPLAY", "WAYLAND_DISPLAY")
        return any(os.environ.get(name) for name in names)
    return not os.environ.get("CI")


def _application() -> Any:
    """The window's module. torch must come before Qt on Windows (WinError 1114)."""
    import_module("torch")
    try:
        import_module("qtpy.QtWidgets")
    except ImportError as error:
        raise ValueError(NO_QT) from error
    return import_module(APPLICATION)


def _images(options: Namespace) -> dict[str, list[Path]]:
    """Files by viewing direction; run folders and generators are none."""
    views = {axis: getattr(options, axis) for axis in AXES}
    if any(views.values()):
        return {axis: [file_path(f) for f in files] for axis, files in views.items()}
    files = [file_path(file) for file in options.files if not _is_run(file)]
    directions: dict[str, list[Path]] = (
        {"y": [], "x": []} if options.anisotropic else {}
    )
    return {"z": files, **directions} if files else {}


def _run_of(options: Namespace) -> dict[str, Path]:
    runs = [Path(file) for file in options.files if _is_run(file)]
    return {"run": runs[-1]} if runs else {}


def _is_run(file: str) -> bool:
    return Path(file).is_dir() or file.endswith(".safetensors")


def _flags(settings: dict[str, Any]) -> list[str]:
    """Settings as flags of the command line."""
    words = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
            continue
        values = value if isinstance(value, tuple) else (value,)
        texts = [NOTHING if each is None else str(each) for each in values]
        words += [f"--{flag}", *texts]
    return words
