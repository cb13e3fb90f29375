"""Make figures of the guides that need no window.

python docs/figures.py meshes baseline batch gallery physics
"""

from __future__ import annotations

import argparse
import io
import json
import math
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
from napari_slicegan.config import AXES, MicrographSettings
from napari_slicegan.generation.gaussian_field import gaussian_volume
from napari_slicegan.metrics.permeability import permeability
from napari_slicegan.metrics.reference import RealStatistics
from napari_slicegan.report.batch import Outcome, RowFacts, draw_floors
from napari_slicegan.report.physics import (
    DIFFUSIVITY,
    PERMEABILITY,
    PhysicsSettings,
    measure_physics,
)
from napari_slicegan.report.text import MetricVerdict, metric_verdicts
from napari_slicegan.volumes.meshes import Mesh, surface_mesh, voxel_mesh
from napari_slicegan.volumes.volume import Volume

IMAGES = Path(__file__).parent / "images"
MOST_FLOORS = 100.0
COLOURS = ("#0072b2", "#e69f00", "#b8bfc4")
# White, Viscous Fluid Flow (1991), eq. 3-48: permeability / edge^2.
SQUARE_DUCT = 0.035144
# Round tubes of a radius.
N_PLACES = 30
# Zick and Homsy, J. Fluid Mech. 115, 13 (1982): solid fraction -> drag coefficient.
DRAG = {0.027: 2.008, 0.064: 2.810, 0.125: 4.292, 0.216: 7.442}
DRAG |= {0.343: 15.4, 0.45: 28.1, 0.5236: 42.1}


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


def physics() -> Figure:
    """Permeabilities beside analytic ones; transport through a rock and its models."""
    figure = Figure(figsize=(12, 3.4), dpi=95, layout="constrained")
    panels = figure.subplots(1, 4, width_ratios=(1.2, 1.2, 1, 1))
    widths = np.array([1, 2, 3, 4, 6, 8, 12, 16])
    for name, known in (("plane walls", 1 / 12), ("square duct", SQUARE_DUCT)):
        errors = []
        for n in widths:
            pores = np.zeros((1, n + 2, n + 2 if name == "square duct" else 1), bool)
            pores[:, 1:-1, slice(1, -1) if name == "square duct" else 0] = True
            errors.append(permeability(pores, 0) / pores.mean() / (known * n**2) - 1)
        panels[0].semilogx(widths, 100 * np.array(errors), "o-", label=name, ms=4)
    found = np.array([tube_errors(width / 2) for width in widths[1:]])
    panels[0].errorbar(
        widths[1:],
        100 * found.mean(axis=1),
        100 * found.std(axis=1) / math.sqrt(N_PLACES),
        fmt="o-",
        markersize=4,
        label="round tubes, mean",
    )
    panels[0].axhline(0, color="black", linewidth=0.8)
    panels[0].set(xlabel="width (voxels)", ylabel="error (%)", title="Channels")
    panels[0].set_xticks(widths, map(str, widths))
    panels[0].minorticks_off()
    panels[0].legend(fontsize=8)
    for cell in (16, 32, 48):
        found = [sphere_permeability(cell, share) for share in DRAG]
        known = [
            cell**2 / (6 * np.pi * (3 * share / (4 * np.pi)) ** (1 / 3) * drag)
            for share, drag in DRAG.items()
        ]
        error = 100 * (np.array(found) / known - 1)
        panels[1].plot(list(DRAG), error, "o-", markersize=4, label=f"{cell} voxels")
    panels[1].axhline(0, color="black", linewidth=0.8)
    panels[1].set(xlabel="solid fraction", ylabel="error (%)", title="Cubic spheres")
    panels[1].legend(fontsize=8, title="unit cell", title_fontsize=8)
    rock = Volume.open(sample_path("bentheimer_truth"))
    image = Micrograph.open(sample_path("bentheimer_slice"))
    edge = (128,) * 3
    made = generate(load_generator(generator_path("bentheimer")), edge, seed=1)
    settings = PhysicsSettings(permeability=(255,))
    found = measure_physics(made, settings, rock, gaussian_volume(image, edge, seed=1))
    for panel, name in zip(panels[2:], (DIFFUSIVITY, PERMEABILITY), strict=True):
        for number, axis in enumerate(AXES):
            row = found.row(name, 255, axis)
            for place, one in enumerate((row.real, row.generated, row.gaussian)):
                assert one is not None
                label = ("rock", "network", "Gaussian field")[place]
                panel.bar(
                    number + 0.27 * (place - 1),
                    one.mean,
                    0.25,
                    yerr=one.standard_error,
                    color=("0.6", *COLOURS)[place],
                    label=label if axis == "z" else None,
                )
        panel.set_xticks(range(3), AXES)
        panel.set_title(row.title)
        panel.margins(y=0.25)
    panels[2].legend(fontsize=7)
    return figure


def tube_errors(radius: float) -> list[float]:
    """Relative errors of the permeability of round tubes, at random places."""
    n = 2 * math.ceil(radius) + 4
    known = math.pi * radius**4 / 8 / n**2
    errors = []
    for place in np.random.default_rng(0).random((N_PLACES, 2)) + n / 2 - 0.5:
        squares = np.square(np.arange(n)[:, None] + 0.5 - place)
        disc = squares[:, 0][:, None] + squares[:, 1] < radius**2
        found = permeability(np.broadcast_to(disc, (1, n, n)), 0)
        errors.append(found / known - 1)
    return errors


def sphere_permeability(cell: int, share: float) -> float:
    """Of spheres on a cubic lattice, by an eighth of the unit cell of so many voxels.

    The radius is that with which the voxels have the solid fraction.
    """
    squares = np.square(np.arange(cell // 2) + 0.5)
    distance = squares[:, None, None] + squares[:, None] + squares
    n_solid = round(share * distance.size)
    return permeability(distance > np.sort(distance, axis=None)[n_solid - 1], 0)


def batch() -> Figure:
    """The map of a batch, of the reports of the included generators."""
    rows = []
    for file in sorted((IMAGES.parent / "models").glob("*.json")):
        found = json.loads(file.read_text("utf-8"))["proof"]["metrics"]
        metrics = {one["metric"]: MetricVerdict(**one) for one in found}
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


REPORTED = [
    name for name in MODELS if (IMAGES.parent / "models" / f"{name}.json").is_file()
]
FIGURES = {
    "meshes": meshes,
    "baseline": baseline,
    "batch": batch,
    "physics": physics,
    **{f"gallery-{name}": partial(material, name) for name in REPORTED},
}
GROUPS = {"gallery": [f"gallery-{name}" for name in REPORTED]}


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
