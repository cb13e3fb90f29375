"""How soon a preset makes volumes that are statistically representative.

    python -m benchmarks.time_to_quality --minutes 5 --seeds 0 1 2 --out build/quality

trains presets on sample micrographs, several seeds each. Every 15 s of training the
clock stops, and a fresh volume of the averaged generator is measured against the truth.
`quality.csv` in the output folder gets a row for each moment, with the noise floors; a
table and a figure per material follow. What stands in the CSV already is not trained
again. A lever is tried by, say, `--set generator_lr=2e-3 --set critic_steps=2`.
"""

from __future__ import annotations

import argparse
import ast
import csv
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from benchmarks.materials import CASES, images_of, settings_of, truth_of
from benchmarks.quality_curves import draw_material
from benchmarks.quality_table import read_rows, table
from benchmarks.transport import corner_diffusivity, real_diffusivities
from benchmarks.yardstick import Columns, Yardstick
from napari_slicegan.config import AXES, MicrographSettings, RunConfig
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.generation.generate import generate
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.volumes.volume import Volume

FILE = "quality.csv"
# Latents of the measured volumes are those of no preview, and new at each moment.
FIRST_SEED = 1000
OTHER_SEED = 999
OTHER_EDGE = 64
TRANSPORT = (
    *(f"diffusivity_{axis}" for axis in AXES),
    *(f"diffusivity_real_{axis}" for axis in AXES),
    "diffusivity_error",
    "diffusivity_floor",
)


@dataclass(frozen=True)
class Run:
    """One training of the benchmark; its fields are the first columns of each row."""

    material: str
    preset: str
    settings: str
    seed: int
    minutes: float
    size: int

    def config(self) -> RunConfig:
        """All settings; those of the command line win."""
        changes = dict(map(parse_setting, self.settings.split()))
        own = {"seed": self.seed, "minutes": self.minutes}
        needed = settings_of(self.material)
        return preset(self.preset).changed(**{**needed, **own, **changes})

    def key(self) -> tuple[str, ...]:
        """What tells runs apart, as it stands in the CSV."""
        return tuple(map(str, asdict(self).values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not in the CSV yet, then print the table and draw the curves."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / FILE
    settings = " ".join("".join(text.split()) for text in options.set)
    runs = [
        Run(material, name, settings, seed, options.minutes, options.size)
        for seed in options.seeds
        for material in options.materials
        for name in options.presets
    ]
    for run in runs:
        run.config()  # a wrong setting is refused before the first training
    for run in runs:
        if run.key() not in finished(file):
            append(file, train(run, options.every, options.transport))
    rows = read_rows(file)
    for release, other in options.beside:
        rows += [row | {"release": release} for row in read_rows(other)]
    text = table(rows)
    (options.out / "quality.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    for material in dict.fromkeys(str(row["material"]) for row in rows):
        draw_material(material, rows, options.out / f"{material}.png")
    return 0


def train(run: Run, every: float, transport: bool) -> list[Columns]:
    """Train to the end; a row for each measured moment, each shown at once."""
    config = run.config()
    trainer = Trainer(config, images_of(run.material, config.micrograph))
    rows: list[Columns] = []
    for reason in pauses(trainer, every):
        row = moment(run, trainer, len(rows), transport)
        if reason is FinishReason.DIVERGED:
            row["collapsed"] = 1
        rows.append(row)
        sys.stdout.write(line(row))
        sys.stdout.flush()
    return rows


def pauses(
    trainer: Trainer, every: float
) -> Generator[FinishReason | None, None, None]:
    """Stop after every so many seconds of training (None) and at the end (why)."""
    steps, due = trainer.run(), every
    while True:
        try:
            next(steps)
        except StopIteration as end:
            yield end.value
            return
        if trainer.elapsed_s >= due and trainer.progress < 1:
            yield None
            due = (trainer.elapsed_s // every + 1) * every


def moment(run: Run, trainer: Trainer, number: int, transport: bool) -> Columns:
    """Measure a fresh volume of the generator as it is now."""
    trained = trainer.trained_generator()
    volume = generate(trained, (run.size,) * 3, FIRST_SEED + number)
    edge = min(OTHER_EDGE, run.size)
    other = generate(trained, (edge,) * 3, OTHER_SEED)
    stick = yardstick(run.material, trainer.config.micrograph, run.size)
    return {
        **asdict(run),
        "seconds": round(trainer.elapsed_s, 2),
        "step": trainer.step,
        **stick.measure(volume, other),
        **transport_columns(run.material, volume, transport),
    }


def transport_columns(material: str, volume: Volume, wanted: bool) -> Columns:
    """Effective diffusivities, generated and real; empty where not asked for."""
    columns: Columns = dict.fromkeys(TRANSPORT, "")
    if not wanted or truth_of(material) is None:
        return columns
    real, spread = real_transport(material)
    found = corner_diffusivity(volume.values, CASES[material].conducting)
    for axis in AXES:
        columns[f"diffusivity_{axis}"] = found[axis]
        columns[f"diffusivity_real_{axis}"] = real[axis]
    mean = fmean(real.values())
    columns["diffusivity_error"] = abs(fmean(found.values()) / mean - 1)
    columns["diffusivity_floor"] = spread / mean
    return columns


@cache
def yardstick(material: str, settings: MicrographSettings, size: int) -> Yardstick:
    """The real material, measured once for all runs with the same images."""
    return Yardstick(
        images_of(material, settings),
        truth_of(material),
        CASES[material].conducting,
        size,
    )


@cache
def real_transport(material: str) -> tuple[Mapping[Axis, float], float]:
    """Effective diffusivity of the truth, and its deviation between corners."""
    truth = truth_of(material)
    if truth is None:
        raise ValueError(f"There is no volume of {material}, only images.")
    corners = real_diffusivities(truth.values, CASES[material].conducting)
    real = {axis: fmean(corner[axis] for corner in corners) for axis in AXES}
    return real, stdev(fmean(corner.values()) for corner in corners)


def line(row: Columns) -> str:
    """One moment, for whoever waits."""
    names = ("fraction_error", "s2", "face_error", "percolating_error")
    values = " ".join(f"{name}={row[name]:.4f}" for name in names if row[name] != "")
    return (
        f"{row['material']} {row['preset']} {row['settings']} seed {row['seed']} "
        f"{row['seconds']:.0f} s step {row['step']}: {values}"
        f"{' COLLAPSED' if row['collapsed'] else ''}\n"
    )


def finished(file: Path) -> set[tuple[str, ...]]:
    """Keys of the runs whose rows are in the CSV."""
    if not file.exists():
        return set()
    with file.open(newline="", encoding="utf-8") as lines:
        names = [field.name for field in fields(Run)]
        return {tuple(row[name] for name in names) for row in csv.DictReader(lines)}


def append(file: Path, rows: Sequence[Columns]) -> None:
    """Add the rows of a finished run."""
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


def parse_setting(text: str) -> tuple[str, Any]:
    """Name and value of ``name=value``; what is no Python literal is text."""
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"Expected --set name=value; got '{text}'.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def named_file(text: str) -> tuple[str, Path]:
    """Name and path of ``name=path``."""
    name, separator, path = text.partition("=")
    if not separator or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"expected NAME=CSV of a file, got '{text}'")
    return name, Path(path)


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument(
        "--materials", nargs="+", choices=CASES, default=["bentheimer"], metavar="NAME"
    )
    made.add_argument(
        "--presets", nargs="+", choices=PRESETS, default=["slicegan-fast"]
    )
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument(
        "--minutes", type=float, default=5.0, help="of training, evaluation not counted"
    )
    made.add_argument(
        "--every", type=float, default=15.0, help="seconds between measurements"
    )
    made.add_argument("--size", type=int, default=160, help="edge of measured volumes")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    made.add_argument(
        "--transport",
        action="store_true",
        help="also effective diffusivity on 128^3 (15 s for each measurement)",
    )
    made.add_argument(
        "--beside",
        action="append",
        default=[],
        type=named_file,
        metavar="NAME=CSV",
        help="rows of another release, for table and figures",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
