"""The figure of the report: whole, readable, written safely."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from napari_slicegan.metrics.comparison import compare
from napari_slicegan.report.figure import comparison_figure, draw_comparison
from napari_slicegan.report.text import summary
from tests.reports import case, isotropic

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase


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


@pytest.mark.parametrize("name", ["anisotropic", "nine phases", "colour", "too small"])
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
    with pytest.raises(ValueError, match=r"\.png; got the ending '\.jpg'"):
        draw_comparison(*case("too small"), tmp_path / "report.jpg")


def test_pyplot_is_never_loaded() -> None:
    """It would choose a window system, and keep every figure in memory."""
    program = (
        "import sys, numpy as np\n"
        "from napari_slicegan.metrics.comparison import compare\n"
        "from napari_slicegan.report.figure import comparison_figure\n"
        "from napari_slicegan.volumes.volume import Volume\n"
        "image = np.random.default_rng(0).integers(0, 2, (20, 20))\n"
        "volume = Volume(np.stack([image] * 20), 'phases')\n"
        "figure = comparison_figure(compare([image], volume, 4), [image], volume)\n"
        "figure.draw_without_rendering()\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_comparison_of_few_metrics_is_drawn() -> None:
    source, volume = isotropic()
    for metrics in ((), ("lineal_path",)):
        comparison = compare(source, volume, 8, metrics)
        assert comparison_figure(comparison, source, volume).subfigs
        assert "Verdict" in summary(comparison)
