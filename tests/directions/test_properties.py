"""Properties of materials whose numbers are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.directions import PROPERTIES, Gauge
from napari_slicegan.directions.properties import (
    anisotropy,
    chord_length,
    correlation_length,
    effective_diffusivity,
)
from tests.directions.planted import images
from tests.toys import random_generator


def layers(thickness: int, edge: int = 48) -> np.ndarray:
    """Layers across z, half of them filled."""
    filled = np.arange(edge) // thickness % 2 == 0
    return np.broadcast_to(filled[:, None, None], (edge, edge, edge))


def test_correlation_length_of_a_gaussian_field() -> None:
    """A blur of sigma s: covariance exp(-r^2 / 4 s^2), 1/e at r = 2 s."""
    noise = np.random.default_rng(0).standard_normal((64, 64, 64))
    for sigma in (2.0, 3.0):
        field = gaussian_filter(noise, sigma, mode="wrap")
        assert correlation_length(field) == pytest.approx(2 * sigma, rel=0.06)


def test_correlation_length_does_not_depend_on_the_phase() -> None:
    """Both phases of a material, and gray values of any scale."""
    field = gaussian_filter(np.random.default_rng(1).standard_normal((40,) * 3), 2)
    phase = field > 0.01
    length = correlation_length(phase)
    assert correlation_length(~phase) == pytest.approx(length)
    assert correlation_length(7.0 * phase - 3) == pytest.approx(length)
    assert np.isnan(correlation_length(np.ones((8, 8, 8), bool)))


def test_layers_are_anisotropic() -> None:
    """Faces across z only: no crossing along y and x."""
    assert np.isnan(anisotropy(np.ones((8, 8, 8), bool)))
    assert np.isnan(anisotropy(layers(4)))
    noise = np.random.default_rng(2).random((30, 30, 30)) < 0.3
    assert anisotropy(noise) == pytest.approx(1, abs=0.03)
    flat = np.repeat(noise, 2, axis=2)
    # Doubled along x: half the crossings, 1 / mean(1, 1/2).
    assert anisotropy(flat) == pytest.approx(4 / 3, rel=0.03)


def test_chords_of_noise() -> None:
    """Runs of a phase of fraction p have the mean length 1 / (1 - p)."""
    noise = np.random.default_rng(3).random((60, 60, 60)) < 0.4
    assert chord_length(noise) == pytest.approx(1 / 0.6, rel=0.02)


def test_diffusion_in_layers() -> None:
    """Along y and x the fraction of open layers, 1/2; across them nothing: 1/3."""
    assert effective_diffusivity(layers(4, 16)) == pytest.approx(1 / 3, abs=0.01)


def test_gauge_measures_the_given_phase() -> None:
    trained = random_generator(OneHotPhases([7, 207]))
    made = Gauge(trained, ["phase_fraction"]).make(0)
    assert made.shape == (16, 16, 16)
    for phase in (7, 207):
        gauge = Gauge(trained, ["phase_fraction"], phase)
        assert gauge.measure(made) == {"phase_fraction": (made == phase).mean()}
    assert Gauge(trained).phase == 207
    assert Gauge(trained, size=(8, 9, 10)).make(0).shape == (8, 9, 10)


def test_gray_values_have_other_properties() -> None:
    trained = random_generator(ScaleMinMax(0, 1, 1, "float64"))
    gauge = Gauge(trained)
    assert gauge.names == ("mean_gray", "contrast", "gray_correlation_length")
    made = gauge.make(1)
    measured = gauge.measure(made)
    assert measured["mean_gray"] == pytest.approx(made.mean())
    assert measured["contrast"] == pytest.approx(made.std())


def test_images_are_measured_as_a_sheet() -> None:
    trained = images(edge=16)
    gauge = Gauge(trained)
    made = gauge.make(0)
    assert made.shape == (16, 16, 16)
    assert gauge.measure(made)["mean_gray"] == pytest.approx(made.mean())
    assert all(not PROPERTIES[name].only_3d for name in gauge.names)
