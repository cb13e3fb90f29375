"""Files of meshes: STL, OBJ, PLY, VTU, Gmsh and Abaqus."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan.runtime.atomic_files import (
    check_can_write,
    check_ending,
    fitting_name,
    replacing,
)
from napari_slicegan.runtime.optional_packages import optional_package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_slicegan.volumes.meshes import Mesh

UNITS = {"nm": 1.0, "um": 1e-3, "mm": 1e-6, "m": 1e-9}
"""Units of length and what a nanometre is in them."""
LABELLED = (".vtu", ".msh", ".inp")
ENDINGS = (".stl", ".obj", ".ply", *LABELLED)
"""All hold triangles; those that are `LABELLED` other cells, and several phases."""
FORMATS = {".stl": "stl", ".obj": "obj", ".ply": "ply", ".vtu": "vtu", ".msh": "gmsh22"}
"""Ending -> its name in meshio."""
ABAQUS_TYPES = {"triangle": "S3", "tetra": "C3D4", "hexahedron": "C3D8"}
DIMENSIONS = {"triangle": 2, "tetra": 3, "hexahedron": 3}


def files_of(labels: Sequence[int], path: Path) -> dict[Path, tuple[int, ...]]:
    """Files that `write_mesh` writes for phases, and the phases in each.

    Formats without labels get a file for each phase.
    """
    if path.suffix.lower() in LABELLED or len(labels) == 1:
        return {path: tuple(labels)}
    endings = {label: f"-{phase_name(label)}{path.suffix}" for label in labels}
    return {
        path.with_name(fitting_name(path.stem, ending)): (label,)
        for label, ending in endings.items()
    }


def write_mesh(mesh: Mesh, path: str | Path, unit: str | None = None) -> list[Path]:
    """Write a mesh; the files appear complete or not at all.

    A VTU holds the labels as cell data (``phase``, or ``inside`` and ``outside`` of
    triangles), Gmsh as physical groups, Abaqus as element sets, with the nodes on each
    side of the volume as node sets.

    Parameters
    ----------
    path
        ``.stl``, ``.obj``, ``.ply`` (surfaces; of several phases a file for each),
        ``.vtu``, ``.msh`` or ``.inp``.
    unit
        Of the coordinates: a name in `UNITS`; by default that of the mesh.

    Returns
    -------
    The files.

    Raises
    ------
    ValueError
        If the format cannot hold the cells, the unit is unknown, a file cannot be
        written, or meshio is missing.
    """
    path = Path(path)
    check_mesh_file(path, mesh.cell_type != "triangle")
    scale = unit_scale(mesh.unit, unit or mesh.unit)
    found = files_of(mesh.labels, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in found:
        check_can_write(file)
    # None is replaced before all are written.
    with contextlib.ExitStack() as stack:
        for file, labels in found.items():
            part = mesh if labels == mesh.labels else mesh.of_phase(labels[0])
            partial = stack.enter_context(replacing(file))
            if path.suffix.lower() == ".inp":
                _write_abaqus(part, partial, scale)
            else:
                _write_by_meshio(part, partial, path.suffix.lower(), scale)
    return list(found)


def check_mesh_file(path: Path, has_volume: bool) -> None:
    """Refuse files that `write_mesh` cannot write.

    Parameters
    ----------
    has_volume
        Whether the cells are hexahedra or tetrahedra.

    Raises
    ------
    ValueError
        For another ending, or where meshio is missing.
    """
    check_ending(path, *(LABELLED if has_volume else ENDINGS))
    if path.suffix.lower() in FORMATS:
        _meshio()


def _meshio() -> Any:
    return optional_package("meshio", "writes meshes", "mesh")


def unit_scale(own: str, unit: str) -> float:
    """Factor from the unit of a mesh to another.

    Raises
    ------
    ValueError
        If the unit is unknown, or the mesh is in voxels.
    """
    if unit == own:
        return 1.0
    if unit not in UNITS:
        raise ValueError(
            f"Expected a unit among {', '.join(UNITS)}, got '{unit}'; choose one."
        )
    if own != "nm":
        raise ValueError(
            f"Expected a voxel size for coordinates in {unit}, got a volume without "
            "one; give it (--pixel-size-nm), or leave the unit out to write voxels."
        )
    return UNITS[unit]


def phase_name(label: int) -> str:
    """Name of a phase in files: letters, digits and underscores."""
    return f"phase_{label}".replace("-", "minus_")


def _groups(mesh: Mesh) -> dict[str, NDArray[np.bool_]]:
    """Cells of each phase, or triangles between each pair, by name."""
    names = ["outside", *map(phase_name, mesh.labels)]
    if mesh.cell_type != "triangle":
        return {names[n]: mesh.regions == n for n in np.unique(mesh.regions)}
    pairs = np.unique(mesh.regions, axis=0)
    return {
        f"{names[i]}_{names[j]}": (mesh.regions == (i, j)).all(axis=1) for i, j in pairs
    }


def _write_by_meshio(mesh: Mesh, path: Path, ending: str, scale: float) -> None:
    kind = mesh.cell_type
    data: dict[str, list[NDArray[Any]]] = {}
    facts: dict[str, NDArray[np.int32]] = {}
    if ending == ".vtu":
        # A label that no phase has.
        outside = min(0, *mesh.labels) - 1
        labels = np.array([outside, *mesh.labels], np.int32)[mesh.regions]
        names = ("inside", "outside") if kind == "triangle" else ("phase",)
        columns = labels.reshape(len(labels), -1).T
        data = {
            name: [np.ascontiguousarray(column)]
            for name, column in zip(names, columns, strict=True)
        }
    elif ending == ".msh":
        tags = np.zeros(len(mesh.cells), np.int32)
        for tag, (name, chosen) in enumerate(_groups(mesh).items(), start=1):
            tags[chosen] = tag
            facts[name] = np.array([tag, DIMENSIONS[kind]], np.int32)
        data = {"gmsh:physical": [tags], "gmsh:geometrical": [tags]}
    meshio = _meshio()
    made = meshio.Mesh(
        mesh.points * scale, [(kind, mesh.cells)], cell_data=data, field_data=facts
    )
    options = {"binary": True} if ending != ".obj" else {}
    made.write(path, file_format=FORMATS[ending], **options)


def _write_abaqus(mesh: Mesh, path: Path, scale: float) -> None:
    """Abaqus input: nodes, an element set for each phase, node sets of the border.

    Source: Abaqus Keywords Reference Guide, ``*NODE``, ``*ELEMENT``, ``*NSET``.
    """
    numbers = np.arange(1, len(mesh.points) + 1)
    with path.open("w", encoding="ascii") as file:
        file.write("*HEADING\nnapari-slicegan\n*NODE\n")
        rows = np.column_stack([numbers, mesh.points * scale])
        np.savetxt(file, rows, fmt=["%d", "%.9g", "%.9g", "%.9g"], delimiter=", ")
        start = 1
        for name, chosen in _groups(mesh).items():
            cells = mesh.cells[chosen] + 1
            kind = ABAQUS_TYPES[mesh.cell_type]
            file.write(f"*ELEMENT, TYPE={kind}, ELSET={name}\n")
            rows = np.column_stack([np.arange(start, start + len(cells)), cells])
            np.savetxt(file, rows, fmt="%d", delimiter=", ")
            start += len(cells)
        for axis, edge in enumerate(mesh.size):
            for side, place in (("min", 0.0), ("max", edge)):
                on_side = np.isclose(mesh.points[:, axis], place, atol=1e-6 * edge)
                file.write(f"*NSET, NSET={'xyz'[axis]}_{side}\n")
                file.write(_in_lines(numbers[on_side]))


def _in_lines(numbers: NDArray[np.int64]) -> str:
    """Numbers, at most 16 in a line."""
    text = io.StringIO()
    for start in range(0, len(numbers), 16):
        text.write(", ".join(map(str, numbers[start : start + 16])) + "\n")
    return text.getvalue()
