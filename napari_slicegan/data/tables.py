"""Images as text: tables of numbers, ESRI grids, lists of points, maps of EBSD.

A table holds one row of the image per line. A list holds one pixel per line, with its
position in columns named x and y, as spreadsheets and EBSD programs export it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.data.pixel_sizes import Edges, edges_in_nm
from napari_slicegan.data.pixel_values import SMALLEST_EDGE

MOST_BYTES = 2**29
"""Larger text files are refused: they would take minutes and many times the memory."""
MOST_HEADER_LINES = 2000
END_OF_FILE = "\x1a"
"""Ctrl-Z, which old programs write at the end of a text."""
WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Starts of texts in UTF-16."""
DIGITS = re.compile(r"\d{8,}")
TRUTH = {"true": "1", "false": "0"}
MATERIAL = ("phase", "label", "bc", "iq", "image quality", "ci", "mad")
"""Columns of EBSD maps in the order in which they are preferred."""
# TSL/OIM .ang files do not name their columns.
ANG_COLUMNS = ("phi1", "PHI", "phi2", "x", "y", "IQ", "CI", "phase", "SEM", "fit")


@dataclass(frozen=True, eq=False)
class Table:
    """A text file in numbers.

    Attributes
    ----------
    images
        Name -> values ``[Y, X]``.
    edges_nm
        Pixel edges along X and Y, if the file states them.
    notes
        What was decided, a sentence each.
    """

    images: Mapping[str, NDArray[np.generic]]
    edges_nm: Edges | None = None
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class _Header:
    """Lines above the numbers: names with values, names of columns, and notes."""

    facts: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def number(self, *names: str) -> float | None:
        """Value of the first of these names that has a number."""
        for name in names:
            found = re.match(r"[-+]?[\d.]+(e[-+]?\d+)?", self.facts.get(name, ""), re.I)
            if found:
                return float(found[0])
        return None


def read_table(path: Path) -> Table:
    """Read a text file as one or several images.

    Raises
    ------
    ValueError
        If its lines are no table of numbers.
    """
    lines = _lines(path)
    header, body = _split(lines)
    if re.search("hex", header.facts.get("grid", ""), re.I):
        raise ValueError("its points lie on a hexagonal grid, not on a square one")
    if not body:
        raise ValueError("it holds no table of numbers")
    if all(DIGITS.fullmatch(line) and len(line) == len(body[0]) for line in body):
        # One digit for each pixel, without anything between them.
        return Table({path.stem: np.array([list(line) for line in body], np.uint8)})
    values = _numbers(body, header)
    if path.suffix.lower() == ".ang" and not header.columns:
        more = (f"column {n + 1}" for n in range(len(ANG_COLUMNS), values.shape[1]))
        header.columns = (*ANG_COLUMNS[: values.shape[1]], *more)
    if not header.columns and _are_points(values):
        more = (f"column {n + 1}" for n in range(2, values.shape[1]))
        header.columns = ("x", "y", *more)
    maps = _maps(values, header)
    if maps is not None:
        return maps
    if values.shape[1] < 2:
        raise ValueError(
            "it holds one number in each line, not a row of the image; give 'Raw "
            "shape', or save a table with as many columns as the image has"
        )
    mark = header.number("nodata_value")
    if mark is not None and (values == mark).any():
        values = np.where(values == mark, np.nan, values)
    edges = _edges_of_grid(header, values.shape)
    return Table({path.stem: _compact(values)}, edges, header.notes)


def read_list(path: Path, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Read numbers in lines of any length, x running fastest.

    Raises
    ------
    ValueError
        If they are not as many as the shape says.
    """
    _, body = _split(_lines(path))
    values = np.array(" ".join(body).replace(",", " ").split(), float)
    if values.size != math.prod(shape):
        text = " x ".join(map(str, shape))
        raise ValueError(
            f"{path.name}: expected {math.prod(shape):,} numbers for {text} values, "
            f"got {values.size:,}; correct 'Raw shape'."
        )
    return _compact(values.reshape(shape))


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(
            f"it holds more than {MOST_BYTES // 2**20} MB of text; save it as TIFF"
        )
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith(WIDE) else "utf-8-sig"
    text = content.decode(encoding, "replace").rstrip(END_OF_FILE)
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as of old spreadsheets
    # Quotes of cells; one with a comma is no number of a table with commas.
    text = re.sub(r'(^|[,;\t])"([^",\n]*)"', r"\1\2", text, flags=re.MULTILINE)
    return [line.strip(" \r\n\f") for line in text.split("\n")]


def _split(lines: Sequence[str]) -> tuple[_Header, list[str]]:
    """Header, and the lines of numbers without empty ones and comments."""
    header = _Header()
    body: list[str] = []
    words: list[str] = []
    for number, line in enumerate(lines):
        if not line or (body and line.startswith(("#", "//", "%"))):
            continue
        if body or _is_row(line):
            if line.strip(";,\t "):
                body.append(line)
            continue
        if number > MOST_HEADER_LINES:
            break
        bare = line.lstrip("#%/ ")
        name, _, value = re.sub(r"[:=\t]|\s+", "\n", bare, count=1).partition("\n")
        if value:
            header.facts.setdefault(name.strip().lower(), value.strip(" :=\t"))
        words = _cells(bare)
    # ``ncols 400``: a name with one number is no row of two.
    if len(body) > 1 and _counts_columns(_cells(body[0]), _cells(body[1])):
        # As pandas writes them.
        words, body = _cells(body[0]), body[1:]
        header.notes = ("The first row numbers the columns and is left out.",)
    if body and len(words) == len(_cells(body[0])):
        header.columns = tuple(word.strip("\"' ") for word in words)
    return header, body


def _is_row(line: str) -> bool:
    """Whether a line consists of numbers; the first cell may be empty."""
    cells = [cell for cell in _cells(line) if cell]
    return bool(cells) and all(_is_number(cell) for cell in cells)


def _counts_columns(cells: Sequence[str], following: Sequence[str]) -> bool:
    """Whether cells count 0, 1, 2 ..., perhaps after an empty one, as numbers only.

    A gradient counts as well, but its next row grows alike.
    """
    counted = [str(n) for n in range(len(cells))]
    if len(cells) < 3 or len(following) != len(cells):
        return False
    if not cells[0]:
        return list(cells[1:]) == counted[:-1]
    if list(cells) != counted or not all(map(_is_number, following)):
        return False
    numbers = [float(TRUTH.get(n.lower(), n).replace(",", ".")) for n in following]
    first = np.arange(len(cells))
    return bool(np.std(numbers - first) > np.std(first) / 2)


def _is_number(cell: str) -> bool:
    if cell.lower() in TRUTH:
        return True
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return True


def _delimiter(line: str) -> str | None:
    """Sign between cells; None for white space. A comma may be a decimal one."""
    if ";" in line or "\t" in line:
        return ";" if ";" in line else "\t"
    if "," not in line:
        return None
    parts = line.split()
    is_decimal = len(parts) > 1 and all(
        re.fullmatch(r"[-+]?\d+(,\d+)?(e[-+]?\d+)?", part, re.I) for part in parts
    )
    return None if is_decimal else ","


def _cells(line: str) -> list[str]:
    delimiter = _delimiter(line)
    cells = [cell.strip() for cell in line.split(delimiter)]
    # Some programs end each line with a delimiter.
    return cells[:-1] if delimiter and len(cells) > 1 and not cells[-1] else cells


def _numbers(body: Sequence[str], header: _Header) -> NDArray[np.float64]:
    """The lines as an array; one sentence about the first that differs."""
    delimiter = _delimiter(body[0])
    text = "\n".join(body)
    if delimiter != "," and "," in text:
        text = text.replace(",", ".")
    if any(word in text[: 2**16].lower() for word in TRUTH):
        for word, digit in TRUTH.items():
            text = re.sub(word, digit, text, flags=re.I)
    if delimiter is not None:
        lines = text.split("\n")
        # Some programs end each line, or most of them, with delimiters.
        n = max(line.rstrip(f" {delimiter}").count(delimiter) for line in lines)
        ends = [max(0, line.count(delimiter) - n) for line in lines]
        lines = [
            line.rsplit(delimiter, more)[0]
            for line, more in zip(lines, ends, strict=True)
        ]
        text = "\n".join(lines)
        # Cells without a number.
        empty = rf"(^|(?<={delimiter}))[ ]*(?={delimiter}|$)"
        text = re.sub(empty, "nan", text, flags=re.M)
    try:
        values = np.loadtxt(
            io.StringIO(text), delimiter=delimiter, comments=None, ndmin=2
        )
    except ValueError as error:
        raise ValueError(_first_fault(text.split("\n"), delimiter)) from error
    if header.columns and not header.columns[0]:
        # The numbers of the rows, as pandas writes them.
        header.columns, values = header.columns[1:], values[:, 1:]
    return values


def _first_fault(lines: Sequence[str], delimiter: str | None) -> str:
    """What is wrong with a table."""
    n = len(lines[0].split(delimiter))
    for number, line in enumerate(lines, start=1):
        cells = line.split(delimiter)
        if len(cells) != n:
            return (
                f"row {number} of its table holds {len(cells)} numbers, the first "
                f"row {n}"
            )
        bad = next((cell for cell in cells if not _is_number(cell.strip())), None)
        if bad is not None:
            return f"'{bad.strip()[:20]}' in row {number} of its table is no number"
    return "its table holds something else than numbers"


def _are_points(values: NDArray[np.float64]) -> bool:
    """Whether the first two of several columns are the positions of a grid."""
    if values.shape[1] < 3:
        return False
    (columns, column), (rows, row) = _places(values[:, 0]), _places(values[:, 1])
    is_image = min(len(columns), len(rows)) >= SMALLEST_EDGE
    places = row * len(columns) + column
    return is_image and np.array_equal(
        np.sort(places), np.arange(len(columns) * len(rows))
    )


def _maps(values: NDArray[np.float64], header: _Header) -> Table | None:
    """Images of a list of points; None if the columns name no position."""
    names = [re.sub(r"\s*[\[(].*", "", name) for name in header.columns]
    known = [name.lower() for name in names]
    if not {"x", "y"} <= set(known) or len(names) != values.shape[1]:
        return None
    x, y = values[:, known.index("x")], values[:, known.index("y")]
    (columns, column), (rows, row) = _places(x), _places(y)
    n_rows, n_columns = len(rows), len(columns)
    order = np.lexsort((column, row))
    places = (row * n_columns + column)[order]
    if not np.array_equal(places, np.arange(n_rows * n_columns)):
        raise ValueError(
            f"its {len(values):,} points do not fill a grid of {n_columns:,} x "
            f"{n_rows:,} positions"
        )
    found = {
        name: _compact(values[order, number].reshape(n_rows, n_columns))
        for number, name in enumerate(names)
        if name.lower() not in ("x", "y") and np.ptp(values[:, number]) > 0
    }
    if not found:
        raise ValueError("each of its columns has the same value everywhere")
    preferred = sorted(found, key=_preference)
    edges = None
    if min(n_rows, n_columns) > 1 and ("xstep" in header.facts or "bands" in known):
        # Micrometres in the files of OIM and of Channel 5 and AZtec.
        steps = [np.ptp(axis) / (len(axis) - 1) for axis in (columns, rows)]
        edges = edges_in_nm([(step, "um") for step in steps])
    return Table({name: found[name] for name in preferred}, edges)


def _places(
    positions: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Coordinates of the columns or rows, and the number of that of each point.

    Coordinates of one column may differ by their rounding, far less than a step.
    """
    known, number = np.unique(positions, return_inverse=True)
    gaps = np.diff(known)
    is_next = np.append(True, gaps > gaps.max(initial=0) / 4)
    return known[is_next], (np.cumsum(is_next) - 1)[number]


def _preference(name: str) -> int:
    """Position among the columns that show the material best."""
    known = name.lower() in MATERIAL
    return MATERIAL.index(name.lower()) if known else len(MATERIAL)


def _edges_of_grid(header: _Header, shape: tuple[int, ...]) -> Edges | None:
    """Pixel edges of Gwyddion's header: the width and the height with a unit.

    The cell size of ESRI grids is in units of the map, mostly metres on the ground.
    """
    lengths = []
    for name, n in (("width", shape[1]), ("height", shape[0])):
        found = re.fullmatch(r"([\d.eE+-]+)\s*(\S+)", header.facts.get(name, ""))
        if not found or not _is_number(found[1]):
            return None
        lengths.append((float(found[1]) / n, found[2]))
    return edges_in_nm(lengths)


def _compact(values: NDArray[np.float64]) -> NDArray[np.generic]:
    """Whole numbers as integers."""
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)) or max(-low, high) >= 2**53:
        return values
    if (values != np.floor(values)).any():
        return values
    return values.astype(
        np.result_type(*map(np.min_scalar_type, (int(low), int(high))))
    )


NUMBERS = {*b"0123456789+-.,;:eE \t"}


def is_text(path: Path) -> bool:
    """Whether a file starts with signs that are seen; others hold plain values."""
    with path.open("rb") as file:
        start = file.read(4096).rstrip(END_OF_FILE.encode())
    if start.startswith(WIDE):
        return True
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in start):
        return False
    # Bright pixels without a header are seen, too, but have no lines.
    return b"\n" in start or b"\r" in start or not set(start) - NUMBERS
