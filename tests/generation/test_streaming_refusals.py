"""Volumes that cannot be streamed are refused in one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_slicegan.generation.edits import Edit
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume, stream_to_file
from tests.refusals import Refusal, assert_all_refused, assert_refused
from tests.streams import SIZE, TRANSFORMS, plan_of
from tests.toys import random_generator

pytest.importorskip("zarr", reason="needs the extra scale")


def begun(folder: Path, **changes: Any) -> StreamedVolume:
    """Begin a volume where another one was begun."""
    StreamedVolume.begin(plan_of(), folder / "a.ome.zarr")
    return StreamedVolume.begin(plan_of(**changes), folder / "a.ome.zarr")


def other_generator(folder: Path) -> StreamedVolume:
    StreamedVolume.begin(plan_of(), folder / "a.ome.zarr")
    trained = random_generator(TRANSFORMS["phases"], seed=1)
    plan = VolumePlan(trained, SIZE, 3, tile_latents=4)
    return StreamedVolume.begin(plan, folder / "a.ome.zarr")


def something_else(folder: Path) -> StreamedVolume:
    (folder / "a.ome.zarr").mkdir()
    return StreamedVolume.begin(plan_of(), folder / "a.ome.zarr")


def edited(folder: Path) -> StreamedVolume:
    edit = Edit({"latent": np.ones(4)})
    return StreamedVolume.begin(plan_of(edits=[edit]), folder / "a.ome.zarr")


def change(**changes: Any) -> Callable[[Path], StreamedVolume]:
    return lambda folder: begun(folder, **changes)


REFUSALS: list[Refusal] = [
    ("seed", change(seed=4), r"started with \(seed: 3\), got others \(4\)"),
    ("generator", other_generator, "generator: "),
    ("something else", something_else, "which holds something else"),
    ("edits", edited, "got one with edits"),
    (
        "nothing to help with",
        lambda folder: StreamedVolume.at(folder / "a.ome.zarr"),
        "an unfinished volume",
    ),
]


def test_refusals(tmp_path: Path) -> None:
    assert_all_refused(REFUSALS, tmp_path)


def test_files_that_cannot_be_written_are_refused_before_tiles_are_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r"ends in .* \.vti, got .*a\.png;"):
        stream_to_file(plan_of(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_without_zarr_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    missing: Refusal = (
        "no zarr",
        lambda folder: StreamedVolume.begin(plan_of(), folder / "a.ome.zarr"),
        r"Expected the package zarr, .*pip install 'napari-slicegan\[scale\]'",
    )
    assert_refused(missing, tmp_path)
