"""Grids of known strength, and materials that have none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_slicegan.metrics.lattice import Lattice, lattice


def by_modulus(found: list[Lattice]) -> dict[int, Lattice]:
    return {one.modulus: one for one in found}


def test_random_materials_have_no_grid(subtests: pytest.Subtests) -> None:
    """Noise, and Gaussian fields cut at a level, with and without periodic borders."""
    for sigma in [0, 1, 2]:
        for shape in [(64, 64, 64), (70, 64, 81), (256, 300)]:
            with subtests.test(sigma=sigma, shape=shape):
                for seed, mode in enumerate(("wrap", "reflect")):
                    noise = np.random.default_rng(seed).normal(size=shape)
                    field = ndimage.gaussian_filter(noise, sigma, mode=mode)
                    for values in (field, field > 0.5 * field.std()):
                        found = lattice([values])
                        assert found
                        assert not [one for one in found if one.is_visible]


def test_fibres_and_layers_have_no_grid(subtests: pytest.Subtests) -> None:
    """Their power lies in a plane, or on a line, of the spectrum."""
    for sigma in [(30, 1.5, 1.5), (16, 1.5, 1.5), (1, 12, 12)]:
        with subtests.test(sigma=sigma):
            random = np.random.default_rng(5)
            field = ndimage.gaussian_filter(random.normal(size=(64, 64, 64)), sigma)
            assert not [one for one in lattice([field > 0]) if one.is_visible]


def test_extruded_materials_have_no_grid(subtests: pytest.Subtests) -> None:
    for flipped in [0, 0.01]:
        with subtests.test(flipped=flipped):
            random = np.random.default_rng(6)
            section = ndimage.gaussian_filter(random.normal(size=(64, 64)), 2) > 0
            noise = random.random((64, 64, 64)) < flipped
            for extruded in (section, section[:, :1]):
                found = lattice([np.broadcast_to(extruded, noise.shape) ^ noise])
                assert not [one for one in found if one.is_visible]


def test_strength_of_a_wave_in_noise(subtests: pytest.Subtests) -> None:
    """A wave along the diagonal: its variance is that of the mean over positions."""
    for modulus in [2, 4, 8]:
        with subtests.test(modulus=modulus):
            place = np.indices((64, 64, 64)).sum(axis=0)
            wave = np.cos(2 * np.pi * place / modulus)
            noise = np.random.default_rng(2).normal(size=wave.shape)
            strength = 0.05
            found = by_modulus(lattice([noise + strength * wave]))
            one = found[modulus]
            assert one.is_visible
            assert {abs(part) for part in one.line} == {1 / modulus}
            expected = strength * float(np.sqrt(np.mean(wave**2)))
            # Noise of this modulus is known to its own scatter only.
            assert one.deviation == pytest.approx(expected, rel=0.25)
            others = [other for other in found.values() if other.modulus != modulus]
            assert not [other for other in others if other.is_visible]


def test_a_grid_of_speckle_that_axes_do_not_show() -> None:
    """The fraction depends on z + y + x modulo 2; the means of planes do not."""
    odd = np.indices((64, 64, 64)).sum(axis=0) % 2
    random = np.random.default_rng(3).random(odd.shape)
    speckle = random < 0.3 + 0.04 * (odd - 0.5)
    assert by_modulus(lattice([speckle]))[2].is_visible
    assert not by_modulus(lattice([random < 0.3]))[2].is_visible


def test_planes_are_averaged() -> None:
    """A mesh within the planes, too weak for any single one."""
    random = np.random.default_rng(4).normal(size=(64, 64, 64))
    mesh = 0.1 * (-1.0) ** np.indices((64, 64)).sum(axis=0)
    volume = random + mesh
    (plane,) = (one for one in lattice([volume[0]]) if one.modulus == 2)
    assert plane.strongest < 2 * plane.strongest_limit
    found = lattice(list(volume))
    assert by_modulus(found)[2].excess > 3 * plane.excess
    assert by_modulus(found)[2].is_visible


def test_what_cannot_be_tested() -> None:
    assert lattice([np.ones((15, 40, 40))]) == []
    assert lattice([np.ones((40, 40, 40))]) == []
    assert [one.modulus for one in lattice([np.eye(70)])] == [2, 4, 8]
    with pytest.raises(ValueError, match="samples of one shape"):
        lattice([np.zeros((32, 32)), np.zeros((32, 40))])
