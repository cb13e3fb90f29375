"""What directions are measured to do."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from napari_slicegan.directions import (
    DirectionSet,
    Effect,
    Gauge,
    Model,
    Sweeping,
    fit_directions,
    label,
    measure_effects,
    named_by_effect,
    table,
)
from napari_slicegan.directions.direction import Direction
from napari_slicegan.directions.effects import effect_of
from tests.directions.planted import frames, signed, volumes
from tests.progress import cancelled_after

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator

STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
SWEEPING = Sweeping(strengths=STRENGTHS, seeds=(0, 1), n_random=3)


@pytest.fixture(scope="module")
def trained() -> TrainedGenerator:
    return signed()


def planted(number: int) -> Direction:
    """Latent direction of a number, eight sigma of the pooled latent long."""
    step = frames(40)[1][number]
    return Direction(f"planted {number}", "component", {"latent": step})


def test_slope_and_confidence_of_a_straight_line() -> None:
    """Slopes 2 and 4: mean 3, deviation sqrt(2), t(0.975, 1) = 12.706."""
    x = np.array(STRENGTHS)
    effect = effect_of("phase_fraction", STRENGTHS, np.array([2 * x, 4 * x + 7]), [3.0])
    assert effect.slope == pytest.approx(3)
    assert effect.slope_error == pytest.approx(12.706, abs=0.001)
    assert effect.spearman == pytest.approx(1)
    assert effect.span == pytest.approx(12)
    assert effect.times_random == pytest.approx(4)
    assert not effect.is_real  # two seeds that differ by so much
    sure = effect_of("phase_fraction", STRENGTHS, np.array([2 * x, 2.1 * x]), [1.0])
    assert sure.is_real


def test_what_does_not_change_has_no_rank() -> None:
    effect = effect_of("phase_fraction", STRENGTHS, np.full((3, 5), 0.2), [0.1])
    assert effect.slope == pytest.approx(0, abs=1e-12)
    assert effect.spearman == 0
    assert not effect.is_real


def test_a_guided_direction_is_named_by_its_guide_if_that_moves() -> None:
    """Random directions move the fraction half as much, the chords a tenth as much."""
    x = np.array(STRENGTHS)
    lines = np.array([2 * x, 2.1 * x])
    fraction = effect_of("phase_fraction", STRENGTHS, lines, [4.1])
    chord = effect_of("chord_length", STRENGTHS, lines, [0.8])
    assert fraction.is_sure
    assert not fraction.is_real
    one = replace(planted(0), effects=(fraction, chord))
    assert one.strongest == chord
    assert replace(one, guide="phase_fraction").strongest == fraction
    swaying = effect_of("phase_fraction", STRENGTHS, np.array([x, -x]), [4.1])
    one = replace(one, effects=(swaying, chord), guide="phase_fraction")
    assert one.strongest == chord


def test_components_are_named_after_what_they_change() -> None:
    """Where that is clear; names given by the user stay."""

    def one(
        name: str, measured: str, slope: float, span: float, error: float = 0.01
    ) -> Direction:
        effect = Effect(measured, slope, error, np.sign(slope), span, 0.1)
        return Direction(name, "component", {}, effects=(effect,))

    # Ten times a random direction; the last but one is as one of them.
    found = DirectionSet(
        Model({}, "", ""),
        (
            one("component 1", "correlation_length", -1.0, 1.0),
            one("component 2", "phase_fraction", 0.1, 1.0),
            one("component 3", "gray_correlation_length", -1.0, 1.0),
            one("component 4", "phase_fraction", 0.1, 0.1),
            one("mine", "phase_fraction", 0.1, 1.0),
            # As large as its error where both are shown with one digit.
            one("component 5", "correlation_length", 0.39, 1.0, 0.38),
        ),
    )
    names = [each.name for each in named_by_effect(found, (0, 255))]
    assert names == [
        "finer",
        "more of phase 255",
        "finer (2)",
        "component 4",
        "mine",
        "component 5",
    ]


@pytest.mark.parametrize(
    ("architecture", "unit"), [("slicegan", "voxels"), ("dcgan-28", "pixels")]
)
def test_lengths_in_volumes_and_images(architecture: str, unit: str) -> None:
    """The architecture in the file decides, as no generator is at hand."""
    effect = Effect("gray_correlation_length", 1.5, 0.1, 1.0, 9.0, 0.1)
    one = Direction("a", "component", {}, effects=(effect,))
    model = Model({"architecture": architecture}, "", "")
    assert f"correlation length +1.5 {unit} per unit" in table(
        DirectionSet(model, (one,))
    )


def test_labels_table_and_sentence(trained: TrainedGenerator) -> None:
    """The planted direction changes the fraction, another one nothing."""
    found = fit_directions(trained, n_components=2, n_samples=200)
    found = replace(found, directions=(planted(0), planted(1)))
    assert [label(one) for one in found] == ["not measured", "not measured"]
    gauge = Gauge(trained, ["phase_fraction"])
    measured = measure_effects(trained, found, gauge, SWEEPING)
    first, second = measured
    assert label(first).startswith("phase fraction +0.")
    assert first.strongest is not None
    assert first.strongest.span > 0.8
    assert label(second) == "no measured property"
    text = table(measured)
    assert len(text.splitlines()) == 3
    assert "no measured property" in text
    assert "rank +1.00" in text
    assert not measured.finds_little
    still = replace(measured, directions=(second,))
    assert still.finds_little
    assert "There is little to find" in still.sentence()
    assert "There is little" not in measured.sentence()


def test_even_variance_finds_little() -> None:
    """All components alike: the first one is hardly more than a random direction."""
    trained = volumes()
    with torch.no_grad():
        matrix = trained.network.get_parameter("blocks.block1.matrix")
        matrix.zero_()
        matrix[:32] = torch.eye(32)
    found = fit_directions(trained, n_components=2, n_samples=1000, batch=200)
    assert found.finds_little


def test_progress_and_cancel(trained: TrainedGenerator) -> None:
    found = fit_directions(trained, n_components=1, n_samples=20)
    gauge = Gauge(trained, ["phase_fraction"])
    shares: list[float] = []
    measure_effects(trained, found, gauge, SWEEPING, shares.append)
    assert len(shares) == (5 + 3 * 2) * 2
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    work = functools.partial(measure_effects, trained, found, gauge, SWEEPING)
    assert cancelled_after(1, work) == shares[:1]


def test_too_few_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        Sweeping(seeds=(1,))
