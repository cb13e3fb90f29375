"""The benchmark of leaks, for three cycles; and what it calls a leak."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("pytestqt", reason="pytest-qt is not installed")

from pathlib import Path

from napari.layers import Layer

from benchmarks.window_cycles import (
    SETTLED,
    Reading,
    cycles,
    growth,
    plain_cycle,
    verdict,
)

pytestmark = pytest.mark.qt


def own_objects() -> Counter[str]:
    """How many objects there are of each type of the package."""
    gc.collect()
    kinds = [type(each) for each in gc.get_objects()]
    own = [one for one in kinds if f"{one.__module__}".startswith("napari_slicegan")]
    return Counter(one.__qualname__ for one in own)


def test_three_cycles_leave_no_thread_and_no_layer(
    make_napari_viewer_proxy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    viewer = make_napari_viewer_proxy()
    readings = cycles(viewer, 2, tmp_path)
    assert verdict(readings) == ""
    assert [reading.cycle for reading in readings] == [1, 2]
    assert len(viewer.layers) == 0
    before = own_objects()
    cycles(viewer, 1, tmp_path / "third")
    assert own_objects() == before
    gc.collect()
    left = [each.name for each in gc.get_objects() if issubclass(type(each), Layer)]
    assert left == []
    # A run of at least three steps each, with its generator.
    assert len([*tmp_path.rglob("generator.safetensors")]) == 3
    # Two tables.
    assert len(capsys.readouterr().out.splitlines()) == 3 + 2
    plain = cycles(viewer, 1, tmp_path, plain_cycle)
    assert plain[0].threads == readings[0].threads
    assert len(viewer.layers) == 0


def test_growth_is_that_of_the_second_half() -> None:
    readings = [Reading(n, 1, 1, 10**6 * max(n, 3), 7 * n) for n in range(1, 6)]
    words = "+0.667 MB and +7.0 objects per cycle, from cycle 2 to 5"
    assert growth(readings) == words


def test_threads_and_growing_memory_are_leaks() -> None:
    def readings(threads: int, grown: float) -> list[Reading]:
        first = [Reading(n, 2, 9, 10**8 + n) for n in range(1, SETTLED + 1)]
        return [*first, Reading(SETTLED + 1, threads, 99, int(10**8 * (1 + grown)))]

    assert verdict(readings(2, 0.009)) == ""
    assert "grown by 1.1 %" in verdict(readings(2, 0.011))
    assert "1 threads are left" in verdict(readings(3, 0.0))
