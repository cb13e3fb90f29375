"""The measuring stick of the benchmarks: known volumes, known times."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from benchmarks.quality_table import is_good, seconds_to
from benchmarks.stopwatch import Stopwatch
from benchmarks.yardstick import Yardstick, sameness
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.volumes.volume import Volume
from tests.toys import smooth_field

EDGE = 64
LABELS = (0, 9)


def blobs(seed: int) -> Volume:
    """Two phases, half and half."""
    values = np.where(smooth_field(EDGE, EDGE, EDGE, seed=seed) > 0, 9, 0)
    return Volume(values.astype(np.uint8), "phases", labels=LABELS)


@pytest.fixture(scope="module")
def truth() -> Volume:
    return blobs(0)


@pytest.fixture(scope="module")
def stick(truth: Volume) -> Yardstick:
    images = TrainingImages.isotropic(Micrograph.from_array(truth.values[EDGE // 2]))
    return Yardstick(images, truth, conducting=9, size=EDGE)


def test_truth_is_at_no_distance_from_itself(stick: Yardstick, truth: Volume) -> None:
    row = stick.measure(truth, blobs(1))
    for name in ("s2", "s2_z", "s2_x"):
        assert row[name] == pytest.approx(0, abs=1e-12)
    assert row["percolating_error"] == pytest.approx(0, abs=1e-12)
    assert row["percolating_x"] == row["percolating_real_x"] > 0.9
    # Interface density and fraction are compared with those of the image.
    assert row["face_y"] == row["face_real_y"]
    rows, columns = (
        float(np.mean(np.diff(truth.values[EDGE // 2], axis=axis) != 0))
        for axis in (0, 1)
    )
    assert row["face_image_y"] == pytest.approx((rows + columns) / 2)
    assert row["face_error_y"] == pytest.approx(row["face_y"] / row["face_image_y"] - 1)
    section = float((truth.values[EDGE // 2] == 9).mean())
    whole = float((truth.values == 9).mean())
    assert row["fraction_error"] == pytest.approx(abs(whole - section))
    assert row["fraction_3"] == ""
    assert not row["collapsed"]


def test_rough_axis_shows_in_its_own_column(stick: Yardstick, truth: Volume) -> None:
    values = truth.values.copy()
    values[:, ::2] = values[:, ::2, ::-1]  # every second plane along y is another one
    row = stick.measure(Volume(values, "phases", labels=LABELS), blobs(1))
    assert row["face_error_y"] > 1
    assert abs(row["face_error_z"]) < 0.1
    assert abs(row["face_error_x"]) < 0.1
    assert row["face_error"] == row["face_error_y"]


def test_missing_phase_and_repeated_volume_are_collapses(
    stick: Yardstick, truth: Volume
) -> None:
    nothing = Volume(np.zeros_like(truth.values), "phases", labels=LABELS)
    assert stick.measure(nothing, blobs(1))["collapsed"] == 1
    assert stick.measure(truth, truth)["collapsed"] == 1


def test_sameness_of_known_volumes() -> None:
    one, other = blobs(0), blobs(1)
    assert sameness(one, one) == 1
    assert sameness(one, other) == pytest.approx(0, abs=0.1)
    # The opposite of half and half agrees nowhere: (0 - 0.5) / (1 - 0.5).
    opposite = Volume(9 - one.values, "phases", labels=LABELS)
    assert sameness(one, opposite) == pytest.approx(-1, abs=0.05)


def test_time_to_quality_begins_after_the_last_bad_moment() -> None:
    good = [False, True, False, True, True]
    rows = [{"seconds": 15.0 * n, "good": is_in} for n, is_in in enumerate(good)]
    assert seconds_to(rows, lambda row: row["good"]) == 45
    assert seconds_to(rows[:3], lambda row: row["good"]) == math.inf


def test_limits_of_sandstone() -> None:
    row: dict[str, Any] = {
        "material": "bentheimer",
        "fraction_error": 0.01,
        "s2": 0.0066,
        "s2_floor": 0.006,
        "face_error": 0.05,
        "percolating_error": 0.03,
        "collapsed": 0,
    }
    for good in ({}, {"percolating_error": ""}):
        assert is_good({**row, **good})
    for bad in ({"s2": 0.0067}, {"face_error": 0.06}, {"collapsed": 1}):
        assert not is_good({**row, **bad})


def test_stopwatch_counts_a_part_without_those_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def takes(seconds: float) -> None:
        now[0] += seconds

    watch = Stopwatch()
    inner = watch.timed("inner", lambda: takes(2))

    def outside() -> None:
        takes(1)
        inner()
        takes(4)

    watch.timed("outer", outside)()
    takes(8)
    assert watch.take() == {"inner": 2, "outer": 5, "rest": 8}
    assert sum(watch.take().values()) == 0
