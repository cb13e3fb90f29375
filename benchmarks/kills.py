"""Commands that are killed, or whose disk fails: the next command must go on.

    python -m benchmarks.kills --kills 200 --out kills.csv

Each trial starts a command in a process of its own (train, generate a TIFF, an OME-Zarr
or a header and its values, fit directions, write a report, meshes, or a generator and
its card) and disturbs it up to three times: it is
killed at a random time, or at a random use of a file (opening, renaming, removing;
within saves, blocks, pyramid steps), gets a signal that asks it to stop, or its disk
fails: a random write, flush or renaming and those after it end with an error of the
system (with a C compiler; `failing_disk.c`). Then the command that a person would use
next runs to its end: ``resume`` for a run, else the same command. Its result must be
that of a command that nobody disturbed, bit by bit. Small networks, one thread; needs
Unix.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import errno
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

from napari_slicegan.cli import generate as cli_generate
from napari_slicegan.cli import report as cli_report
from napari_slicegan.cli.parser import main as run_command
from napari_slicegan.generation import generate
from napari_slicegan.report import model_card
from napari_slicegan.report.proof import prove
from napari_slicegan.training.run_folder import PREVIEW, RunFolder
from tests.toys import small_config

STEPS = 8
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = 130
# Of a process that is killed before it can answer, that has stopped, or finished; and
# of one that says in a sentence what it cannot write.
ENDS = (0, STOPPED, *(-number for number in (signal.SIGKILL, *STOPPING)))
REFUSED = 2
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS, errno.ESTALE)
# Uses of files that fail, one after the other.
OUTAGES = (1, 4, 10_000)
SHIM = Path(__file__).with_name("failing_disk.c")
MOST_S = 120
# Python ignores a Ctrl+C that meets one of its finalizers, and says so.
TRACEBACK = re.compile(r"^(?!Exception ignored).*\nTraceback", re.MULTILINE)
# The random identifier of an OME-TIFF, and the time at which a report was written.
UNIQUE = re.compile(
    rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[-\d]{10}T[:\d]{8}\+00:00",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Task:
    """A command to kill.

    Attributes
    ----------
    words
        The command that goes on in the folder of a trial.
    result
        What must be equal, by names.
    """

    words: Callable[[Path], list[str]]
    result: Callable[[Path], dict[str, str]]


def settings() -> dict[str, Any]:
    """Settings of the tests' small networks, saved after each step."""
    config = small_config().changed(
        steps=STEPS, checkpoint_minutes=1e-9, monitor_interval=4
    )
    return config.model_dump(mode="json")


def make_inputs(folder: Path) -> NDArray[np.uint8]:
    """Write an image and settings, and train a run; returns the image.

    The first step of a process takes seconds; children inherit what it sets up.
    """
    y, x = np.mgrid[:40, :48]
    image = ((np.sin(x / 4) + np.cos(y / 5)) > 0).astype(np.uint8)
    tifffile.imwrite(folder / "a.tif", image)
    np.save(folder / "volume.npy", np.stack([image, image[::-1] + 1] * 6))
    (folder / "settings.json").write_text(json.dumps(settings()))
    run_command(tasks(folder)["train"].words(folder))
    return image


def tasks(inputs: Path) -> dict[str, Task]:
    """The commands by name; `inputs` holds what `make_inputs` has made."""
    image, config, run = inputs / "a.tif", inputs / "settings.json", inputs / "run"
    start = ["train", str(image), "--config", str(config), "--out"]

    def train(folder: Path) -> list[str]:
        out = folder / "run"
        is_begun = (out / "config.json").exists()
        return ["resume", str(out)] if is_begun else [*start, str(out)]

    def volume(name: str) -> Callable[[Path], list[str]]:
        size = ["--size", "40", "33", "24", "--device", "cpu", "--out"]
        return lambda folder: ["generate", str(run), *size, str(folder / name)]

    fit = ["directions", "fit", str(run), "--samples", "40", "--components", "2"]
    fit += ["--no-effects", "--out"]
    mesh = ["mesh", str(inputs / "volume.npy"), "--all-phases", "--out"]
    report = ["report", str(run), "--quick", "--size", "32", "--seeds", "2", "--out"]
    return {
        "train": Task(train, run_result),
        "tiff": Task(volume("a.tif"), files_result),
        "ome-zarr": Task(volume("a.ome.zarr"), files_result),
        "directions": Task(
            lambda folder: [*fit, str(folder / "a.safetensors")], files_result
        ),
        "report": Task(lambda folder: [*report, str(folder / "a.html")], files_result),
        "header": Task(volume("a.mhd"), files_result),
        "mesh": Task(lambda folder: [*mesh, str(folder / "a.stl")], files_result),
        "export": Task(
            lambda folder: ["export", str(run), str(folder / "a.safetensors")],
            files_result,
        ),
    }


def measured_once(prove: Callable[..., Any]) -> Callable[..., Any]:
    """A measurement whose first result is returned from then on, also in children."""
    found: list[Any] = []

    def call(*arguments: Any) -> Any:
        if not found:
            found.append(prove(*arguments))
        return found[0]

    return call


def files_result(folder: Path) -> dict[str, str]:
    """Hashes of all files, also of those that should not be left."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): _hash(UNIQUE.sub(b"", path.read_bytes()))
        for path in files
    }


def run_result(folder: Path) -> dict[str, str]:
    """Names of the files; hashes of what they hold, without the times."""
    run = RunFolder.open(folder / "run")
    rows = [{**row, "elapsed_s": ""} for row in run.history()]
    digest = hashlib.sha256()
    _add(digest, run.load_checkpoint()["game"])
    return {
        # A preview, or an earlier checkpoint, that could not be written is not made
        # again.
        "names": " ".join(
            sorted(
                path.name
                for path in run.path.iterdir()
                if path.name != PREVIEW and not path.match("checkpoint-*.pt")
            )
        ),
        "generator": _hash((run.path / "generator.safetensors").read_bytes()),
        "history": _hash(repr(rows).encode()),
        "checkpoint": digest.hexdigest(),
    }


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _add(digest: Any, state: Any) -> None:
    if isinstance(state, torch.Tensor):
        digest.update(state.contiguous().numpy().tobytes())
    elif isinstance(state, dict):
        for key, value in state.items():
            digest.update(str(key).encode())
            _add(digest, value)
    elif isinstance(state, (list, tuple)):
        for value in state:
            _add(digest, value)
    else:
        digest.update(repr(state).encode())


def start(
    words: list[str],
    folder: Path,
    kill_at: int = 0,
    prepare: Callable[[], object] = int,
    **fault: object,
) -> int:
    """Run a command in a forked child, whose log is beside the folder.

    Parameters
    ----------
    kill_at
        The use of a file at which it dies.
    prepare
        Called in the child, first.
    fault
        Variables of `failing_disk.c`.
    """
    child = os.fork()
    if child:
        return child
    status, is_begun = STOPPED, False
    try:
        log = os.open(log_of(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        count, inside = 0, f"{folder}/"

        def hook(event: str, arguments: Any) -> None:
            nonlocal count
            if event in EVENTS and str(arguments[0]).startswith(inside):
                count += 1
                if count == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        prepare()
        for name, value in {"folder": inside, **fault}.items():
            os.environ[f"FAULT_{name.upper()}"] = str(value)
        # Volumes of several blocks that are written block by block.
        cli_generate.MEMORY_BYTES, generate.TILE_STEPS = 1000, 2
        is_begun = True
        status = run_command(words)
        sys.stdout.flush()
        os.write(log, f"\nuses of files: {count}, {disk_uses()}\n".encode())
    except BaseException:  # noqa: BLE001 as Python does
        if is_begun:  # what may not happen
            status = 1
            traceback.print_exc()
    finally:
        os._exit(status)


def log_of(folder: Path) -> Path:
    """What the commands of a trial printed."""
    return folder.with_suffix(".log")


def disk_uses() -> int:
    """Uses of files that could have failed in this process; 0 without the shim."""
    count = getattr(ctypes.CDLL(None), "uses_of_files", lambda: 0)
    return int(count())


def with_failing_disk(arguments: Sequence[str], folder: Path) -> None:
    """Start this program anew with the shim, where there is a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None or hasattr(ctypes.CDLL(None), "uses_of_files"):
        return
    library = folder / "failing_disk.so"
    made = ("-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl")
    subprocess.run([compiler, *made], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    words = [sys.executable, "-m", "benchmarks.kills", *arguments]
    sys.exit(subprocess.run(words, check=False, env=environment).returncode)


def wait(child: int) -> int:
    """Exit status of a child, negative for a signal; stuck ones are killed."""
    until = time.monotonic() + MOST_S
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return MOST_S


@dataclass(frozen=True)
class Undisturbed:
    """What a command takes that nobody disturbs."""

    result: dict[str, str]
    seconds: float
    n_uses: int
    n_disk_uses: int


def undisturbed(task: Task, folder: Path) -> Undisturbed:
    """Run a command to its end, in a new folder."""
    folder.mkdir()
    began = time.monotonic()
    status = wait(start(task.words(folder), folder))
    seconds = time.monotonic() - began
    text = log_of(folder).read_text()
    if status:
        raise RuntimeError(f"The command failed: {text}")
    n_uses, n_disk_uses = map(int, re.findall(r"uses of files: (\d+), (\d+)", text)[-1])
    return Undisturbed(task.result(folder), seconds, n_uses, n_disk_uses)


def disturbed(
    words: list[str], kind: str, usual: Undisturbed, folder: Path, rng: random.Random
) -> int:
    """Disturb a command once; its exit status."""
    if kind == "use of a file":
        return wait(start(words, folder, rng.randint(1, usual.n_uses)))
    if kind == "disk":
        fault = {"at": rng.randint(1, usual.n_disk_uses), "count": rng.choice(OUTAGES)}
        return wait(start(words, folder, errno=rng.choice(ERRORS), **fault))
    child = start(words, folder)
    time.sleep(rng.uniform(0, usual.seconds))
    os.kill(child, rng.choice(STOPPING) if kind == "signal" else signal.SIGKILL)
    return wait(child)


def trial(
    task: Task, kind: str, usual: Undisturbed, folder: Path, rng: random.Random
) -> tuple[int, str]:
    """Disturb a command up to three times, then let it finish.

    Returns
    -------
    int, str
        How often it was disturbed; the fault, if any.
    """
    folder.mkdir()
    count = 0
    for _ in range(rng.randint(1, 3)):
        status = disturbed(task.words(folder), kind, usual, folder, rng)
        count += status != 0 or kind == "disk"
        if status not in (*ENDS, *([REFUSED] if kind == "disk" else [])):
            return count, f"disturbed command ended with {status}"
    status = wait(start(task.words(folder), folder))
    if status:
        return count, f"next command ended with {status}"
    if TRACEBACK.search(log_of(folder).read_text()):
        return count, "traceback"
    differing = {*task.result(folder).items()} ^ {*usual.result.items()}
    names = sorted({name for name, _ in differing})
    return count, f"other results: {' '.join(names)}" if names else ""


KINDS = ("time", "use of a file", "signal", "disk")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run trials until there are enough kills; print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="of all tasks together")
    parser.add_argument("--minutes", type=float, default=60, help="of trials, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=None, help="by default all")
    parser.add_argument("--out", type=Path, default=Path("kills.csv"))
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        with_failing_disk(arguments or sys.argv[1:], Path(temporary))
    torch.set_num_threads(1)
    rng = random.Random(options.seed)
    kills: Counter[tuple[str, str]] = Counter()
    trials: Counter[tuple[str, str]] = Counter()
    faults: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        known = tasks(folder)
        make_inputs(folder)
        names = options.tasks or list(known)
        # Measured once: writing is to be disturbed.
        for name, module in (("report", cli_report), ("export", model_card)):
            if name in names:
                vars(module)["prove"] = measured_once(prove)
                run_command(known[name].words(folder))
        expected = {name: undisturbed(known[name], folder / name) for name in names}
        kinds = KINDS if expected[names[0]].n_disk_uses else KINDS[:-1]
        # A few trials have all tasks and all kinds.
        pairs = [
            (name, kinds[(number + shift) % len(kinds)])
            for shift in range(len(kinds))
            for number, name in enumerate(names)
        ]
        number, end = 0, time.monotonic() + 60 * options.minutes
        while sum(kills.values()) < options.kills and time.monotonic() < end:
            name, kind = pairs[number % len(pairs)]
            place = folder / f"trial-{number}"
            n, fault = trial(known[name], kind, expected[name], place, rng)
            kills[name, kind] += n
            trials[name, kind] += 1
            if fault:
                kept = options.out.with_name(f"kills-{number}-{name}.log")
                shutil.copy(log_of(place), kept)
                faults.append((name, kind, f"{fault}; see {kept}"))
                sys.stdout.write(" | ".join(faults[-1]) + "\n")
            shutil.rmtree(place)
            number += 1
    with options.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["task", "kind", "trials", "disturbed", "faults"])
        for pair in pairs:
            n_faults = sum(fault[:2] == pair for fault in faults)
            table.writerow([*pair, trials[pair], kills[pair], n_faults])
    sys.stdout.write(
        f"{sum(trials.values())} trials, disturbed {sum(kills.values())} times, "
        f"{len(faults)} faults\n"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
