"""Every objective on one set of images, compared by the sliced Wasserstein distance.

    python -m benchmarks.objectives --minutes 5 --seeds 0 1 2 --out build/objectives

trains one small generator of images of 32 pixels on crops of a grayscale micrograph
(nanoporous gold, half its resolution) with each objective, whose optimiser, rates and
ratio of steps are those that it was published with; r3gan's are those of the default
preset. All get the same time. Every 15 s the clock stops, and 256 images are measured
against as many real crops. `objectives.csv` gets a row for each moment; a table and a
figure follow. What stands in the CSV already is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from matplotlib.figure import Figure
from napari_slicegan.sample_data import path as sample_path

from benchmarks.time_to_quality import append, parse_setting, pauses
from napari_slicegan.config import MicrographSettings, RunConfig
from napari_slicegan.config.presets import preset
from napari_slicegan.config.run import USERS_OF
from napari_slicegan.config.training import OF_OBJECTIVE
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.losses import OBJECTIVES
from napari_slicegan.training.clock import FinishReason
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_slicegan.systems.image_task import ImageQuality

FILE, TABLE, FIGURE = "objectives.csv", "objectives.txt", "objectives.png"
SAMPLE = "nanoporous_gold"
RESCALE = 0.5
# A DCGAN with spectral norm in the critic: 4, 8, 16, 32 pixels.
NETWORKS: dict[str, Any] = {
    "patch_size": 32,
    "latent_channels": 64,
    "generator_widths": (128, 64, 32),
    "critic_widths": (32, 64, 128),
    "feature_resampling": False,
    "generator_batch_size": 32,
    "critic_batch_size": 32,
    "augmentation": "none",
    "evaluation_images": 256,
    "steps": 10_000_000,
    "monitor_interval": 10_000_000,
}
# The score of a run is the mean of its last measurements: games swing.
LAST = 4
Row = dict[str, Any]

_ADAM: Mapping[str, object] = {
    "generator_optimiser": "adam",
    "critic_optimiser": "adam",
    "critic_steps": 1,
    "generator_steps": 1,
    "penalty_weight": 0.0,
    "lr_decay_start": 1.0,
    "output_lr_scale": 1.0,
    "lookahead": 0,
}
_RMSPROP = {**_ADAM, "generator_optimiser": "rmsprop", "critic_optimiser": "rmsprop"}


def _rate(rate: float) -> dict[str, float]:
    return {"generator_lr": rate, "critic_lr": rate}


# What each objective was published with.
PUBLISHED: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        # Gulrajani et al. 2017, algorithm 1, which SliceGAN follows.
        "wgan-gp": {
            **_ADAM,
            **_rate(1e-4),
            "betas": (0.0, 0.9),
            "critic_steps": 5,
            "penalty_weight": 10.0,
            "penalty_interval": 1,
        },
        # Arjovsky et al. 2017, algorithm 1.
        "wgan": {
            **_RMSPROP,
            **_rate(5e-5),
            "betas": (0.0, 0.99),
            "critic_steps": 5,
            "weight_clip": 0.01,
        },
        # Radford et al. 2016, section 4.
        "bce": {**_ADAM, **_rate(2e-4), "betas": (0.5, 0.999)},
        # As in WaveGAN's program (Donahue et al. 2019).
        "lsgan": {**_RMSPROP, **_rate(1e-4), "betas": (0.0, 0.9)},
        # Miyato et al. 2018, for photographs.
        "hinge": {**_ADAM, **_rate(2e-4), "betas": (0.0, 0.9), "critic_steps": 5},
        # The authors' settings for faces.
        "realness": {**_ADAM, **_rate(2e-4), "betas": (0.5, 0.999), "outcomes": 51},
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not in the CSV yet, then print the table and draw the curves."""
    options = parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / FILE
    changes = dict(map(parse_setting, options.set))
    images = training_images()
    for seed in options.seeds:
        for name in options.objectives:
            config = settings(name).changed(
                **{**changes, "seed": seed, "minutes": options.minutes}
            )
            key = (name, str(seed), str(options.minutes))
            if key not in finished(file):
                append(file, train(config, images, options.every))
    rows = read(file)
    text = table(rows)
    (options.out / TABLE).write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    draw(rows, options.out / FIGURE)
    return 0


def training_images() -> TrainingImages:
    """The micrograph as gray values."""
    path = sample_path(SAMPLE)
    return TrainingImages.isotropic(
        Micrograph.open(path, MicrographSettings(rescale=RESCALE))
    )


def settings(objective: str) -> RunConfig:
    """The same networks, and the game with the settings it was published with."""
    base = preset("realness-dcgan").changed(**NETWORKS)
    if objective in PUBLISHED:
        return base.changed(objective=objective, **PUBLISHED[objective])
    own = {
        name: value
        for name, value in preset("slicegan-fast").objective.model_dump().items()
        if OF_OBJECTIVE.get(name, objective) == objective
        # Not those of volumes of phases.
        and name not in USERS_OF
    }
    optimiser = preset("slicegan-fast").optimiser.model_dump()
    return base.changed(**{**own, **optimiser, "ema_decay": 0.0, "lr_decay_start": 1.0})


def train(config: RunConfig, images: TrainingImages, every: float) -> list[Row]:
    """Train to the end; a row for each measured moment, each shown at once."""
    trainer = Trainer(config, images)
    rows = [moment(trainer)]
    for reason in pauses(trainer, every):
        row = moment(trainer)
        row["diverged"] = int(reason is FinishReason.DIVERGED)
        rows.append(row)
        sys.stdout.write(
            f"{row['objective']} seed {row['seed']} {row['seconds']:.0f} s step "
            f"{row['step']}: SWD {row['swd']:.1f} (real {row['swd_floor']:.1f})\n"
        )
        sys.stdout.flush()
    return rows


def moment(trainer: Trainer) -> Row:
    """Measure images of the generator as it is now."""
    quality = cast("ImageQuality", trainer.monitor.measure(trainer.preview()))
    config = trainer.config
    return {
        "objective": config.objective.objective,
        "seed": config.training.seed,
        "minutes": config.training.minutes,
        "seconds": round(trainer.elapsed_s, 2),
        "step": trainer.step,
        "swd": quality.swd,
        "swd_floor": quality.swd_floor,
        "diverged": 0,
    }


def finished(file: Path) -> set[tuple[str, str, str]]:
    """Runs whose rows are in the CSV: objective, seed, minutes."""
    if not file.exists():
        return set()
    with file.open(newline="", encoding="utf-8") as lines:
        return {
            (row["objective"], row["seed"], row["minutes"])
            for row in csv.DictReader(lines)
        }


def read(file: Path) -> list[Row]:
    """Rows of the CSV as numbers."""
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            {n: value if n == "objective" else float(value) for n, value in row.items()}
            for row in csv.DictReader(lines)
        ]


def runs_of(rows: Sequence[Row], objective: str) -> list[list[Row]]:
    """Rows of each seed and length, in the order of time."""
    found: dict[tuple[float, float], list[Row]] = {}
    for row in rows:
        if row["objective"] == objective:
            found.setdefault((row["seed"], row["minutes"]), []).append(row)
    return list(found.values())


def table(rows: Sequence[Row]) -> str:
    """A line for each objective, the best first."""
    names = dict.fromkeys(str(row["objective"]) for row in rows)
    lines = sorted(_line(name, runs_of(rows, name)) for name in names)
    title = (
        f"{'objective':10} {'SWD at the end':>14} {'seeds from':>10} {'to':>6} "
        f"{'best':>6} {'start':>6} {'real':>5} {'steps':>7} {'diverged':>8}\n"
    )
    return title + "".join(text for _, text in lines)


def _line(name: str, runs: Sequence[Sequence[Row]]) -> tuple[float, str]:
    """Mean over seeds of the mean of the last measurements, and the line."""
    ends = [statistics.fmean(row["swd"] for row in run[-LAST:]) for run in runs]
    end = statistics.fmean(ends)
    best = min(row["swd"] for run in runs for row in run)
    first = statistics.fmean(run[0]["swd"] for run in runs)
    steps = statistics.fmean(run[-1]["step"] for run in runs)
    diverged = sum(int(run[-1]["diverged"]) for run in runs)
    return end, (
        f"{name:10} {end:14.1f} {min(ends):10.1f} {max(ends):6.1f} {best:6.1f} "
        f"{first:6.1f} {runs[0][0]['swd_floor']:5.1f} {steps:7.0f} {diverged:8}\n"
    )


def draw(rows: Sequence[Row], file: Path) -> None:
    """Each seed thin, the median of the seeds bold, over the seconds of training."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    panel = figure.add_subplot()
    names = list(dict.fromkeys(str(row["objective"]) for row in rows))
    for number, name in enumerate(names):
        _draw_objective(panel, name, runs_of(rows, name), f"C{number}")
    panel.axhline(rows[0]["swd_floor"], color="gray", ls=":", label="real to real")
    panel.set(yscale="log", xlabel="seconds of training")
    panel.set_ylabel("sliced Wasserstein distance x 1000")
    panel.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(file, dpi=120)


def _draw_objective(
    panel: Axes, name: str, runs: Sequence[Sequence[Row]], colour: str
) -> None:
    for run in runs:
        times = [row["seconds"] for row in run]
        panel.plot(times, [row["swd"] for row in run], color=colour, lw=0.7, alpha=0.5)
    moments = list(zip(*runs, strict=False))
    panel.plot(
        [statistics.median(row["seconds"] for row in each) for each in moments],
        [statistics.median(row["swd"] for row in each) for each in moments],
        color=colour,
        label=name,
    )


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder of the results")
    made.add_argument(
        "--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES)
    )
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument(
        "--minutes", type=float, default=5.0, help="of training, evaluation not counted"
    )
    made.add_argument(
        "--every", type=float, default=15.0, help="seconds between measurements"
    )
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
