"""Make figures of the guides that need no window.

python docs/figures.py meshes baseline batch gallery
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LightSource
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from napari_slicegan.sample_data import MODELS, generator_path
from napari_slicegan.sample_data import path as sample_path
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan import Micrograph, compare, generate, load_generator
from napari_slicegan.config import MicrographSettings
from napari_slicegan.generation.gaussian_field import gaussian_volume
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.report.batch import Outcome, RowFacts, draw_floors
from napari_slicegan.report.text import metric_verdicts
from napari_slicegan.volumes.meshes import Mesh, surface_mesh, voxel_mesh
from napari_slicegan.volumes.volume import Volume

IMAGES = Path(__file__).parent / "images"
MOST_FLOORS = 100.0
COLOURS = ("#0072b2", "#e69f00", "#b8bfc4")


def corner(name: str, edge: int) -> Volume:
    """A corner of a sample volume."""
    volume = Volume.open(sample_path(name))
    values = volume.values[(slice(edge),) * 3]
    return Volume(values, "phases", volume.voxel_size_nm, volume.labels)


def meshes() -> Figure:
    """Surfaces of sandstone pores, with and without smoothing; tetrahedra."""
    rock, spheres = corner("bentheimer_truth", 40), corner("spheres_truth", 24)
    figure = Figure(figsize=(12, 4.2), dpi=95, layout="constrained")
    for number, (title, smoothing) in enumerate(
        (("Marching cubes", 0), ("Smoothed, with the same volume", 20))
    ):
        mesh = surface_mesh(rock, [rock.labels[-1]], smoothing)
        draw(figure, number, title, mesh, mesh.cells, [COLOURS[2]] * len(mesh.cells))
    mesh = voxel_mesh(spheres, cells="tetrahedra", smoothing=20)
    # Cut open along a diagonal plane.
    centres = mesh.points[mesh.cells].mean(axis=1)
    kept = centres.sum(axis=1) < 0.5 * sum(mesh.size)
    faces, of_cell = outer_faces(mesh.cells[kept])
    colours = [COLOURS[n - 1] for n in mesh.regions[kept][of_cell]]
    draw(figure, 2, "Tetrahedra of three phases", mesh, faces, colours)
    return figure


def outer_faces(cells: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Triangles that belong to one tetrahedron only, and its number."""
    faces = np.concatenate(
        [cells[:, list(c)] for c in ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2))]
    )
    _, first, counts = np.unique(
        np.sort(faces), axis=0, return_index=True, return_counts=True
    )
    outer = first[counts == 1]
    return faces[outer], outer % len(cells)


def draw(
    figure: Figure,
    number: int,
    title: str,
    mesh: Mesh,
    faces: NDArray[Any],
    colours: Sequence[str],
    n_panels: int = 3,
) -> None:
    """Shaded triangles in one of the panels."""
    panel: Any = figure.add_subplot(1, n_panels, number + 1, projection="3d")
    lines = {"linewidth": 0.15, "edgecolor": "#00000060"} if number == 2 else {}
    shown = Poly3DCollection(
        mesh.points[faces],
        facecolors=colours,
        shade=True,
        lightsource=LightSource(azdeg=300, altdeg=40),
        **lines,
    )
    panel.add_collection3d(shown)
    for axis, edge in zip("xyz", mesh.size, strict=True):
        getattr(panel, f"set_{axis}lim")(0, edge)
    panel.set_box_aspect(mesh.size, zoom=1.05)
    panel.view_init(28, 40)
    panel.set_axis_off()
    panel.set_title(title, y=1.02)


def baseline() -> Figure:
    """Planes of a rock, a network's volume, a Gaussian field, and their distances."""
    rock = Volume.open(sample_path("bentheimer_truth"))
    image = Micrograph.open(sample_path("bentheimer_slice"))
    edge = (128,) * 3
    volumes = {
        "Network": generate(load_generator(generator_path("bentheimer")), edge, seed=1),
        "Gaussian field": gaussian_volume(image, edge, seed=1),
    }
    figure = Figure(figsize=(12, 3.6), dpi=95, layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=(1, 1, 1, 1.5))
    planes = {"Rock": rock.values[64, :128, :128]}
    planes |= {name: volume.values[64] for name, volume in volumes.items()}
    for panel, (title, plane) in zip(panels, planes.items(), strict=False):
        panel.imshow(plane, cmap="gray_r", interpolation="nearest")
        panel.set(title=title, xticks=[], yticks=[])
    real = RealStatistics(rock)
    for number, (name, volume) in enumerate(volumes.items()):
        found = [
            one
            for one in metric_verdicts(compare(real, volume))
            if one.floors is not None and one.grade != "unknown"
        ]
        places = np.arange(len(found)) + 0.4 * number
        floors = [min(one.floors or 0.0, MOST_FLOORS) for one in found]
        panels[3].barh(places, floors, 0.38, color=COLOURS[number], label=name)
        titles = [one.title.partition(" (")[0] for one in found]
    panels[3].set_yticks(np.arange(len(titles)) + 0.2, titles, fontsize=7)
    panels[3].axvline(1, color="black", linewidth=0.8)
    panels[3].set_xscale("symlog", linthresh=1)
    panels[3].invert_yaxis()
    panels[3].set_xlabel("distance from the rock / noise floor", fontsize=8)
    panels[3].legend(fontsize=8)
    return figure


def batch() -> Figure:
    """The map of a batch, of the reports of the included generators."""
    rows = []
    for file in sorted((IMAGES.parent / "models").glob("*.json")):
        found = json.loads(file.read_text("utf-8"))["proof"]["metrics"]
        metrics = {one["metric"]: one for one in found}
        rows.append(RowFacts(Outcome(file.stem, ()), "", "", "", metrics, "", ""))
    figure = Figure(figsize=(11, 2.9), dpi=95, layout="constrained")
    draw_floors(figure, rows)
    return figure


def material(name: str) -> Figure:
    """Training image, planes of a volume and a surface of a generator that ships."""
    report = json.loads((IMAGES.parent / "models" / f"{name}.json").read_text("utf-8"))
    facts = report["provenance"]
    config = MicrographSettings(**facts["settings"]["micrograph"])
    image = Micrograph.open(
        sample_path(Path(facts["images"][0]["name"]).stem.removesuffix(".ome")), config
    )
    volume = generate(load_generator(generator_path(name)), (128,) * 3, seed=1)
    middle = 64
    panels = {
        "Image": image.values[:128, :128],
        "Seen along z": volume.values[middle],
        "along y": volume.values[:, middle],
        "along x": volume.values[:, :, middle],
    }
    figure = Figure(figsize=(12, 2.6), dpi=95)
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.9, 0.03)
    for number, (title, plane) in enumerate(panels.items()):
        panel = figure.add_subplot(1, 5, number + 1)
        panel.imshow(plane, cmap="gray_r", interpolation="nearest")
        panel.set(title=title, xticks=[], yticks=[])
    cube = volume.values[:48, :48, :48]
    corner_of = Volume(cube, "phases", volume.voxel_size_nm, volume.labels)
    mesh = surface_mesh(corner_of, [volume.labels[-1]], 20)
    colours = [COLOURS[2]] * len(mesh.cells)
    draw(figure, 4, "Corner of the last phase", mesh, mesh.cells, colours, 5)
    return figure


FIGURES = {
    "meshes": meshes,
    "baseline": baseline,
    "batch": batch,
    **{f"gallery-{name}": partial(material, name) for name in MODELS},
}
GROUPS = {"gallery": [f"gallery-{name}" for name in MODELS]}


def main() -> None:
    """Make the named figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*FIGURES, *GROUPS], default=list(FIGURES)
    )
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    for name in (one for given in options.names for one in GROUPS.get(given, [given])):
        drawn = io.BytesIO()
        FIGURES[name]().savefig(drawn, format="png")
        # Fewer colours: a third of the size.
        picture = Image.open(drawn).convert("RGB").quantize(128)
        picture.save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
