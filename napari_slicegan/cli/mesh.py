"""The command ``slicegan mesh``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, file_path, say
from napari_slicegan.runtime.atomic_files import check_can_write
from napari_slicegan.volumes.mesh_files import (
    check_mesh_file,
    phase_name,
    unit_scale,
    write_mesh,
)
from napari_slicegan.volumes.meshes import (
    SMOOTHING,
    Mesh,
    coarsened,
    surface_mesh,
    voxel_mesh,
)
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from argparse import Namespace


def mesh(options: Namespace) -> int:
    """Mesh phases of a volume and write them."""
    is_surface = options.cells == "surface"
    check_can_write(options.out)
    check_mesh_file(options.out, not is_surface)
    path = file_path(str(options.volume))
    volume = Volume.open(path, options.pixel_size_nm)
    own = "voxel" if volume.voxel_size_nm is None else "nm"
    unit = options.unit or own
    unit_scale(own, unit)  # before the work
    if options.coarsen != 1:
        volume = coarsened(volume, options.coarsen)
    phases = None if options.all_phases else options.phase
    smoothing: int | None = options.smoothing
    if is_surface:
        if smoothing is None:
            smoothing = SMOOTHING
        made = surface_mesh(volume, phases, smoothing, is_closed=not options.open)
    elif options.open:
        raise ValueError(
            f"Expected a surface for --open, got {options.cells}; leave it out."
        )
    else:
        made = voxel_mesh(volume, phases, options.cells, smoothing or 0)
    files = write_mesh(made, options.out, unit)
    for line in _facts(made, volume, is_open=options.open):
        say(line)
    for file in files:
        say(f"Saved {file} (lengths in {'voxels' if unit == 'voxel' else unit})")
    return DONE


def _facts(made: Mesh, volume: Volume, *, is_open: bool) -> list[str]:
    """Size of the mesh; volume and area of each phase beside those of the voxels."""
    names = {"triangle": "triangles", "tetra": "tetrahedra", "hexahedron": "hexahedra"}
    kind = names[made.cell_type]
    lines = [f"{len(made.points):,} points, {len(made.cells):,} {kind}"]
    edge = volume.voxel_size_nm or 1.0
    unit = "voxels" if made.unit == "voxel" else "nm"
    areas = made.areas() if made.cell_type == "triangle" else {}
    volumes = {} if is_open else made.volumes()
    for label in made.labels:
        parts = []
        if label in volumes:
            voxels = (volume.values == label).sum() * edge**3
            percent = 100 * (volumes[label] / voxels - 1)
            parts.append(
                f"volume {volumes[label]:.4g} {unit}^3 ({percent:+.2f} % of its voxels)"
            )
        if label in areas:
            parts.append(f"surface {areas[label]:.4g} {unit}^2")
        lines.append(f"  {phase_name(label)}: {', '.join(parts)}")
    return lines
