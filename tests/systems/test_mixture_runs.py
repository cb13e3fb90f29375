"""Runs on the nine Gaussians, and their evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.cli import parser as cli
from napari_slicegan.config.presets import preset
from napari_slicegan.generation.samples import generate_samples
from napari_slicegan.models.generator_file import load_any_generator
from napari_slicegan.systems.gaussian_mixture import GaussianMixture, nine_gaussians
from napari_slicegan.systems.mixture_sweep import OUTCOMES, SCHEDULES, steps_for
from napari_slicegan.systems.point_task import PointMonitor, PointQuality, Scatter
from napari_slicegan.training.run_folder import RunFolder
from napari_slicegan.training.trainer import Trainer
from tests.image_toys import small_image_config, toy_set
from tests.toys import train
from tests.training.test_resume import final_state

SMALL = {
    "generator_widths": (8, 8),
    "critic_widths": (6,),
    "generator_batch_size": 16,
    "critic_batch_size": 16,
    "steps": 6,
    "device": "cpu",
    "threads": 1,
}


def small(**changes: Any) -> Any:
    return preset("realness-toy").changed(**{**SMALL, **changes})


def test_the_mixture_is_the_published_one() -> None:
    """100,000 points, a ninth at each mean, all the same at every call."""
    mixture = nine_gaussians()
    points = mixture.values
    assert points.shape == (100_000, 2)
    np.testing.assert_array_equal(points, mixture.values)
    quality = PointMonitor(mixture).measure(Scatter(points, mixture))
    # Within 4 sigma in two dimensions: 1 - exp(-8) = 0.99966.
    assert quality.high_quality == pytest.approx(0.99966, abs=3e-4)
    assert quality.modes == 9
    nearest = np.rint(points / 2) * 2
    assert (points - nearest).std(axis=0) == pytest.approx([0.05, 0.05], rel=0.02)
    _, counts = np.unique(nearest, axis=0, return_counts=True)
    assert counts.tolist() == pytest.approx([100_000 / 9] * 9, rel=0.04)


def test_three_and_three_steps_are_six(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(Trainer.start(small(), nine_gaussians(), whole))
    train(Trainer.start(small(), nine_gaussians(), parts), stop_at=3)
    train(Trainer.resume(parts))
    expected, found = final_state(whole), final_state(parts)
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
    assert RunFolder.open(parts).data() == nine_gaussians()


def test_gradient_penalty_of_points() -> None:
    config = small(objective="wgan-gp", penalty_weight=10, steps=1)
    (report,) = train(Trainer(config, nine_gaussians()))
    assert report.penalty > 0


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="makes points, got a set of images"):
        Trainer(small(), toy_set())
    with pytest.raises(ValueError, match="makes images, got points"):
        Trainer(small_image_config(), nine_gaussians())
    with pytest.raises(ValueError, match="expected a mixture of Gaussians"):
        GaussianMixture.load(tmp_path)


def test_a_scatter_shows_points_where_they_are() -> None:
    """The mean (2, -2) lies right and below; y runs upwards."""
    points = np.full((5, 2), (2.0, -2.0))
    picture = Scatter(points, nine_gaussians()).picture()
    ((row, column),) = np.argwhere(picture == 0)
    # From -3 to 3 in 256 pixels: 2 is at 5/6 of the edge.
    assert row == pytest.approx(5 / 6 * 256, abs=1)
    assert column == pytest.approx(5 / 6 * 256, abs=1)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    words = "--generator-widths 8 8 --critic-widths 6 --steps 2 --device cpu"
    assert cli.main(f"evaluate mixture --out {run} {words}".split()) == 0
    said = capsys.readouterr().out
    assert "Recovered modes: " in said
    assert cli.main(f"evaluate mixture {run}".split()) == 0
    # The same points, the same numbers.
    assert capsys.readouterr().out in said
    with Image.open(run / "mixture.png") as figure:
        assert figure.size == (750, 750)


def test_the_published_numbers_of_steps() -> None:
    """Of the scripts beside the paper; between them on a straight line."""
    assert [steps_for(n) for n in OUTCOMES] == [1, 3, 6, 14, 25, 36]
    assert steps_for(15) == 10
    assert [steps_of(20) for steps_of in SCHEDULES.values()] == [
        (1, 1),
        (14, 1),
        (14, 14),
    ]


def test_a_sweep_from_the_command_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    small = "--generator-widths 8 8 --critic-widths 6 --steps 2 --device cpu"
    words = f"evaluate mixture --sweep 2 5 --out {tmp_path} {small}"
    assert cli.main(words.split()) == 0
    said = capsys.readouterr()
    header, *lines = (tmp_path / "sweep.csv").read_text().splitlines()
    assert header.startswith("schedule,outcomes,generator_steps,critic_steps")
    # Schedule, outcomes, steps of generator and critic.
    assert [line.split(",")[:4] for line in lines] == [
        ["1 / 1", "2", "1", "1"],
        ["1 / 1", "5", "1", "1"],
        ["G / 1", "2", "1", "1"],
        ["G / 1", "5", "3", "1"],
        ["G / G", "2", "1", "1"],
        ["G / G", "5", "3", "3"],
    ]
    # A line for each number of outcomes, a column for each schedule.
    assert [line.count("modes") for line in said.out.splitlines()[1:3]] == [3, 3]
    assert said.err.count("high quality") == 6
    for name in ("sweep.png", "sweep-points.png"):
        with Image.open(tmp_path / name) as figure:
            assert min(figure.size) > 400
    # All numbers are checked before the first run, and no folder is left.
    monkeypatch.chdir(empty := tmp_path / "empty")
    words = words.replace(f"--out {tmp_path}", "").replace("2 5", "2 0")
    assert cli.main(words.split()) == 2
    assert "high quality" not in capsys.readouterr().err
    assert not list(empty.iterdir())


def points_file(folder: Path, write: Callable[[Path], Any]) -> str:
    write(folder / "points.csv")
    return f"evaluate mixture --points {folder}/points.csv"


def test_points_of_other_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """101 points at a mean are a mode, 100 are none."""
    for n, modes in ((101, 1), (100, 0)):
        points = np.concatenate([np.full((n, 2), 2.0), np.full((99, 2), 9.0)])
        words = points_file(tmp_path, lambda p: np.savetxt(p, points, delimiter=","))  # noqa: B023
        assert cli.main(words.split()) == 0
        said = capsys.readouterr().out
        assert f"Recovered modes: {modes} of 9" in said
        assert f"{100 * n / (n + 99):.2f} %" in said


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_damaged_points_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ["1,2\n3\n", "a,b\n", "1,2,3\n", "nan,1\n", ""]:
        (tmp_path / "points.csv").write_text(text)
        words = f"evaluate mixture --points {tmp_path}/points.csv"
        assert cli.main(words.split()) == 2
        assert "points.csv: expected" in capsys.readouterr().err
    words = f"evaluate mixture --points {tmp_path}/points.npy"
    for points in (np.array([["a", "b"]]), np.zeros((0, 2)), np.zeros((3, 2), "V8")):
        np.save(tmp_path / "points.npy", points)
        assert cli.main(words.split()) == 2
        assert "points.npy: expected" in capsys.readouterr().err
    np.savez(tmp_path / "points.npz", np.zeros((3, 2)))
    (tmp_path / "points.npz").rename(tmp_path / "points.npy")
    assert cli.main(words.split()) == 2
    assert "points.npy: expected" in capsys.readouterr().err


def trained_on_the_mixture(seed: int, **changes: Any) -> tuple[PointQuality, float]:
    """Quality of the whole preset, and its seconds on one thread without others."""
    settings = {"seed": seed, "device": "cpu", "threads": 1, "monitor_interval": 2_500}
    config = preset("realness-toy").changed(**settings, **changes)
    trainer = Trainer(config, nine_gaussians())
    started = time.process_time()
    train(trainer)
    seconds = time.process_time() - started
    points = generate_samples(trainer.trained_generator(), 10_000, 1)
    monitor = PointMonitor(nine_gaussians())
    return monitor.measure(Scatter(points, nine_gaussians())), seconds


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_realness_recovers_the_modes(seed: int) -> None:
    """At least 8 of 9, and 85 % of high quality; about 100 s of one processor."""
    measured, seconds = trained_on_the_mixture(seed)
    assert measured.modes >= 8
    assert measured.high_quality >= 0.85
    assert seconds < 200


@pytest.mark.slow
def test_realness_recovers_as_many_modes_as_bce() -> None:
    """The same networks, rates and steps for both objectives; three seeds."""
    seeds = (1, 2, 3)
    realness = [trained_on_the_mixture(seed)[0] for seed in seeds]
    bce = [trained_on_the_mixture(seed, objective="bce")[0] for seed in seeds]
    assert sum(q.modes for q in realness) >= sum(q.modes for q in bce)


def test_a_short_run_comes_nearer_to_the_mixture() -> None:
    """120 of the 2,500 steps, a quarter of the batch: points spread over the grid."""
    config = preset("realness-toy").changed(
        steps=120, generator_batch_size=64, critic_batch_size=64, device="cpu"
    )
    trainer = Trainer(
        config.changed(monitor_interval=1_000, threads=1), nine_gaussians()
    )
    real = nine_gaussians().values[:1_000]

    def distance() -> float:
        """Energy distance of the generated points from the mixture."""
        points = trainer.preview().values[:1_000]
        across = pairwise(points, real).mean()
        return float(2 * across - pairwise(points, points).mean() - own)

    own = pairwise(real, real).mean()
    before = distance()
    train(trainer)
    assert distance() < before / 4


def pairwise(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Distances of all pairs, [n, m]."""
    return np.asarray(np.linalg.norm(a[:, np.newaxis] - b[np.newaxis], axis=2))


@pytest.mark.slow
def test_the_published_settings_fare_badly() -> None:
    """The report: 3 modes and 7.45 %."""
    config = preset("realness-toy-paper").changed(device="cpu", threads=1)
    trainer = Trainer(config, nine_gaussians())
    train(trainer)
    measured = PointMonitor(nine_gaussians()).measure(trainer.preview())
    assert measured.modes <= 5
    assert measured.high_quality < 0.15


def test_a_saved_generator_makes_the_points_of_the_run(tmp_path: Path) -> None:
    trainer = Trainer.start(small(), nine_gaussians(), tmp_path / "run")
    train(trainer)
    points = generate_samples(load_any_generator(tmp_path / "run"), 10_000, 0)
    np.testing.assert_array_equal(points, trainer.preview().values)
