"""The command ``slicegan evaluate``: objectives tested on a Gaussian mixture."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.cli.options import (
    DONE,
    changes_from,
    refuse_settings,
    unused,
)
from napari_slicegan.cli.progress import train_with_progress
from napari_slicegan.config.presets import preset
from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_can_write_into,
    make_folder,
    new_folder,
    removed_if_unused,
)
from napari_slicegan.runtime.memory import reason_of
from napari_slicegan.systems.gaussian_mixture import GaussianMixture, nine_gaussians
from napari_slicegan.systems.mixture_sweep import (
    OUTCOMES,
    SweepRun,
    draw_mixture,
    draw_sweep,
    draw_sweep_points,
    sweep,
    sweep_table,
    write_sweep,
)
from napari_slicegan.systems.point_task import PointMonitor, Scatter
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from napari_slicegan.config import RunConfig

N_POINTS, SEED = 10_000, 1
FIGURE = "mixture.png"
SWEPT = (
    "objective",
    "outcomes",
    "generator_steps",
    "critic_steps",
    "monitor_interval",
)
"""Settings that the runs of a sweep have from it."""


def evaluate(options: Namespace) -> int:
    """Print how well points cover the nine Gaussians, and plot them."""
    _refuse_unused(options)
    mixture = nine_gaussians()
    made: Path | None = options.figure
    if options.sweep is not None or (options.points is None and options.run is None):
        check_can_write_into(options.out or Path("slicegan-runs"))
    elif made is None:
        beside = options.points
        made = beside.with_name(FIGURE) if beside else options.run / FIGURE
    if made is not None:
        check_can_write(made, ".png")
    if options.sweep is not None:
        return _sweep(options, mixture)
    run: Path | None = options.run
    if options.points:
        points = read_points(options.points)
        figure = options.figure or options.points.with_name(FIGURE)
    else:
        if run is None:
            run = _trained(options, mixture)
        mixture = _mixture_of(run)
        points = generate_samples(load_any_generator(run), N_POINTS, SEED)
        figure = options.figure or run / FIGURE
    quality = PointMonitor(mixture).measure(Scatter(points, mixture))
    draw_mixture(points, mixture, quality, figure)
    sys.stdout.write(
        f"High quality:    {100 * quality.high_quality:.2f} % of "
        f"{len(points):,} points\n"
        f"Recovered modes: {quality.modes} of {len(mixture.means)}\n"
        f"Saved {figure}\n"
    )
    return DONE


def _refuse_unused(options: Namespace) -> None:
    """Refuse what would have no effect beside a run, points or a sweep.

    Raises
    ------
    ValueError
        For the first of them.
    """
    given = {
        "points by --points": options.points is not None,
        "a run": options.run is not None,
        "--sweep": options.sweep is not None,
    }
    what = [name for name, is_given in given.items() if is_given]
    if len(what) > 1:
        raise ValueError(f"Expected {what[0]} or {what[1]}, got both; leave one out.")
    if options.sweep is not None:
        for name in changes_from(options):
            if name in SWEPT:
                raise unused(name, "one run", "a sweep over it")
    elif what:
        refuse_settings(options, "a new run", what[0])
        for name in ("preset", "out"):
            if getattr(options, name) is not None:
                raise unused(name, "a new run", what[0])


def _sweep(options: Namespace, mixture: GaussianMixture) -> int:
    """Train over outcomes and steps; table, CSV and figures."""
    config = _settings(options)
    runs: list[SweepRun] = []
    with _made_folder(options, "sweep") as out:
        for run in sweep(config, mixture, options.sweep or OUTCOMES):
            runs.append(run)
            # After every run: the full sweep takes hours and may be stopped.
            write_sweep(runs, out / "sweep.csv")
            sys.stderr.write(
                f"{run.outcomes} outcomes, {run.schedule}: {run.quality.sentence()}\n"
            )
    draw_sweep(runs, options.figure or out / "sweep.png")
    draw_sweep_points(runs, mixture, out / "sweep-points.png")
    sys.stdout.write(f"{sweep_table(runs)}\nSaved {out}\n")
    return DONE


def read_points(path: Path) -> NDArray[Any]:
    """Generated points [n, 2] from NPY or text.

    Raises
    ------
    ValueError
        If the file cannot be read, or holds something else; names it.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                points = np.lib.format.read_array(file, allow_pickle=False)
        else:
            points = np.loadtxt(path, delimiter=",", ndmin=2)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path.name}: expected points as NPY or as text with a comma between "
            f"coordinates, got a file that cannot be read ({reason_of(error)}); check "
            "it."
        ) from error
    is_table = points.dtype.kind in "iuf" and points.ndim == 2 and len(points) > 0
    if not is_table or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(
            f"{path.name}: expected a table of points with two finite coordinates, got "
            f"{points.dtype} values of the shape {points.shape}; check the file."
        )
    return np.asarray(points)


def _trained(options: Namespace, mixture: GaussianMixture) -> Path:
    """A new run on the mixture; its folder."""
    config = _settings(options)
    with _made_folder(options, "mixture") as out:
        trainer = Trainer.start(config, mixture, out)
    reason = train_with_progress(trainer)
    sys.stdout.write(f"{reason.value} Run folder: {out}\n")
    return out


@contextlib.contextmanager
def _made_folder(options: Namespace, name: str) -> Iterator[Path]:
    """The folder by ``--out``, or a new one that does not stay if it is not used."""
    parent = Path("slicegan-runs")
    is_new = not parent.exists()
    is_made = not (options.out and options.out.exists())
    out = options.out or new_folder(parent, name)
    make_folder(out)
    cleaned = removed_if_unused(out, with_parent=is_new and not options.out)
    with cleaned if is_made else contextlib.nullcontext():
        yield out


def _settings(options: Namespace) -> RunConfig:
    start = preset(options.preset or "realness-toy")
    return start.changed(**changes_from(options))


def _mixture_of(run: Path) -> GaussianMixture:
    data = RunFolder.open(run).data()
    if not isinstance(data, GaussianMixture):
        raise ValueError(
            f"{run}: expected a run that was trained on a mixture, got one of images; "
            "leave the run out to train a new one."
        )
    return data
