"""Files are either whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_slicegan.machine.atomic_files import replacing


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == tmp_path
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("fault", [OSError("disk full"), KeyboardInterrupt()])
def test_the_old_file_survives_a_fault(tmp_path: Path, fault: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(fault)), replacing(path) as temporary:
        temporary.write_text("ha")
        raise fault
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_nothing_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


WRITE_FOR_EVER = """
import itertools, pathlib, sys
from napari_slicegan.machine.atomic_files import replacing
for number in itertools.count():
    with replacing(pathlib.Path(sys.argv[1])) as temporary:
        with temporary.open("w") as file:
            for _ in range(50):
                file.write(f"{number}\\n" * 200)
                file.flush()
"""


def assert_whole(path: Path) -> None:
    """All 10,000 lines of one version."""
    lines = path.read_text().splitlines()
    assert len(lines) == 10_000
    assert len(set(lines)) == 1


@pytest.mark.parametrize("delay_s", [0.01, 0.023, 0.04])
def test_killed_while_writing(tmp_path: Path, delay_s: float) -> None:
    """A reader finds a whole file, while the writer lives and whenever it dies."""
    path = tmp_path / "a.txt"
    writer = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(path)])
    while not path.exists():
        assert writer.poll() is None
        time.sleep(0.001)
    deadline = time.monotonic() + delay_s
    # On Windows a file that is being read cannot be replaced.
    while os.name != "nt" and time.monotonic() < deadline:
        assert_whole(path)
    writer.kill()
    assert writer.wait() != 0
    assert_whole(path)
