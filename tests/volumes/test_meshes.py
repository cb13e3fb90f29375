"""Meshes: known volumes and areas, closed surfaces, shared vertices, files."""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path
from typing import Any

import meshio
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

import sample_data
from napari_slicegan.cli import main
from napari_slicegan.volumes.mesh_files import (
    ENDINGS,
    LABELLED,
    files_of,
    write_mesh,
)
from napari_slicegan.volumes.meshes import Mesh, coarsened, surface_mesh, voxel_mesh
from napari_slicegan.volumes.volume import Volume
from tests.toys import smooth_field

Capture = pytest.CaptureFixture[str]
EDGE, RADIUS, VOXEL_NM = 36, 14, 5.0
# Squared distance from the centre.
GRID = np.indices((EDGE,) * 3) - (EDGE - 1) / 2
SQUARES = (GRID**2).sum(axis=0)
BALL = Volume((SQUARES < RADIUS**2).astype(np.uint8) * 255, "phases", VOXEL_NM)
# A ball between two halves of a box: each pair of phases touches.
THREE = Volume(
    np.where(SQUARES < 12**2, 9, np.where(GRID[0] > 0, 4, 2)), "phases", VOXEL_NM
)


def edge_counts(mesh: Mesh) -> NDArray[np.intp]:
    """Triangles at each edge."""
    pairs = np.concatenate([mesh.cells[:, [i, (i + 1) % 3]] for i in range(3)])
    return np.unique(np.sort(pairs), axis=0, return_counts=True)[1]


def euler(mesh: Mesh) -> int:
    """Points - edges + triangles: 2 for each closed surface without tunnels."""
    return len(mesh.points) - len(edge_counts(mesh)) + len(mesh.cells)


def crossings(points: NDArray[Any], triangles: NDArray[Any]) -> int:
    """Pairs of triangles of which an edge of one passes through the inside of another.

    By signed volumes: the ends of the edge lie on two sides of the triangle, and its
    line passes all three corners on the same side.
    """
    corners = points[triangles]
    centres = corners.mean(axis=1)
    reach = 2 * np.linalg.norm(corners - centres[:, None], axis=2).max()
    found: set[tuple[int, int]] = set()
    pairs = cKDTree(centres).query_pairs(reach, output_type="ndarray")
    low, high = corners.min(axis=1), corners.max(axis=1)
    i, j = pairs.T
    pairs = pairs[(low[i] <= high[j]).all(axis=1) & (low[j] <= high[i]).all(axis=1)]
    for i, j in (pairs.T, pairs[:, ::-1].T):
        a, b, c = corners[j].swapaxes(0, 1)
        for k in range(3):
            p, q = corners[i, k], corners[i, (k + 1) % 3]
            sides = (
                *(signed(a, b, c, p), -signed(a, b, c, q)),
                *(signed(q, p, a, b), signed(q, p, b, c), signed(q, p, c, a)),
            )
            signs = np.sign(np.where(np.abs(sides) < 1e-9, 0, sides))
            # Corners that both triangles share give volumes of 0.
            for n in np.nonzero(np.abs(signs.sum(axis=0)) == 5)[0]:
                found.add((int(i[n]), int(j[n])))
    return len({tuple(sorted(pair)) for pair in found})


def signed(*corners: NDArray[Any]) -> NDArray[Any]:
    """Six times the volume of tetrahedra."""
    a, b, c, d = corners
    return np.asarray((np.cross(b - a, c - a) * (d - a)).sum(axis=1))


def voxels(volume: Volume, label: int) -> float:
    edge = volume.voxel_size_nm or 1
    return float((volume.values == label).sum() * edge**3)


def test_a_ball_has_its_volume_and_area() -> None:
    mesh = surface_mesh(BALL, [255])
    assert set(edge_counts(mesh)) == {2}
    assert euler(mesh) == 2
    radius = RADIUS * VOXEL_NM
    assert mesh.volumes()[255] == pytest.approx(voxels(BALL, 255), rel=1e-3)
    # The voxels have the volume of the ball within 1 %, and so has the mesh.
    assert mesh.volumes()[255] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)
    assert mesh.areas()[255] == pytest.approx(4 * np.pi * radius**2, rel=0.02)
    # All points lie on the sphere, in nanometres from the corner of the volume.
    apart = np.linalg.norm(mesh.points - EDGE * VOXEL_NM / 2, axis=1)
    assert np.abs(apart / radius - 1).max() < 0.04
    # The normals of the triangles point outwards.
    a, b, c = mesh.points[mesh.cells.T]
    outwards = np.cross(b - a, c - a) * (a - EDGE * VOXEL_NM / 2)
    assert (outwards.sum(axis=1) > 0).all()
    # Voxels as steps: marching cubes alone has too much area.
    steps = surface_mesh(BALL, [255], 0)
    assert steps.areas()[255] > 1.05 * mesh.areas()[255]


def test_a_cube_has_its_volume_and_area() -> None:
    values = np.zeros((20, 20, 20), np.uint8)
    values[5:15, 5:15, 5:15] = 1
    cube = Volume(values, "phases")
    # The faces of its voxels: exactly those of the cube.
    faces = surface_mesh(cube, [0, 1], 0)
    assert faces.volumes()[1] == pytest.approx(1000)
    assert faces.areas()[1] == pytest.approx(600)
    assert euler(faces.of_phase(1)) == 2
    # Marching cubes cuts its edges, smoothing rounds them.
    mesh = surface_mesh(cube, [1])
    assert mesh.volumes()[1] == pytest.approx(1000, rel=0.01)
    assert 0.85 * 600 < mesh.areas()[1] < 600
    assert (set(edge_counts(mesh)), euler(mesh)) == ({2}, 2)


def test_the_border_closes_a_surface() -> None:
    """A box full of one phase is a cuboid with sharp edges; without a border nothing.

    A plate is open at four sides.
    """
    full = Volume(np.ones((10, 12, 14), np.uint8), "phases")
    mesh = surface_mesh(full)
    assert (set(edge_counts(mesh)), euler(mesh)) == ({2}, 2)
    assert mesh.volumes()[1] == pytest.approx(10 * 12 * 14)
    assert mesh.areas()[1] == pytest.approx(2 * (10 * 12 + 10 * 14 + 12 * 14))
    assert mesh.points.max(axis=0).tolist() == [14, 12, 10]
    values = np.zeros((20, 16, 16), np.uint8)
    values[6:14] = 1
    plate = Volume(values, "phases")
    both = surface_mesh(plate, [1], is_closed=False)
    # Two squares of 16 x 16, each with an open border; flat to the border.
    assert both.areas()[1] == pytest.approx(2 * 16**2, rel=1e-3)
    assert euler(both) == 2
    assert set(np.round(both.points[:, 2], 6)) == {6, 14}


def test_phases_that_touch_share_their_vertices(subtests: pytest.Subtests) -> None:
    mesh = surface_mesh(THREE)
    assert mesh.labels == (2, 4, 9)
    # No two points at one place: surfaces that meet share theirs.
    assert len(np.unique(mesh.points, axis=0)) == len(mesh.points)
    volumes = mesh.volumes()
    for label in mesh.labels:
        with subtests.test(label=label):
            own = mesh.of_phase(label)
            assert (set(edge_counts(own)), euler(own)) == ({2}, 2)
            assert volumes[label] == pytest.approx(voxels(THREE, label), rel=1e-3)
            assert own.volumes()[label] == pytest.approx(volumes[label])
    # At the circle where all three meet, three interfaces share each edge.
    border = (mesh.regions == 0).any(axis=1)
    (inner,) = {tuple(counts) for counts in [np.unique(edge_counts(mesh))]}
    assert inner == (2, 3)
    assert {*map(tuple, mesh.regions[~border])} == {(1, 2), (1, 3), (2, 3)}
    # The interface of the ball is shared: 4 pi R^2.
    expected = 4 * np.pi * (12 * VOXEL_NM) ** 2
    assert mesh.areas()[9] == pytest.approx(expected, rel=0.04)


def test_rough_phases_keep_their_volumes(caplog: pytest.LogCaptureFixture) -> None:
    """Of a random material; its surface is closed, also where voxels touch."""
    values = (smooth_field(40, 40, 40) > 0.03).astype(np.uint8)
    volume = Volume(values, "phases")
    for phases in ([1], [0, 1]):
        mesh = surface_mesh(volume, phases)
        for label in phases:
            assert mesh.volumes()[label] == pytest.approx(
                voxels(volume, label), rel=0.01
            )
            assert not (edge_counts(mesh.of_phase(label)) % 2).any()
    assert not caplog.records
    # A single voxel in a box of another phase cannot be smoothed much.
    single = np.zeros((9, 9, 9), np.uint8)
    single[4, 4, 4] = 1
    with caplog.at_level(logging.WARNING):
        surface_mesh(Volume(single, "phases"), [1], 1000)
    assert "smooth it less" in caplog.text


def test_smooth_surfaces_do_not_cross(subtests: pytest.Subtests) -> None:
    """Of sandstone and of three phases of spheres, alone and with common vertices."""
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [1, 0.5, -1], [1, 0.5, 1]])
    points = np.concatenate([corners, [[3, 3, 0]]])
    assert crossings(points, np.array([[0, 1, 2], [3, 4, 5]])) == 1
    assert crossings(points, np.array([[0, 1, 2], [2, 4, 5]])) == 0
    for name in ("bentheimer_truth_128", "spheres_truth"):
        whole = Volume.open(sample_data.path(name)).values
        volume = Volume(whole[:18, :18, :18].copy(), "phases")
        for phases in ([255], None):
            with subtests.test(name, phases=phases):
                mesh = surface_mesh(volume, phases)
                assert len(mesh.cells) > 1000
                assert crossings(mesh.points, mesh.cells) == 0


def test_rough_surfaces_are_smoothed_less_where_they_would_cross() -> None:
    """Features of one or two voxels; three pairs cross without the correction."""
    noise = np.random.default_rng(7).standard_normal((10, 10, 10))
    volume = Volume((gaussian_filter(noise, 0.6) > 0).astype(np.uint8), "phases")
    mesh = surface_mesh(volume, [1])
    assert crossings(mesh.points, mesh.cells) == 0
    assert mesh.volumes()[1] == pytest.approx(voxels(volume, 1), rel=1e-3)
    # Smooth elsewhere.
    assert mesh.areas()[1] < 0.9 * surface_mesh(volume, [1], 0).areas()[1]


def test_voxels_become_hexahedra_and_tetrahedra() -> None:
    """The cells fill the box: every inner face belongs to two of them."""
    small = Volume(np.arange(24).reshape(2, 3, 4) % 3, "phases", VOXEL_NM)
    faces_of: dict[str, list[tuple[int, ...]]] = {
        "hexahedra": [
            *((0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4)),
            *((2, 3, 7, 6), (1, 2, 6, 5), (0, 3, 7, 4)),
        ],
        "tetrahedra": [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)],
    }
    # Faces of voxels at the border; a diagonal cuts each into two triangles.
    border = 2 * (2 * 3 + 2 * 4 + 3 * 4)
    for kind, faces in faces_of.items():
        mesh = voxel_mesh(small, cells=kind)  # type: ignore[arg-type]
        assert len(mesh.points) == 3 * 4 * 5
        assert mesh.volumes() == pytest.approx(dict.fromkeys(range(3), 8 * 125.0))
        found = np.concatenate([np.sort(mesh.cells[:, face]) for face in faces])
        counts = np.unique(found, axis=0, return_counts=True)[1]
        assert set(counts) == {1, 2}
        n_triangles = 1 if kind == "hexahedra" else 2
        assert (counts == 1).sum() == n_triangles * border
    assert voxel_mesh(small, [2]).volumes() == pytest.approx({2: 8 * 125.0})


def test_smooth_tetrahedra_keep_volumes_and_their_sense() -> None:
    mesh = voxel_mesh(THREE, cells="tetrahedra", smoothing=20)
    for label, found in mesh.volumes().items():
        assert found == pytest.approx(voxels(THREE, label), rel=0.01)
    a, b, c, d = mesh.points[mesh.cells.T]
    assert ((np.cross(b - a, c - a) * (d - a)).sum(axis=1) > 0).all()
    # Their outermost points are those of the box.
    assert mesh.points.max(axis=0) == pytest.approx(np.full(3, EDGE * VOXEL_NM))
    stepped = voxel_mesh(THREE, cells="tetrahedra")
    assert np.abs(mesh.points - stepped.points).max() > 0.2 * VOXEL_NM
    with pytest.raises(ValueError, match="hexahedra are voxels"):
        voxel_mesh(THREE, smoothing=1)


def test_coarse_voxels_keep_the_fractions_of_phases() -> None:
    """Within a voxel, also of a plate that no block has a majority of."""
    fields = [smooth_field(42, 41, 40, seed=seed) for seed in (1, 2)]
    three = np.where(fields[0] > 0.08, 3, np.where(fields[1] > 0.03, 2, 0))
    fine = Volume(three, "phases", VOXEL_NM, (0, 2, 3, 9))
    for factor, shape in ((2, (21, 20, 20)), (4, (10, 10, 10))):
        coarse = coarsened(fine, factor)
        assert coarse.values.shape == shape
        assert coarse.voxel_size_nm == factor * VOXEL_NM
        assert coarse.labels == fine.labels
        used = three[tuple(slice(factor * n) for n in shape)]
        for label in (0, 2, 3):
            due = (used == label).sum() / factor**3
            assert (coarse.values == label).sum() == pytest.approx(due, abs=1)
        assert (np.kron(coarse.values, np.ones((factor,) * 3)) == used).mean() > 0.75
    plate = np.zeros((16, 16, 16), np.uint8)
    plate[4:6] = 1
    plate[11] = 2
    coarse = coarsened(Volume(plate, "phases"), 2)
    assert (coarse.values[2] == 1).all()
    assert [(coarse.values[5] == 2).sum(), (coarse.values == 2).sum()] == [32, 32]
    with pytest.raises(ValueError, match=r"from 1 to 16 .* got 17;"):
        coarsened(Volume(plate, "phases"), 17)


def test_what_cannot_be_meshed_is_refused() -> None:
    with pytest.raises(ValueError, match="which are 0, 255, got 3, of which"):
        surface_mesh(BALL, [3])
    with pytest.raises(ValueError, match=r"0 to 1,000 iterations .*, got -1;"):
        surface_mesh(BALL, smoothing=-1)
    with pytest.raises(ValueError, match=r"0 to 1,000 iterations .*, got 1,001;"):
        surface_mesh(BALL, smoothing=1001)
    full = Volume(np.full((3, 3, 3), 5), "phases")
    with pytest.raises(ValueError, match="got 5, whose surface is the volume's border"):
        surface_mesh(full, is_closed=False)
    gray = Volume(np.zeros((3, 3, 3)), "grayscale")
    with pytest.raises(ValueError, match="got the kind 'grayscale'; segment"):
        surface_mesh(gray)


def test_files_of_phases_have_names_that_can_be_stored() -> None:
    """The longest name has no room for the phase."""
    mesh = surface_mesh(THREE, smoothing=0)
    found = files_of(mesh.labels, Path("a" * 251 + ".stl"))
    assert [len(path.name) for path in found] == [255] * len(mesh.labels)
    assert len(found) == len(mesh.labels) > 1


def test_a_fault_of_the_disk_leaves_all_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of formats with a file for each phase."""
    mesh = surface_mesh(THREE, smoothing=0)
    before = {file: file.read_bytes() for file in write_mesh(mesh, tmp_path / "a.stl")}
    write = meshio.Mesh.write

    def failing(part: Any, path: Path, **options: Any) -> None:
        if "phase_9" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(part, path, **options)

    monkeypatch.setattr(meshio.Mesh, "write", failing)
    with pytest.raises(OSError, match="No space"):
        write_mesh(mesh, tmp_path / "a.stl", "um")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def read(path: Path) -> Any:
    return meshio.read(path)


def test_surfaces_are_read_back(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """In micrometres; formats without labels hold one phase each."""
    mesh = surface_mesh(THREE)
    for ending in ENDINGS:
        with subtests.test(ending):
            files = write_mesh(mesh, tmp_path / f"a{ending}", "um")
            assert len(files) == (1 if ending in LABELLED else 3)
            found = read(files[-1])
            wanted = mesh if ending in LABELLED else mesh.of_phase(9)
            triangles = found.get_cells_type("triangle")
            assert len(triangles) == len(wanted.cells)
            assert found.points.max(axis=0) * 1e3 == pytest.approx(
                wanted.points.max(axis=0), rel=1e-6
            )
            if ending == ".vtu":
                labels = np.array([-1, 2, 4, 9])[mesh.regions]
                for column, name in enumerate(("inside", "outside")):
                    stored = found.get_cell_data(name, "triangle")
                    np.testing.assert_array_equal(stored, labels[:, column])
            elif ending == ".msh":
                assert "phase_4_phase_9" in found.field_data
            elif ending == ".inp":
                assert "phase_4_phase_9" in found.cell_sets


def test_cells_are_read_back(tmp_path: Path, subtests: pytest.Subtests) -> None:
    small = Volume(np.arange(24).reshape(2, 3, 4) % 3, "phases", VOXEL_NM)
    mesh = voxel_mesh(small)
    for ending in LABELLED:
        with subtests.test(ending):
            (path,) = write_mesh(mesh, tmp_path / f"a{ending}")
            found = read(path)
            cells = found.get_cells_type("hexahedron")
            # Voxel by voxel: its first corner is its place.
            z, y, x = np.unravel_index(np.arange(24), (2, 3, 4))
            corners = np.stack([x, y, z], axis=1) * VOXEL_NM
            order = np.lexsort(found.points[cells[:, 0]].T)
            np.testing.assert_allclose(found.points[cells[order, 0]], corners)
            if ending == ".vtu":
                labels = found.get_cell_data("phase", "hexahedron")
            elif ending == ".msh":
                labels = found.get_cell_data("gmsh:physical", "hexahedron") - 1
            else:
                labels = np.zeros(24, int)
                for number in range(3):
                    labels[found.cell_sets_dict[f"phase_{number}"]["hexahedron"]] = (
                        number
                    )
                # The side of smallest x: 4 x 3 nodes.
                assert len(found.point_sets["x_min"]) == 12
            np.testing.assert_array_equal(labels[order], small.values.ravel())
    with pytest.raises(ValueError, match=r"ends in \.vtu or \.msh or \.inp"):
        write_mesh(mesh, tmp_path / "a.stl")


def test_vtk_reads_the_cells(tmp_path: Path) -> None:
    xml = pytest.importorskip("vtkmodules.vtkIOXML", reason="needs the package vtk")
    filters = pytest.importorskip("vtkmodules.vtkFiltersVerdict")
    write_mesh(voxel_mesh(THREE, [9], "tetrahedra"), tmp_path / "a.vtu")
    reader = xml.vtkXMLUnstructuredGridReader()
    reader.SetFileName(str(tmp_path / "a.vtu"))
    sizes = filters.vtkCellSizeFilter()
    sizes.SetInputConnection(reader.GetOutputPort())
    sizes.Update()
    volumes = sizes.GetOutput().GetCellData().GetArray("Volume")
    total = sum(volumes.GetValue(i) for i in range(volumes.GetNumberOfTuples()))
    assert total == pytest.approx(voxels(THREE, 9))


def test_units(tmp_path: Path) -> None:
    bare = Volume(THREE.values, "phases")
    mesh = surface_mesh(bare, [9])
    (path,) = write_mesh(mesh, tmp_path / "a.ply")
    assert read(path).points.max() == pytest.approx(mesh.points.max())
    with pytest.raises(ValueError, match="a volume without one; give it"):
        write_mesh(mesh, tmp_path / "b.ply", "m")
    sized = surface_mesh(THREE, [9])
    (path,) = write_mesh(sized, tmp_path / "c.stl", "m")
    assert read(path).points.max() == pytest.approx(sized.points.max() * 1e-9)
    with pytest.raises(ValueError, match="among nm, um, mm, m, got 'inch'"):
        write_mesh(sized, tmp_path / "d.stl", "inch")


def test_without_meshio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meshio", None)
    mesh = surface_mesh(BALL, [255])
    with pytest.raises(ValueError, match=r"pip install 'napari-slicegan\[mesh\]'"):
        write_mesh(mesh, tmp_path / "a.stl")
    # A text that this program writes by itself.
    assert write_mesh(mesh, tmp_path / "a.inp")


def test_the_command_meshes_a_file(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    BALL.save(tmp_path / "ball.tif")
    words = ["mesh", str(tmp_path / "ball.tif"), "--out", str(tmp_path / "ball.stl")]
    assert main([*words, "--phase", "255", "--unit", "m"]) == 0
    printed = capsys.readouterr().out
    assert "  phase_255: volume 1.4" in printed
    assert "% of its voxels), surface" in printed
    assert f"Saved {tmp_path / 'ball.stl'} (lengths in m)" in printed
    assert read(tmp_path / "ball.stl").points.max() < 1e-6
    # Both phases: two files.
    assert main([*words, "--all-phases"]) == 0
    names = {path.name for path in tmp_path.glob("ball-*")}
    assert names == {"ball-phase_0.stl", "ball-phase_255.stl"}
    words[-1] = str(tmp_path / "ball.inp")
    assert main([*words, "--phase", "255", "--cells", "tetrahedra"]) == 0
    assert "tetrahedra" in capsys.readouterr().out
    fewer = ["--all-phases", "--cells", "hexahedra", "--coarsen", "2"]
    assert main([*words, *fewer]) == 0
    assert "5,832 hexahedra" in capsys.readouterr().out
    assert main([*words, "--phase", "255", "--cells", "hexahedra", "--open"]) == 2
    assert "Expected a surface for --open" in capsys.readouterr().err
    # Refused before the work.
    Volume(BALL.values, "phases").save(tmp_path / "ball.tif")
    monkeypatch.setattr("napari_slicegan.cli.mesh.surface_mesh", None)
    assert main([*words, "--phase", "255", "--unit", "m"]) == 2
    assert "Expected a voxel size for coordinates in m" in capsys.readouterr().err
