"""Volumes beyond the memory are measured in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.metrics import QUICK_METRICS, reference, stored_volume
from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.metrics.stored_volume import (
    StoredVolume,
    blocks_of,
    sections_of,
)
from napari_slicegan.volumes.volume import Volume
from tests.reports import colour, gray, phases


class Store:
    """Stands for a zarr array: gives parts only, and remembers size and number."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.largest = 0
        self.reads: list[str] = []

    def __getitem__(self, place: Any) -> NDArray[Any]:
        part: NDArray[Any] = self._values[place]
        self.largest = max(self.largest, part.size)
        self.reads.append(repr(place))
        return part


@pytest.fixture(scope="module")
def values() -> NDArray[np.uint8]:
    return phases(160, 150, 140, seed=1)


def test_a_store_is_never_read_as_a_whole(values: NDArray[np.uint8]) -> None:
    store = Store(values)
    volume = StoredVolume(store, "phases", labels=(0, 10))
    comparison = compare([phases(120, 120, seed=2)], volume, 16)
    assert {row.metric for row in comparison.rows} <= {*QUICK_METRICS}
    assert store.largest == 128**3  # one block
    assert "sampled" in comparison.generated


def test_each_part_is_read_once_as_long_as_it_can_be_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 16 planes along each axis and one block; without room, by each metric."""
    values = phases(40, 40, 40, seed=1)
    found = []
    for kept in (stored_volume.KEPT_BYTES, 20 * 40**2):
        monkeypatch.setattr(stored_volume, "KEPT_BYTES", kept)
        store = Store(values)
        volume = StoredVolume(store, "phases", labels=(0, 10))
        found.append(compare([phases(60, 60, seed=2)], volume, 8).to_dict())
        if kept == stored_volume.KEPT_BYTES > 40**3:
            assert len(store.reads) == len(set(store.reads)) == 3 * 16 + 1
    # Room for 20 planes.
    again = [place for place in set(store.reads) if store.reads.count(place) > 1]
    assert len(again) == 3 * 16 + 1 - 20
    assert found[0] == found[1]


def test_samples_agree_with_the_whole(
    values: NDArray[np.uint8], tmp_path: Path
) -> None:
    """Samples of a memory map, with all quick metrics."""
    np.save(tmp_path / "volume.npy", values[:, :120, :110])
    mapped = np.load(tmp_path / "volume.npy", mmap_mode="r")
    real = RealStatistics([phases(80, 80, seed=2)])
    whole = compare(real, Volume(np.array(mapped), "phases"), 8)
    sampled = compare(real, StoredVolume(mapped, "phases", labels=(0, 10)), 8)
    for one, other in zip(whole.rows, sampled.rows, strict=True):
        assert one.title == other.title
        if one.metric == "slice_deviation":
            continue  # smaller planes scatter more
        assert one.generated is not None
        assert other.generated == pytest.approx(one.generated, rel=0.1, abs=0.02)


def test_a_truth_is_compared_with_blocks_of_its_size() -> None:
    truth = Volume(phases(40, 40, 40, seed=3), "phases")
    volume = StoredVolume(phases(90, 90, 90, seed=4), "phases", labels=(0, 10))
    parts = blocks_of(volume, (40, 40, 40))
    assert [part.read().shape for part in parts] == [(40, 40, 40)] * 8
    row = compare(truth, volume, 8).row("percolating_fraction", 0, "z")
    assert row.distance is not None


def test_gray_and_colour_are_sampled_too() -> None:
    cases: list[tuple[Any, Any]] = [("grayscale", gray), ("colour", colour)]
    for kind, make in cases:
        volume = StoredVolume(Store(make(60, 60, 60, seed=1)), kind)
        comparison = compare([make(90, 90, seed=2)], volume, 8)
        assert all(row.generated is not None for row in comparison.rows)


def test_large_arrays_are_sampled_by_themselves(
    values: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Volume(values, "phases")
    assert len(sections_of(volume)) == 1
    monkeypatch.setattr(stored_volume, "WHOLE_VOXELS", 10**6)
    parts = sections_of(volume)
    assert len(parts) == 48
    assert [part.size for part in parts[::16]] == [150 * 140, 160 * 140, 160 * 150]
    for axis, part in zip(AXES, parts[::16], strict=True):
        assert axis not in part.axes
        assert part.read().size == part.size


def test_a_large_truth_is_measured_in_parts(
    values: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = ("two_point_correlation", "percolating_fraction")
    truth = Volume(values, "phases")
    volume = Volume(phases(60, 60, 60, seed=4), "phases")
    whole = compare(truth, volume, 8, metrics).row("two_point_correlation", 10, "x")
    monkeypatch.setattr(stored_volume, "WHOLE_VOXELS", 10**6)
    monkeypatch.setattr(reference, "MAX_EDGE", 40)
    comparison = compare(truth, volume, 8, metrics)
    assert "40 x 40 x 40" in comparison.reference
    sampled = comparison.row("two_point_correlation", 10, "x")
    assert sampled.real != whole.real
    assert sampled.real == pytest.approx(whole.real, abs=0.01)


def test_misfits_are_refused() -> None:
    rows: list[tuple[tuple[int, ...], Any, tuple[int, ...], str]] = [
        ((4, 4, 4), "colour", (), "must be"),
        ((4, 4, 4), "phases", (), "labels"),
    ]
    for shape, kind, labels, words in rows:
        with pytest.raises(ValueError, match=words):
            StoredVolume(np.zeros(shape), kind, labels=labels)
