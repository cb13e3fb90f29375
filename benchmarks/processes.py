"""What a second process costs: two of one thread against one of two threads.

    python -m benchmarks.processes --steps 20 --turns 5

Both make the same steps of the default preset, with the same batch in all, in turns, so
that a change of the machine's pace concerns both. Prints the seconds of a step and the
processor seconds of all processes for it, medians over the turns, and the efficiency:
the time of one process over that of several. Processor seconds depend little on what
else the machine does, but leave out that processes wait for each other.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.materials import images_of
from benchmarks.time_to_quality import parse_setting
from napari_slicegan.config.presets import preset
from napari_slicegan.training.trainer import Trainer

WARM_UP = 4
MATERIAL = "bentheimer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure in turns and print, or measure once in one of the processes."""
    options = parser().parse_args(arguments)
    if options.inside:
        sys.stdout.write("{} {}\n".format(*step_seconds(options)))
        return 0
    alone, joined = [], []
    for _ in range(options.turns):
        alone.append(measured(options, 1))
        joined.append(measured(options, options.processes))
    sys.stdout.write(f"{options.volumes} volumes a step\n")
    for number, title in enumerate(("seconds", "processor seconds")):
        pairs = [(a[number], b[number]) for a, b in zip(alone, joined, strict=True)]
        one, several = map(statistics.median, zip(*pairs, strict=True))
        ratios = [a / b for a, b in pairs]
        sys.stdout.write(
            f"{title}: one process {one:.3g}, {options.processes} processes "
            f"{several:.3g}, efficiency {statistics.median(ratios):.2f} (turns: "
            f"{min(ratios):.2f} to {max(ratios):.2f})\n"
        )
    return 0


def measured(options: argparse.Namespace, n: int) -> tuple[float, float]:
    """Seconds of a step of `n` processes, which share threads and volumes.

    Returns
    -------
    tuple of float
        By the clock of process 0, and of all processors together.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    threads = options.processes // n
    asked = ["--steps", str(options.steps), "--set", *options.settings]
    volumes = [f"critic_batch_size={options.volumes // n}"]
    volumes += [f"generator_batch_size={options.volumes // n}", f"threads={threads}"]
    command = [sys.executable, "-m", "benchmarks.processes", "--inside"]
    common = {
        **os.environ,
        "WORLD_SIZE": str(n),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    started = [
        subprocess.Popen(
            [*command, *asked, *volumes],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(n)
    ]
    printed = [process.communicate()[0].split() for process in started]
    return float(printed[0][0]), sum(float(words[1]) for words in printed)


def step_seconds(options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of a step by the clock and of the processor, means over the steps."""
    config = preset("slicegan-fast").changed(
        monitor_interval=10**9,
        minutes=None,
        device="cpu",
        **dict(map(parse_setting, options.settings)),
    )
    steps = Trainer(config, images_of(MATERIAL, config.micrograph)).run()
    for _ in range(WARM_UP):
        next(steps)
    n: int = options.steps
    started, used = time.perf_counter(), time.process_time()
    for _ in range(n):
        next(steps)
    return (time.perf_counter() - started) / n, (time.process_time() - used) / n


def parser() -> argparse.ArgumentParser:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog="benchmarks.processes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--volumes", type=int, default=4, help="of all processes")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument(
        "--set", dest="settings", nargs="*", default=[], metavar="NAME=VALUE"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
