"""How true volumes are, for every kind of picture, old code beside new.

    git worktree add /tmp/old 914b399
    python -m benchmarks.fidelity --out build/fidelity --minutes 5 --seeds 0 1 2
        --code old=/tmp/old --code new=. --materials bentheimer speckle

trains each material with each code by the command line, several seeds. Codes run at the
same time, each on a processor of its own. Volumes of 128 voxels per axis are compared
with the truth, or with the images where there is none. `fidelity.csv` gets a row for
each statistic of each volume; what it holds already is not trained again. A table and a
figure follow: distances as multiples of the noise floor, median and worst seed.
`--baseline` adds Gaussian random fields cut at a level, which any network must beat.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import tifffile
from matplotlib.figure import Figure

from benchmarks.fidelity_materials import MATERIALS
from benchmarks.time_to_quality import append
from benchmarks.transport import corners
from napari_slicegan.config import AXES
from napari_slicegan.directions.properties import effective_diffusivity
from napari_slicegan.generation.gaussian_field import gaussian_volume
from napari_slicegan.metrics import METRICS, QUICK_METRICS
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.lattice import lattice_by_part
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.metrics.rows import HISTOGRAM_TITLE, Value
from napari_slicegan.training.monitors import MAX_DISTANCE
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.volumes.volume import Volume

FILE = "fidelity.csv"
BASELINE = "Gaussian field"
TRANSPORT = "effective_diffusivity"
LATTICE = "lattice"
TITLES = {"histogram": HISTOGRAM_TITLE, LATTICE: "Grid of the network (1: by chance)"}


@dataclass(frozen=True)
class Run:
    """One training; its fields are the first columns of each row."""

    material: str
    code: str
    seed: int
    minutes: float


@dataclass(frozen=True)
class Line:
    """One statistic of one volume, real and generated; of curves the mean over r.

    Distances and noise floors are those of a comparison. Of the lattice test, the
    distance is the excess over the limit, and the floor 1.
    """

    material: str
    code: str
    seed: int
    minutes: float
    steps: int
    volume: int
    metric: str
    phase: str
    axis: str
    real: float
    generated: float
    distance: float
    floor: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and measure what the CSV lacks; print the table, draw the figure."""
    options = parser().parse_args(arguments)
    # The programs run there.
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    codes = dict(options.code or [("new", Path())])
    done = finished(options.out / FILE)
    for material in options.materials:
        for seed in options.seeds:
            runs = [Run(material, code, seed, options.minutes) for code in codes]
            missing = [run for run in runs if run not in done]
            train([(run, codes[run.code]) for run in missing], options)
            for run in missing:
                measure(run, codes[run.code], options)
        baseline = Run(material, BASELINE, 0, 0)
        if options.baseline and baseline not in done:
            measure_baseline(baseline, options)
    lines = read_lines(options.out / FILE)
    text = table(lines)
    (options.out / "fidelity.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    draw(lines, options.out / "fidelity.png")
    return 0


def folder_of(run: Run, out: Path) -> Path:
    """Run folder of one training."""
    return out / f"{run.material}-{run.code}-{run.seed}-{run.minutes:g}"


def command(processor: int | None, *words: object) -> list[str]:
    """A command of the program, on one processor or on all."""
    program = [sys.executable, "-m", "napari_slicegan", *map(str, words)]
    if processor is not None and sys.platform == "linux":
        program = ["taskset", "-c", str(processor), *program]
    return program


def environment(code: Path, threads: int) -> dict[str, str]:
    """Variables under which the package of a checkout is the one that is imported."""
    return os.environ | {
        "PYTHONPATH": str(code.resolve()),
        "OMP_NUM_THREADS": str(threads),
    }


def train(runs: Sequence[tuple[Run, Path]], options: argparse.Namespace) -> None:
    """Train codes on a material at the same time, each on a processor of its own.

    One alone has all of them.

    Raises
    ------
    subprocess.CalledProcessError
        If a training fails; its log is beside its folder.
    """
    programs: list[subprocess.Popen[bytes]] = []
    if not runs:
        return
    case = MATERIALS[runs[0][0].material]
    # Once: a program may already read what is written again.
    images = case.images(options.out)
    for number, (run, code) in enumerate(runs):
        folder = folder_of(run, options.out)
        single = number if len(runs) > 1 else None
        words = ["--out", folder, "--minutes", run.minutes, "--seed", run.seed]
        words += [*case.flags, *options.flag]
        call = command(single, "train", *images, *words)
        threads = 1 if single is not None else os.cpu_count() or 1
        with folder.with_name(f"{folder.name}.log").open("w") as log:
            program = subprocess.Popen(
                call,
                env=environment(code, threads),
                cwd=options.out,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        programs.append(program)
    for program in programs:
        if program.wait():
            raise subprocess.CalledProcessError(program.returncode, program.args)


def measure(run: Run, code: Path, options: argparse.Namespace) -> None:
    """Generate volumes by the code that trained; the present one compares them."""
    folder = folder_of(run, options.out)
    steps = int(RunFolder.open(folder).history()[-1]["step"])
    reference = truth_of(run.material) or RealStatistics(
        RunFolder.open(folder).images()
    )
    lines: list[Line] = []
    for number in range(options.volumes):
        file = options.out / "volume.tif"
        words = ["--size", options.size, "--seed", 1000 + number, "--out", file]
        subprocess.run(
            command(None, "generate", folder, *words),
            env=environment(code, os.cpu_count() or 1),
            cwd=options.out,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        volume = Volume.open(file)
        file.unlink()
        lines += compared(run, steps, number, volume, reference)
    append(options.out / FILE, [asdict(line) for line in lines])


def measure_baseline(run: Run, options: argparse.Namespace) -> None:
    """Gaussian random fields with the two-point correlation of the images."""
    truth = truth_of(run.material)
    if truth is None:
        return
    images = MATERIALS[run.material].images(options.out)
    sections = [np.asarray(tifffile.imread(image)) for image in images]
    views: Any = [*sections]
    if len(sections) == 3:
        views = {axis: [image] for axis, image in zip(AXES, sections, strict=True)}
    lines: list[Line] = []
    for number in range(options.volumes):
        volume = gaussian_volume(views, (options.size,) * 3, number)
        lines += compared(run, 0, number, volume, truth)
    append(options.out / FILE, [asdict(line) for line in lines])


@cache
def truth_of(material: str) -> RealStatistics | None:
    """The truth, measured once for all runs."""
    truth = MATERIALS[material].truth()
    return None if truth is None else RealStatistics(Volume(truth, "phases"))


@cache
def real_diffusivities(material: str, edge: int) -> list[float]:
    """Effective diffusivity of the corners of the truth, mean of the axes."""
    truth = MATERIALS[material].truth()
    if truth is None:
        return []
    label = MATERIALS[material].conducting
    return [effective_diffusivity(block == label) for block in corners(truth, edge)]


def compared(
    run: Run, steps: int, number: int, volume: Volume, reference: RealStatistics
) -> Iterator[Line]:
    """All statistics of one volume."""
    start = (run.material, run.code, run.seed, run.minutes, steps, number)
    volume = Volume(volume.values, volume.kind, None, volume.labels)
    for row in compare(reference, volume, MAX_DISTANCE, QUICK_METRICS).rows:
        found = (row.real, row.generated, row.distance, row.noise_floor)
        place = (row.metric, str(row.phase), row.axis or "")
        yield Line(*start, *place, *map(mean, found))
    parts = lattice_by_part(volume.values, volume.kind, volume.labels)
    for part, tested in parts.items():
        worst = max((one.excess for one in tested), default=math.nan)
        yield Line(*start, LATTICE, str(part), "", math.nan, worst, worst, 1.0)
    real = real_diffusivities(run.material, min(volume.values.shape))
    if real:
        label = MATERIALS[run.material].conducting
        made, wanted = effective_diffusivity(volume.values == label), fmean(real)
        floor = fmean(abs(one - wanted) for one in real)
        numbers = (wanted, made, abs(made - wanted), floor)
        yield Line(*start, TRANSPORT, str(label), "", *numbers)


def mean(value: Value | None) -> float:
    """A number, or the mean of a curve; nan where it is unknown."""
    if value is None:
        return math.nan
    return fmean(value) if isinstance(value, tuple) else value


def finished(file: Path) -> set[Run]:
    """Runs whose rows are in the CSV."""
    return {
        Run(line.material, line.code, line.seed, line.minutes)
        for line in (read_lines(file) if file.exists() else [])
    }


def read_lines(file: Path) -> list[Line]:
    """All rows of the CSV."""
    read = {"int": int, "float": float, "str": str}
    kinds = {field.name: read[str(field.type)] for field in fields(Line)}
    with file.open(newline="", encoding="utf-8") as rows:
        return [
            Line(**{name: kinds[name](text) for name, text in row.items()})
            for row in csv.DictReader(rows)
        ]


Column = tuple[str, float]
"""Code and minutes."""


def columns_of(lines: Sequence[Line]) -> list[Column]:
    """Codes and minutes in the order of the CSV."""
    return list(dict.fromkeys((line.code, line.minutes) for line in lines))


def by_seed(lines: Sequence[Line], metric: str) -> dict[Column, list[Line]]:
    """For each code, the lines of a metric by seed: means over volumes and directions.

    Of several phases that with the largest distance in noise floors, of all codes.
    """
    chosen = [line for line in lines if line.metric == metric]
    phases = {line.phase for line in chosen}

    def floors(phase: str) -> float:
        known = [
            one.distance / one.floor
            for one in chosen
            if one.phase == phase and one.floor
        ]
        return fmean(known) if known else -1.0

    worst = max(phases, key=floors, default="")
    found: dict[Column, list[Line]] = {}
    for column in columns_of(chosen):
        of_code = [
            line
            for line in chosen
            if (line.code, line.minutes) == column and line.phase == worst
        ]
        for seed in dict.fromkeys(line.seed for line in of_code):
            same = [line for line in of_code if line.seed == seed]
            numbers = ("real", "generated", "distance", "floor")
            means: dict[str, Any] = {
                name: fmean(getattr(line, name) for line in same) for name in numbers
            }
            found.setdefault(column, []).append(replace(same[0], axis="", **means))
    return found


def table(lines: Sequence[Line]) -> str:
    """Distances in noise floors: median of the seeds, and the worst one."""
    rows = []
    for material in dict.fromkeys(line.material for line in lines):
        of_material = [line for line in lines if line.material == material]
        columns = columns_of(of_material)
        rows.append(("", *(f"{code}, {minutes:g} min" for code, minutes in columns)))
        rows.append((material, *(_steps(of_material, column) for column in columns)))
        for metric in dict.fromkeys(line.metric for line in of_material):
            seeds = by_seed(of_material, metric)
            title = TITLES.get(metric) or METRICS[metric].title
            phase = next(iter(seeds.values()))[0].phase
            cells = (_cell(seeds.get(column, [])) for column in columns)
            rows.append((f"  {title}, {phase}", *cells))
    width = max(map(len, rows), default=0)
    padded = [(*row, *[""] * (width - len(row))) for row in rows]
    widths = [max(map(len, column)) for column in zip(*padded, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(size) for cell, size in zip(row, widths, strict=True)
        ).rstrip()
        + "\n"
        for row in padded
    )


def _steps(lines: Sequence[Line], column: Column) -> str:
    steps = {one.seed: one.steps for one in lines if (one.code, one.minutes) == column}
    return f"steps {', '.join(map(str, steps.values()))}"


def _cell(seeds: Sequence[Line]) -> str:
    """Generated and real value; the distance in noise floors, and of the worst seed."""
    if not seeds:
        return "-"
    floors = [line.distance / line.floor if line.floor else math.inf for line in seeds]
    generated = median(line.generated for line in seeds)
    return (
        f"{generated:.4g} / {seeds[0].real:.4g}: {median(floors):.2f} "
        f"(worst {max(floors):.2f})"
    )


def draw(lines: Sequence[Line], file: Path) -> None:
    """Bars of the distances in noise floors, a panel for each material."""
    materials = list(dict.fromkeys(line.material for line in lines))
    figure = Figure(figsize=(12, 1 + 5 * len(materials)), layout="constrained")
    panels = figure.subplots(len(materials), 1, squeeze=False)[:, 0]
    for panel, material in zip(panels, materials, strict=True):
        of_material = [line for line in lines if line.material == material]
        metrics = list(dict.fromkeys(line.metric for line in of_material))
        columns = columns_of(of_material)
        found = {metric: by_seed(of_material, metric) for metric in metrics}
        height = 0.8 / len(columns)
        for number, column in enumerate(columns):
            values = []
            for metric in metrics:
                seeds = found[metric].get(column, [])
                floors = [one.distance / one.floor for one in seeds if one.floor]
                values.append(median(floors) if floors else math.nan)
            places = np.arange(len(metrics)) + number * height
            code, minutes = column
            panel.barh(places, values, height, label=f"{code}, {minutes:g} min")
        titles = [TITLES.get(metric) or METRICS[metric].title for metric in metrics]
        panel.set_yticks(np.arange(len(metrics)) + 0.4 - height / 2, titles)
        panel.axvline(1, color="black", linewidth=0.8)
        panel.set_xscale("symlog", linthresh=2)
        panel.set_xlabel("distance / noise floor, median of the seeds")
        panel.set_title(material)
        panel.invert_yaxis()
        panel.legend()
    figure.savefig(file, dpi=90)


def named_code(text: str) -> tuple[str, Path]:
    """Name and folder of ``name=folder``."""
    name, separator, folder = text.partition("=")
    if not (name and separator and (Path(folder) / "napari_slicegan").is_dir()):
        raise argparse.ArgumentTypeError(
            f"expected NAME=FOLDER of a checkout with napari_slicegan/, got '{text}'"
        )
    return name, Path(folder)


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument(
        "--materials", nargs="+", choices=MATERIALS, default=["bentheimer"]
    )
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument("--minutes", type=float, default=5.0)
    made.add_argument(
        "--code",
        action="append",
        type=named_code,
        metavar="NAME=FOLDER",
        help="a checkout to train with, repeatable; the present one by default",
    )
    made.add_argument("--volumes", type=int, default=4, help="measured volumes")
    made.add_argument("--size", type=int, default=128, help="their edge in voxels")
    made.add_argument(
        "--baseline", action="store_true", help="measure Gaussian random fields too"
    )
    made.add_argument(
        "--flag", action="append", default=[], help="further option of `slicegan train`"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
