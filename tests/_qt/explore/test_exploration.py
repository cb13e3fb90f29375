"""Undo history, and the size of previews."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("qtpy", reason="no binding of Qt is installed")

from napari_slicegan._qt.explore.exploration import Exploration, History, preview_size
from napari_slicegan.generation.regions import Box

START = Exploration(strengths=(0.0, 0.0))
ONE = replace(START, strengths=(1.0, 0.0))
TWO = replace(ONE, seed=5)


def test_steps_are_undone_and_redone() -> None:
    history = History(START)
    assert not history.can_undo
    history.add(ONE)
    history.add(ONE)
    history.add(TWO)
    assert history.undo() == ONE
    assert history.undo() == START
    assert not history.can_undo
    assert history.undo() == START
    assert history.redo() == ONE
    assert history.can_redo
    history.add(replace(ONE, seed=7))
    assert not history.can_redo
    assert history.redo().seed == 7


def test_reset_keeps_the_sample() -> None:
    moved = replace(
        TWO, truncation=0.5, region=Box((0, 0, 0), (4, 4, 4)), size=(9, 8, 7)
    )
    assert moved.reset() == Exploration(5, (9, 8, 7), strengths=(0.0, 0.0))


def test_previews_are_as_large_as_the_machine_is_fast() -> None:
    # 0.12 s at this speed are 64^3 voxels.
    speed = 64**3 / 0.12
    assert preview_size((64, 64, 64), speed * 1.001) == (64, 64, 64)
    assert preview_size((128, 128, 128), speed * 1.001) == (64, 64, 64)
    assert preview_size((256, 128, 64), speed / 8 * 1.001) == (64, 32, 16)
    # The smallest edge is 16, or that of the volume.
    assert preview_size((500, 40, 7), 1.0) == (16, 16, 7)
