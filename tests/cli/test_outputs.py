"""Where a command cannot write, it says so before any work; made-up names are safe."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from napari_slicegan.cli import main
from napari_slicegan.runtime import atomic_files
from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_can_write_into,
    new_folder,
    safe_name,
    windows_fault,
)
from tests.toys import phases_image

if TYPE_CHECKING:
    from napari_slicegan.config import RunConfig

Capture = pytest.CaptureFixture[str]
# Every output of every command: the words before the place, and a name that is right.
OUTPUTS = {
    "demo --no-window --out": "demo",
    "gui --out": "runs",
    "train sem.tif --config toy.json --steps 1 --out": "run",
    "generate RUN --size 8 --out": "a.tif",
    "generate RUN --size 8 --out ": "a.npy",
    "generate RUN --size 8  --out": "a.vti",
    "generate RUN  --size 8 --out": "a.ome.zarr",
    "sample RUN --out": "a.tif",
    "sample RUN --out ": "a.npy",
    "sample RUN --sheet": "a.png",
    "sample RUN --sounds": "sounds",
    "generate RUN --size  8 --out": "a.mhd",
    "batch table.csv --out": "runs",
    "baseline sem.tif --size 8 --out": "a.tif",
    "mesh a.npy --all-phases --out": "a.stl",
    "measure a.npy --against a.npy --figure": "a.png",
    "measure a.npy --transport --csv": "a.csv",
    "report RUN --out": "a.html",
    "export RUN": "a.safetensors",
    "directions fit RUN --out": "a.safetensors",
    "directions apply RUN --move one=1 --size 8 --out": "a.tif",
    "directions sweep RUN one --size 8 --out": "a.tif",
    "directions sweep RUN one --size 8 --csv": "a.csv",
    "directions sweep RUN one --size 8 --figure": "a.png",
    "directions sweep RUN one --size 8 --animation": "a.gif",
    "evaluate mixture --steps 1 --out": "runs",
    "evaluate mixture --sweep 2 --steps 1 --out": "runs",
    "evaluate mixture --points points.npy --figure": "a.png",
}
FOLDERS = ("demo", "run", "runs", "sounds", "a.ome.zarr")


@pytest.fixture(scope="module")
def place(
    toy_run: Path, toy_config: RunConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with something for each command to read, and a file called FILE."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(toy_run, folder / "RUN")
    (folder / "toy.json").write_text(toy_config.model_dump_json())
    (folder / "FILE").touch()
    (folder / "table.csv").write_text("image\nsem.tif\n")
    tifffile.imwrite(folder / "sem.tif", phases_image(40, 48).values)
    np.save(folder / "a.npy", phases_image(16, 16, 16).values)
    np.save(folder / "points.npy", np.zeros((9, 2)))
    return folder


def refuse_work(*_: object, **__: object) -> None:
    raise AssertionError("Work was begun.")


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place, where whatever takes time fails."""
    monkeypatch.chdir(place)
    for work in (
        "cli.report.compare",
        "cli.report.measure_physics",
        "cli.mesh.surface_mesh",
        "report.batch._Runner.run",
        "cli.baseline.gaussian_volume",
        "cli.report.prove",
        "cli.report.export_generator",
        "cli.directions.fit_directions",
        "cli.directions.sweep",
        "cli.generate.generate_images",
        "cli.generate.generation_costs",
        "cli.demo.run_demo",
        "cli.train.train_with_progress",
        "cli.evaluate.train_with_progress",
        "cli.evaluate.sweep",
        "cli.evaluate.draw_mixture",
        "cli.window.window_fault",
        "generation.generate.VolumePlan.generate",
    ):
        monkeypatch.setattr(f"napari_slicegan.{work}", refuse_work)
    return place


def assert_refused(command: str, place: str, words: str, capsys: Capture) -> None:
    """Exit status 2, one sentence that names the place, nothing written."""
    before = sorted(Path().rglob("*"))
    assert main([*command.split(), place]) == 2, (command, place)
    printed = capsys.readouterr()
    assert words in printed.err, (command, place, printed.err)
    assert printed.err.startswith("slicegan: "), (command, place, printed.err)
    assert len(printed.err.splitlines()) == 1
    assert sorted(Path().rglob("*")) == before, (command, place)


def test_places_that_cannot_be_written(here: Path, capsys: Capture) -> None:
    for command, name in OUTPUTS.items():
        for folder in ("FILE", "FILE/new/one", "/proc"):
            assert_refused(command, f"{folder}/{name}", "place that can be", capsys)
        for place in ("x" * 300 + f"/{name}", "y" * 290 + name):
            assert_refused(command, place, "at most 255 bytes", capsys)
        (here / "there").mkdir()
        kind = "FILE" if name in FOLDERS else f"there/{name}"
        if name not in FOLDERS:
            (here / kind).mkdir()
        assert_refused(command, kind, kind, capsys)
        shutil.rmtree(here / "there")


INPUTS = {
    "baseline sem.tif --size 8 --out": "sem.tif",
    "baseline *.tif --size 8 --out": "sem.tif",
    "baseline sem.raw --size 8 --out": "sem.mhd",
    "generate RUN --size 8 --through sem.tif --at z=0 --out": "sem.tif",
    "sample RUN --out a.npy --sheet": "RUN/preview.png",
    "measure RUN --transport --csv": "RUN/history.csv",
    "report RUN --out": "RUN/config.html",
    "directions fit RUN --out": "RUN/generator.safetensors",
    "export RUN": "RUN/generator.safetensors",
}


def test_inputs_are_not_replaced(here: Path, capsys: Capture) -> None:
    """Nor the files of a run, also not by what is written beside a file."""
    files = [here / "sem.raw", here / "RUN" / "preview.png"]
    for file in files:
        file.touch()
    for command, name in INPUTS.items():
        assert_refused(command, name, "which this command reads; choose", capsys)
    assert_refused(
        "directions sweep RUN one --figure a.png --sheet", "./a.png", "for two", capsys
    )
    for file in files:
        file.unlink()


def test_endings_that_no_writer_knows(here: Path, capsys: Capture) -> None:
    for command, name in OUTPUTS.items():
        if name not in FOLDERS:
            assert_refused(command, "a.xyz", ".xyz", capsys)
            # The whole name, not its ending.
            assert_refused(command, Path(name).suffix, "that ends in", capsys)


def test_a_run_in_a_place_without_write_access(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is where these commands write by default."""

    def read_only(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", read_only)
    for command in ["resume", "report", "generate --size 8"]:
        assert_refused(command, "RUN", "(Read-only file system); choose", capsys)


def test_files_of_others_in_a_shared_folder_cannot_be_replaced(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those in /tmp, where new files can be written."""
    shared = here / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "a.tif").touch()
    monkeypatch.setattr("os.geteuid", lambda: shared.stat().st_uid + 1)
    command = "generate RUN --size 8 --out"
    assert_refused(command, "shared/a.tif", "a file of another user; choose", capsys)
    check_can_write(shared / "b.tif")
    shutil.rmtree(shared)


def test_folders_that_are_missing_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not made before they are needed. The present folder has no name."""
    monkeypatch.chdir(tmp_path)
    check_can_write_into(Path())
    check_can_write(tmp_path / "new" / "one" / "a.tif", ".tif")
    check_can_write_into(tmp_path / "new" / "one")
    check_can_write(tmp_path / "A.TIF", ".tif")
    assert not list(tmp_path.iterdir())


NAMES = {
    "my slice (1)": "my-slice-1",
    "CON": "_CON",
    "nul": "_nul",
    "aux.tif": "_aux.tif",
    "com1": "_com1",
    "LPT9.x": "_LPT9.x",
    "com10": "com10",
    "steel.": "steel",
    "steel ": "steel",
    "...": "unnamed",
    "": "unnamed",
    'a<b>c:d"e/f\\g|h?i*j': "a-b-c-d-e-f-g-h-i-j",
    "tab\tnew\nline": "tab-new-line",
    "5 µm, 日本": "5-µm-日本",
    "u\u0308": "ü",
    "lost \udcfc byte": "lost-byte",
    "x" * 300: "x" * 80,
    "日" * 100: "日" * 26,
}


def test_names_that_the_program_makes_up_are_valid_everywhere() -> None:
    for text, wanted in NAMES.items():
        name = safe_name(text)
        assert name == wanted
        assert not windows_fault(PureWindowsPath(name))
        assert len(name.encode()) <= 81


def test_run_folders_have_safe_names(tmp_path: Path) -> None:
    """The date follows the name of the image."""
    assert new_folder(str(tmp_path), "a: µ?").name.startswith("a-µ-20")


FAULTS = {
    "CON": "device",
    "runs/NUL.tif": "device",
    "C:\\data\\aux": "device",
    "com1 .txt": "device",
    "COM¹": "device",
    "runs./a.tif": "dot or a space",
    "runs /a.tif": "dot or a space",
    "a|b.tif": "'|'",
    "C:\\a<b": "'<'",
    "C:\\a\\b:c.tif": "':'",
    "a\x07": "'\\x07'",
    "C:\\data\\µm\\日本 1.tif": "",
    "\\\\server\\share\\a.tif": "",
    "..\\runs\\.\\console.tif": "",
    "d:a.tif": "",
}


def test_what_windows_cannot_store() -> None:
    for path, words in FAULTS.items():
        fault = windows_fault(PureWindowsPath(path))
        assert words in fault, path
        assert bool(fault) == bool(words), path


def test_windows_refuses_such_names_before_the_work(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a file called NUL would vanish without a word, or the path is too long."""
    monkeypatch.setattr(atomic_files, "IS_WINDOWS", True)
    command = "generate RUN --size 8 --out"
    assert_refused(command, "nul.tif", "'nul.tif' is the name of a device", capsys)
    assert_refused(command, "a?.tif", "contains '?'", capsys)
    assert_refused("train sem.tif --out", "runs.", "ends in a dot", capsys)
    long = "/".join(["d" * 50] * 5 + ["a.tif"])
    assert_refused(command, long, "of 259)", capsys)
