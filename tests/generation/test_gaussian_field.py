"""Gaussian random fields cut at levels, of known and of measured correlation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicegan.cli import main
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.generation.gaussian_field import (
    field_correlation,
    gaussian_volume,
)
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.correlation import radial_two_point_correlation
from napari_slicegan.metrics.interfaces import interface_density
from napari_slicegan.volumes.volume import Volume
from tests.toys import TOY_LABELS, phases_image

Capture = pytest.CaptureFixture[str]
SIGMA = 3.0


def field(*shape: int, seed: int = 0, sigma: Any = SIGMA) -> NDArray[np.float64]:
    """Of the correlation exp(-r^2 / (4 sigma^2)), and of unit variance."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(smooth / smooth.std())


def section(level: float = 0.8) -> NDArray[np.uint8]:
    return np.where(field(300, 300) > level, 7, 3).astype(np.uint8)


def test_the_covariance_of_a_known_field_is_recovered() -> None:
    """At half, S2 = 1/4 + arcsin(rho) / (2 pi) (Sheppard 1899)."""
    rho = np.array([-0.99, -0.5, 0.0, 0.3, 0.9, 1.0])
    half = 0.25 + np.arcsin(rho) / (2 * np.pi)
    assert field_correlation(half, 0.5) == pytest.approx(rho, abs=1e-4)
    # Independent voxels; always together; as seldom together as possible.
    for fraction in (0.1, 0.7):
        ends = np.array([fraction**2, fraction, max(0.0, 2 * fraction - 1)])
        found = field_correlation(ends, fraction)
        assert found[:2] == pytest.approx([0, 1], abs=1e-3)
        assert found[2] < -0.6
    # A field of known correlation, cut at several levels.
    values = field(700, 700)
    distances = np.arange(12)
    for level in (-1.0, 0.0, 0.8):
        measured = np.array(
            [
                np.mean((values > level) & (np.roll(values, r, 1) > level))
                for r in distances
            ]
        )
        found = field_correlation(measured, measured[0])
        known = np.exp(-(distances**2) / (4 * SIGMA**2))
        assert found == pytest.approx(known, abs=0.04)


def test_the_volume_has_the_statistics_of_the_image() -> None:
    image = section()
    volume = gaussian_volume([image], (96, 90, 84))
    assert (volume.values.shape, volume.labels) == ((96, 90, 84), (3, 7))
    made = radial_two_point_correlation(volume.values == 7, 16)
    real = radial_two_point_correlation(image == 7, 16)
    assert made[0] == pytest.approx(real[0], abs=0.001)
    # At r = 1 sections have more neighbours across an edge than volumes.
    assert np.abs(made - real).max() < 0.006
    assert np.mean(interface_density(volume.values)) == pytest.approx(
        np.mean(interface_density(image)), rel=0.06
    )
    # Within the noise floor of the image.
    rows = compare([image], volume, 16, ("two_point_correlation",)).rows
    assert len(rows) == 6
    for row in rows:
        assert row.distance is not None
        assert row.noise_floor is not None
        assert row.distance <= row.noise_floor


def test_three_phases_have_their_fractions_and_correlations() -> None:
    """A coarse phase, and two that mix finely in the rest; one is nowhere."""
    coarse = field(320, 320, sigma=5) > 0.5
    fine = field(320, 320, seed=1, sigma=1.5) > 0.3
    image = np.where(coarse, 20, np.where(fine, 10, 0)).astype(np.uint8)
    volume = gaussian_volume([image], (80, 80, 80), seed=3)
    for label in (0, 10, 20):
        made = radial_two_point_correlation(volume.values == label, 12)
        real = radial_two_point_correlation(image == label, 12)
        assert made[0] == pytest.approx(real[0], abs=0.01)
        assert np.abs(made - real).max() < 0.02
    flat = gaussian_volume([np.full((20, 20), 4, np.uint8)], (8, 8, 8))
    assert set(np.unique(flat.values)) == {4}


def test_views_give_the_correlation_along_each_axis() -> None:
    """Of plates: long along y and x."""
    sigma = (1.5, 4, 4)
    views: Any = {
        axis: [
            (field(200, 200, seed=n, sigma=np.delete(sigma, n)) > 0).astype(np.uint8)
        ]
        for n, axis in enumerate("zyx")
    }
    volume = gaussian_volume(views, (96, 96, 96))
    z, y, x = interface_density(volume.values)
    real = interface_density(views["x"][0])
    assert z == pytest.approx(real[0], rel=0.2)
    assert (y + x) / 2 == pytest.approx(real[1], rel=0.2)


def test_seeds_and_periodic_axes() -> None:
    image = section()
    first, again, other = (
        gaussian_volume([image], (40, 36, 32), seed, "zx").values for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.2
    inside = interface_density(first)
    for axis, density in enumerate(inside):
        across = (first.take(0, axis) != first.take(-1, axis)).mean()
        # Beyond the border follows what lies at the other one, or anything.
        assert (across < 2 * density) == (axis != 1)


def test_what_it_cannot_use_is_refused() -> None:
    gray = Micrograph.from_array(np.arange(400.0).reshape(20, 20), "grayscale")
    with pytest.raises(ValueError, match="of one kind; got 'grayscale'"):
        gaussian_volume(gray, (8, 8, 8))
    with pytest.raises(ValueError, match="at least 6 pixels per edge"):
        gaussian_volume([section()[:4]], (8, 8, 8))
    with pytest.raises(ValueError, match="at least 0, got -1; give another"):
        gaussian_volume([section()], (8, 8, 8), seed=-1)
    with pytest.raises(ValueError, match="among z, y and x, got 'a'"):
        gaussian_volume([section()], (8, 8, 8), periodic="az")


def test_the_command_writes_a_volume(tmp_path: Path, capsys: Capture) -> None:
    tifffile.imwrite(tmp_path / "sem.tif", phases_image(40, 48).values)
    out = tmp_path / "volume.tif"
    words = ["baseline", str(tmp_path / "sem.tif"), "--size", "20x24x16"]
    words += ["--seed", "5", "--periodic", "z", "--pixel-size-nm", "4"]
    assert main([*words, "--out", str(out)]) == 0
    volume = Volume.open(out)
    assert volume.values.shape == (20, 24, 16)
    assert (volume.labels, volume.voxel_size_nm) == (TOY_LABELS, 4)
    printed = capsys.readouterr().out
    assert f"Phase {TOY_LABELS[0]}: fraction 0." in printed
    assert f"Saved {out}" in printed
