"""Commands for which the memory does not suffice.

    python -m benchmarks.memory_limits --trials 200 --minutes 30

Runs commands that may map only a random number of bytes more than they have at their
start (RLIMIT_AS): training, volumes, directions, reports, facts about a picture. Each
must end well, or with one sentence that says that the memory does not suffice; the next
command, without a limit, must end with the result of a command that nobody disturbed,
bit by bit. Needs Linux.

    python -m benchmarks.memory_limits --groups

Runs commands in control groups of Linux, as containers and batch systems do, with some
shares of the memory that they need. The kernel kills a process that takes more. A
command must end well, or refuse in one sentence before it writes anything; if it is
killed, the next command must end with the result of one that nobody disturbed. Needs a
system where groups can be made (root).
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
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import tifffile
import torch

from benchmarks.kills import (
    MOST_S,
    REFUSED,
    STEPS,
    TRACEBACK,
    Task,
    files_result,
    log_of,
    make_inputs,
    run_result,
    start,
    tasks,
    wait,
)
from benchmarks.memory_group import Ended, run_in_group, why_no_groups
from napari_slicegan.generation import memory
from napari_slicegan.generation import through as section_fits
from napari_slicegan.metrics import comparison
from napari_slicegan.runtime.memory import give_back_freed_memory, keep_freed_memory
from napari_slicegan.training import estimates

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


SHARES = (0.5, 0.7, 0.9, 1.0, 1.2)
"""Limits of groups, as shares of the most memory that a command had without one."""
ENOUGH = 2**33
WIDE = ("--generator-widths", "64", "32", "--critic-widths", "32", "64")
WIDE += ("--generator-batch-size", "32", "--critic-batch-size", "32")
"""Of a training that takes as much memory as the program."""
REFUSAL = re.compile(r"^(slicegan:|\d+/\d+ \w+: failed\.) [^\n]*memory", re.MULTILINE)
"""The sentence about the memory; also of a row of a batch."""
VOLUME = 160
"""Edge of the volumes in groups, which take as much memory as the program."""


def group_commands(inputs: Path) -> dict[str, Task]:
    """Commands for groups; some with larger volumes, and those that start others."""
    run, image = inputs / "run", inputs / "a.tif"
    known = commands(inputs)

    def wide(folder: Path) -> list[str]:
        words = known["train"].words(folder)
        return [*words, *WIDE] if words[0] == "train" else words

    def resume(folder: Path) -> list[str]:
        if not (folder / "run").exists():
            shutil.copytree(run, folder / "run")
        return ["resume", str(folder / "run"), "--steps", str(2 * STEPS)]

    def volume(name: str, *more: str) -> Callable[[Path], list[str]]:
        words = ["generate", str(run), "--device", "cpu", *more, "--out"]
        return lambda folder: [*words, str(folder / name)]

    size = ("--size", str(VOLUME))
    through = ("--size", "64", "--through", str(image), "--at", "z=20")
    baseline = ["baseline", str(image), "--size", "128", "--out"]
    batch = ["batch", str(inputs / "table.csv"), "--jobs", "2", "--size", "32", "--out"]
    return {
        "train": known["train"],
        "resume": Task(resume, run_result),
        "wide": Task(lambda folder: [*known["train"].words(folder), *WIDE], run_result),
        "tiff": Task(volume("a.tif", *size), files_result),
        "ome-zarr": Task(volume("a.ome.zarr", *size), files_result),
        "through": Task(volume("a.tif", *through), files_result),
        "report": known["report"],
        "measure": known["measure"],
        "directions": known["directions"],
        "baseline": Task(
            lambda folder: [*baseline, str(folder / "a.tif")], files_result
        ),
        "batch": Task(lambda folder: [*batch, str(folder / "rows")], _names_of_files),
    }


def make_group_inputs(folder: Path) -> None:
    """Beside the inputs of the campaign of kills, a volume and a table of two rows."""
    image = make_inputs(folder)
    tifffile.imwrite(folder / "truth.tif", np.stack([image] * 40))
    row = f"{folder / 'a.tif'},{folder / 'settings.json'}"
    (folder / "table.csv").write_text(f"name,image,config\none,{row}\ntwo,{row}\n")


def group_trial(
    task: Task, expected: dict[str, str], limit: int, folder: Path
) -> tuple[str, str]:
    """Run a command in a group; if it leaves something unfinished, also without one.

    Returns
    -------
    str, str
        "finished", "refused" or "killed"; the fault, if any.
    """
    folder.mkdir()
    words = task.words(folder)
    before = files_result(folder)
    ended = in_group(words, limit, folder)
    text = log_of(folder).read_text()
    if TRACEBACK.search(text):
        return "refused", "traceback"
    outcome = "killed" if ended.n_killed else "refused" if ended.status else "finished"
    if outcome == "refused":
        if ended.status != REFUSED or not REFUSAL.search(text):
            return outcome, f"status {ended.status} without a sentence about the memory"
        if files_result(folder) == before:
            return outcome, ""
        # Of a batch whose rows are refused.
    if outcome != "finished" and in_group(task.words(folder), ENOUGH, folder).status:
        return outcome, "the next command failed"
    return outcome, "" if task.result(folder) == expected else "other results"


def in_group(words: list[str], limit: int, folder: Path) -> Ended:
    """Run a command of the program in a group, whose log is beside the folder."""
    command = [sys.executable, "-m", "napari_slicegan", *words]
    return run_in_group(command, limit, log_of(folder), MOST_S)


def groups(options: argparse.Namespace) -> int:
    """Try commands in groups, print a table; 1 if there were faults."""
    if why := why_no_groups():
        sys.stdout.write(f"{why}\n")
        return 0
    cells = [f"{share:.0%}" for share in options.shares]
    sys.stdout.write(f"| command | needs, MB | {' | '.join(cells)} |\n")
    sys.stdout.write(f"| --- | --- |{' --- |' * len(cells)}\n")
    faults = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_group_inputs(folder)
        known = group_commands(folder)
        for name in options.tasks or known:
            (folder / name).mkdir()
            words = known[name].words(folder / name)
            alone = in_group(words, ENOUGH, folder / name)
            if alone.status:
                raise RuntimeError(log_of(folder / name).read_text())
            expected, outcomes = known[name].result(folder / name), []
            for share in options.shares:
                place = folder / f"{name}-{share:.0%}"
                limit = round(share * alone.peak)
                outcome, fault = group_trial(known[name], expected, limit, place)
                outcomes.append(f"{outcome}{f' ({fault})' * bool(fault)}")
                if fault:
                    kept = options.out / f"{place.name}.log"
                    shutil.copy(log_of(place), kept)
                    faults.append(f"{name}, {share:.0%}: {fault}; see {kept}\n")
                shutil.rmtree(place)
            row = f"| {name} | {alone.peak / MB:.0f} | {' | '.join(outcomes)} |\n"
            sys.stdout.write(row)
            sys.stdout.flush()
    sys.stdout.writelines(faults)
    return int(bool(faults))


BALLAST: list[bytes] = []
SMALL = 2**23


def mapped() -> int:
    """Bytes that this process has mapped."""
    return int(psutil.Process().memory_info().vms)


def limit(more: int) -> None:
    """Let this process take so many more bytes, partly of its heap, partly new ones.

    Without the refusals by an estimate, since the memory is to run out during the work.
    """
    for module in (estimates, section_fits, memory, comparison):
        vars(module)["check_need"] = lambda *_: None
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
    return groups(options) if options.groups else limits(options)


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
    add("--groups", action="store_true", help="instead, in control groups")
    add("--shares", nargs="+", type=float, default=SHARES, help="limits of groups")
    add("--out", type=Path, default=Path(), help="folder of the logs of faults")
    return made


if __name__ == "__main__":
    sys.exit(main())
