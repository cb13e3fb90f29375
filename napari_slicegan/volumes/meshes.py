"""Meshes of the phases of a volume: surfaces, hexahedra and tetrahedra.

The surface of one phase is that of marching cubes (Lewiner et al., Journal of Graphics
Tools 8, 1, 2003). Surfaces between several phases are made of the faces of voxels,
whose corners are moved (surface nets: Gibson, MICCAI 1998, 888), so that all phases
share the vertices where they meet. Both are smoothed by Taubin's filter (SIGGRAPH 1995,
351), which hardly shrinks them, then moved along their normals until every phase has
the volume of its voxels. Where triangles cross, smoothing is partly undone.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from napari_slicegan.runtime.limits import check_memory, check_repeats

if TYPE_CHECKING:
    from napari_slicegan.volumes.volume import Volume

logger = logging.getLogger(__name__)

Points = NDArray[np.float64]
Cells = NDArray[np.int32]
CellType = Literal["triangle", "tetra", "hexahedron"]

SMOOTHING = 20
# Taubin's filter: a step that smooths and one that widens; its pass band ends at
# 1 / SHRINK + 1 / WIDEN = 0.1.
SHRINK, WIDEN = 0.5, -0.526
VOLUME_TOLERANCE = 0.01
ROUNDS = 6
# Voxels by which a surface may be moved in one round.
LARGEST_SHIFT = 0.5
# Sides of a triangle of one phase.
BESIDE = np.array([1, 0], np.int32)
# A tetrahedron of less than this part of its volume before smoothing moves back, as do
# triangles that cross.
LEAST_VOLUME = 0.1
BACK_OFF = 0.7
# Triangles tested at once, and six times the volume in voxels that counts as flat.
CHUNK = 100_000
FLAT = 1e-9
# Corners of a voxel in the order of VTK and Abaqus, as steps along x, y, z.
CORNERS = (
    *((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)),
    *((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
)


@dataclass(frozen=True, eq=False)
class Mesh:
    """Cells of one type, and the phases that they belong to.

    Attributes
    ----------
    points
        ``[N, 3]``: x, y, z in `unit`; the corner of the first voxel is the origin.
    cells
        Point indices: ``[M, 3]`` triangles, ``[M, 4]`` tetrahedra or ``[M, 8]``
        hexahedra in the order of VTK.
    regions
        Numbers of phases, from 1; 0 is whatever is not meshed. ``[M]`` of the cells; of
        triangles ``[M, 2]`` behind and before them: the normal, by the right-hand rule,
        points from the first to the second.
    labels
        Labels of the phases 1, 2, ...
    size
        Edges of the volume along x, y, z, in `unit`.
    unit
        ``"nm"``, or ``"voxel"`` if the voxel size is unknown.
    """

    points: Points
    cells: Cells
    regions: NDArray[np.int32]
    labels: tuple[int, ...]
    size: tuple[float, float, float]
    unit: Literal["nm", "voxel"]

    @property
    def cell_type(self) -> CellType:
        """Type of the cells, as meshio names it."""
        types: dict[int, CellType] = {3: "triangle", 4: "tetra", 8: "hexahedron"}
        return types[self.cells.shape[1]]

    def of_phase(self, label: int) -> Mesh:
        """The cells of one phase; of triangles its surface, with normals outwards."""
        number = self.labels.index(label) + 1
        if self.cell_type == "triangle":
            first, second = (self.regions == number).T
            cells = np.concatenate([self.cells[first], self.cells[second][:, ::-1]])
            regions = np.tile(BESIDE, (len(cells), 1))
        else:
            cells = self.cells[self.regions == number]
            regions = np.ones(len(cells), np.int32)
        used, cells = _renumbered(cells, len(self.points))
        points = self.points[used]
        return replace(
            self, points=points, cells=cells, regions=regions, labels=(label,)
        )

    def volumes(self) -> dict[int, float]:
        """Volume of each phase, in cubic units; its surface must be closed."""
        if self.cell_type == "triangle":
            found = _enclosed(self.points, self.cells, self.regions, len(self.labels))
        else:
            if self.cell_type == "tetra":
                parts = _tetra_volumes(self.points, self.cells)
            else:  # cubes
                first, last = self.cells[:, 0], self.cells[:, 6]
                parts = (self.points[last] - self.points[first]).prod(axis=1)
            sums: Any = np.bincount(self.regions, parts, len(self.labels) + 1)
            found = sums[1:]
        return dict(zip(self.labels, map(float, found), strict=True))

    def areas(self) -> dict[int, float]:
        """Area of the surface of each phase, in square units, if these are triangles.

        Also where it is closed by the border of the volume.
        """
        area = np.linalg.norm(_area_vectors(self.points, self.cells), axis=1)
        numbers = range(1, len(self.labels) + 1)
        return {
            label: float(area[(self.regions == number).any(axis=1)].sum())
            for label, number in zip(self.labels, numbers, strict=True)
        }


def surface_mesh(
    volume: Volume,
    phases: Sequence[int] | None = None,
    smoothing: int = SMOOTHING,
    *,
    is_closed: bool = True,
) -> Mesh:
    """Triangles around one phase, or between several; see `Mesh` for the coordinates.

    Marching cubes (Lewiner et al., Journal of Graphics Tools 8, 1, 2003), or surface
    nets between several phases (Gibson, MICCAI 1998, 888). Every edge of a phase's
    surface belongs to two triangles, or to four where the phase touches itself at an
    edge of voxels.

    Parameters
    ----------
    volume
        Of phases.
    phases
        Labels; by default all. Other phases are not told apart.
    smoothing
        Iterations of Taubin's filter; 0 keeps the steps of the voxels.
    is_closed
        Whether faces of the volume's border close the surface; otherwise it is open
        there.

    Raises
    ------
    ValueError
        If the volume has no such phase, or the mesh does not fit in memory.
    """
    labels, regions = _regions(volume, phases)
    made = _marching_cubes if len(labels) == 1 else _voxel_faces
    before, faces, sides = made(regions)
    # Triangles of marching cubes, or squares.
    size = np.array(regions.shape[::-1], float)
    fixed = (before == 0) | (before == size)
    points = _smoothed(before, faces, fixed, smoothing)
    faces, sides = _triangles(points, faces, sides)
    wanted = np.bincount(regions.ravel(), minlength=len(labels) + 1)[1:]
    is_border = _is_border(points, faces, fixed)
    points = _with_volumes(points, faces, sides, wanted, fixed, is_border)
    points = _without_crossings(before, points, faces)
    found = _enclosed(points, faces, sides, len(labels))
    for label, made_volume, true in zip(labels, found, wanted, strict=True):
        if abs(made_volume - true) > VOLUME_TOLERANCE * true:
            logger.warning(
                "The surface of phase %d encloses %.3g voxels, its voxels are %d; "
                "smooth it less.",
                *(label, made_volume, int(true)),
            )
    if not is_closed:
        if is_border.all():
            raise ValueError(
                "Expected phases that others surround for an open surface, got "
                f"{_listed(labels)}, whose surface is the volume's border; close it."
            )
        used, faces = _renumbered(faces[~is_border], len(points))
        points, sides = points[used], sides[~is_border]
    return _mesh(points, faces, sides, labels, volume)


def voxel_mesh(
    volume: Volume,
    phases: Sequence[int] | None = None,
    cells: Literal["hexahedra", "tetrahedra"] = "hexahedra",
    smoothing: int = 0,
) -> Mesh:
    """A cell for each voxel of some phases, or six tetrahedra.

    Neighbours share their corners, also between phases; the tetrahedra have the
    diagonals of Kuhn's subdivision, which agree in neighbouring voxels.

    Parameters
    ----------
    volume
        Of phases.
    phases
        Labels; by default all.
    smoothing
        Of tetrahedra: iterations of Taubin's filter on the surfaces between phases.
        Corners whose tetrahedra would become flat are moved less.

    Raises
    ------
    ValueError
        If the volume has no such phase, or the mesh does not fit in memory.
    """
    labels, regions = _regions(volume, phases)
    if smoothing and cells == "hexahedra":
        raise ValueError(
            f"Expected tetrahedra to smooth, got hexahedra with smoothing {smoothing}; "
            "hexahedra are voxels: leave smoothing out, or choose tetrahedra."
        )
    places = np.argwhere(regions)[:, ::-1]  # [M, 3]: x, y, z
    n_cells, width = (1, 8) if cells == "hexahedra" else (6, 4)
    n_numbers = (2 * n_cells * len(places), width)
    check_memory(n_numbers, np.dtype(np.int64), "The mesh", "coarsen the volume")
    numbers = regions[regions > 0]
    if cells == "hexahedra":
        corners = _corner_numbers(places, CORNERS, regions.shape)
    else:
        parts = [
            _corner_numbers(places, _kuhn(*order), regions.shape)
            for order in itertools.permutations(range(3))
        ]
        corners = np.stack(parts, axis=1).reshape(-1, 4)
        numbers = np.repeat(numbers, n_cells)
    used, found = _renumbered(corners, _n_corners(regions.shape))
    points = _corner_places(used, regions.shape)
    if smoothing:
        points = _with_smooth_interfaces(points, found, used, regions, smoothing)
    return _mesh(points, found, numbers.astype(np.int32), labels, volume)


def coarsened(volume: Volume, factor: int) -> Volume:
    """The volume with larger voxels, so that a mesh of it has fewer cells.

    Each phase keeps its fraction: of the new voxels it gets those in which it prevails
    most over the others, as many as are due to it, the rarest phase first. Where
    several are equal, those with more of the phase around them. A majority of each
    block instead would remove what is rare or thin.

    Parameters
    ----------
    volume
        Of phases.
    factor
        Voxels along the edge of a new one. Planes beyond a multiple of it are left out.

    Raises
    ------
    ValueError
        If the volume is not of phases, or smaller than a new voxel.
    """
    _check_phases(volume)
    shape = tuple(n // max(factor, 1) for n in volume.values.shape)
    if factor < 1 or not all(shape):
        raise ValueError(
            f"Expected a factor from 1 to {min(volume.values.shape)} for the voxels of "
            f"this volume, got {factor}; choose another one."
        )
    z, y, x = (n * factor for n in shape)
    blocks = volume.values[:z, :y, :x].reshape(
        *(n for edge in shape for n in (edge, factor))
    )
    labels = [one for one in volume.labels if (blocks == one).any()]
    fractions = np.stack(
        [(blocks == one).mean(axis=(1, 3, 5), dtype=np.float32) for one in labels]
    )
    scores = fractions + np.stack(
        [ndimage.uniform_filter(one, 3) for one in fractions]
    ) / (2 * factor**3)
    due = [max(1, round(float(one.sum(dtype=np.float64)))) for one in fractions]
    *rare, rest = np.argsort(due, kind="stable")
    values = np.full(math.prod(shape), labels[rest], volume.values.dtype)
    is_free = np.ones(len(values), bool)
    for number in rare:
        others = np.delete(scores, number, axis=0).max(axis=0)
        lead = np.where(is_free, (scores[number] - others).ravel(), -np.inf)
        chosen = np.argsort(-lead, kind="stable")[: due[number]]
        values[chosen], is_free[chosen] = labels[number], False
    edge = volume.voxel_size_nm
    return replace(
        volume,
        values=values.reshape(shape),
        voxel_size_nm=None if edge is None else edge * factor,
    )


def _mesh(
    points: Points,
    cells: Cells,
    regions: NDArray[np.int32],
    labels: tuple[int, ...],
    volume: Volume,
) -> Mesh:
    """The mesh in nanometres, if the voxel size is known."""
    edge = volume.voxel_size_nm
    z, y, x = (float(n * (edge or 1)) for n in volume.values.shape)
    unit: Literal["nm", "voxel"] = "voxel" if edge is None else "nm"
    return Mesh(points * (edge or 1), cells, regions, labels, (x, y, z), unit)


def _regions(
    volume: Volume, phases: Sequence[int] | None
) -> tuple[tuple[int, ...], NDArray[np.int32]]:
    """Labels, and ``[Z, Y, X]``: their numbers from 1, 0 in other phases."""
    _check_phases(volume)
    labels = tuple(dict.fromkeys(volume.labels if phases is None else phases))
    values = volume.values
    regions = np.zeros(values.shape, np.int32)
    for number, label in enumerate(labels, start=1):
        regions[values == label] = number
    present = set(np.unique(regions).tolist())
    missing = [label for n, label in enumerate(labels, 1) if n not in present]
    if missing and phases is not None:
        raise ValueError(
            f"Expected phases of the volume, which are {_listed(volume.labels)}, got "
            f"{_listed(missing)}, of which it holds no voxel; choose another one."
        )
    if missing:
        return _regions(volume, [one for one in labels if one not in missing])
    return labels, regions


def _check_phases(volume: Volume) -> None:
    if volume.kind != "phases":
        raise ValueError(
            f"Expected a volume of phases to mesh, got the kind '{volume.kind}'; "
            "segment it first."
        )


def _listed(labels: Sequence[int]) -> str:
    return ", ".join(map(str, labels))


# --- Surfaces -------------------------------------------------------------------------


def _marching_cubes(
    regions: NDArray[np.int32],
) -> tuple[Points, Cells, NDArray[np.int32]]:
    """Closed surface of the voxels of phase 1, in voxels.

    The outermost voxels are repeated beyond the border and the surface closed there,
    then all of it that lies beyond is moved onto the border: it meets the border at the
    right angle, and the edges of the volume are sharp.
    """
    inside = np.pad(np.pad(regions == 1, 1, mode="edge"), 1).astype(np.float32)
    found, faces, _, _ = marching_cubes(inside, 0.5)  # type: ignore[no-untyped-call]
    # Centres of voxels, two of them beyond the border, to corners; z, y, x to x, y, z.
    points = np.clip(found.astype(float) - 1.5, 0, regions.shape)[:, ::-1]
    points, inverse = np.unique(points, axis=0, return_inverse=True)
    faces = inverse.ravel()[faces]
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)].astype(np.int32)
    sides = np.tile(BESIDE, (len(faces), 1))
    if _enclosed(points, faces, sides, 1)[0] < 0:
        faces = faces[:, ::-1]
    return points, faces, sides


def _voxel_faces(
    regions: NDArray[np.int32],
) -> tuple[Points, Cells, NDArray[np.int32]]:
    """Squares between voxels of different phases, and at the border."""
    padded = np.pad(regions, 1)
    squares, sides = [], []
    for axis in range(3):
        moved = np.moveaxis(padded, axis, 0)
        place = np.nonzero(moved[1:] != moved[:-1])
        behind, before = moved[:-1][place], moved[1:][place]
        # Index along axis: the plane of corners; along the others: voxels from 1.
        corner = np.stack([place[0], place[1] - 1, place[2] - 1])
        corner = np.moveaxis(corner, 0, 1)
        order = [axis, *(other for other in range(3) if other != axis)]
        first = corner[:, np.argsort(order)][:, ::-1]  # x, y, z
        # x = y x z, y = z x x, z = x x y: the normal points along the axis.
        along = 2 - axis
        u, v = np.eye(3, dtype=int)[[(along + 1) % 3, (along + 2) % 3]]
        steps = [np.zeros(3, int), u, u + v, v]
        square = _corner_numbers(first, steps, regions.shape)
        # From the lower to the higher number, and from a phase to what is none.
        flip = (behind == 0) | ((before != 0) & (before < behind))
        square[flip] = square[flip][:, ::-1]
        pair = np.stack([behind, before], axis=1)
        pair[flip] = pair[flip][:, ::-1]
        squares.append(square)
        sides.append(pair)
    used, faces = _renumbered(np.concatenate(squares), _n_corners(regions.shape))
    return _corner_places(used, regions.shape), faces, np.concatenate(sides)


def _renumbered(
    cells: NDArray[np.integer[Any]], n_points: int
) -> tuple[NDArray[np.int64], Cells]:
    """Points that cells use, in order, and the cells with their new numbers."""
    is_used = np.zeros(n_points, bool)
    is_used[cells] = True
    return np.nonzero(is_used)[0], (np.cumsum(is_used, dtype=np.int32) - 1)[cells]


def _n_corners(shape: tuple[int, ...]) -> int:
    return math.prod(n + 1 for n in shape)


def _corner_numbers(
    places: NDArray[np.int64], steps: Any, shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Numbers ``[M, len(steps)]`` of corners, steps x, y, z away from the first."""
    _, y, x = shape
    strides = np.array([1, x + 1, (x + 1) * (y + 1)])
    return np.asarray((places @ strides)[:, None] + np.array(steps) @ strides)


def _corner_places(numbers: NDArray[np.int64], shape: tuple[int, ...]) -> Points:
    """Coordinates x, y, z of numbered corners of voxels."""
    corners = np.unravel_index(numbers, tuple(n + 1 for n in shape))
    return np.stack(corners[::-1], axis=1).astype(float)


def _smoothed(points: Points, faces: Cells, fixed: Any, iterations: int) -> Points:
    """Taubin's filter with equal weights; coordinates that are fixed stay."""
    check_repeats("iterations of smoothing", iterations, 0)
    is_border = _is_border(points, faces, fixed)
    every, inner = (_edges(part, len(points)) for part in (faces, faces[~is_border]))
    # Where a surface meets the border, only its own edges count: it is not rounded.
    is_inner = np.diff(inner.indptr) > 0
    edges = sparse.diags_array(is_inner * 1.0) @ inner
    edges = edges + sparse.diags_array(~is_inner * 1.0) @ every
    n_neighbours = edges.sum(axis=1)[:, None]
    made = points.copy()
    for factor in (SHRINK, WIDEN) * iterations:
        step = edges @ made / n_neighbours - made
        step[fixed] = 0
        made += factor * step
    return made


def _edges(faces: Cells, n_points: int) -> Any:
    """Sparse matrix ``[N, N]``: 1 where an edge joins two points."""
    width = faces.shape[1]
    pairs = [faces[:, [k, (k + 1) % width]] for k in range(width)]
    i, j = np.concatenate(pairs).T
    ones = np.ones(len(i), np.float32)
    edges = sparse.coo_array((ones, (i, j)), (n_points, n_points)).tocsr()
    edges = edges + edges.T
    edges.data[:] = 1
    return edges


def _triangles(
    points: Points, faces: Cells, sides: NDArray[np.int32]
) -> tuple[Cells, NDArray[np.int32]]:
    """Triangles; squares are cut along the shorter diagonal."""
    if faces.shape[1] == 3:
        return faces, sides
    a, b, c, d = points[faces.T]
    first = np.linalg.norm(c - a, axis=1) <= np.linalg.norm(d - b, axis=1)
    turned = np.where(first[:, None], faces, np.roll(faces, -1, axis=1))
    made = np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])
    return made, np.concatenate([sides, sides])


def _is_border(points: Points, faces: Cells, fixed: Any) -> NDArray[np.bool_]:
    """Which triangles lie on the border of the volume."""
    corners = points[faces]
    is_flat = (corners == corners[:, :1]).all(axis=1)
    return np.asarray((is_flat & fixed[faces].all(axis=1)).any(axis=1))


def _area_vectors(points: Points, faces: Cells) -> Points:
    """Normals of triangles, as long as their areas."""
    a, b, c = points[faces.T]
    return np.asarray(np.cross(b - a, c - a) / 2)


def _enclosed(
    points: Points, faces: Cells, sides: NDArray[np.int32], n_phases: int
) -> Points:
    """Volume within the closed surface of each phase, by Gauss's theorem."""
    flux = (points[faces].mean(axis=1) * _area_vectors(points, faces)).sum(axis=1) / 3
    out, back = (np.bincount(side, flux, n_phases + 1)[1:] for side in sides.T)
    return np.asarray(out - back)


def _with_volumes(
    points: Points,
    faces: Cells,
    sides: NDArray[np.int32],
    wanted: NDArray[np.int64],
    fixed: Any,
    is_border: NDArray[np.bool_],
) -> Points:
    """Move surfaces along their normals until every phase has its volume.

    As in a foam, every phase has a pressure and each surface moves by the difference of
    the pressures on its sides. To first order the volumes change by a linear system
    with the areas between the phases.
    """
    n_phases = len(wanted)
    made = points.copy()
    inner = faces[~is_border]
    i, j = sides[~is_border].T
    for _ in range(ROUNDS):
        missing = wanted - _enclosed(made, faces, sides, n_phases)
        if not len(inner) or np.abs(missing / wanted).max() < VOLUME_TOLERANCE / 100:
            break
        vectors = _area_vectors(made, inner)
        area = np.linalg.norm(vectors, axis=1)
        between = np.zeros((n_phases + 1,) * 2)
        np.add.at(between, (i, j), area)
        between += between.T
        system = np.diag(between.sum(axis=1)) - between
        pressure = np.zeros(n_phases + 1)
        pressure[1:] = np.linalg.lstsq(system[1:, 1:], missing, rcond=None)[0]
        shift = np.clip(pressure[i] - pressure[j], -LARGEST_SHIFT, LARGEST_SHIFT)
        n = len(made)
        corner = inner.ravel()
        total = np.bincount(corner, np.repeat(area, 3), n)
        moved = np.stack(
            [
                np.bincount(corner, np.repeat(shift * along, 3), n)
                for along in vectors.T
            ],
            axis=1,
        )
        step = moved / np.maximum(total, 1e-12)[:, None]
        step[fixed] = 0
        made += step
    return made


def _without_crossings(before: Points, after: Points, faces: Cells) -> Points:
    """Smoothed points, moved back where triangles cross.

    Corners of crossing triangles return part of the way to their places before
    smoothing, where no triangles cross, until none do.
    """
    moves = after - before
    made, tested = after, np.arange(len(faces))
    centres, radii = _spheres(after[faces])
    while True:
        crossing = tested[_is_crossing(made[faces[tested]])]
        corners = np.unique(faces[crossing])
        # A corner that is back cannot move further.
        corners = corners[np.abs(moves[corners]).max(axis=1) > FLAT]
        if not len(corners):
            return made
        # Only triangles that move, and those near them, may cross then.
        reach = 2 * (radii.max() + np.linalg.norm(moves, axis=1).max())
        moves[corners] *= BACK_OFF
        made = before + moves
        moved = cKDTree(centres[np.isin(faces, corners).any(axis=1)])
        apart, _ = moved.query(centres, distance_upper_bound=reach)
        tested = np.nonzero(np.isfinite(apart))[0]


def _is_crossing(corners: Points) -> NDArray[np.bool_]:
    """Triangles ``[M, 3, 3]`` of which an edge passes through another, or vice versa.

    Second index: corners; third: coordinates.
    """
    a, b, c = corners.swapaxes(0, 1)
    normals = np.cross(b - a, c - a)
    low, high = corners.min(axis=1), corners.max(axis=1)
    centres, radii = _spheres(corners)
    reach = 2 * radii.max(initial=0)
    order = np.argsort(centres[:, 2])
    heights = centres[order, 2]
    found = np.zeros(len(corners), bool)
    for start in range(0, len(order), CHUNK):
        end = heights[start : start + CHUNK][-1] + reach
        part = order[start : np.searchsorted(heights, end, "right")]
        pairs = part[cKDTree(centres[part]).query_pairs(reach, output_type="ndarray")]
        i, j = pairs.T
        apart = centres[i] - centres[j]
        pairs = pairs[np.einsum("pc,pc->p", apart, apart) < (radii[i] + radii[j]) ** 2]
        i, j = pairs.T
        pairs = pairs[((low[i] <= high[j]) & (low[j] <= high[i])).all(axis=1)]
        for way in (1, -1):
            # Corners on both sides of the other's plane; those in common lie on it.
            i, j = pairs[:, ::way].T
            above = np.einsum("pkc,pc->pk", corners[j] - corners[i, :1], normals[i])
            pairs = pairs[(above.min(axis=1) < -FLAT) & (above.max(axis=1) > FLAT)]
        for way in (1, -1):
            i, j = pairs[:, ::way].T
            found[pairs[_is_pierced(corners[i], corners[j])]] = True
    return found


def _is_pierced(corners: Points, others: Points) -> NDArray[np.bool_]:
    """Whether an edge of others passes through a triangle, by signed volumes.

    Its ends lie on two sides, and its line passes all three corners on the same side.
    Both ``[M, 3, 3]``: corners, coordinates.
    """
    a, b, c = corners.swapaxes(0, 1)
    found = np.zeros(len(corners), bool)
    for k in range(3):
        p, q = others[:, k], others[:, (k + 1) % 3]
        volumes = [
            *(_signed_volumes(a, b, c, p), -_signed_volumes(a, b, c, q)),
            *(_signed_volumes(q, p, *two) for two in ((a, b), (b, c), (c, a))),
        ]
        sides = np.sign(np.where(np.abs(volumes) < FLAT, 0, volumes))
        found |= np.abs(sides.sum(axis=0)) == len(sides)
    return found


def _signed_volumes(a: Points, b: Points, c: Points, d: Points) -> Points:
    """Six times the volume of tetrahedra."""
    return np.asarray((np.cross(b - a, c - a) * (d - a)).sum(axis=1))


def _spheres(corners: Points) -> tuple[Points, Points]:
    """Centres of triangles ``[M, 3, 3]``, and the distance of the farthest corner."""
    centres = corners.mean(axis=1)
    return centres, np.linalg.norm(corners - centres[:, None], axis=2).max(axis=1)


# --- Tetrahedra -----------------------------------------------------------------------


def _kuhn(first: int, second: int, third: int) -> list[NDArray[np.int64]]:
    """Corners of the tetrahedron along three axes one after the other (Kuhn 1960)."""
    unit = np.eye(3, dtype=np.int64)
    way = np.cumsum([np.zeros(3, np.int64), unit[first], unit[second], unit[third]], 0)
    # The sign of the permutation is that of the volume.
    is_even = (second - first) % 3 == 1
    return list(way if is_even else way[[0, 2, 1, 3]])


def _tetra_volumes(points: Points, cells: Cells) -> Points:
    return _signed_volumes(*points[cells.T]) / 6


def _with_smooth_interfaces(
    points: Points,
    cells: Cells,
    numbers: NDArray[np.int64],
    regions: NDArray[np.int32],
    smoothing: int,
) -> Points:
    """Corners on interfaces moved as in `surface_mesh`, as far as cells allow it."""
    before, squares, sides = _voxel_faces(regions)
    size = np.array(regions.shape[::-1], float)
    fixed = (before == 0) | (before == size)
    after = _smoothed(before, squares, fixed, smoothing)
    faces, sides = _triangles(after, squares, sides)
    wanted = np.bincount(regions.ravel())[1:]
    is_border = _is_border(after, faces, fixed)
    after = _with_volumes(after, faces, sides, wanted, fixed, is_border)
    corners = _corner_numbers(before.astype(np.int64), [(0, 0, 0)], regions.shape)
    # Every corner of these squares is a corner of a cell.
    place = np.searchsorted(numbers, corners[:, 0])
    moves = np.zeros_like(points)
    moves[place] = after - before
    while True:
        flat = _tetra_volumes(points + moves, cells) < LEAST_VOLUME / 6
        if not flat.any():
            return points + moves
        moves[np.unique(cells[flat])] *= BACK_OFF
