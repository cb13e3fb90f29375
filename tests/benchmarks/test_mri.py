"""Slices of a brain, on a volume that needs no other package; nothing is learned."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import mri

TOY = (
    "generator_widths=(8,6,4) critic_widths=(4,6) latent_channels=5 "
    "evaluation_images=16 generator_batch_size=8 critic_batch_size=8 "
    "device=cpu steps=40"
).split()


def toy_head(folder: Path) -> Path:
    """An ellipsoid, brighter inside, that fills the middle two thirds of a box."""
    z, y, x = np.mgrid[-1:1:36j, -1:1:40j, -1:1:30j]
    radius = np.sqrt((z / 0.7) ** 2 + (y / 0.8) ** 2 + (x / 0.6) ** 2)
    values = np.where(radius < 1, 1 + (radius < 0.5), 0).astype(np.float32)
    np.save(folder / "head.npy", values)
    return folder / "head.npy"


def test_slices_of_a_volume_are_learned_and_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """16 passes in batches of 8 are an epoch, after which images are measured."""
    settings = [word for each in TOY for word in ("--set", each)]
    asked = ["--volume", str(toy_head(tmp_path)), "--preset", "oasis-28", *settings]
    mri.main(["--out", str(tmp_path / "out"), "--minutes", "5", *asked])
    planes = np.load(tmp_path / "out" / "planes.npy")
    count = len(planes)
    assert 10 < count < 20
    assert planes.shape[1:] == (40, 36)
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"{count} planes; SWD ")
    with (tmp_path / "out" / "mri.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["step"]) for row in rows] == [0, 2 * count, 40]
    assert all(float(row["swd"]) > float(row["swd_floor"]) > 0 for row in rows)
    assert all(-1 <= float(row["ssim"]) <= 1 for row in rows)
    sheets = [
        np.asarray(Image.open(tmp_path / "out" / name))
        for name in (mri.SAMPLES, mri.REAL)
    ]
    # 4 x 4 images of 28 pixels, enlarged three times, with a line of 2 between.
    assert [sheet.shape for sheet in sheets] == [(344, 344), (344, 344)]
    assert (tmp_path / "out" / "run" / "generator.safetensors").is_file()


def test_without_a_brain_it_is_said_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nilearn.datasets", None)
    with pytest.raises(ValueError, match="pip install nilearn"):
        mri.main(["--out", str(tmp_path)])
