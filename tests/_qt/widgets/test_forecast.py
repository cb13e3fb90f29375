"""Memory and time estimated before the start."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from napari_slicegan._qt.closing import join
from napari_slicegan._qt.jobs import look_ahead
from napari_slicegan._qt.widgets.forecast import Forecast

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from napari_slicegan.config import RunConfig
    from napari_slicegan.data.training_images import TrainingImages

pytestmark = pytest.mark.qt
LONG = 60_000


@pytest.fixture
def forecast(qtbot: QtBot) -> Iterator[Forecast]:
    forecast = Forecast(look_ahead, "memory and time")
    qtbot.addWidget(forecast)
    yield forecast
    assert join(forecast.end_work(), 60)


def test_shows_memory_and_time(
    qtbot: QtBot, forecast: Forecast, toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    forecast.request(toy_config, toy_images)
    qtbot.waitUntil(lambda: " free)" in forecast.line.text(), timeout=LONG)
    assert "4 steps" in forecast.line.text()
    # The images are gone.
    forecast.request(toy_config, None)
    qtbot.waitUntil(lambda: forecast.line.text() == "", timeout=LONG)


def test_devices_are_known_without_images(
    qtbot: QtBot, forecast: Forecast, toy_config: RunConfig
) -> None:
    with qtbot.waitSignal(forecast.machine_known, timeout=LONG) as signal:
        forecast.request(toy_config, None)
    assert "cpu" in signal.args[0].devices
    assert forecast.line.text() == ""


def test_impossible_settings_are_shown(
    qtbot: QtBot, forecast: Forecast, toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    forecast.request(toy_config.changed(latent_size=5), toy_images)
    qtbot.waitUntil(lambda: "Latent size" in forecast.line.text(), timeout=LONG)


def test_only_the_last_request_is_answered(
    qtbot: QtBot, forecast: Forecast, toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    for n in (10, 20, 30):
        forecast.request(toy_config.changed(steps=n), toy_images)
    qtbot.waitUntil(lambda: "30 steps" in forecast.line.text(), timeout=LONG)


def test_a_cancelled_request_starts_no_worker(
    forecast: Forecast, toy_config: RunConfig, toy_images: TrainingImages
) -> None:
    forecast.request(toy_config, toy_images)
    forecast.cancel()
    assert join(forecast.end_work(), 0)


def test_a_late_fault_of_a_cancelled_request_is_dropped(
    qtbot: QtBot,
) -> None:
    begun, late = threading.Event(), threading.Event()

    def fails(*_: object) -> Iterator[None]:
        begun.set()
        assert late.wait(20)
        raise ValueError("These settings do not fit.")
        yield

    forecast = Forecast(fails, "time")
    qtbot.addWidget(forecast)
    forecast.request()
    qtbot.waitUntil(begun.is_set, timeout=LONG)
    forecast.cancel()
    late.set()
    assert join(forecast.end_work(), 20)
    assert forecast.line.text() == ""


def test_the_estimate_of_what_has_begun_stays(qtbot: QtBot) -> None:
    """One of other arguments that is not finished does not."""
    resume = threading.Event()

    def estimates(n: int) -> Iterator[str]:
        if n > 1:
            assert resume.wait(20)
        yield f"About {n} s."

    forecast = Forecast(estimates, "time")
    qtbot.addWidget(forecast)
    forecast.request(1)
    qtbot.waitUntil(lambda: forecast.line.text() == "About 1 s.", timeout=LONG)
    qtbot.waitUntil(lambda: not forecast.is_busy, timeout=LONG)
    forecast.hold()
    assert forecast.line.text() == "About 1 s."
    # The same is not estimated again.
    forecast.request(1)
    assert not forecast.is_busy
    forecast.request(2)
    qtbot.waitUntil(lambda: "Estimating" in forecast.line.text(), timeout=LONG)
    forecast.hold()
    assert forecast.line.text() == ""
    resume.set()
    assert join(forecast.end_work(), 20)
    assert forecast.line.text() == ""
