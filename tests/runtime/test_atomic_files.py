"""Files are either whole or not there."""

from __future__ import annotations

import errno
import os
import platform
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from napari_slicegan.runtime import atomic_files
from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_can_write_into,
    creating_folder,
    fitting_name,
    lock,
    partial_path,
    remove_partial_files,
    replacing,
)


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


FAULTS = {
    "while writing": OSError(errno.ENOSPC, "No space left on device"),
    "stopped by the user": KeyboardInterrupt(),
    "fsync": OSError(errno.EIO, "Input/output error"),
    "replace": PermissionError(errno.EACCES, "in use by another program"),
}


@pytest.mark.parametrize("moment", FAULTS)
def test_the_old_file_survives_a_fault(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether writing, flushing or renaming fails."""
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise FAULTS[moment]

    if moment in ("fsync", "replace"):
        monkeypatch.setattr({"fsync": os, "replace": Path}[moment], moment, fail)
    with pytest.raises(type(FAULTS[moment])), replacing(path) as temporary:
        temporary.write_text("ha")
        if moment not in ("fsync", "replace"):
            fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_flushed_before_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the content, then the name, then the folder that holds the name."""
    path, events = tmp_path / "a.txt", []
    fsync, replace = os.fsync, Path.replace

    def flushed(descriptor: int) -> None:
        fsync(descriptor)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("folder flushed" if is_folder else "file flushed")

    def renamed(source: Path, target: Path) -> Path:
        events.append("renamed")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", renamed)
    with replacing(path) as temporary:
        temporary.write_text("whole")
    # Windows cannot flush folders.
    folder = [] if os.name == "nt" else ["folder flushed"]
    assert events == ["file flushed", "renamed", *folder]


@pytest.mark.parametrize("fault", [None, "fsync", "rename"])
def test_folders_are_whole_or_not_there(
    fault: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault:
        monkeypatch.setattr({"fsync": os, "rename": Path}[fault], fault, fail)
    path = tmp_path / "made"
    expected = pytest.raises(OSError, match="No space") if fault else nullcontext()
    with expected, creating_folder(path) as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner" / "a.txt").write_text("whole")
        assert not path.exists()
    if fault:
        assert names(tmp_path) == []
    else:
        assert names(tmp_path) == ["made"]
        assert (path / "inner" / "a.txt").read_text() == "whole"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Two threads of one process; the last one to finish wins."""
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert names(tmp_path) == ["a.txt"]


WRITE_ON_DEMAND = """
import pathlib, sys
from napari_slicegan.runtime.atomic_files import replacing
with replacing(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("whole")
    print("begun", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def writer_of(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is writing a file, and finishes it when it gets a line."""
    command = [sys.executable, "-c", WRITE_ON_DEMAND, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as writer:  # type: ignore[call-overload]
        assert writer.stdout.readline() == "begun\n"
        yield writer


def test_unfinished_files_of_living_processes_stay(tmp_path: Path) -> None:
    """Those of another program, and of another thread of this one."""
    theirs, ours = tmp_path / "theirs.txt", tmp_path / "ours.txt"
    with writer_of(theirs) as writer:
        with replacing(ours) as temporary:
            temporary.write_text("whole")
            remove_partial_files(tmp_path)
        assert writer.stdin is not None
        writer.stdin.write("finish\n")
        writer.stdin.close()
        assert writer.wait() == 0
    assert names(tmp_path) == ["ours.txt", "theirs.txt"]
    assert theirs.read_text() == ours.read_text() == "whole"


def test_unfinished_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    with writer_of(tmp_path / "a.txt") as writer:
        writer.kill()
    assert len(names(tmp_path)) == 1
    remove_partial_files(tmp_path, "b.txt")
    assert len(names(tmp_path)) == 1
    remove_partial_files(tmp_path, "a.txt")
    assert names(tmp_path) == []


def left_over(path: Path, age_s: float) -> Path:
    """An unfinished file that was last written to some time ago."""
    path.write_text("ha")
    written_s = time.time() - age_s
    os.utime(path, (written_s, written_s))
    return path


UNKNOWN: list[str] = [
    ".a.txt.01234567-1-89abcdef.partial",  # another machine
    ".a.txt.4711.partial",  # version 0.1.0 of this program
]


def test_files_of_unknown_writers_are_removed_after_a_day(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for name in UNKNOWN:
        with subtests.test(name):
            left = left_over(tmp_path / name, 23 * 3600)
            remove_partial_files(tmp_path)
            assert left.exists()
            left_over(left, 25 * 3600)
            remove_partial_files(tmp_path)
            assert not left.exists()


def test_a_process_number_that_was_given_again(tmp_path: Path) -> None:
    """A file older than the process of its number is a dead one's."""
    started_ago_s = time.time() - psutil.Process().create_time()
    left = left_over(partial_path(tmp_path / "a.txt"), started_ago_s + 25 * 3600)
    remove_partial_files(tmp_path)
    assert not left.exists()


def test_folders_of_dead_processes_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        # No process has it: beyond the largest number that systems give.
        changed.setattr(os, "getpid", lambda: 2**30)
        left = partial_path(tmp_path / "deep" / "a.zarr")
    (left / "0").mkdir(parents=True)
    (left / "0" / "zarr.json").write_text("{}")
    remove_partial_files(tmp_path)
    assert left.exists()
    remove_partial_files(tmp_path, recursive=True)
    assert not left.exists()


LONGEST = {"ascii": "a" * 251 + ".txt", "two bytes": "é" * 125 + "a.txt"}
if sys.platform == "linux":  # Others store no such names.
    LONGEST["no UTF-8"] = os.fsdecode(b"\xfc" * 251 + b".txt")


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows have 259 characters")
@pytest.mark.parametrize("name", LONGEST.values(), ids=list(LONGEST))
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    """255 bytes, although the temporary name has more; a byte more is refused."""
    path = tmp_path / name
    assert len(os.fsencode(name)) == 255
    check_can_write(path)
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert len(os.fsencode(temporary.name)) <= 255
    assert names(tmp_path) == [name]
    dead = partial_path(path).name.replace(f"-{os.getpid()}-", f"-{2**30}-")
    (tmp_path / dead).touch()
    remove_partial_files(tmp_path, name)
    assert names(tmp_path) == [name]
    refused = r"at most 255 bytes, .* has 256; choose"
    with pytest.raises(ValueError, match=refused):
        check_can_write(tmp_path / f"b{name}")
    with pytest.raises(ValueError, match=refused):
        check_can_write_into(tmp_path / f"b{name}")


@pytest.mark.skipif(os.name == "nt", reason="Windows stores any UTF-16")
def test_a_name_that_no_file_has_is_refused(tmp_path: Path) -> None:
    """Half of a pair of UTF-16, as a script or a JSON file may give it."""
    refused = r"name that can be stored, got 'a\\ud800.txt'"
    with pytest.raises(ValueError, match=refused):
        check_can_write(tmp_path / "a\ud800.txt")


def test_cut_names_differ_and_keep_their_ending() -> None:
    """Characters of three bytes stay whole; a short name stays as it is."""
    first, second = (f"{'日' * 90}{end}" for end in "ab")
    cut = [fitting_name(name, "-phase-255.stl") for name in (first, second)]
    assert len(set(cut)) == 2
    for name in cut:
        assert 250 < len(name.encode()) <= 255
        assert re.fullmatch("日+-[0-9a-f]{8}-phase-255.stl", name)
    assert fitting_name("a" * 241, "-phase-255.stl") == "a" * 241 + "-phase-255.stl"
    assert len(fitting_name("a" * 242, "-phase-255.stl")) == 255


def test_nothing_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert names(tmp_path) == []


WRITE_FOR_EVER = """
import itertools, pathlib, sys
from napari_slicegan.runtime.atomic_files import replacing
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


@pytest.mark.parametrize("delay_s", [0.01, 0.04])
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
    # The next one clears away what it left; of other files nothing is known.
    for name in ("a.txt", "b.txt"):
        dead = f".{name}.{partial_path(path).name.split('.')[-2]}.partial"
        (tmp_path / dead.replace(f"-{os.getpid()}-", f"-{writer.pid}-")).touch()
    with replacing(path) as temporary:
        temporary.write_text("next")
    assert [name for name in names(tmp_path) if "a.txt" in name] == ["a.txt"]
    assert len(names(tmp_path)) == 2


def test_runs_that_start_in_one_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that stays unused is removed again."""
    monkeypatch.setattr(atomic_files, "timestamp", lambda: "20261128-120000")
    names = [
        atomic_files.new_folder(tmp_path / "runs", "a sem (1).tif").name
        for _ in range(3)
    ]
    first = "a-sem-1-20261128-120000"
    assert names == [first, f"{first}-2", f"{first}-3"]
    # Also where they look at the same moment.
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda _: atomic_files.new_folder(tmp_path, "sem"), range(32))
        )
    assert len(set(made)) == 32


@pytest.mark.parametrize("is_new", [True, False])
def test_only_folders_made_for_a_run_are_removed(tmp_path: Path, is_new: bool) -> None:
    unused = atomic_files.new_folder(tmp_path / "other", "sem")
    with (
        pytest.raises(ValueError, match="too small"),
        atomic_files.removed_if_unused(unused, with_parent=is_new),
    ):
        raise ValueError("too small")
    assert not unused.exists()
    assert unused.parent.exists() is not is_new


HOLD = """
import sys, time
from pathlib import Path
from napari_slicegan.runtime.atomic_files import lock
with lock(Path(sys.argv[1]), "It is held"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_held_by_one_process_and_ends_with_it(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """The refusal names the process; of a killed one only the file is left."""
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    holder = subprocess.Popen(
        command, cwd=pytestconfig.rootpath, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        words = rf"It is held by process {holder.pid} on .+; wait until it ends"
        with pytest.raises(ValueError, match=words):
            lock(path, "It is held")
    finally:
        holder.kill()
        holder.communicate()
    assert names(tmp_path) == ["a.lock"]
    with lock(path, "It is held"):
        words = rf"by process {os.getpid()} on"
        with pytest.raises(ValueError, match=words):
            lock(path, "It is held")
    assert names(tmp_path) == []


def test_a_disk_without_locks_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic_files, "_lock", unsupported)
    with lock(tmp_path / "a.lock", "It is held"):
        assert names(tmp_path) == ["a.lock"]
    assert names(tmp_path) == []


class LockingRuntime(ModuleType):
    """Windows' C runtime, as Python and Microsoft document `locking`.

    Locks bytes from the current position on, also behind the end, for one open file;
    a locked byte is refused with EACCES at once (LK_NBLCK), also to the same process.
    """

    LK_UNLCK, LK_NBLCK = 0, 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.held: dict[tuple[int, int], int] = {}
        self.begins: set[int] = set()

    def locking(self, descriptor: int, mode: int, n_bytes: int) -> None:
        assert n_bytes == 1
        begin = os.lseek(descriptor, 0, os.SEEK_CUR)
        self.begins.add(begin)
        byte = (os.fstat(descriptor).st_ino, begin)
        if mode == self.LK_UNLCK:
            assert self.held.pop(byte) == descriptor
        elif byte in self.held:
            raise PermissionError(errno.EACCES, "Permission denied")
        else:
            self.held[byte] = descriptor

    @staticmethod
    def unlink(path: Path) -> None:
        """Windows removes no file that is open."""
        for descriptor in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):
                assert os.readlink(descriptor) != str(path)
        os.remove(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="lists open files")
def test_a_lock_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One holder, whose name can be read; unlocked and removed at its end."""
    runtime = LockingRuntime()
    path = tmp_path / "a.lock"
    holder = f"process {os.getpid()} on {platform.node()}"
    monkeypatch.setitem(sys.modules, "msvcrt", runtime)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(atomic_files, "IS_WINDOWS", True)
    monkeypatch.setattr(Path, "unlink", runtime.unlink)
    # Drives without identifiers of files: of FAT, of some networks.
    monkeypatch.setattr(os.path, "samestat", lambda *_: pytest.fail("identifies files"))
    for _ in range(2):
        with lock(path, "It is held"):
            assert path.read_text() == holder
            with pytest.raises(ValueError, match=f"It is held by {holder}; wait"):
                lock(path, "It is held")
            assert len(runtime.held) == 1
        assert not runtime.held
        assert names(tmp_path) == []
    # Of a process that was killed only the file is left.
    path.write_text("process 1 on another machine, long gone")
    with lock(path, "It is held"):
        assert path.read_text() == holder
    assert min(runtime.begins) > 200
