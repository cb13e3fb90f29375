"""Stokes flow through channels and packings whose permeability is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy
from numpy.typing import NDArray
from scipy import ndimage

from napari_slicegan.metrics.permeability import StokesFlow, permeability
from napari_slicegan.metrics.transport import spanning_components
from napari_slicegan.runtime.progress import Cancelled


def sandstone(*shape: int) -> NDArray[np.bool_]:
    """Winding pores, 45 % of the voxels."""
    noise = np.random.default_rng(1).normal(size=shape)
    return np.asarray(ndimage.gaussian_filter(noise, 1.5) > 0.02)


def test_channels() -> None:
    """Poiseuille flow; between plane walls of any width it is exact."""
    for width in (1, 4, 12):
        for axis in range(3):
            pores = np.zeros((3, 3, width + 2), dtype=bool)
            pores[..., 1:-1] = True
            pores = np.moveaxis(pores, 2, axis - 1)  # walls across another axis
            mean = width**2 / 12 * width / (width + 2)
            assert permeability(pores, axis) == pytest.approx(mean, rel=1e-4)
    duct = np.zeros((3, 18, 18), dtype=bool)
    duct[:, 1:-1, 1:-1] = True
    # 0.035144 a^2 for a square duct; White, Viscous Fluid Flow (1991), eq. 3-48
    known = 0.035144 * 16**2 * (16 / 18) ** 2
    assert permeability(duct, 0) == pytest.approx(known, rel=0.02)


def test_narrow_tubes() -> None:
    """Poiseuille flow in tubes of few voxels; mean over places of their axes."""
    for radius in (1.5, 3, 4.5):
        n = 2 * math.ceil(radius) + 4
        ratios = []
        for place in np.random.default_rng(0).random((8, 2)) + n / 2 - 0.5:
            squares = np.square(np.arange(n)[:, None] + 0.5 - place)
            disc = squares[:, 0][:, None] + squares[:, 1] < radius**2
            found = permeability(np.broadcast_to(disc, (1, n, n)), 0)
            ratios.append(found * n**2 / (math.pi * radius**4 / 8))
        # without the correction of the walls 1.23 at a radius of 1.5 voxels
        assert np.mean(ratios) == pytest.approx(1, abs=0.12)


def test_tilted_slits() -> None:
    """Poiseuille flow between walls that the voxels do not follow."""
    places = np.arange(24) - 11.5
    for width in (1.5, 2, 4):
        ratios = []
        for angle, offset in np.random.default_rng(0).random((5, 2)) * (math.pi, 2):
            across = places[:, None] * math.cos(angle) + places * math.sin(angle)
            slit = np.abs(across - offset) < width / 2
            found = permeability(np.broadcast_to(slit, (1, 24, 24)), 0)
            ratios.append(found / (slit.mean() * width**2 / 12))
        # without the correction of the walls 1.6 at a width of 1.5 voxels
        assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_spheres_on_a_cubic_lattice() -> None:
    """Drag coefficients of Zick and Homsy, J. Fluid Mech. 115, 13 (1982), table 2."""
    edge = 24  # of the unit cell, an eighth of which is measured
    for fraction, drag in ((0.125, 4.292), (0.343, 15.4), (0.5236, 42.1)):
        radius = (3 * fraction / (4 * math.pi)) ** (1 / 3) * edge
        places = np.arange(edge // 2) + 0.5
        squares = np.square(places)
        pores = squares[:, None, None] + squares[:, None] + squares > radius**2
        known = edge**2 / (6 * math.pi * (radius / edge) * drag)
        assert permeability(pores, 1) == pytest.approx(known, rel=0.06)


def test_mirror_images_continue_the_material() -> None:
    """Doubled by its image on any side, the material has the same permeability."""
    pores = sandstone(12, 11, 10)
    known = permeability(pores, 1)
    assert known > 0
    for axis in range(3):
        doubled = np.concatenate([pores, np.flip(pores, axis)], axis=axis)
        assert permeability(doubled, 1) == pytest.approx(known, rel=1e-3)


def test_iteration_agrees_with_a_direct_solution() -> None:
    pores = sandstone(12, 11, 10).swapaxes(0, 1)
    components, spans = spanning_components(pores, 0)
    flow = StokesFlow.through(np.ascontiguousarray(spans[components]))
    zero = scipy.sparse.csr_array((flow.divergence.shape[0],) * 2)
    both = scipy.sparse.block_array(
        [[flow.viscous, -flow.divergence.T], [flow.divergence, zero]], format="csc"
    )
    right = np.concatenate([flow.force, np.zeros(flow.divergence.shape[0])])
    found = scipy.sparse.linalg.spsolve(both, right)[: len(flow.force)]
    assert flow.power(None) == pytest.approx(flow.force @ found, rel=1e-4)


def test_without_a_path_or_without_walls() -> None:
    closed = np.ones((6, 6, 6), dtype=bool)
    assert permeability(closed, 0) == math.inf
    closed[3] = False
    assert permeability(closed, 0) == 0
    assert 0 < permeability(closed, 1) < 5**2 / 12 + 1
    section = np.zeros((5, 6), dtype=bool)
    section[1:4] = True
    # without end along z: Poiseuille flow between walls 3 voxels apart
    assert permeability(section, 1) == pytest.approx(9 / 12 * 3 / 5)


def test_progress_and_cancellation() -> None:
    pores = sandstone(16, 16, 16)
    seen: list[float] = []
    permeability(pores, 0, seen.append)
    assert seen
    assert all(0 <= fraction <= 1 for fraction in seen)

    def cancel(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        permeability(pores, 0, cancel)
