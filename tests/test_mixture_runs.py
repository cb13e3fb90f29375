"""Runs on the nine Gaussians, and their evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from napari_slicegan import cli
from napari_slicegan.image_generation import generate_samples
from napari_slicegan.point_monitor import PointMonitor, scatter_picture
from napari_slicegan.point_set import GaussianMixture, nine_gaussians
from napari_slicegan.presets import preset
from napari_slicegan.run_folder import RunFolder
from napari_slicegan.trained_generator import load_any_generator
from napari_slicegan.trainer import Trainer
from tests.image_toys import small_image_config, toy_set
from tests.test_resume import final_state
from tests.toys import train

SMALL = {
    "generator_widths": (8, 8),
    "critic_widths": (6,),
    "generator_volumes": 16,
    "critic_volumes": 16,
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
    quality = PointMonitor(mixture).measure(points)
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
    with pytest.raises(ValueError, match="makes points, got images"):
        Trainer(small(), toy_set())
    with pytest.raises(ValueError, match="makes images, got points"):
        Trainer(small_image_config(), nine_gaussians())
    with pytest.raises(ValueError, match="expected a mixture of Gaussians"):
        GaussianMixture.load(tmp_path)


def test_a_scatter_shows_points_where_they_are() -> None:
    """The mean (2, -2) lies right and below; y runs upwards."""
    picture = scatter_picture(np.full((5, 2), (2.0, -2.0)), nine_gaussians())
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


@pytest.mark.parametrize("text", ["1,2\n3\n", "a,b\n", "1,2,3\n", "nan,1\n", ""])
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_damaged_points_are_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = points_file(tmp_path, lambda p: p.write_text(text))
    assert cli.main(words.split()) == 2
    assert "points.csv: expected" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_realness_recovers_the_modes(seed: int) -> None:
    """At least 8 of 9 and 85 % of high quality; more modes than, or as many as, BCE."""
    settings = {"seed": seed, "device": "cpu", "threads": 1, "monitor_every": 2_500}
    trainer = Trainer(preset("realness-toy").changed(**settings), nine_gaussians())
    quality = train(trainer)[-1].image_quality
    assert quality is not None
    points = generate_samples(trainer.trained_generator(), 10_000, 1)
    measured = PointMonitor(nine_gaussians()).measure(points)
    assert measured.modes >= 8
    assert measured.high_quality >= 0.85


@pytest.mark.slow
def test_the_published_settings_fare_badly() -> None:
    """The report: 3 modes and 7.45 %."""
    config = preset("realness-toy-paper").changed(device="cpu", threads=1)
    trainer = Trainer(config, nine_gaussians())
    train(trainer)
    measured = trainer.monitor.measure(trainer.preview())
    assert measured.modes <= 5
    assert measured.high_quality < 0.15


def test_a_saved_generator_makes_the_points_of_the_run(tmp_path: Path) -> None:
    trainer = Trainer.start(small(), nine_gaussians(), tmp_path / "run")
    train(trainer)
    points = generate_samples(load_any_generator(tmp_path / "run"), 10_000, 0)
    np.testing.assert_array_equal(points, trainer.preview())
