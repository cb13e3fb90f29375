from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from napari_slicegan.metrics.comparison import Comparison, Row, compare
from napari_slicegan.metrics.reference import Source, reference_of
from napari_slicegan.micrograph import Micrograph
from napari_slicegan.report import comparison_figure, draw_comparison, summary
from napari_slicegan.report_curves import axes_agree
from napari_slicegan.report_images import Colouring, pictures_of, scale_bar
from napari_slicegan.report_text import findings, verdict
from napari_slicegan.training_images import TrainingImages
from napari_slicegan.volume import Volume

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

Case: TypeAlias = tuple[Comparison, Source, Volume]
EDGE = 40


def field(*shape: int, seed: int, sigma: Any = 2) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).standard_normal(shape)
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(smooth / smooth.std())


def phases(*shape: int, seed: int, count: int = 2, sigma: Any = 2) -> NDArray[np.uint8]:
    """`count` phases of about equal shares, labelled 0, 10, 20, ..."""
    values = field(*shape, seed=seed, sigma=sigma)
    limits = np.quantile(values, np.linspace(0, 1, count + 1)[1:-1])
    return (np.digitize(values, limits) * 10).astype(np.uint8)


def gray(*shape: int, seed: int) -> NDArray[np.uint16]:
    return (field(*shape, seed=seed) * 500 + 5000).astype(np.uint16)


def colour(*shape: int, seed: int) -> NDArray[np.uint8]:
    channels = [field(*shape, seed=seed + shift) for shift in range(3)]
    return np.clip(np.stack(channels, axis=-1) * 40 + 128, 0, 255).astype(np.uint8)


def isotropic(count: int = 2) -> tuple[Source, Volume]:
    images = [phases(100, 110, seed=1, count=count)]
    volume = phases(EDGE, EDGE, EDGE, seed=2, count=count)
    return images, Volume(volume, "phases", 25.0)


def anisotropic() -> tuple[Source, Volume]:
    """Long along x; the volume is not a cube."""
    volume = phases(EDGE, 32, 24, seed=1, sigma=(1, 1, 6))
    images = {
        "z": [phases(80, 90, seed=2, sigma=(1, 6))],
        "y": [phases(80, 90, seed=3, sigma=(1, 6))],
        "x": [phases(80, 90, seed=4, sigma=1)],
    }
    return images, Volume(volume, "phases", 700.0)  # type: ignore[return-value]


def truth() -> tuple[Source, Volume]:
    real = Volume(phases(64, 64, 64, seed=1), "phases")
    return real, Volume(phases(EDGE, EDGE, EDGE, seed=2), "phases")


def one_missing() -> tuple[Source, Volume]:
    """The generated volume lacks one of three phases."""
    source, volume = isotropic(3)
    return source, Volume(np.minimum(volume.values, 10), "phases", 25.0, (0, 10, 20))


def grayscale() -> tuple[Source, Volume]:
    image = Micrograph.from_array(gray(90, 90, seed=1), "grayscale", 0.5)
    return image, Volume(gray(EDGE, EDGE, EDGE, seed=2), "grayscale", 0.5)


def coloured() -> tuple[Source, Volume]:
    image = Micrograph.from_array(colour(90, 90, seed=1), "colour")
    images = TrainingImages.isotropic(image)
    return images, Volume(colour(EDGE, EDGE, EDGE, seed=4), "colour")


def too_small() -> tuple[Source, Volume]:
    """Nothing to cut into pieces: no noise floor."""
    values = phases(16, 18, 20, seed=2)
    return [phases(20, 22, seed=1)], Volume(values, "phases")


CASES: dict[str, Callable[[], tuple[Source, Volume]]] = {
    "isotropic": isotropic,
    "one phase missing": one_missing,
    "anisotropic": anisotropic,
    "truth": truth,
    "three phases": lambda: isotropic(3),
    "nine phases": lambda: isotropic(9),
    "grayscale": grayscale,
    "colour": coloured,
    "too small": too_small,
}


@cache
def case(name: str) -> Case:
    source, volume = CASES[name]()
    return compare(source, volume, max_distance=16), source, volume


def made_of(*rows: Row) -> Comparison:
    return Comparison(rows, "phases", 4, "real", "4 x 4 x 4", "pieces")


def row(distance: float | None, floor: float | None, **changes: Any) -> Row:
    facts: dict[str, Any] = {
        "metric": "face_density",
        "phase": 1,
        "axis": "z",
        "real": 0.1,
    }
    facts |= {"generated": 0.1} | changes
    return Row(**facts, distance=distance, noise_floor=floor)


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


@pytest.mark.parametrize("name", [*CASES][2:])
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
        "from napari_slicegan.report import comparison_figure\n"
        "from napari_slicegan.volume import Volume\n"
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


@pytest.mark.parametrize("count", [2, 3, 16])
def test_phases_are_told_apart_by_lightness_alone(count: int) -> None:
    labels = np.arange(count)
    colours = Colouring(tuple(range(count))).colours(labels[np.newaxis])[0]
    # Rec. 709 weights of the relative luminance.
    lightness = colours @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(lightness) > 0.02).all()


@pytest.mark.parametrize(
    ("n_columns", "voxel_size_nm", "length", "text"),
    [
        # At most 0.3 of the width: 28.8 voxels; 144 um; 14.4 nm; 480 um of 1.6 mm.
        (96, None, 20, "20 voxels"),
        (96, 5000.0, 20, "100 \N{GREEK SMALL LETTER MU}m"),
        (96, 0.5, 20, "10 nm"),
        (100, 7e4, 200 / 7, "2 mm"),
    ],
)
def test_scale_bars_have_round_lengths(
    n_columns: int, voxel_size_nm: float | None, length: float, text: str
) -> None:
    found, words = scale_bar(n_columns, voxel_size_nm)
    assert found == pytest.approx(length)
    assert words == text


def test_real_curves_are_one_only_within_the_noise_floor() -> None:
    one = row(0.0, 0.02, real=(0.5, 0.3), axis="z")
    near = row(0.0, 0.02, real=(0.5, 0.32), axis="y")  # mean difference 0.01
    far = row(0.0, 0.02, real=(0.5, 0.36), axis="x")  # 0.03
    assert axes_agree([one, near])
    assert not axes_agree([one, near, far])


@pytest.mark.parametrize(
    ("rows", "grade"),
    [
        ([row(0.009, 0.01)], "agrees"),
        ([row(0.009, 0.01), row(0.02, 0.01, axis="y")], "close"),
        ([row(0.031, 0.01), row(0.009, 0.01, axis="y")], "differs"),
        # All real pieces agree, and the volume does not.
        ([row(0.01, 0.0)], "differs"),
        ([row(0.0, 0.0)], "agrees"),
        # 0.5 % of the real value is nothing to complain of.
        ([row(0.0005, 0.0), row(0.001, 0.01, axis="y")], "agrees"),
        # Depends on the size of the piece.
        ([row(9.0, 0.1, metric="chord_length"), row(0.001, 0.01)], "agrees"),
        ([row(0.01, None), row(None, 0.01)], "unknown"),
        ([], "unknown"),
    ],
)
def test_verdicts(rows: list[Row], grade: str) -> None:
    assert verdict(made_of(*rows)).grade == grade


def test_the_worst_row_of_each_metric_is_told() -> None:
    rows = [
        row(0.02, 0.01),
        row(0.05, 0.01, axis="y", phase=7),
        row(0.03, 0.01, metric="phase_fraction", axis=None),
    ]
    found = findings(made_of(*rows))
    assert [finding.floors for finding in found] == pytest.approx([5, 3])
    assert verdict(made_of(*rows)).largest == (
        "Largest distances in noise floors: face density 5.0 x (phase 7, along y); "
        "phase fraction 3.0 x (phase 1)."
    )
    assert math.isinf(findings(made_of(row(0.1, 0.0)))[0].floors)


@pytest.mark.parametrize("name", ["isotropic", "anisotropic", "truth", "three phases"])
def test_a_summary_tells_the_rows_of_the_comparison(name: str) -> None:
    comparison, _, _ = case(name)
    text = summary(comparison)
    lines = text.splitlines()
    assert 5 <= len(lines) <= 8
    assert max(map(len, lines)) <= 120
    flat = " ".join(text.split())
    phase = int(flat.partition("Of phase ")[2].split()[0])
    for metric in ("two_point_correlation", "face_density", "percolating_share"):
        for axis in "zyx":
            found = comparison.row(metric, phase, axis)  # type: ignore[arg-type]
            if metric == "two_point_correlation":
                expected = f"{axis} {found.distance:.4g} / {found.noise_floor:.4g}"
            else:
                expected = f"{axis} {found.generated:.4g}"
            assert expected in flat
            if metric == "face_density":
                assert isinstance(found.real, float)
                assert isinstance(found.generated, float)
                percent = 100 * (found.generated - found.real) / found.real
                assert f"({percent:+.1f} % of {found.real:.4g})" in flat
            elif metric == "percolating_share" and found.real is not None:
                assert f"{axis} {found.generated:.4g} (real {found.real:.4g})" in flat
    fraction = comparison.row("phase_fraction", phase)
    assert f"phase {phase} {fraction.real:.4g} / {fraction.generated:.4g}" in flat
    assert verdict(comparison).headline in flat


def test_of_two_phases_the_rarer_one_is_told() -> None:
    values = np.zeros((8, 8, 8), dtype=np.uint8)
    values[:3] = 5  # 3 / 8 of the voxels
    image = np.roll(values[:, :, 0], 2, axis=0)
    text = summary(compare([image], Volume(values, "phases"), 2))
    assert "Of phase 5" in text
    assert "phase 5 0.375 / 0.375" in text


def test_a_summary_of_gray_values() -> None:
    comparison, _, _ = case("grayscale")
    flat = " ".join(summary(comparison).split())
    histogram = comparison.row("histogram", "gray")
    assert f"gray {histogram.real:.4g} / {histogram.generated:.4g}" in flat
    assert f"gray {histogram.distance:.4g} / {histogram.noise_floor:.4g}" in flat
    for axis in "zyx":
        found = comparison.row("autocovariance", "gray", axis)  # type: ignore[arg-type]
        assert f"{axis} {found.distance:.4g} / {found.noise_floor:.4g}" in flat
