"""Graded materials and the response of a property to a direction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from napari_slicegan.directions import (
    Direction,
    Gauge,
    Grade,
    Response,
    graded,
    guided_directions,
    measure_response,
)
from napari_slicegan.generation.generate import generate
from tests.directions.planted import signed
from tests.refusals import Refusal, assert_refused


def test_response_is_inverted() -> None:
    falling = Response(np.array([-2.0, 0, 2]), np.array([0.8, 0.5, 0.1]))
    assert falling.strength_for(0.5) == 0
    assert falling.strength_for(0.3) == pytest.approx(1)
    assert falling.strength_for(0.65) == pytest.approx(-1)
    assert falling.range == (0.1, 0.8)
    assert falling.slope(0) < 0


def test_only_the_steady_part_counts() -> None:
    """Beyond its turning points the property would have two strengths for a value."""
    strengths = np.arange(-3.0, 4)
    values = np.array([0.5, 0.2, 0.3, 0.4, 0.6, 0.7, 0.65])
    response = Response(strengths, values)
    assert response.range == (0.2, 0.7)
    assert response.strength_for(0.5) == pytest.approx(0.5)
    assert response.strength_for(0.9) == 2


@pytest.fixture(scope="module")
def guided() -> Direction:
    (direction,) = guided_directions(signed(), ["phase_fraction"], n_samples=200)
    return direction


def test_fraction_follows_the_ramp(
    guided: Direction, subtests: pytest.Subtests
) -> None:
    """Also along another axis than z, and it is made again by its own edit.

    Slabs of 8 x 8 x 32 independent voxels scatter by 0.011 of their own.
    """
    for block in ["latent", "block1"]:
        with subtests.test(block):
            size = (8, 32, 32)
            grade = Grade(size, "y", 0.35, 0.65, seed=2, block=block, n_slabs=4)
            made = graded(signed(), guided, grade)
            assert made.asked.tolist() == pytest.approx([0.35, 0.45, 0.55, 0.65])
            slabs = [
                (made.volume.values[:, a : a + 8] == 255).mean() for a in (0, 8, 16, 24)
            ]
            assert made.measured == pytest.approx(slabs)
            assert made.error < 0.015
            again = generate(signed(), size, 2, edits=[made.edit]).values
            np.testing.assert_array_equal(again, made.volume.values)


def test_response_of_a_known_generator(guided: Direction) -> None:
    """Phi(s / 8) for the planted direction; the guided one is nearly the same."""
    gauge = Gauge(signed(), ["phase_fraction"], size=(16, 16, 16))
    found = measure_response(
        gauge, guided, "phase_fraction", "latent", (-6, 0, 6), (0, 1)
    )
    assert found.values == pytest.approx(ndtr([-0.75, 0, 0.75]), abs=0.02)


def refused(direction: Direction, last: float) -> object:
    return graded(signed(), direction, Grade((32, 8, 8), "z", 0.45, last))


def test_values_out_of_reach_are_refused(guided: Direction, tmp_path: Path) -> None:
    refusals: list[Refusal] = [
        ("range", lambda _: refused(guided, 0.9), "can reach"),
        ("slabs", lambda _: Grade((32, 8, 8), n_slabs=1), "two slabs"),
        ("depth", lambda _: Grade((12, 8, 8), n_slabs=8), "two voxels"),
    ]
    for refusal in refusals:
        assert_refused(refusal, tmp_path)
