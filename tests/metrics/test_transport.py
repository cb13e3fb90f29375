"""Percolation, checked by flooding, and diffusion through layers."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicegan.metrics.transport import (
    effective_conductivity,
    effective_diffusivity,
    percolating_fraction,
    tortuosity_factor,
)


def layers(edge: int = 16) -> NDArray[np.bool_]:
    """Layers across z, half of them open."""
    return np.broadcast_to(
        (np.arange(edge) // 4 % 2 == 0)[:, None, None], (edge, edge, edge)
    )


@pytest.fixture(params=["diagonal", "multigrid"])
def _solver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without the extra `metrics`."""
    if request.param == "diagonal":
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    else:
        pytest.importorskip("pyamg")


@pytest.mark.usefixtures("_solver")
def test_diffusion_through_layers() -> None:
    open_layers = layers()
    for axis in (1, 2):
        diffusivity = effective_diffusivity(open_layers, axis)
        # D_eff / D_0 is the fraction of open layers
        assert diffusivity == pytest.approx(0.5, abs=1e-6)
        assert tortuosity_factor(0.5, diffusivity) == pytest.approx(1, abs=1e-5)
    # Nothing flows across the closed layers.
    assert effective_diffusivity(layers(), 0) == 0
    assert tortuosity_factor(0.5, 0) == math.inf


@pytest.mark.usefixtures("_solver")
def test_diffusion_through_a_winding_tube(subtests: pytest.Subtests) -> None:
    """One voxel wide: a chain of as many resistors as it has voxels."""
    for axis in range(3):
        with subtests.test(axis=axis):
            tube = np.zeros((9, 6, 7), dtype=bool)
            tube[:4, 2, 1] = tube[3, 2, 1:6] = tube[3:7, 2, 5] = True
            tube[6, 2:5, 5] = tube[6:, 4, 5] = True
            dead_end = np.zeros_like(tube)
            dead_end[3, 3:, 1] = True
            moved = np.moveaxis(tube | dead_end, 0, axis)
            expected = 9 / (6 * 7 * tube.sum())
            assert effective_diffusivity(moved, axis) == pytest.approx(
                expected, rel=0.002
            )


def test_diffusion_in_a_section() -> None:
    section = np.zeros((8, 10), dtype=bool)
    section[2:4] = True
    assert effective_diffusivity(section, 1) == pytest.approx(0.25)
    assert effective_diffusivity(section, 0) == 0


@pytest.mark.usefixtures("_solver")
def test_conduction_through_layers() -> None:
    """Series and parallel, exactly; a uniform material conducts as its phase."""
    labels = layers().astype(np.uint8) * 255
    known = {0: 0.01, 255: 4.0}
    for axis in (1, 2):
        found = effective_conductivity(labels, known, axis)
        assert found == pytest.approx((0.01 + 4) / 2, rel=1e-4)
    found = effective_conductivity(labels, known, 0)
    assert found == pytest.approx(2 / (1 / 0.01 + 1 / 4), rel=1e-4)
    uniform = effective_conductivity(labels, {0: 3.0, 255: 3.0}, 0)
    assert uniform == pytest.approx(3, rel=1e-6)
    assert effective_conductivity(labels, {0: 0.0, 255: 1.0}, 0) == 0


@pytest.mark.usefixtures("_solver")
def test_conduction_stays_within_bounds() -> None:
    """Wiener, and for isotropic materials Hashin and Shtrikman (1962).

    A cubic array of few spheres conducts as Maxwell's formula, which is that bound.
    """
    noise = np.random.default_rng(0).normal(size=(24, 24, 24))
    labels = (ndimage.gaussian_filter(noise, 1.5) > 0.05).astype(np.uint8)
    for low in (0.5, 0.01, 1e-4):
        known, share = {0: 1.0, 1: low}, float(labels.mean())
        found = effective_conductivity(labels, known, 1)
        assert 1 / (share / low + 1 - share) < found < share * low + 1 - share
        assert _maxwell(low, 1, 1 - share) < found < _maxwell(1, low, share)
    places = np.square(np.arange(12) + 0.5)  # an eighth of the unit cell
    ball = places[:, None, None] + places[:, None] + places < 6**2
    found = effective_conductivity(ball.astype(np.uint8), {0: 1.0, 1: 10.0}, 0)
    assert found == pytest.approx(_maxwell(1, 10, float(ball.mean())), rel=0.01)


def _maxwell(matrix: float, inclusion: float, share: float) -> float:
    """Hashin-Shtrikman bound with this matrix; Torquato (2002), eq. 21.22."""
    contrast = (inclusion - matrix) / (inclusion + 2 * matrix)
    return matrix * (1 + 2 * share * contrast) / (1 - share * contrast)


def test_conductivities_that_are_missing_or_wrong() -> None:
    labels = layers().astype(np.uint8)
    with pytest.raises(ValueError, match="none for 1; give one for each"):
        effective_conductivity(labels, {0: 1.0}, 0)
    with pytest.raises(ValueError, match=r"at most 1e\+100 and .* got 1e\+300;"):
        effective_conductivity(labels, {0: 1.0, 1: 1e300}, 0)
    for wrong in (-1.0, 1e-300):
        with pytest.raises(ValueError, match=f"0 or at least 1e-100, got {wrong:g};"):
            effective_conductivity(labels, {0: 1.0, 1: wrong}, 0)


@pytest.mark.usefixtures("_solver")
def test_diffusion_agrees_with_taufactor() -> None:
    """In random channels, 62 % of the voxels of which conduct."""
    taufactor = pytest.importorskip("taufactor")
    noise = np.random.default_rng(0).normal(size=(40, 32, 24))
    channels = ndimage.gaussian_filter(noise, 2) > -0.02
    for axis in range(3):
        along = np.ascontiguousarray(np.moveaxis(channels, axis, 0), np.uint8)
        oracle = taufactor.Solver(along, device="cpu")
        oracle.solve(verbose=False)
        found = effective_diffusivity(channels, axis)
        assert found == pytest.approx(float(oracle.D_eff[0]), rel=0.01)


def flooded_share(indicator: NDArray[np.bool_], axis: int) -> float:
    """Slow reference: grow from one face by single voxels, then from the other."""
    moved = np.moveaxis(indicator, axis, 0)

    def flood(start: int) -> NDArray[np.bool_]:
        wet = np.zeros_like(moved)
        wet[start] = moved[start]
        while True:
            grown = wet.copy()
            for along in range(moved.ndim):
                first: list[slice] = [slice(None)] * moved.ndim
                second = list(first)
                first[along], second[along] = slice(1, None), slice(None, -1)
                grown[tuple(first)] |= wet[tuple(second)]
                grown[tuple(second)] |= wet[tuple(first)]
            grown &= moved
            if (grown == wet).all():
                return wet
            wet = grown

    return float((flood(0) & flood(-1)).sum() / indicator.sum())


def test_column_and_ball() -> None:
    indicator = np.zeros((10, 12, 14), dtype=bool)
    indicator[:, 2:4, 2:5] = True  # 60 voxels from face to face along z
    indicator[4:6, 6:11, 8:12] = True  # 40 voxels that touch no face
    assert percolating_fraction(indicator, 0) == 60 / 100
    assert percolating_fraction(indicator, 1) == 0
    assert percolating_fraction(indicator, 2) == 0
    assert percolating_fraction(np.ones((3, 4, 5), dtype=bool), 1) == 1
    assert percolating_fraction(np.zeros((3, 4, 5), dtype=bool), 1) == 0


def test_edges_do_not_connect() -> None:
    stairs = np.eye(8, dtype=bool)
    assert percolating_fraction(stairs, 0) == 0
    stairs |= np.eye(8, k=1, dtype=bool)
    assert percolating_fraction(stairs, 0) == 1


def test_against_flooding() -> None:
    # near the threshold of site percolation, 0.3116 on a cubic lattice
    indicator = np.random.default_rng(3).random((14, 15, 16)) < 0.32
    for axis in range(3):
        expected = flooded_share(indicator, axis)
        assert percolating_fraction(indicator, axis) == pytest.approx(expected)


def test_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="bool array"):
        percolating_fraction(np.ones((3, 3, 3)), 0)  # type: ignore[arg-type]
