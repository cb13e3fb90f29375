"""When the command line opens a window, and what it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from napari_slicegan.cli import demo as cli_demo
from napari_slicegan.cli import window as cli_window
from napari_slicegan.cli.parser import main

if TYPE_CHECKING:
    from napari_slicegan.cli.demo import DemoJob

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

# `slicegan gui` where some packages are missing.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))
from napari_slicegan.cli.parser import main
sys.exit(main(["gui"]))
"""
BINDINGS = ("PyQt5", "PyQt6", "PySide2", "PySide6")


@pytest.fixture
def shown(monkeypatch: Patch) -> list[DemoJob]:
    """What the demo would do in a window; it comes to the end there."""
    jobs: list[DemoJob] = []

    def run_demo_in_window(job: DemoJob) -> bool:
        jobs.append(job)
        return True

    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(cli_demo, "window_fault", lambda: None)
    monkeypatch.setattr(cli_demo, "run_demo_in_window", run_demo_in_window)
    return jobs


@pytest.fixture
def headless(monkeypatch: Patch) -> list[DemoJob]:
    """What the demo would do in the terminal."""
    jobs: list[DemoJob] = []

    def run_demo(job: DemoJob) -> str:
        jobs.append(job)
        return "measured"

    monkeypatch.setattr(cli_demo, "run_demo", run_demo)
    return jobs


def test_no_display_is_one_sentence(monkeypatch: Patch, capsys: Capture) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["gui"]) == 2
    assert capsys.readouterr().err == f"slicegan: {cli_window.NO_DISPLAY}\n"


def test_a_missing_binding_is_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, *BINDINGS],
        env=os.environ | {"DISPLAY": ":987"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("slicegan: The window needs napari with a Qt binding (")
    assert line.endswith("): pip install 'napari-slicegan[gui]'")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of X11")
def test_a_display_that_does_not_answer_is_one_sentence() -> None:
    """Qt itself would end the program with SIGABRT."""
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    kept = {k: v for k, v in os.environ.items() if k != "WAYLAND_DISPLAY"}
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env=kept | {"DISPLAY": ":987", "QT_QPA_PLATFORM": "xcb"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("slicegan: Qt cannot open a window on this display (")


def test_demo_in_a_window(
    shown: list[DemoJob], headless: list[DemoJob], tmp_path: Path
) -> None:
    """The same job that the terminal would do."""
    words = ["--material", "fibres", "--minutes", "3", "--out", str(tmp_path)]
    assert main(["demo", *words]) == 0
    assert main(["demo", *words, "--no-window"]) == 0
    assert shown == headless
    (job,) = shown
    assert job.config.training.minutes == 3
    assert [path.name for path in job.material.paths.values()] == [
        "fibres_z.tif",
        "fibres_y.tif",
        "fibres_x.tif",
    ]
    assert list(job.material.paths) == ["z", "y", "x"]


def test_demo_whose_window_is_closed(
    shown: list[DemoJob], tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    """The status is that of a run that is stopped."""
    monkeypatch.setattr(cli_demo, "run_demo_in_window", lambda job: False)
    assert main(["demo", "--out", str(tmp_path)]) == 130
    assert f"Saved: {tmp_path}" in capsys.readouterr().out


def test_demo_without_a_display(
    shown: list[DemoJob],
    headless: list[DemoJob],
    monkeypatch: Patch,
    capsys: Capture,
) -> None:
    monkeypatch.setattr(cli_demo, "window_fault", lambda: "No screen.")
    assert main(["demo"]) == 0
    assert capsys.readouterr().out == (
        "No screen. The demo runs without a window.\nmeasured\n"
    )
    assert (len(shown), len(headless)) == (0, 1)


def test_demo_in_continuous_integration_opens_no_window(
    shown: list[DemoJob], headless: list[DemoJob], monkeypatch: Patch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert main(["demo"]) == 0
    assert (len(shown), len(headless)) == (0, 1)


def test_a_folder_is_a_run_or_whole_images(monkeypatch: Patch, tmp_path: Path) -> None:
    """By what the settings make and by what is in the folder."""
    starts: list[dict[str, object]] = []
    monkeypatch.setattr(cli_window, "window_fault", lambda: None)
    window = SimpleNamespace(
        WindowStart=lambda **facts: starts.append(facts), run_window=lambda start: None
    )
    monkeypatch.setattr(cli_window, "import_module", lambda name: window)
    folder = str(tmp_path)
    for words in ([], ["--preset", "oasis-28"]):
        assert main(["gui", folder, *words]) == 0
    (tmp_path / "config.json").write_text("{}")
    assert main(["gui", folder, "--preset", "oasis-28"]) == 0
    found = [{"run", "folder"} & set(each) for each in starts]
    assert found == [{"run"}, {"folder"}, {"run"}]


def test_images_of_the_window(
    monkeypatch: Patch, tmp_path: Path, capsys: Capture
) -> None:
    """Patterns and folders of slices as for training; nothing is left out silently."""
    starts: list[dict[str, Any]] = []
    monkeypatch.setattr(cli_window, "window_fault", lambda: None)
    window = SimpleNamespace(
        WindowStart=lambda **facts: starts.append(facts), run_window=lambda start: None
    )
    monkeypatch.setattr(cli_window, "import_module", lambda name: window)
    monkeypatch.chdir(tmp_path)
    for name in ("slices/1.png", "slices/2.png", "run/config.json", "two/config.json"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert main(["gui", "slices/*.png", "run"]) == 0
    assert main(["gui", "slices"]) == 0
    names = [Path("slices/1.png"), Path("slices/2.png")]
    assert starts[0]["images"] == {"z": names}
    assert starts[0]["run"] == Path("run")
    assert starts[1]["images"] == {"z": [Path("slices")]}
    for words, sentence in {
        "gui run two": "Expected one run to open",
        "gui a.png --z b.png": "leave out a.png",
        "gui --anisotropic --z b.png": "leave out --anisotropic",
        "gui *.tif": "whose names match",
    }.items():
        assert main(words.split()) == 2
        assert sentence in capsys.readouterr().err
    assert len(starts) == 2
