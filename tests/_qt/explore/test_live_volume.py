"""The volume that follows the inputs: the latest request counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.explore.exploration import Exploration
from napari_slicegan._qt.explore.jobs import VolumeRequest
from napari_slicegan._qt.explore.live_volume import LiveVolume
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.models.generator_file import TrainedGenerator, load_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pytestqt.qtbot import QtBot

    from napari_slicegan.volumes.volume import Volume

pytestmark = pytest.mark.qt
LONG = 60_000
SIZE = (20, 18, 16)


@pytest.fixture
def trained(toy_run: Path) -> TrainedGenerator:
    return load_generator(toy_run)


@pytest.fixture
def live() -> Iterator[LiveVolume]:
    made = LiveVolume()
    yield made
    assert join(made.end_work(), 60)


class Gate:
    """Lets tiles wait, and counts them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.open, self.reached = threading.Event(), threading.Event()
        self.seeds: list[int] = []
        values = VolumePlan.values
        gate = self

        def wait(plan: VolumePlan, tile: Any) -> NDArray[np.generic]:
            gate.seeds.append(plan.field.seed)
            gate.reached.set()
            assert gate.open.wait(60)
            return values(plan, tile)

        patch.setattr(VolumePlan, "values", wait)


def request(
    trained: TrainedGenerator, seed: int, *, quick: bool = False
) -> VolumeRequest:
    return VolumeRequest(trained, None, Exploration(seed, SIZE), quick)


def rest(live: LiveVolume, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not live.is_busy, timeout=LONG)


def test_a_volume_is_that_of_the_engine_and_is_measured(
    live: LiveVolume, trained: TrainedGenerator, qtbot: QtBot
) -> None:
    received: list[Any] = []
    live.made.connect(lambda volume, whole: received.extend([volume, whole]))
    live.measured.connect(received.append)
    live.submit(request(trained, 3))
    rest(live, qtbot)
    volume, whole, measured = received
    assert whole
    expected = generate(trained, SIZE, 3)
    np.testing.assert_array_equal(volume.values, expected.values)
    fraction = float((volume.values == max(expected.labels)).mean())
    assert measured["phase_fraction"] == pytest.approx(fraction)


@pytest.mark.parametrize("quick", [True, False])
def test_only_the_latest_of_many_requests_is_generated(
    live: LiveVolume,
    trained: TrainedGenerator,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    quick: bool,
) -> None:
    gate = Gate(monkeypatch)
    shown: list[Volume] = []
    live.made.connect(lambda volume, whole: shown.append(volume))
    live.submit(request(trained, 1, quick=quick))
    assert gate.reached.wait(60)
    for seed in range(2, 30):
        live.submit(request(trained, seed, quick=quick))
    gate.open.set()
    rest(live, qtbot)
    # A preview is shown while a slider is dragged, a whole volume cancelled.
    assert {*gate.seeds} == {1, 29}
    assert len(shown) == (2 if quick else 1)
    corner = shown[-1].values
    z, y, x = corner.shape
    expected = generate(trained, SIZE, 29).values[:z, :y, :x]
    np.testing.assert_array_equal(corner, expected)


def test_an_error_is_reported_and_the_next_request_runs(
    live: LiveVolume, trained: TrainedGenerator, qtbot: QtBot
) -> None:
    wrong = VolumeRequest(trained, None, Exploration(0, SIZE, truncation=2.0), False)
    failures: list[str] = []
    live.failed.connect(failures.append)
    live.submit(wrong)
    rest(live, qtbot)
    (sentence,) = failures
    assert "truncation from 0 to 1" in sentence
    with qtbot.waitSignal(live.made, timeout=LONG):
        live.submit(request(trained, 1))


def test_closing_cancels_current_and_pending_volumes(
    live: LiveVolume,
    trained: TrainedGenerator,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate(monkeypatch)
    shown: list[Volume] = []
    live.made.connect(lambda volume, whole: shown.append(volume))
    live.submit(request(trained, 1))
    assert gate.reached.wait(60)
    live.submit(request(trained, 2))
    gate.open.set()
    assert join(live.end_work(), 60)
    assert not live.is_busy
    assert shown == []
    assert gate.seeds == [1]


def test_an_error_of_an_earlier_request_is_dropped(
    live: LiveVolume,
    trained: TrainedGenerator,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A preview fails while the next request is pending, whose volume is shown."""
    begun, late = threading.Event(), threading.Event()
    values = VolumePlan.values

    def first_fails(plan: VolumePlan, tile: Any) -> NDArray[np.generic]:
        if plan.field.seed == 2:
            return values(plan, tile)
        begun.set()
        assert late.wait(60)
        raise RuntimeError("slow and wrong")

    monkeypatch.setattr(VolumePlan, "values", first_fails)
    failures: list[str] = []
    live.failed.connect(failures.append)
    live.submit(request(trained, 1, quick=True))
    assert begun.wait(60)
    live.submit(request(trained, 2))
    with qtbot.waitSignal(live.made, timeout=LONG):
        late.set()
    assert failures == []
