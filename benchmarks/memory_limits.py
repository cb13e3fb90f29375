"""Commands for which the memory does not suffice.

    python -m benchmarks.memory_limits --trials 200 --minutes 30

Runs commands that may map only a random number of bytes more than they have at their
start (RLIMIT_AS): training, volumes, directions, reports, facts about a picture. Each
must end well, or with one sentence that says that the memory does not suffice; the next
command, without a limit, must end with the result of a command that nobody disturbed,
bit by bit. Needs Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import tifffile
import torch

from benchmarks.kills import (
    MOST_S,
    REFUSED,
    TRACEBACK,
    Task,
    files_result,
    log_of,
    make_inputs,
    start,
    tasks,
    wait,
)
from napari_slicegan.runtime.memory import give_back_freed_memory, keep_freed_memory

MB = 10**6
PIXELS = 3000
"""Edge of the picture whose facts are printed."""
LACK = re.compile(r"^slicegan: [^\n]*memory[^\n]*\.$", re.MULTILINE)
FIRST, NEW = 2**22, 2**28
"""Bytes of the first trial: beyond those at the start, and of a whole process."""


def commands(inputs: Path) -> dict[str, Task]:
    """Those of the campaign of kills, and others that read and measure."""
    truth, run = inputs / "truth.tif", inputs / "run"

    def report(folder: Path) -> list[str]:
        out = ["--quick", "--size", "32", "--seeds", "2", "--out"]
        return ["report", str(run), *out, str(folder / "a.html")]

    figure = ["--figure"]
    measure = ["measure", str(truth), "--against", str(inputs / "a.tif"), *figure]
    info = ["info", str(inputs / "large.tif")]
    known = tasks(inputs)
    del known["export"]  # measures for a minute
    return {
        **known,
        "measure": Task(
            lambda folder: [*measure, str(folder / "a.png")], _names_of_files
        ),
        # The time of the report differs.
        "report": Task(report, _names_of_files),
        "info": Task(lambda folder: info, files_result),
        "segment": Task(
            lambda folder: [*info, "--segmentation", "otsu", "--denoise", "median"],
            files_result,
        ),
    }


def _names_of_files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): "" for p in folder.rglob("*") if p.is_file()}


def make_more_inputs(folder: Path) -> None:
    """Beside the inputs of the campaign of kills, a volume and a large image."""
    image = make_inputs(folder)
    tifffile.imwrite(folder / "truth.tif", np.stack([image] * 40))
    y, x = np.ogrid[:PIXELS, :PIXELS]
    waves = 128 + 60 * (np.sin(x / 9) + np.cos(y / 11))
    noise = np.random.default_rng(0).normal(0, 5, waves.shape)
    gray = np.clip(waves + noise, 0, 255).astype(np.uint8)
    tifffile.imwrite(folder / "large.tif", gray)


BALLAST: list[bytes] = []
SMALL = 2**23


def mapped() -> int:
    """Bytes that this process has mapped."""
    return int(psutil.Process().memory_info().vms)


def limit(more: int) -> None:
    """Let this process take so many more bytes, partly of its heap, partly new ones."""
    resource.setrlimit(resource.RLIMIT_AS, (mapped(), -1))
    # What its parent has freed in the heap is filled up, and a part given back.
    ballast: list[bytes] = []
    for size in (2**20, 2**16, 2**12):
        with contextlib.suppress(MemoryError):
            while True:
                ballast.append(bytes(size))
    given = 0
    while given < more and ballast:
        given += len(ballast.pop(0))
    BALLAST.extend(ballast)
    # For small objects of Python, and stacks of threads.
    resource.setrlimit(resource.RLIMIT_AS, (mapped() + max(more - given, SMALL),) * 2)


def limited(words: list[str], folder: Path, more: int, *, is_new: bool) -> int:
    """Exit status of a command with a limit, whose log is beside the folder.

    Parameters
    ----------
    more
        Bytes beyond those at its start.
    is_new
        Whether it starts in a new process, which also loads the libraries.
    """
    if not is_new:
        return wait(start(words, folder, prepare=partial(limit, more)))
    with log_of(folder).open("a") as log:
        return subprocess.run(
            [sys.executable, "-m", "napari_slicegan", *words],
            stdout=log,
            stderr=log,
            check=False,
            timeout=MOST_S,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (more,) * 2),
        ).returncode


def trial(
    task: Task, expected: dict[str, str], more: int, folder: Path, *, is_new: bool
) -> tuple[bool, str]:
    """Run a command with a limit, then without.

    Returns
    -------
    bool, str
        Whether the memory did not suffice; the fault, if any.
    """
    folder.mkdir()
    status = limited(task.words(folder), folder, more, is_new=is_new)
    text = log_of(folder).read_text()
    if TRACEBACK.search(text):
        return True, "traceback"
    # Libraries may crash where they get no memory: the run goes on as after a kill.
    has_crashed = status == -signal.SIGSEGV
    if status not in (0, REFUSED) and not has_crashed:
        return True, f"ended with {status}"
    if status and not has_crashed and len(LACK.findall(text)) != 1:
        return True, "no sentence about the memory"
    if wait(start(task.words(folder), folder)):
        return bool(status), "the next command failed"
    differing = {*task.result(folder).items()} ^ {*expected.items()}
    # A preview that memory lacks for is reported, and leaves a gap.
    without = {"history"} if "preview failed" in text else set()
    names = sorted({name for name, _ in differing} - without)
    return bool(status), f"other results: {' '.join(names)}" if names else ""


def limits(options: argparse.Namespace) -> int:
    """Run trials, print a table; 1 if there were faults."""
    rng = random.Random(options.seed)
    counts: Counter[tuple[str, bool, str]] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_more_inputs(folder)
        # Else the children would take what their parent has freed.
        give_back_freed_memory()
        known = commands(folder)
        names = options.tasks or list(known)
        kinds = (False, True) if options.new else (False,)
        expected: dict[str, dict[str, str]] = {}
        for name in names:
            (folder / name).mkdir()
            if status := wait(start(known[name].words(folder / name), folder / name)):
                raise RuntimeError(f"{name} ended with {status}")
            expected[name] = known[name].result(folder / name)
        end = time.monotonic() + 60 * options.minutes
        # First as many bytes as suffice, doubled until they do; then fewer.
        most: dict[tuple[str, bool], int] = {}
        tried: dict[tuple[str, bool], int] = {}
        pairs = itertools.cycle(itertools.product(names, kinds))
        for number, (name, is_new) in zip(range(options.trials), pairs, strict=False):
            if time.monotonic() > end:
                break
            pair = name, is_new
            if pair in most:
                more = rng.randrange(NEW if is_new else 0, most[pair])
            else:
                more = 2 * tried[pair] if pair in tried else NEW if is_new else FIRST
            tried[pair] = more
            place = folder / f"trial-{number}"
            lacked, fault = trial(
                known[name], expected[name], more, place, is_new=is_new
            )
            if not lacked and not fault:
                most.setdefault(pair, more)
            counts[name, is_new, "trials"] += 1
            counts[name, is_new, "lacks"] += lacked
            if fault:
                counts[name, is_new, "faults"] += 1
                kept = options.out / f"memory-{number}-{name}.log"
                shutil.copy(log_of(place), kept)
                sys.stdout.write(f"{name}, {more / MB:.0f} MB: {fault}; see {kept}\n")
            shutil.rmtree(place)
    for name, is_new in itertools.product(names, kinds):
        trials, lacks, faults = (
            counts[name, is_new, what] for what in ("trials", "lacks", "faults")
        )
        sys.stdout.write(
            f"{name}{' in a new process' * is_new}: {trials} trials, {lacks} without "
            f"enough memory, {faults} faults\n"
        )
    return int(any(what == "faults" for _, _, what in counts))


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the limits."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    return limits(options)


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--threads", type=int, default=1)
    add("--trials", type=int, default=100)
    add("--minutes", type=float, default=60, help="at most")
    add("--seed", type=int, default=0)
    add("--tasks", nargs="+", help="commands; by default all")
    add("--new", action="store_true", help="also in new processes")
    add("--out", type=Path, default=Path(), help="folder of the logs of faults")
    return made


if __name__ == "__main__":
    sys.exit(main())
