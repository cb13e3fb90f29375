"""Data bars, scale bars and empty borders of pictures: where they are.

A bar under the picture is no material, but its pixels are as good as any other to a
critic. Headers that state the height of the scanned image settle it; otherwise a bar is
recognised by its look. So are the surroundings of tomograms (a circle), of aligned and
rotated images, and of figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
import skimage
from numpy.typing import NDArray

from napari_slicegan.data.pixel_sizes import tescan_header
from napari_slicegan.data.pixel_values import MAX_PHASES, distinct_values

if TYPE_CHECKING:
    import tifffile

Crop = tuple[int, int, int, int]
"""First row, row after the last, first column, column after the last."""

N_LEVELS = 64
# Fraction of a line within a bar that has one of its two main grays, or the gray of its
# background.
FLAT = 0.75
BACKGROUND = 0.4
# Two grays are those of the bar if its background is one of them, or the line has one.
SHARED, CONSTANT = 0.1, 0.9
# Fraction of the columns whose gray changes at the straight border of a bar, and by how
# many levels at least.
BORDER = 0.6
STEP = 3
# The thickest bar and the thinnest, as fractions of the edge; the thinnest in pixels.
THICKEST = 0.3
THINNEST = 0.02
THINNEST_PX = 6
# Letters of a bar over labels: their strokes over their longer edge (0.4 of a disk),
# how much of their box they fill (0.8), and how many there are; their width and that of
# a scale bar as fractions of the line.
STROKE = 0.3
LETTER_FILL = 0.6
FEWEST_LETTERS = 5
FRAME_PX = 3
LETTER, LONGEST = 0.1, 0.9


def header_lines(path: Path) -> dict[str, str]:
    """``key=value`` and ``$key value`` lines of the text file beside an image.

    JEOL and Hitachi write ``NAME.txt`` beside ``NAME.tif``, TESCAN ``NAME.hdr`` or
    ``NAME-tif.hdr``. Empty if there is none.
    """
    if not path.suffix:
        return {}
    own = path.with_name(f"{path.stem}-{path.suffix[1:]}")
    names = [path.with_suffix(".txt"), path.with_suffix(".hdr"), Path(f"{own}.hdr")]
    # From disks of Windows, whose file names are not case-sensitive.
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


def find_data_bar(values: NDArray[Any], *, is_gray: bool = True) -> Crop | None:
    """What remains of an image without the bar at one of its edges.

    The lines of a bar consist of a background and a text of constant gray, those of the
    material do not, and the border between the two is straight. This is a guess: images
    that are flat in large parts are left alone. Of labels, a bar has one label and the
    thin letters of a text.

    Parameters
    ----------
    values
        ``[Y, X]``.
    is_gray
        Whether they are gray values rather than labels.

    Returns
    -------
    The rows and columns of the material; None if there is no bar.
    """
    if min(values.shape) < 4 * THINNEST_PX:
        return None
    lines = _levels(values) if is_gray else values
    thickness = _thickness if is_gray else _labelled_thickness
    n_rows, n_columns = values.shape
    bottom, top = thickness(lines[::-1]), thickness(lines)
    if bottom or top:
        return top, n_rows - bottom, 0, n_columns
    right, left = thickness(lines.T[::-1]), thickness(lines.T)
    return (0, n_rows, left, n_columns - right) if right or left else None


def _levels(gray: NDArray[Any]) -> NDArray[np.uint8]:
    """Gray values in `N_LEVELS` steps, row by row to save memory."""
    low, high = float(gray.min()), float(gray.max())
    levels = np.empty(gray.shape, np.uint8)
    for row, line in zip(levels, gray, strict=True):
        unit = (line.astype(np.float32) - low) / max(high - low, 1e-12)
        row[:] = np.minimum(unit * N_LEVELS, N_LEVELS - 1)
    return levels


def _thickness(lines: NDArray[np.uint8]) -> int:
    """Lines of the bar at the start of ``[line, place]``; 0 if there is none."""
    n = len(lines)
    two_grays, spread = _flatness(lines)
    main, background = spread.argmax(axis=1), spread.max(axis=1)
    outer = two_grays[: max(THINNEST_PX, int(THINNEST * n))] >= FLAT
    if outer.mean() < 0.5:
        return 0
    gray = np.bincount(main[: len(outer)][outer]).argmax()
    # Flat lines of the material have other grays.
    is_alike = (spread[:, gray] >= SHARED) | (background >= CONSTANT)
    is_bar = (two_grays >= FLAT) & is_alike
    is_bar |= (background >= BACKGROUND) & (np.abs(main - gray) <= 1)
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


def _flatness(lines: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fraction of each line that has its two main grays, and fraction of each gray."""
    n, length = lines.shape
    counts = np.stack([np.bincount(line, minlength=N_LEVELS) for line in lines])
    # Noise and compression spread a constant gray over its neighbours.
    padded = np.pad(counts, ((0, 0), (1, 1)))
    spread = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / length
    main = spread.argmax(axis=1)
    other = spread.copy()
    for shift in (-2, -1, 0, 1, 2):
        other[np.arange(n), np.clip(main + shift, 0, N_LEVELS - 1)] = 0
    return spread.max(axis=1) + other.max(axis=1), spread


def _labelled_thickness(lines: NDArray[Any]) -> int:
    """Lines of the bar at the start of an image of labels; 0 if there is none.

    Lines of one label, with words and bars between them.
    """
    n, length = lines.shape
    background = np.median(lines[0])
    drawn = lines[: int(THICKEST * n) + 1] != background
    is_flat = drawn.mean(axis=1) <= 1 - FULL_EDGE
    if not is_flat[: max(THINNEST_PX // 2, int(THINNEST * n / 2))].all():
        return 0
    ends = np.flatnonzero(is_flat[:-1] & ~is_flat[1:]) + 1
    starts = np.append(np.flatnonzero(~is_flat[:-1] & is_flat[1:]) + 1, len(drawn))
    n_letters = 0
    for end, start in zip(ends, starts, strict=False):
        widths, is_thin, is_letter = _strokes(drawn[end:start])
        is_drawing = widths.max() < LONGEST * length and np.median(is_thin) == 1
        if start == len(drawn) or not is_drawing:
            if n_letters < FEWEST_LETTERS or end < THINNEST_PX:
                return 0
            is_frame = drawn[end : end + FRAME_PX].mean(axis=1) >= FULL_EDGE
            return int(end) + (0 if is_frame.all() else int(is_frame.argmin()))
        n_letters += int(np.count_nonzero(is_letter & (widths < LETTER * length)))
    return 0


def _strokes(
    drawn: NDArray[np.bool_],
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """Width of each connected area, whether it is thin, and thin as a letter."""
    areas, n = scipy.ndimage.label(drawn, np.ones((3, 3)))
    boxes = np.array(
        [
            [side.stop - side.start for side in box]
            for box in scipy.ndimage.find_objects(areas)
        ]
    )
    wide = np.pad(drawn, 1)
    turned = [np.roll(wide, n, axis) for axis in (0, 1) for n in (-1, 1)]
    sides = np.sum(wide != np.stack(turned), axis=0)[1:-1, 1:-1]
    sizes = np.bincount(areas.ravel(), minlength=n + 1)[1:]
    around = np.bincount(areas.ravel(), sides.ravel() * drawn.ravel(), n + 1)[1:]
    # Twice the area over the perimeter is the thickness of a stroke.
    is_thin = 2 * sizes / around <= STROKE * boxes.max(axis=1)
    return boxes[:, 1], is_thin, is_thin & (sizes <= LETTER_FILL * boxes.prod(axis=1))


# --- Borders --------------------------------------------------------------------------

FULL_EDGE = 0.98
"""Fraction of the pixels of an edge that have the value of its border."""
NOTCHES = 0.2
"""Largest fraction of the outside within the convex hull of the inside."""
LEAST_INSIDE = 0.5
"""Smallest inside of a border; less is an object on a background, not a tomogram."""
HULL_EDGE = 512
"""Pixels along an edge of the grid on which convex hulls are computed."""
JUNK = 0.001
"""Largest fraction of pixels within a border that have another value."""
RINGING = 5
"""Pixels across which a border is closed before it is judged."""
BLUR = 0.015
"""Error by compression in a border, as a fraction of the gray value range."""


Border = tuple[Crop, float]
"""The rows and columns inside of a border, and its value."""


def constant_border(planes: NDArray[Any], *, is_gray: bool) -> Border | None:
    """What remains without a border of one value, the same in all planes.

    Strips beside an aligned image, the margin of a figure, the outside of a tomogram's
    circle, and the triangles beside a rotated image.

    Parameters
    ----------
    planes
        ``[Z, Y, X]``.
    is_gray
        Whether they are gray values with noise. Of labels and smooth fields, strips
        are found only if they are at all four edges: a phase may well fill one.

    Returns
    -------
    None if there is no border.
    """
    if not planes.size or min(planes.shape[1:]) < 4 * THINNEST_PX:
        return None
    first = planes[0]
    rows, columns = first.shape
    tolerance = 0.0
    if is_gray:
        tolerance = BLUR * float(np.ptp(first[:: max(1, rows // 256)]))
    for value in np.unique(first[[0, 0, -1, -1], [0, -1, 0, -1]]):
        edges = [
            np.abs(edge - float(value)) <= tolerance
            for edge in (first[0], first[-1], first[:, 0], first[:, -1])
        ]
        has_corners = all(bool(edge[0] and edge[-1]) for edge in edges)
        if not has_corners and max(edge.mean() for edge in edges) < FULL_EDGE:
            continue
        outside = np.ones(first.shape, bool)
        for plane in planes:
            # Compared without a copy in floating point.
            outside &= plane >= float(value) - tolerance
            outside &= plane <= float(value) + tolerance
        top, bottom, left, right = _without_strips(outside)
        n_strips = (top > 0) + (bottom < rows) + (left > 0) + (right < columns)
        if not is_gray and 0 < n_strips < 4:
            continue
        part = outside[top:bottom, left:right]
        if is_gray and min(part.shape) > 2 * RINGING:
            part = _without_islands(part)
        inside = _convex_inside(part)
        if inside is not None and inside.sum() < LEAST_INSIDE * inside.size:
            inside = None
        if inside is not None and (crop := largest_whole_part(inside)) is not None:
            inner = (top + crop[0], top + crop[1], left + crop[2], left + crop[3])
            return inner, float(value)
        is_much = (bottom - top) * (right - left) >= outside.size / 4
        if n_strips and is_much:
            return (top, bottom, left, right), float(value)
    return None


def _without_strips(mask: NDArray[np.bool_]) -> Crop:
    """Rows and columns without the lines at the edges that consist of one value."""
    top, bottom, left, right = 0, mask.shape[0], 0, mask.shape[1]
    changed = True
    while changed and bottom - top > 1 and right - left > 1:
        part = mask[top:bottom, left:right]
        rows, columns = part.mean(axis=1) < FULL_EDGE, part.mean(axis=0) < FULL_EDGE
        if not rows.any() or not columns.any():
            return 0, mask.shape[0], 0, mask.shape[1]
        bottom, right = (
            bottom - int(rows[::-1].argmax()),
            right - int(columns[::-1].argmax()),
        )
        top, left = top + int(rows.argmax()), left + int(columns.argmax())
        changed = part.shape != (bottom - top, right - left)
    return top, bottom, left, right


def _without_islands(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A border with the pixels that lossy compression has moved near its edges."""
    wide = np.pad(mask, RINGING, mode="edge")
    closed = scipy.ndimage.binary_closing(wide, np.ones((RINGING, RINGING)))
    return np.asarray(closed[RINGING:-RINGING, RINGING:-RINGING])


def _convex_inside(is_border_value: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """What a border that fills all corners encloses; None if it is not convex."""
    areas, _ = scipy.ndimage.label(is_border_value)
    corners = np.array([areas[0, 0], areas[0, -1], areas[-1, 0], areas[-1, -1]])
    if not corners.all():
        return None
    inside, n = scipy.ndimage.label(~np.isin(areas, corners), np.ones((3, 3)))
    if n == 0:
        return None
    sizes = np.bincount(inside.ravel())[1:]
    if sizes.sum() - sizes.max() > JUNK * areas.size:
        return None
    main = inside == 1 + int(sizes.argmax())
    # A quarter of a disk at a corner, such as a fibre, is no border: the border of a
    # convex part is concave. Judged on a coarse grid.
    step = 1 + max(main.shape) // HULL_EDGE
    coarse = main[::step, ::step]
    hull = skimage.morphology.convex_hull_image(coarse)  # type: ignore[no-untyped-call]
    n_outside = coarse.size - np.count_nonzero(coarse)
    if np.count_nonzero(hull & ~coarse) > NOTCHES * n_outside:
        return None
    return _span(main) & _span(main.T).T


def _span(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each row from its first to its last pixel."""
    seen = np.logical_or.accumulate(mask, axis=1)
    return seen & np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]


def largest_whole_part(finite: NDArray[np.bool_]) -> Crop | None:
    """Rows and columns without missing pixels; None if too few remain.

    Cuts off the edge with the largest fraction of missing pixels, again and again.

    Parameters
    ----------
    finite
        ``[Y, X]``, False where a pixel is missing.
    """
    table = np.zeros((finite.shape[0] + 1, finite.shape[1] + 1), np.int32)
    np.cumsum(~finite, axis=0, dtype=np.int32, out=table[1:, 1:])
    np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])

    def missing(top: int, bottom: int, left: int, right: int) -> float:
        """Fraction of a part."""
        n = table[bottom, right] - table[top, right] - table[bottom, left]
        return float(n + table[top, left]) / ((bottom - top) * (right - left))

    top, bottom, left, right = 0, finite.shape[0], 0, finite.shape[1]
    while bottom - top > 1 and right - left > 1:
        if missing(top, bottom, left, right) == 0:
            is_much = (bottom - top) * (right - left) >= finite.size / 4
            return (top, bottom, left, right) if is_much else None
        at = {
            "top": missing(top, top + 1, left, right),
            "bottom": missing(bottom - 1, bottom, left, right),
            "left": missing(top, bottom, left, left + 1),
            "right": missing(top, bottom, right - 1, right),
        }
        worst = max(at, key=lambda edge: at[edge])
        if at[worst] == 0:
            return None  # a gap inside
        top += worst == "top"
        bottom -= worst == "bottom"
        left += worst == "left"
        right -= worst == "right"
    return None


# --- Scale bars -----------------------------------------------------------------------

SHORTEST_BAR = 0.05
"""Minimum length of a scale bar, as a fraction of the width of the picture."""
SLENDER = 4
"""Length over height of a scale bar, at least."""
SOLID = 0.95
"""Fraction of its bounding box that a bar fills."""
SATURATED = 0.1
"""Largest fraction of pixels that are as black or white as the scale bar."""
DISTINCT = 0.15
"""Contrast of a bar to its surroundings, as a fraction of the range."""
WITH_WORDS = 0.6
"""The same without the words in it."""
ROUGH = 0.01
"""Difference of neighbours in a noisy picture, as a fraction of the range."""
NEAR_BAR = 0.1
"""Distance of text from a scale bar, as a fraction of the picture's height."""
NEAR_EXTREME = 0.04
"""Error by compression of black and white, as a fraction of the range."""


def is_rough(gray: NDArray[Any], flat: float = 0.75) -> bool:
    """Whether an image has noise, unlike maps of labels and of smooth fields.

    Parameters
    ----------
    gray
        ``[Y, X]``.
    flat
        Fraction of it that may be flat.
    """
    lines = gray[:: max(1, len(gray) // 512)].astype(np.float32)
    steps = np.abs(np.diff(lines))
    if not steps.size:
        return False
    return float(np.quantile(steps, flat)) >= ROUGH * float(np.ptp(lines))


def find_scale_bar(gray: NDArray[Any]) -> Crop | None:
    """Rows and columns of a scale bar that is burnt into a picture, with its words.

    A solid, slender box of black, of white or of another constant value. In segmented
    and in smooth images, parts of the material may look so: they are left alone.

    Parameters
    ----------
    gray
        ``[Y, X]``.

    Returns
    -------
    The box; None if there is none.
    """
    if min(gray.shape) < 4 * THINNEST_PX or distinct_values(gray, MAX_PHASES):
        return None
    if not is_rough(gray, flat=0.5):
        return None
    low, high = float(gray.min()), float(gray.max())
    near = NEAR_EXTREME * (high - low)
    shortest = max(16, int(SHORTEST_BAR * gray.shape[1]))
    for mask in (gray >= high - near, gray <= low + near, _long_runs(gray, shortest)):
        runs = _long_runs(mask, shortest)
        # In a saturated picture, flat parts of the material look like bars.
        if mask.mean() > SATURATED or np.count_nonzero(runs.any(axis=1)) < 3:
            continue
        areas, _ = scipy.ndimage.label(mask)
        boxes = scipy.ndimage.find_objects(areas)
        for number in np.unique(areas[runs]):
            box = boxes[number - 1]
            height, width = (side.stop - side.start for side in box)
            is_slender = width >= max(shortest, SLENDER * height) and height >= 3
            # Longer ones are lines of a frame or bars at an edge.
            if not is_slender or width > 0.9 * gray.shape[1]:
                continue
            own = areas[box] == number
            # The words may be within the box.
            is_solid = scipy.ndimage.binary_fill_holes(own).mean() >= SOLID
            if is_solid and own.mean() >= WITH_WORDS and _stands_out(gray, box):
                return _with_words(boxes, box, gray.shape)
    return None


def _stands_out(gray: NDArray[Any], box: tuple[slice, slice]) -> bool:
    """Whether a box is not cut off and what surrounds it has clearly other values."""
    rows, columns = box
    if rows.start == 0 or rows.stop == len(gray):
        return False
    low, high = float(gray.min()), float(gray.max())
    own = float(np.median(gray[box]))
    beside = [row for row in (rows.start - 3, rows.stop + 2) if 0 <= row < len(gray)]
    steps = [np.abs(gray[row, columns] - own) for row in beside]
    return all(float(np.median(step)) >= DISTINCT * (high - low) for step in steps)


def _long_runs(gray: NDArray[Any], shortest: int) -> NDArray[np.bool_]:
    """Where at least so many neighbours in a row have exactly one value.

    Of a mask, that value is True.
    """
    # A run covers so many of these columns: rows without are left out.
    few = gray[:, :: shortest // 8]
    same = few[:, 1:] == few[:, :-1]
    if gray.dtype == bool:
        same &= few[:, 1:]
    for _ in range(6):
        same = same[:, 1:] & same[:, :-1]
    rows = np.flatnonzero(same.any(axis=1))
    found = np.zeros(gray.shape, bool)
    found[rows] = _runs(gray[rows], shortest)
    return found & gray if gray.dtype == bool else found


def _runs(gray: NDArray[Any], shortest: int) -> NDArray[np.bool_]:
    """As `_long_runs`, of either value of a mask."""
    changes = np.ones((gray.shape[0], gray.shape[1]), bool)
    np.not_equal(gray[:, 1:], gray[:, :-1], out=changes[:, 1:])
    starts = np.flatnonzero(changes)
    lengths = np.diff(np.append(starts, changes.size))
    return np.repeat(lengths >= shortest, lengths).reshape(gray.shape)


def _with_words(
    boxes: list[tuple[slice, slice]], bar: tuple[slice, slice], shape: tuple[int, ...]
) -> Crop:
    """The box of a bar and of the small areas of its colour close to it."""
    near = int(NEAR_BAR * shape[0])
    rows, columns = bar
    top, bottom, left, right = rows.start, rows.stop, columns.start, columns.stop
    for y, x in boxes:
        is_close = y.start >= rows.start - near and y.stop <= rows.stop + near
        is_beside = x.start >= columns.start - near and x.stop <= columns.stop + near
        if is_close and is_beside:
            top, bottom = min(top, y.start), max(bottom, y.stop)
            left, right = min(left, x.start), max(right, x.stop)
    return top, bottom, left, right
