"""Presets are trained from the window by the benchmark, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from benchmarks import window_presets

pytestmark = pytest.mark.qt

# Where a preset has no such setting, its own stays.
TOY = (
    "latent_channels=4 evaluation_images=16 monitor_interval=5 steps=12 critic_steps=1"
)


def go(folder: Path, *names: str, toy: str = TOY, minutes: str = "5") -> int:
    settings = [word for text in toy.split() for word in ("--set", text)]
    asked = ["--out", str(folder), "--minutes", minutes, *settings]
    return window_presets.main([*asked, "--presets", *names])


def test_each_kind_is_trained_and_asked_for_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve steps each; then images, or what is said of points."""
    widths = " generator_widths=(8,6,4) critic_widths=(4,6)"
    assert go(tmp_path, "oasis-28", toy=TOY + widths) == 0
    points = " generator_widths=(8,8) critic_widths=(6,)"
    assert go(tmp_path, "realness-toy", toy=TOY + points) == 0
    text = capsys.readouterr().out
    assert (tmp_path / "presets.txt").read_text(encoding="utf-8") in text
    images, points = (
        next(row for row in text.splitlines() if row.startswith(name))
        for name in ("oasis-28", "realness-toy")
    )
    assert images.split()[1:3] == ["planes", "12"]
    assert "Samples 16 x 28 x 28; none" in images
    assert points.split()[1:3] == ["none", "12"]
    assert "got one of points" in points
    assert text.count("told before: About") == 4


def test_a_process_that_dies_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(tmp_path, "oasis-28", toy="speed=2") == 1
    assert "the process ended with 1" in capsys.readouterr().out
    text = (tmp_path / "oasis-28.log").read_text(encoding="utf-8")
    assert "No setting is called 'speed'" in text
