"""A long run with pauses, stops and changing load, and many generations after it.

    python -m benchmarks.long_run --hours 8 --generations 1000 --out build/long-run

One process trains. Every interval brings another event: a pause, a second program on
the same cores, or a stop after which the run is resumed. After each interval the
generator of the newest checkpoint is measured, and `long-run.csv` gets a row: memory,
speed, disk, quality. Then the process generates and saves volumes of changing size, and
`generations.csv` gets a row for each. The verdict says whether memory and speed are
flat, the disk is bounded, and the quality at the end is that of the best moment.

A second program changes the seconds of a step, so speed is judged in steps per
processor second. Intervals with that program are left out: it also takes the caches.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.materials import CASES, images_of, settings_of, truth_of
from benchmarks.time_to_quality import parse_setting
from benchmarks.yardstick import Yardstick
from napari_slicegan.cli.options import generator_path
from napari_slicegan.config.presets import preset
from napari_slicegan.generation.generate import generate
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.run_folder import HISTORY
from napari_slicegan.training.trainer import Trainer

EVENTS = ("pause", "load", "stop", "none")
N_INTERVALS = 40
# Volumes of the same generator, whose differences are the noise of a measurement.
SEEDS = (1, 2)
# Part of the rows in which memory and speed settle: caches fill, the first resume.
WARM_UP = 0.2
MEMORY_TOLERANCE, SPEED_TOLERANCE, DISK_TOLERANCE = 0.02, 0.1, 0.02
MOMENTS = 3
"""Successive measurements of quality that are averaged."""
QUALITIES = ("s2", "face_error")


@dataclass(frozen=True)
class Row:
    """State after an interval.

    Attributes
    ----------
    wall_s, elapsed_s
        Seconds since the start, and of training.
    event
        What happened in the interval.
    steps_per_s, steps_per_cpu_s
        Steps per second of training, and per second of processor time.
    resident_bytes
        Memory of the process.
    disk_bytes, history_bytes, n_files
        Of the run folder; the history, one line a step, is counted alone.
    s2, face_error
        Of volumes of the newest checkpoint, one for each of `SEEDS`: mean difference of
        the two-point correlations, and relative error of the interface density.
    """

    wall_s: float
    elapsed_s: float
    step: int
    event: str
    steps_per_s: float
    steps_per_cpu_s: float
    resident_bytes: int
    disk_bytes: int
    history_bytes: int
    n_files: int
    s2: tuple[float, ...]
    face_error: tuple[float, ...]


class LongRun:
    """A run that is disturbed once in each interval.

    Parameters
    ----------
    trainer
        Trains in a folder; replaced when the run is resumed.
    stick
        Measures volumes.
    size
        Edge of these volumes, in voxels.
    """

    def __init__(self, trainer: Trainer, stick: Yardstick, size: int) -> None:
        assert trainer.folder is not None
        self.path = trainer.folder.path
        self._trainer, self._steps = trainer, trainer.run()
        self._stick, self._size = stick, size
        self._started = time.monotonic()

    def rows(self, interval_s: float, pause_s: float) -> Iterator[Row]:
        """Train to the end; a row after each interval."""
        number, reason = 0, None
        while reason is None:
            event = EVENTS[number % len(EVENTS)]
            step, elapsed_s = self._trainer.step, self._trainer.elapsed_s
            used = time.process_time()
            with second_program() if event == "load" else contextlib.nullcontext():
                reason = self._train(event, interval_s, pause_s)
            used = time.process_time() - used
            steps = self._trainer.step - step
            passed = self._trainer.elapsed_s - elapsed_s
            if steps:
                yield self._row(event, steps / max(passed, 1e-9), steps / used)
            number += 1

    def _train(
        self, event: str, interval_s: float, pause_s: float
    ) -> FinishReason | None:
        """Train for an interval with an event in its middle; why the run has ended."""
        begun_s, is_due = self._trainer.elapsed_s, True
        while (passed := self._trainer.elapsed_s - begun_s) < interval_s:
            if is_due and passed >= interval_s / 2:
                is_due = False
                self._disturb(event, pause_s)
            try:
                next(self._steps)
            except StopIteration as end:
                reason: FinishReason = end.value
                if reason is not FinishReason.STOPPED:
                    return reason
                self._resume()
        return None

    def _disturb(self, event: str, pause_s: float) -> None:
        """Request a pause or a stop; the next step meets it."""
        if event == "pause":
            self._trainer.pause()
            threading.Timer(pause_s, self._trainer.unpause).start()
        elif event == "stop":
            self._trainer.stop()

    def _resume(self) -> None:
        """Continue from the folder; the networks of before are freed first."""
        del self._trainer, self._steps
        self._trainer = Trainer.resume(self.path)
        self._steps = self._trainer.run()

    def _row(self, event: str, steps_per_s: float, steps_per_cpu_s: float) -> Row:
        measured = measure(load_generator(self.path), self._stick, self._size)
        sizes = {
            path.name: path.stat().st_size
            for path in self.path.rglob("*")
            if path.is_file()
        }
        history_bytes = sizes.get(HISTORY, 0)
        return Row(
            round(time.monotonic() - self._started, 2),
            round(self._trainer.elapsed_s, 2),
            self._trainer.step,
            event,
            steps_per_s,
            steps_per_cpu_s,
            resident_bytes(),
            sum(sizes.values()) - history_bytes,
            history_bytes,
            len(sizes),
            *measured,
        )


def measure(
    trained: TrainedGenerator, stick: Yardstick, size: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Values of `QUALITIES`, one of each volume."""
    first, other = (generate(trained, (size,) * 3, seed) for seed in SEEDS)
    columns = [stick.measure(first, other), stick.measure(other, first)]
    s2, face_error = ([float(c[name]) for c in columns] for name in QUALITIES)
    return tuple(s2), tuple(face_error)


@contextlib.contextmanager
def second_program() -> Iterator[None]:
    """Keep a core of this process busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def resident_bytes() -> int:
    """Memory of this process."""
    return int(psutil.Process().memory_info().rss)


def generations(
    trained: TrainedGenerator, edges: Sequence[int], n: int, file: Path
) -> Iterator[int]:
    """Generate and save volumes of changing size; the memory after each, in bytes."""
    for seed in range(n):
        generate(trained, (edges[seed % len(edges)],) * 3, seed).save(file)
        yield resident_bytes()


def growth(values: Sequence[float]) -> float:
    """Relative change of the median from the first fifth after the warm-up to the last.

    0 if there are too few values.
    """
    settled = values[int(WARM_UP * len(values)) :]
    n = max(1, len(values) // 5)
    if len(settled) < 2 * n:
        return 0.0
    first, last = statistics.median(settled[:n]), statistics.median(settled[-n:])
    return last / first - 1


def verdict(rows: Sequence[Row]) -> dict[str, bool]:
    """What was found, in words, and whether it is as it should be."""
    memory = growth([row.resident_bytes for row in rows])
    alone = [row.steps_per_cpu_s for row in rows if row.event != "load"]
    speed = growth(alone)
    half = len(rows) // 2
    disk = max(row.disk_bytes for row in rows[half:]) / max(
        row.disk_bytes for row in rows[: max(half, 1)]
    )
    found = {
        f"memory {memory:+.1%}": memory <= MEMORY_TOLERANCE,
        f"steps per processor second {speed:+.1%}": speed >= -SPEED_TOLERANCE,
        f"disk without history {disk - 1:+.1%}": disk <= 1 + DISK_TOLERANCE,
    }
    for name in QUALITIES:
        text, is_kept = quality_kept([getattr(row, name) for row in rows])
        found[f"{name} {text}"] = is_kept
    return found


def quality_kept(values: Sequence[tuple[float, ...]]) -> tuple[str, bool]:
    """Whether the last `MOMENTS` are as good as the best ones in a row.

    The noise is that of the mean of a moment, from its volumes.
    """
    variances = [statistics.variance(moment) / len(moment) for moment in values]
    noise = statistics.fmean(variances) ** 0.5
    means = [statistics.fmean(moment) for moment in values]
    n = min(MOMENTS, len(means))
    averaged = [
        statistics.fmean(means[start : start + n])
        for start in range(len(means) - n + 1)
    ]
    best, last = min(averaged), averaged[-1]
    text = f"{last:.4f} at the end, {best:.4f} at best, noise {noise:.4f}"
    return text, last <= best + 2 * noise


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, generate, print the verdict; 1 if anything is not as it should be."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, bool] = {}
    if options.hours:
        rows = written(options.out / "long-run.csv", train(options))
        found |= verdict(rows)
    if options.generations:
        trained = load_generator(generator_path(Path(options.generator)))
        made = generations(
            trained, options.edges, options.generations, options.out / "volume.tif"
        )
        memory = growth(write_memory(options.out / "generations.csv", made))
        words = f"memory of {options.generations} generations {memory:+.1%}"
        found[words] = memory <= MEMORY_TOLERANCE
    for words, is_good in found.items():
        sys.stdout.write(f"{'ok' if is_good else 'FAULT':6}{words}\n")
    return int(not all(found.values()))


def train(options: argparse.Namespace) -> Iterator[Row]:
    """Rows of a run in a new folder."""
    changes = dict(map(parse_setting, options.set))
    own = {"seed": options.seed, "threads": options.threads, "device": "cpu"}
    config = preset(options.preset).changed(
        **{**settings_of(options.material), **own, **changes},
        minutes=60 * options.hours,
    )
    images = images_of(options.material, config.micrograph)
    conducting = CASES[options.material].conducting
    stick = Yardstick(images, truth_of(options.material), conducting, options.size)
    trainer = Trainer.start(config, images, options.out / "run")
    interval_s = 3600 * options.hours / options.intervals
    long_run = LongRun(trainer, stick, options.size)
    del trainer
    return long_run.rows(interval_s, options.pause_s)


def written(file: Path, rows: Iterable[Row]) -> list[Row]:
    """Write each row at once; all of them."""
    found: list[Row] = []
    with file.open("w", newline="", encoding="utf-8") as lines:
        for row in rows:
            facts = asdict(row)
            table = csv.DictWriter(lines, [*facts])
            if not found:
                table.writeheader()
            table.writerow(facts)
            lines.flush()
            found.append(row)
    return found


def write_memory(file: Path, made: Iterable[int]) -> list[int]:
    """Write the memory after each volume; all values."""
    found = []
    with file.open("w", encoding="utf-8") as lines:
        lines.write("resident_bytes\n")
        for value in made:
            lines.write(f"{value}\n")
            lines.flush()
            found.append(value)
    return found


def parser() -> argparse.ArgumentParser:
    """Options of the benchmark."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument("--hours", type=float, default=8.0, help="of training")
    made.add_argument("--intervals", type=int, default=N_INTERVALS)
    made.add_argument("--pause-s", type=float, default=20.0)
    made.add_argument("--material", choices=CASES, default="bentheimer")
    made.add_argument("--preset", default="slicegan-fast")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--threads", type=int, default=1)
    made.add_argument("--size", type=int, default=96, help="edge of measured volumes")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    made.add_argument("--generations", type=int, default=1000)
    made.add_argument("--generator", default="sample:bentheimer")
    made.add_argument("--edges", type=int, nargs="+", default=[32, 64, 48])
    return made


if __name__ == "__main__":
    sys.exit(main())
