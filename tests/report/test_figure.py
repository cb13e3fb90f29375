"""Planes, curves and the figure of a comparison."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from napari_slicegan.metrics.comparison import compare
from napari_slicegan.metrics.reference import reference_of
from napari_slicegan.report import figure as figure_module
from napari_slicegan.report.figure import (
    Colouring,
    axes_agree,
    comparison_figure,
    draw_comparison,
    pictures_of,
    scale_bar,
)
from napari_slicegan.report.text import summary
from napari_slicegan.volumes.volume import Volume
from tests.reports import EDGE, case, isotropic, phases, row

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase


def test_planes_of_the_same_direction_have_the_same_orientation() -> None:
    volume = Volume(phases(20, 24, 28, seed=1), "phases")
    pictures = pictures_of(reference_of(volume, volume, 4).samples, volume)
    titles = [picture.title for picture in pictures]
    assert titles[:2] == ["Real, along z", "Generated, along z"]
    # Rows and columns are Y and X, Z and X, Z and Y.
    shapes = [picture.values.shape for picture in pictures]
    assert shapes == [(24, 28)] * 2 + [(20, 28)] * 2 + [(20, 24)] * 2
    for real, generated in zip(pictures[::2], pictures[1::2], strict=True):
        assert np.array_equal(real.values, generated.values)


def test_an_isotropic_image_stands_once_and_is_cropped_to_the_same_scale() -> None:
    _, source, volume = case("isotropic")
    pictures = pictures_of(reference_of(source, volume, 4).samples, volume)
    sources = [(picture.source, picture.axis) for picture in pictures]
    assert sources == [("Real", None), *(("Generated", axis) for axis in "zyx")]
    assert {picture.values.shape for picture in pictures} == {(EDGE, EDGE)}
    assert isinstance(source, list)
    # (100 - 40) / 2 = 30 rows and (110 - 40) / 2 = 35 columns are cut off before.
    assert np.array_equal(pictures[0].values, source[0][30:70, 35:75])


def test_a_phase_has_its_colour_whatever_else_is_there() -> None:
    colouring = Colouring((0, 10, 20))
    all_three = colouring.colours(np.array([[0, 10, 20]]))
    alone = colouring.colours(np.array([[20]], dtype=np.uint8))
    assert np.array_equal(alone[0, 0], all_three[0, 2])


def test_phases_differ_in_lightness() -> None:
    rows: list[int] = [2, 16]
    for count in rows:
        labels = np.arange(count)
        colours = Colouring(tuple(range(count))).colours(labels[np.newaxis])[0]
        # Rec. 709 weights of the relative luminance.
        lightness = colours @ (0.2126, 0.7152, 0.0722)
        assert (np.diff(lightness) > 0.02).all()


def test_scale_bars_have_round_lengths() -> None:
    rows: list[tuple[int, float | None, float, str]] = [
        # At most 0.3 of the width: 28.8 voxels; 144 um; 14.4 nm; 480 um of 1.6 mm.
        (96, None, 20, "20 voxels"),
        (96, 5000.0, 20, "100 µm"),
        (100, 7e4, 200 / 7, "2 mm"),
    ]
    for n_columns, voxel_size_nm, length, text in rows:
        found, words = scale_bar(n_columns, voxel_size_nm)
        assert found == pytest.approx(length)
        assert words == text


def test_real_curves_are_one_only_within_the_noise_floor() -> None:
    one = row(0.0, 0.02, real=(0.5, 0.3), axis="z")
    near = row(0.0, 0.02, real=(0.5, 0.32), axis="y")  # mean difference 0.01
    far = row(0.0, 0.02, real=(0.5, 0.36), axis="x")  # 0.03
    assert axes_agree([one, near])
    assert not axes_agree([one, near, far])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Text]:
    """All texts that are drawn; ticks out of sight are not."""
    texts: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: RendererBase) -> None:
        if text.get_visible() and text.get_text().strip():
            texts.append(text)
        draw(text, renderer)

    monkeypatch.setattr(Text, "draw", record)
    return texts


@pytest.mark.parametrize("name", ["anisotropic", "nine phases", "colour"])
def test_texts_are_neither_cut_off_nor_on_top_of_each_other(
    name: str, drawn: list[Text]
) -> None:
    figure = comparison_figure(*case(name))
    figure.draw_without_rendering()
    assert len(drawn) > 30
    boxes = [text.get_window_extent() for text in drawn]
    for text, box in zip(drawn, boxes, strict=True):
        words = text.get_text()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width, words
        assert 0 <= box.y0 < box.y1 <= figure.bbox.height, words
    for one, other in itertools.combinations(range(len(drawn)), 2):
        words = f"{drawn[one].get_text()} and {drawn[other].get_text()}"
        assert not boxes[one].padded(-1).overlaps(boxes[other].padded(-1)), words


def test_a_png_appears_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.png"
    draw_comparison(*case("one phase missing"), path)
    assert list(path.parent.iterdir()) == [path]
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.width == 14 * 120
        pixels = np.asarray(image.convert("L"))
    assert pixels.min() < 50 < 200 < pixels.max()


def test_the_old_figure_stays_if_the_new_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_figure: Figure, path: Path, **_options: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    path = tmp_path / "report.png"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk full"):
        draw_comparison(*case("too small"), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.png, got .*report\.jpg;"):
        draw_comparison(*case("too small"), tmp_path / "report.jpg")


def test_pyplot_is_never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would choose a window system, and keep every figure in memory."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    spec = importlib.util.spec_from_file_location("fresh", figure_module.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fresh", fresh)
    spec.loader.exec_module(fresh)
    fresh.comparison_figure(*case("too small")).draw_without_rendering()


def test_a_comparison_of_few_metrics_is_drawn() -> None:
    source, volume = isotropic()
    for metrics in ((), ("lineal_path",)):
        comparison = compare(source, volume, 8, metrics)
        assert comparison_figure(comparison, source, volume).subfigs
        assert "Verdict" in summary(comparison)
