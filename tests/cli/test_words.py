"""The order of words on the command line, wildcards, and what is printed of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_slicegan.cli import main
from napari_slicegan.cli.options import expanded, opened
from napari_slicegan.cli.parser import _parser
from napari_slicegan.config import MicrographSettings

Capture = pytest.CaptureFixture[str]


LINES: list[tuple[str, dict[str, object]]] = [
    ("train --thresholds 120 sem.png", {"files": ["sem.png"]}),
    ("train sem.png --thresholds 90 120", {"setting_thresholds": ["90", "120"]}),
    ("train --crop 0 200 0 200 sem.png", {"files": ["sem.png"]}),
    ("train --crop auto a.png b.png", {"files": ["a.png", "b.png"]}),
    ("train --z a.tif b.tif --y c.tif --x d.tif", {"z": ["a.tif", "b.tif"]}),
    ("generate --size 64 64 64 RUN", {"size": ["64"] * 3, "run": Path("RUN")}),
    ("generate --seed 3 --size 64 RUN --periodic xy", {"size": ["64"], "seed": 3}),
    ("measure --against a.png b.png RUN", {"against": ["a.png", "b.png"]}),
    ("measure RUN --against a.png b.png", {"against": ["a.png", "b.png"]}),
    ("measure --against a.png RUN --json", {"volume": [Path("RUN")], "json": True}),
    ("directions sweep --strengths -2 0 2 RUN name", {"strengths": [-2, 0, 2]}),
    ("directions apply --move a=1 b=-2 RUN", {"move": ["a=1", "b=-2"]}),
    (
        "directions apply RUN --move a=1 --box 0 0 0 9 9 9",
        {"box": [0, 0, 0, 9, 9, 9]},
    ),
    ("train a.png --crop 0 9 0 9 b.png", {"files": ["a.png", "b.png"]}),
    ("train --thres 120 sem.png", {"files": ["sem.png"]}),
    ("train --thresholds=120 sem.png", {"files": ["sem.png"]}),
    ("generate --size 64x96x96 RUN", {"size": ["64x96x96"], "run": Path("RUN")}),
    ("report --conductivity 1 -1e-3 RUN", {"conductivity": [1, -1e-3]}),
    ("info --crop 0 9 0 9 a.tif b.tif", {"files": ["a.tif", "b.tif"]}),
]


def test_files_may_stand_behind_options(subtests: pytest.Subtests) -> None:
    for line, expected in LINES:
        with subtests.test(line):
            options = vars(_parser().parse_args(line.split()))
            assert {name: options[name] for name in expected} == expected


def test_patterns_are_expanded_by_the_program(tmp_path: Path) -> None:
    """In order; a file of that very name goes first; no match is one sentence."""
    for name in ("b.tif", "a.tif", "c[1].png"):
        (tmp_path / name).touch()
    found = expanded([str(tmp_path / "*.tif"), "plain.png", str(tmp_path / "c[1].png")])
    assert [Path(name).name for name in found] == [
        "a.tif", "b.tif", "plain.png", "c[1].png",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"match '.*\.jpg', got none; check"):
        expanded([str(tmp_path / "*.jpg")])


def test_info_says_how_an_image_would_be_read(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "mask.tif"
    values = np.random.default_rng(0).integers(0, 2, (40, 50)).astype(np.uint8)
    tifffile.imwrite(path, values * 255, photometric="miniswhite")
    assert main(["info", str(path), "--pixel-size-nm", "5"]) == 0
    head, phases, dark, bright, note, small = capsys.readouterr().out.splitlines()
    assert head == "mask.tif: 40 x 50 pixels, pixel size 5 nm (as given)"
    assert phases == "  2 phases (2 distinct values):"
    assert dark.split() == ["0", f"{values.mean():.2%}"]
    assert bright.split() == ["255", f"{1 - values.mean():.2%}"]
    assert note == "  White is stored as 0: values inverted."
    # The same warnings as before training.
    assert small.startswith("  Warning: mask.tif must have at least 64 x 64")


def test_info_of_several_files(tmp_path: Path, capsys: Capture) -> None:
    """As a shell expands ``*.png``; one that is no image is reported by its name."""
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.eye(20, dtype=np.uint8))
    (tmp_path / "c.tif").write_text("none")
    assert main(["info", *(str(tmp_path / f"{name}.tif") for name in "abc")]) == 2
    printed = capsys.readouterr()
    assert "a.tif: 20 x 20 pixels" in printed.out
    assert "b.tif: 20 x 20 pixels" in printed.out
    assert printed.err.startswith("slicegan: c.tif: ")


def test_images_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """By their folders, in messages and in the run."""
    values = np.eye(20, dtype=np.uint8)
    paths = [tmp_path / folder / "img.tif" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        tifffile.imwrite(path, values)
    images = opened([str(path) for path in paths], MicrographSettings())
    assert [image.name for image in images] == ["one/img.tif", "two/img.tif"]
    (alone,) = opened([str(paths[0])], MicrographSettings())
    assert alone.name == "img.tif"


def test_training_prints_what_it_understood(
    settings: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Thresholds alone turn segmentation on; the same warnings as in the window."""
    gray = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "sem.tif", gray)
    words = ["train", "--config", str(settings), "--thresholds", "120"]
    words += [str(tmp_path / "sem.tif"), "--steps", "1", "--out", str(tmp_path / "r")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "sem.tif: 48 x 48 pixels, pixel size unknown" in printed
    assert "2 phases (segmented by the given thresholds):" in printed
    assert "Warning: The pixel size is unknown" in printed
