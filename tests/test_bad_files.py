"""Files that cannot be trained on are refused by name, with one helpful sentence."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.micrograph import Micrograph
from tests.refusals import Refusal, assert_all_refused

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (70, 80), dtype=np.uint8)
RGB = RNG.integers(0, 256, (70, 80, 3), dtype=np.uint8)
PHASES = RNG.integers(0, 3, (70, 80), dtype=np.uint8)
STACK = np.stack([GRAY] * 4)

CASES: dict[str, list[Refusal]] = {}
SECTION = ["not an image"]


def case(title: str, words: str, make: Callable[[Path], Any]) -> None:
    """Add a line to the table: what is wrong, words of the answer, how to cause it."""
    CASES.setdefault(SECTION[-1], []).append((title, make, words))


def encoded(values: NDArray[Any], file_format: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, file_format, **options)
    return buffer.getvalue()


def tiff(values: NDArray[Any], **options: Any) -> bytes:
    """A TIFF as the bytes of a file."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def npy(values: NDArray[Any]) -> bytes:
    """An NPY as the bytes of a file."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def file_case(title: str, words: str, name: str, content: bytes, **given: Any) -> None:
    """A file that must be refused, by its name."""

    def make(folder: Path) -> Micrograph:
        (folder / name).write_bytes(content)
        return Micrograph.open(folder / name, MicrographSettings(**given))

    case(title, f"{re.escape(name)}.*{words}", make)


# Files that are not there, or not images.
case(
    "missing file",
    "nothing.tif.*No such file",
    lambda f: Micrograph.open(f / "nothing.tif"),
)
case("folder", "got a folder", Micrograph.open)
file_case("empty", "empty file", "empty.tif", b"")
file_case("text called TIFF", "another kind", "image.tif", b"not an image at all")
file_case("text called NPY", "another kind", "image.npy", b"not an image at all")
file_case("archive", "damaged file.*not a zip", "arrays.npz", b"PK\x03\x04" + bytes(50))
file_case("one byte", "another kind", "image.png", b"\x89")

# Files that were cut off on the way.
SECTION.append("cut off")
for file_format in ("PNG", "JPEG"):
    file_name = f"cut.{file_format.lower()}"
    content = encoded(GRAY, file_format)
    file_case(
        f"half a {file_format}", "damaged", file_name, content[: len(content) // 2]
    )
for title, content in {
    "TIFF": tiff(GRAY),
    "packed TIFF": tiff(GRAY, compression="zlib"),
    "stack, in a page": tiff(STACK, photometric="minisblack"),
    "OME-TIFF": tiff(STACK, ome=True, photometric="minisblack"),
    "LZW TIFF": encoded(GRAY, "TIFF", compression="tiff_lzw"),
}.items():
    file_case(f"half a {title}", "damaged", "cut.tif", content[: len(content) // 2])
PACKED = tiff(STACK, compression="zlib", photometric="minisblack")
file_case(
    "stack, last page gone",
    "pages are missing",
    "cut.tif",
    PACKED[: len(PACKED) // 2],
)
file_case("TIFF, header only", "damaged", "cut.tif", tiff(GRAY)[:8])
file_case("half an NPY", "damaged", "cut.npy", npy(GRAY)[:3000])
file_case("NPY, header only", "damaged", "cut.npy", npy(GRAY)[:20])

# Files with something else in them.
SECTION.append("other content")
file_case(
    "pickled NPY",
    "one of Python objects",
    "objects.npy",
    npy(np.array([{}, 1], dtype=object)),
)
file_case("pickle called NPY", "another kind", "objects.npy", pickle.dumps([1, 2]))
file_case("1-D NPY", "1 dimensions", "line.npy", npy(np.arange(100.0)))
file_case(
    "constant PNG",
    r"same value \(7\)",
    "flat.png",
    encoded(np.full((70, 80), 7, np.uint8), "PNG"),
)
file_case(
    "5-D TIFF",
    "5 dimensions",
    "time.tif",
    tiff(RNG.random((2, 2, 3, 20, 30)), photometric="minisblack"),
)
file_case(
    "gray file as phases",
    "is it grayscale",
    "sem.png",
    encoded(GRAY, "PNG"),
    kind="phases",
)

# Settings that do not fit the file.
SECTION.append("settings")
SEM = encoded(GRAY, "PNG")
for title, crop in {
    "crop beyond the image": (0, 71, 0, 80),
    "crop that begins before": (-1, 60, 0, 80),
    "crop upside down": (60, 10, 0, 80),
    "crop without columns": (0, 70, 5, 5),
}.items():
    file_case(title, "crop within 70 rows and 80 columns", "sem.png", SEM, crop=crop)
for title, words, thresholds in (
    ("thresholds unsorted", "rising order, got 90, 30", (90, 30)),
    ("threshold twice", "rising order, got 90, 90", (90, 90)),
    ("threshold too high", "0 and 255.*got 300", (300,)),
    ("threshold too low", "0 and 255.*got -1", (-1,)),
    ("threshold NaN", "got nan", (float("nan"),)),
    ("no threshold", "1 to 15 thresholds, got 0", ()),
    ("too many thresholds", "1 to 15 thresholds, got 16", tuple(range(10, 170, 10))),
    ("phase left empty", "none in phase 1", (30.2, 30.4)),
):
    file_case(
        title, words, "sem.png", SEM, segmentation="thresholds", thresholds=thresholds
    )
file_case(
    "even window", "odd edge", "sem.png", SEM, segmentation="local", local_window=50
)
file_case(
    "fewer gray values than phases",
    "at least 4 gray values for 4 phases, got 3",
    "map.png",
    encoded(PHASES, "PNG"),
    segmentation="multi-otsu",
    n_phases=4,
)
file_case(
    "labels denoised",
    "got 'phases'",
    "map.png",
    encoded(PHASES, "PNG"),
    denoise="median",
)


@pytest.mark.parametrize("section", CASES)
def test_refused_with_one_sentence(section: str, tmp_path: Path) -> None:
    assert_all_refused(CASES[section], tmp_path)
