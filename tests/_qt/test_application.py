"""The command that opens the window, started as a user starts it, on a display."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

import napari
import numpy as np
import tifffile

from napari_slicegan._qt import application
from napari_slicegan._qt.application import WindowStart, _check_files
from napari_slicegan.cli.parser import main
from napari_slicegan.config import Axis, MicrographSettings, RunConfig
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.volumes.volume import Volume
from tests._qt.whole_window import assert_saved
from tests.test_start_up import HEAVY
from tests.toys import phases_image, small_config

pytestmark = pytest.mark.qt

# The command line, with a look at the window as soon as there is something to see; what
# was seen is the last line of the output.
COMMAND = """
import json
import signal
import sys

import napari
from qtpy.QtCore import QTimer

from napari_slicegan.cli.parser import main

# A test run in the background may have been started with Ctrl+C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
wait_for, then = sys.argv[1:3]
live = napari.run

def live_with_a_look():
    from napari_slicegan._qt.main_widget import open_widget

    viewer = napari.current_viewer()
    widget = open_widget(viewer)

    def look():
        images = widget.micrograph.images()
        seen = {
            "layers": [layer.name for layer in viewer.layers],
            "images": None if images is None else [image.name for image in images],
            "tab": widget.tabs.tabText(widget.tabs.currentIndex()),
            "generator": widget.volume.source.facts.text(),
        }
        print(json.dumps(seen), flush=True)
        if then == "close":
            viewer.close()

    def ready():
        if wait_for == "preview":
            return "Preview" in viewer.layers
        source = widget.volume.source
        return widget.micrograph.images() and source.value() and not source.is_loading

    def poll():
        if ready():
            timer.stop()
            look()

    timer = QTimer()
    timer.timeout.connect(poll)
    timer.start(20)
    live()

napari.run = live_with_a_look
sys.exit(main(sys.argv[3:]))
"""
# The demo in a window, with toy networks and a measurement that takes no time.
DEMO = """
import sys
from pathlib import Path

import napari
from qtpy.QtCore import QTimer

from napari_slicegan.cli import demo as cli_demo
from napari_slicegan.cli.demo import MATERIALS, DemoJob, Measured
from tests.toys import small_config

class ToyJob(DemoJob):
    def measure(self, images, volume):
        volume.save(self.out / "volume.tif")
        return Measured("Close enough.", "the table\\n")

live = napari.run

def live_until():
    from napari_slicegan._qt.main_widget import open_widget

    viewer = napari.current_viewer()
    widget = open_widget(viewer)

    def look():
        measured = widget.volume.message.text() == "Close enough."
        if measured or (until == "preview" and "Preview" in viewer.layers):
            timer.stop()
            viewer.close()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    live()

until = sys.argv[2]
napari.run = live_until
cli_demo.EDGE = 24
steps = 6 if until == "measured" else 10**6
config = small_config().changed(steps=steps, monitor_interval=5)
job = ToyJob(Path(sys.argv[1]), MATERIALS["bentheimer"], config)
print("came to the end:", cli_demo.run_demo_in_window(job))
"""

# A run whose steps get stuck; nobody answers the dialog when the window is closed.
STUCK = """
import sys
import time

import napari
from qtpy.QtCore import QTimer

from napari_slicegan._qt import closing
from napari_slicegan.cli.parser import main
from napari_slicegan.training.adversarial_step import AdversarialStep

closing.GRACE_S = closing.LIMIT_S = 0.5
live = napari.run

def live_until_stuck():
    viewer = napari.current_viewer()

    def look():
        if "Preview" in viewer.layers:
            AdversarialStep.step = lambda *args: time.sleep(1000)
            timer.stop()
            QTimer.singleShot(500, viewer.close)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    live()

napari.run = live_until_stuck
sys.exit(main(sys.argv[1:]))
"""


def started(code: str, *words: object, folder: Path) -> subprocess.Popen[str]:
    """A program of its own, with the settings of a first start."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        env=os.environ | {"NAPARI_CONFIG": str(folder / "settings.yaml")},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def no_viewer(*arguments: Any, **named: Any) -> None:
    raise AssertionError("a window is opened")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "rock.tif"
    tifffile.imwrite(path, phases_image(40, 48).values)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "toy.json"
    config = small_config().changed(steps=10**6, monitor_interval=5)
    path.write_text(config.model_dump_json(), encoding="utf-8")
    return path


def test_gui_opens_with_what_is_named(
    image: Path, toy_run: Path, tmp_path: Path
) -> None:
    """An image is in the Micrograph panel, a run in the Volume panel."""
    words = ("files", "close", "gui", image, toy_run)
    program = started(COMMAND, *words, folder=tmp_path)
    said, faults = program.communicate(timeout=200)
    assert program.returncode == 0, faults
    seen = json.loads(said.splitlines()[-1])
    assert seen["images"] == ["rock.tif"]
    assert "rock.tif" in seen["layers"]
    assert seen["tab"] == "Volume"
    assert seen["generator"].startswith("Trained on toy: phases, voxel size 5 nm")


@pytest.mark.parametrize("words", [("{}",), ("--volume", "{}")])
def test_a_wrong_file_is_one_sentence(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before there is a window: nothing is shown that could be closed."""
    monkeypatch.setattr(napari, "Viewer", no_viewer)
    status = main(["gui", *(word.format(tmp_path / "nothing") for word in words)])
    assert status == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slicegan: ")
    assert "nothing" in line


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_the_window_and_saves_the_run(
    image: Path, settings: Path, tmp_path: Path
) -> None:
    words = ["--config", settings, "--out", tmp_path / "runs", "--train"]
    program = started(COMMAND, "preview", "stay", "gui", image, *words, folder=tmp_path)
    assert program.stdout is not None
    seen = json.loads(program.stdout.readline())
    assert "Preview" in seen["layers"]
    assert seen["tab"] == "Train"
    program.send_signal(signal.SIGINT)
    _, faults = program.communicate(timeout=200)
    assert "Traceback" not in faults
    assert_saved(tmp_path / "runs")


def test_the_program_quits_although_a_step_does_not_end(
    image: Path, settings: Path, tmp_path: Path
) -> None:
    words = ["gui", image, "--config", settings, "--out", tmp_path / "runs", "--train"]
    program = started(STUCK, *words, folder=tmp_path)
    _, faults = program.communicate(timeout=200)
    assert program.returncode == 0, faults
    assert "Traceback" not in faults


@pytest.mark.slow
def test_the_demo_trains_generates_and_measures_in_the_window(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    program = started(DEMO, out, "measured", folder=tmp_path)
    said, faults = program.communicate(timeout=200)
    # napari's notice, where the window is not the active one.
    said = said.removeprefix("INFO: Training has ended. All steps are done.\n")
    assert said == "the table\ncame to the end: True\n", faults
    assert Volume.open(out / "volume.tif").values.shape == (24, 24, 24)
    (run,) = out.glob("bentheimer_slice-*")
    assert RunFolder.open(run).load_checkpoint()["step"] == 6


@pytest.mark.slow
def test_the_demo_whose_window_is_closed_keeps_the_run(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    program = started(DEMO, out, "preview", folder=tmp_path)
    said, faults = program.communicate(timeout=200)
    assert said == "came to the end: False\n", faults
    assert_saved(out)


def test_opening_the_dock_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
import napari
viewer = napari.Viewer(show=False)
before = set(sys.modules)
assert "napari_slicegan._qt" not in before
_, widget = viewer.window.add_plugin_dock_widget("napari-slicegan")
assert widget.tabs.count() >= 3
loaded = set(sys.modules) - before
print([name for name in sys.argv[1:] if name in loaded])
viewer.close()
"""
    program = started(code, "torch", *HEAVY, folder=tmp_path)
    said, faults = program.communicate(timeout=200)
    assert said == "[]\n", faults


def test_files_are_checked_with_the_settings_that_are_given(tmp_path: Path) -> None:
    """Such as the shape of a file without a header; those of a run need not fit."""
    values = np.random.default_rng(0).integers(0, 255, (40, 50)).astype(np.uint8)
    (tmp_path / "a.raw").write_bytes(values.tobytes())
    np.save(tmp_path / "b.npy", values)
    config = RunConfig(micrograph=MicrographSettings(raw_shape=(40, 50)))
    images: dict[Axis, list[Path]] = {"z": [tmp_path / "a.raw"]}
    _check_files(WindowStart(images, config=config))
    other: dict[Axis, list[Path]] = {"z": [tmp_path / "b.npy"]}
    with pytest.raises(ValueError, match="without a header for 'Raw shape'"):
        _check_files(WindowStart(other, config=config))
    names = frozenset(("raw_shape",))
    _check_files(WindowStart(other, config=config, inherited=names))


def test_large_files_are_read_once_the_window_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of slices, too; a missing file is still refused before."""
    monkeypatch.setattr(application, "LARGE_BYTES", 3)
    (tmp_path / "large.png").write_bytes(b"no png")
    (tmp_path / "slices").mkdir()
    images: dict[Axis, list[Path]] = {"z": [tmp_path / "large.png"]}
    _check_files(WindowStart({"z": [*images["z"], tmp_path / "slices"]}))
    with pytest.raises(ValueError, match=r"missing\.png"):
        _check_files(WindowStart({"z": [*images["z"], tmp_path / "missing.png"]}))
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"large\.png"):
        _check_files(WindowStart(images))
