"""A verdict in words for each metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from napari_slicegan.report.text import NO_FLOOR, UNKNOWN_IN_2D, metric_verdicts
from tests.reports import case, made_of, row

if TYPE_CHECKING:
    from napari_slicegan.metrics.comparison import Row


def only(one: Row) -> Any:
    (found,) = metric_verdicts(made_of(one))
    return found


def test_within_the_noise_floor_nothing_can_be_told_apart() -> None:
    found = only(row(0.01, 0.02))
    assert found.grade == "agrees"
    assert found.words == "Indistinguishable from another slice of the same material."
    block = only(row(0.01, 0.02, metric="percolating_fraction"))
    assert "another block of the same material" in block.words


def test_beyond_it_the_difference_is_told() -> None:
    near = only(row(0.02, 0.01, generated=0.12))
    assert near.grade == "close"
    assert near.words == "Close: 20 % too high, 2.0 x the noise floor."
    far = only(row(0.05, 0.01, generated=0.05))
    assert far.grade == "differs"
    assert far.words == "Differs: 50 % too low, 5.0 x the noise floor."
    assert (far.real, far.generated, far.where) == ("0.1", "0.05", "phase 1, along z")
    curve = only(row(0.05, 0.01, real=(0.5, 0.3), generated=(0.5, 0.2)))
    assert curve.words == "Differs: 5.0 x the noise floor."
    assert curve.real == "curve"


def test_real_pieces_that_agree_exactly() -> None:
    found = only(row(0.05, 0.0, generated=0.15))
    assert found.grade == "differs"
    assert math.isinf(found.floors)
    assert "beyond a noise floor of 0" in found.words
    # less than 1 % off
    assert only(row(0.0005, 0.0)).grade == "agrees"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (row(None, None, real=None), UNKNOWN_IN_2D),
        (row(0.01, None), NO_FLOOR),
        (row(0.5, 0.01, metric="chord_length"), "For information"),
    ],
)
def test_what_cannot_be_judged_is_not(given: Row, words: str) -> None:
    found = only(given)
    assert found.grade == "unknown"
    assert found.words.startswith(words)


def test_the_worst_phase_and_axis_speak() -> None:
    rows = [row(0.01, 0.02), row(0.05, 0.02, axis="x"), row(0.03, 0.02, phase=2)]
    (found,) = metric_verdicts(made_of(*rows))
    assert found.where == "phase 1, along x"
    assert found.floors == pytest.approx(2.5)


def test_every_metric_gets_one() -> None:
    for name in ("truth", "too small", "colour"):
        comparison = case(name)[0]
        found = [one.metric for one in metric_verdicts(comparison)]
        assert found == list(dict.fromkeys(row.metric for row in comparison.rows))
