"""Sliders of the generator that comes with the package."""

from __future__ import annotations

import numpy as np
import pytest

import sample_data
from napari_slicegan.directions import (
    Direction,
    DirectionSet,
    Gauge,
    Grade,
    Sweeping,
    fit_directions,
    graded,
    guided_directions,
    label,
    measure_effects,
    sweep,
)
from napari_slicegan.metrics.transport import percolating_fraction
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator

FRACTION = ["phase_fraction"]
STEPS = (-3.0, -1.5, 0.0, 1.5, 3.0)


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    return load_generator(sample_data.path("varied_sandstone"))


@pytest.fixture(scope="module")
def components(trained: TrainedGenerator) -> DirectionSet:
    return fit_directions(trained, n_components=1, n_samples=200)


@pytest.fixture(scope="module")
def porosity(trained: TrainedGenerator) -> Direction:
    (direction,) = guided_directions(trained, FRACTION, n_samples=100)
    return direction


def test_first_component_is_the_porosity(
    trained: TrainedGenerator, components: DirectionSet
) -> None:
    """It changes the fraction monotonically, and much more than random directions."""
    assert components.fit is not None
    assert components.fit.shares[0] >= 0.3
    sweeping = Sweeping(STEPS, seeds=(0, 1, 2), n_random=4)
    first = components.only("component 1")
    found = measure_effects(trained, first, Gauge(trained, FRACTION), sweeping)
    (effect,) = found.directions[0].effects
    assert abs(effect.spearman) >= 0.95
    assert abs(effect.span) >= 0.15
    assert effect.times_random >= 3
    assert label(found.directions[0]).startswith("phase fraction")
    assert not found.finds_little


def test_guided_direction_agrees_with_the_first_component(
    components: DirectionSet, porosity: Direction
) -> None:
    """In the block where both act; the latents explain the porosity poorly."""
    assert porosity.block == "block2"
    assert abs(porosity.cosine(components.directions[0], "block2")) > 0.8


def test_porosity_slider_moves_the_porosity(
    trained: TrainedGenerator, porosity: Direction
) -> None:
    """Monotonically over 0.15 and more, in volumes larger than those of training."""
    gauge = Gauge(trained, FRACTION, size=(96,) * 3)
    swept = sweep(gauge, porosity, (-2, -1, 0, 1, 2, 3), seed=1)
    fractions = np.array(swept.properties["phase_fraction"])
    assert (np.diff(fractions) > 0).all()
    assert np.ptp(fractions) >= 0.15
    widest = swept.values[-1] == 255
    assert percolating_fraction(widest, 0) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["z", "x"])
def test_graded_volume_follows_its_ramp(
    trained: TrainedGenerator, porosity: Direction, axis: str
) -> None:
    """Each of eight slabs of 128 x 128 x 16 voxels within 0.03 of its target."""
    grade = Grade((128, 128, 128), axis, 0.20, 0.35, seed=3)  # type: ignore[arg-type]
    made = graded(trained, porosity, grade)
    along = np.moveaxis(made.volume.values, "zyx".index(axis), 0)
    slabs = [(part == 255).mean() for part in np.split(along, 8)]
    assert np.abs(np.array(slabs) - np.linspace(0.20, 0.35, 8)).max() <= 0.03
