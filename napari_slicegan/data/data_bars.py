"""Data bars that microscopes burn into their pictures: where they are.

A bar under the picture is no material, but its pixels are as good as any other to a
critic. Headers that state the height of the scanned image settle it; otherwise a bar is
recognised by its look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.data.pixel_sizes import tescan_header

if TYPE_CHECKING:
    import tifffile

Crop = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""

N_LEVELS = 64
# Of the pixels of a line within a bar: those of its two main grays, or those of its
# background alone.
FLAT = 0.75
BACKGROUND = 0.4
# Of the columns: those whose gray changes at the straight border of a bar, by at least
# this many levels.
BORDER = 0.6
STEP = 3
# The thickest bar and the thinnest, as fractions of the edge; the thinnest in pixels.
THICKEST = 0.3
THINNEST = 0.02
THINNEST_PX = 6


def header_lines(path: Path) -> dict[str, str]:
    """``key=value`` and ``$key value`` lines of the text file beside an image.

    JEOL and Hitachi write ``NAME.txt`` beside ``NAME.tif``, TESCAN ``NAME.hdr`` or
    ``NAME-tif.hdr``. Empty if there is none.
    """
    if not path.suffix:
        return {}
    own = path.with_name(f"{path.stem}-{path.suffix[1:]}")
    names = [path.with_suffix(".txt"), path.with_suffix(".hdr"), Path(f"{own}.hdr")]
    # Of disks of Windows, which does not tell capitals from small letters.
    names += [path.with_suffix(".TXT"), path.with_suffix(".HDR")]
    for beside in names:
        try:
            if not beside.is_file() or beside.stat().st_size > 2**20:
                continue
            text = beside.read_bytes().decode("utf-8", "replace").replace("\0", "")
        except OSError:
            continue
        found = re.findall(
            r"^\s*(\$?\$?[\w:]+)\s*[=\s]\s*(.+?)\s*$", text, re.MULTILINE
        )
        if any(key in KNOWN_KEYS for key, _ in found):
            return {key.lstrip("$"): value for key, value in found}
    return {}


KNOWN_KEYS = frozenset(
    {"$CM_FULL_SIZE", "$$SM_MICRON_BAR", "DataSize", "PixelSize", "PixelSizeX"}
)


def scanned_rows(
    tiff: tifffile.TiffFile | None, beside: Mapping[str, str], n_rows: int
) -> int | None:
    """Rows of the scanned image, from the header; None if it does not state them.

    FEI/Thermo Fisher: ``ResolutionY`` of the image, or the height of the bar. TESCAN:
    the height of the strip. JEOL: ``CM_FULL_SIZE``, Hitachi: ``DataSize`` (columns and
    rows of the scan). Zeiss writes neither.

    Parameters
    ----------
    tiff
        The open file, None for other formats.
    beside
        See `header_lines`.
    n_rows
        Rows of the stored image.
    """
    for rows in _stated_rows(tiff, beside, n_rows):
        if n_rows * (1 - THICKEST) <= rows <= n_rows:
            return rows
    return None


def _stated_rows(
    tiff: tifffile.TiffFile | None, beside: Mapping[str, str], n_rows: int
) -> list[int]:
    found: list[int | None] = []
    if tiff is not None:
        fei = tiff.fei_metadata or {}
        height = _whole(_group(fei, "PrivateFei").get("DatabarHeight"))
        found.append(_whole(_group(fei, "Image").get("ResolutionY")))
        found.append(n_rows - height if height else None)
        strip = _whole(tescan_header(tiff).get("ImageStripSize"))
        found.append(n_rows - strip if strip else None)
    strip = _whole(beside.get("ImageStripSize"))
    found.append(n_rows - strip if strip else None)
    for key in ("CM_FULL_SIZE", "DataSize"):
        numbers = re.findall(r"\d+", beside.get(key, ""))
        found.append(int(numbers[1]) if len(numbers) == 2 else None)
    return [rows for rows in found if rows is not None]


def _group(facts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    group = facts.get(name)
    return group if isinstance(group, Mapping) else {}


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def find_data_bar(gray: NDArray[Any]) -> Crop | None:
    """What remains of a gray image without the bar at one of its edges.

    The lines of a bar consist of a background and a text of constant gray, those of the
    material do not, and the border between the two is straight. This is a guess:
    segmented images, and images that are flat in large parts, are left alone.

    Parameters
    ----------
    gray
        ``[Y, X]``.

    Returns
    -------
    The rows and columns of the material; None if there is no bar.
    """
    if min(gray.shape) < 4 * THINNEST_PX:
        return None
    low, high = float(gray.min()), float(gray.max())
    levels = np.empty(gray.shape, np.uint8)
    for row, line in zip(levels, gray, strict=True):
        unit = (line.astype(np.float32) - low) / max(high - low, 1e-12)
        row[:] = np.minimum(unit * N_LEVELS, N_LEVELS - 1)
    n_rows, n_columns = gray.shape
    bottom, top = _thickness(levels[::-1]), _thickness(levels)
    if bottom or top:
        return top, n_rows - bottom, 0, n_columns
    right, left = _thickness(levels.T[::-1]), _thickness(levels.T)
    return (0, n_rows, left, n_columns - right) if right or left else None


def _thickness(lines: NDArray[np.uint8]) -> int:
    """Lines of the bar at the start of ``[line, place]``; 0 if there is none."""
    n = len(lines)
    two_grays, main, background = _flatness(lines)
    outer = two_grays[: max(THINNEST_PX, int(THINNEST * n))] >= FLAT
    if outer.mean() < 0.5:
        return 0
    gray = np.bincount(main[: len(outer)][outer]).argmax()
    is_bar = (two_grays >= FLAT) | (
        (background >= BACKGROUND) & (np.abs(main - gray) <= 1)
    )
    # A few lines of dense text between flat ones belong to the bar.
    longest_gap = max(3, n // 100)
    thick = 0
    for i in np.flatnonzero(is_bar):
        if i - thick > longest_gap:
            break
        thick = int(i) + 1
    if thick > THICKEST * n or is_bar[thick:].mean() > 0.1:
        return 0
    # Skies and backgrounds end gradually, a bar in one line; compression blurs it.
    nearby = np.arange(max(1, thick - 2), min(n, thick + 3))
    steps = np.abs(lines[nearby].astype(int) - lines[nearby - 1]) >= STEP
    return thick if steps.mean(axis=1).max() >= BORDER else 0


def _flatness(
    lines: NDArray[np.uint8],
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[Any]]:
    """Of each line: fraction of its two main grays, its main gray, fraction of that."""
    n, length = lines.shape
    counts = np.stack([np.bincount(line, minlength=N_LEVELS) for line in lines])
    # Noise and compression spread a constant gray over its neighbours.
    padded = np.pad(counts, ((0, 0), (1, 1)))
    spread = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    main = spread.argmax(axis=1)
    background = spread.max(axis=1) / length
    other = spread.copy()
    for shift in (-2, -1, 0, 1, 2):
        other[np.arange(n), np.clip(main + shift, 0, N_LEVELS - 1)] = 0
    return background + other.max(axis=1) / length, main, background
