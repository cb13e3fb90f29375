"""Coarse levels of an endless volume, and lazy cuts of arrays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_slicegan.data.transforms import OneHotPhases, ScaleMinMax
from napari_slicegan.generation import lazy as endless
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.lazy import (
    DeferredCut,
    EndlessVolume,
    Overview,
    empty_value,
    viewer_levels,
)
from tests.toys import random_generator

SIZE = (40, 33, 50)


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> EndlessVolume:
    """Slices come in slabs of 4 x 16 x 16 voxels."""
    monkeypatch.setattr(endless, "SLAB", 4)
    monkeypatch.setattr(endless, "SLICE", 16)
    trained = random_generator(OneHotPhases([0, 207]))
    return EndlessVolume(VolumePlan(trained, SIZE, 3))


KEYS: list[Any] = [
    np.s_[3],
    np.s_[:, 5, ::2],
    np.s_[..., -1],
    np.s_[2:9, 1:3],
    np.s_[0:0],
]


@pytest.mark.parametrize("factor", [2, 4])
def test_it_shows_what_was_looked_at(factor: int, volume: EndlessVolume) -> None:
    """Against an array that holds the same pieces; nothing more is generated."""
    volume[12, :16, :40], volume[:, 20, 3:5]
    known = np.full(SIZE, empty_value(volume), np.uint8)
    for piece, values in volume.kept():
        z, y, x = (slice(*span) for span in piece)
        known[z, y, x] = values
    before = [piece for piece, _ in volume.kept()]
    coarse = known[::factor, ::factor, ::factor]
    overview = Overview(volume, factor)
    assert (overview.shape, overview.size) == (coarse.shape, coarse.size)
    for key in KEYS:
        np.testing.assert_array_equal(overview[key], coarse[key])
    assert [piece for piece, _ in volume.kept()] == before != []
    # Something of both kinds is there.
    assert set(np.unique(coarse)) == {0, 1, 207}


def test_levels_halve_until_a_viewer_can_show_all_of_it() -> None:
    trained = random_generator(OneHotPhases([0, 207]))
    volume = EndlessVolume(VolumePlan(trained, (4096, 1000, 1), 3))
    levels = viewer_levels(volume)
    assert [level.shape for level in levels] == [
        (4096, 1000, 1),
        (2048, 500, 1),
        (1024, 250, 1),
        (512, 125, 1),
        (256, 63, 1),
    ]
    assert not volume.kept()


def test_a_part_of_a_plane_cut_in_two_steps_costs_one_slab(
    volume: EndlessVolume,
) -> None:
    """As napari does: rows and columns of all planes first, then the plane."""
    [whole] = viewer_levels(volume)
    part = np.asarray(whole[:, 0:16, 0:16][5])
    assert [piece for piece, _ in volume.kept()] == [((4, 8), (0, 16), (0, 16))]
    np.testing.assert_array_equal(part, volume[5, :16, :16])


def test_empty_is_no_phase() -> None:
    for labels, empty in (([0, 1], 2), ([0, 255], 1), ([1, 2], 0)):
        trained = random_generator(OneHotPhases(labels))
        assert empty_value(EndlessVolume(VolumePlan(trained, SIZE, 3))) == empty
    gray = random_generator(ScaleMinMax(0, 1, 1, "float32"))
    assert empty_value(EndlessVolume(VolumePlan(gray, SIZE, 3))) == 0


def test_the_finest_level_asks_for_what_it_lacks(volume: EndlessVolume) -> None:
    """The middle first, never more than the cache can hold; reading makes nothing."""
    asked: list[Any] = []
    finest = viewer_levels(volume, asked.append)[0]
    part = np.asarray(finest[5, :, :48])
    assert volume.kept_bytes == 0
    assert (part == empty_value(volume)).all()
    [pieces] = asked
    assert len(pieces) == 9
    assert pieces[0] == ((4, 8), (16, 32), (16, 32))
    for piece in pieces:
        volume.make(piece)
    np.testing.assert_array_equal(finest[5, :, :48], volume[5, :, :48])
    assert asked[-1] == []
    small = EndlessVolume(volume.plan, cache_bytes=3 * 1024)
    assert len(small.missing(np.s_[5, :, :48])) == 3


def test_reading_does_not_wait_for_the_network(
    volume: EndlessVolume, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(plan: VolumePlan, piece: Any) -> Any:
        begun.set()
        assert go.wait(60)
        return np.zeros([last - first for first, last in piece], np.uint8)

    monkeypatch.setattr(endless, "box_values", slow)
    finest = viewer_levels(volume, lambda pieces: None)[0]
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(volume.make, ((4, 8), (0, 16), (0, 16)))
        assert begun.wait(60)
        # A piece is being made while this is read.
        assert (np.asarray(finest[5]) == empty_value(volume)).all()
        go.set()
        made.result()
    assert (np.asarray(finest[5, :16, :16]) == 0).all()


def test_a_level_is_not_shown_whole_beyond_reason(volume: EndlessVolume) -> None:
    large = EndlessVolume(VolumePlan(volume.plan.trained, (4096,) * 3, 3))
    with pytest.raises(
        ValueError, match=r"at most 268,435,456 voxels .* show it in 2-D"
    ):
        np.asarray(viewer_levels(large, lambda pieces: None)[0])


SHAPE = (9, 7, 8)


class Watched:
    """An array that notes how much of it is read."""

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.arange(9 * 7 * 8).reshape(SHAPE)
        self.shape: tuple[int, ...] = SHAPE
        self.dtype = self.values.dtype
        self.read = 0

    def __getitem__(self, key: Any) -> NDArray[Any]:
        part: NDArray[Any] = self.values[key]
        self.read += part.size
        return part


CUTS: list[tuple[Any, ...]] = [
    (np.s_[2],),
    (np.s_[:, 1:5, 2:6], np.s_[4]),
    (np.s_[::-1], np.s_[2:5, ..., -1]),
    (np.s_[..., ::3], np.s_[:, 3], np.s_[1:4]),
    (np.s_[::-2, 2], np.s_[-1, 1:3]),
    (np.s_[3:3], np.s_[:, 1]),
    (np.s_[1], np.s_[2], np.s_[3]),
    (),
]


def test_cuts_one_after_the_other_are_read_once() -> None:
    for cuts in CUTS:
        source = Watched()
        part, expected = DeferredCut(source), source.values
        for cut in cuts:
            part, expected = part[cut], expected[cut]
        assert source.read == 0
        assert part.shape == expected.shape
        assert (part.ndim, part.size) == (expected.ndim, expected.size)
        np.testing.assert_array_equal(np.asarray(part), expected)
        assert source.read == expected.size


def test_beyond_the_end() -> None:
    with pytest.raises(IndexError, match="below 9, got 9"):
        DeferredCut(Watched())[9]
