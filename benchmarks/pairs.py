"""What pairs of sections hold of the connectivity, and generators trained on them.

    python -m benchmarks.pairs --out build/pairs --seeds          # only what they hold
    python -m benchmarks.pairs --out build/pairs --seeds 0 1 2

First, of volumes of the sample data: the Euler number density that pairs of planes at
a distance show, as a part of that of the volume. It is that of the volume at a distance
of one voxel; at larger ones throats and walls are missed.

Then two materials with the same sections are learnt from single sections and from
pairs. Both are stacks of plies. A ply is a random pattern that is long in one of the
two diagonals of its plane, and plies are independent of each other. In "crossed" the
direction alternates from ply to ply, in "parallel" it changes after eight plies. A
section along y or x meets every ply across its diagonal and cannot show which of the
two it is; a section along z shows a single ply. Single sections of the two materials
are therefore of exactly the same distribution, but the plies touch in other places.

Generators are trained on the same pictures: sections along y and x, and along z pairs
of sections one ply apart, once as single images and once as pairs. Printed and written
to ``pairs.csv``: statistics of sections, connectivity, and how the directions of planes
one ply apart agree (-1 crossed, 1 parallel). A figure shows successive plies.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import sample_data
from napari_slicegan.config.presets import preset
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.generate import generate
from napari_slicegan.metrics.interfaces import interface_density
from napari_slicegan.metrics.topology import euler_density
from napari_slicegan.metrics.transport import effective_diffusivity
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume

SAMPLES = ("bentheimer_truth", "spheres_truth")
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16)
PLANES = 24
"""Pairs along each axis."""
PLY = 8
RUNS: Mapping[str, int] = {"crossed": 1, "parallel": 8}
"""Material -> plies after which the direction changes."""
SHORT, LONG, FRACTION = 4.0, 16.0, 0.35
"""Correlation lengths across and along a pattern in voxels, and the solid fraction."""
# Across a diagonal, pixels of one and the same pattern.
LAG = 4
N_VOLUMES = 2
COLUMNS = ("fraction", "faces_z", "faces_y", "faces_x", "turn", "euler", "d_z", "d_yx")

Phase = NDArray[np.bool_]


def euler_of_pairs(phase: Phase, distance: int) -> float:
    """Euler number density that pairs of planes show, mean of the axes, per voxel.

    Of the planes taken as neighbours, per area, divided by the distance: the mean Euler
    number of a plane less that of what both planes have in common.
    """
    found = []
    for axis in range(phase.ndim):
        planes = np.moveaxis(phase, axis, 0)
        places = np.linspace(0, len(planes) - distance - 1, PLANES).astype(int)
        found += [
            euler_density(np.stack([planes[p], planes[p + distance]])) for p in places
        ]
    return fmean(found) / distance


def mean_chord(phase: Phase) -> float:
    """Mean length of the lines within a phase along the axes, in voxels."""
    return 2 * float(phase.mean()) / fmean(interface_density(phase))


def held() -> dict[str, tuple[float, list[float]]]:
    """Mean chord, and the part of the Euler number held at each of `DISTANCES`."""
    found = {}
    for name in SAMPLES:
        volume = Volume.open(sample_data.path(name)).values
        for label in np.unique(volume):
            phase = volume == label
            whole = euler_density(phase)
            parts = [euler_of_pairs(phase, each) / whole for each in DISTANCES]
            title = f"{name.removesuffix('_truth')}, phase {label}"
            found[title] = (mean_chord(phase), parts)
            say(
                f"{title:24} chord {found[title][0]:5.1f}, {1e6 * whole:6.0f} per 1e6: "
                + " ".join(f"{part:6.2f}" for part in parts)
            )
    return found


def draw_held(found: Mapping[str, tuple[float, list[float]]], path: Path) -> None:
    """Part of the Euler number against the distance in mean chords."""
    figure = Figure((5.5, 3.6), layout="constrained")
    axis = figure.subplots()
    for title, (chord, parts) in found.items():
        distances = np.asarray(DISTANCES) / chord
        axis.plot(distances, parts, "o-", markersize=3, label=f"{title} ({chord:.0f})")
    axis.axhline(1, color="gray", linewidth=0.8)
    axis.set(xlim=(0, 1.2), ylim=(-0.1, 1.3))
    axis.set_xlabel("distance of the sections / mean chord of the phase")
    axis.set_ylabel("Euler number that pairs show / volume's")
    axis.legend(fontsize=8, title="(mean chord in voxels)", title_fontsize=8)
    figure.savefig(path, dpi=90)


def pattern(rng: np.random.Generator, edge: int, direction: int) -> Phase:
    """Level cut of a Gaussian random field that is long in a diagonal, [Y, X].

    Periodic; its correlation is exp(-r^2 / 2 L^2) with the lengths of both diagonals.
    """
    k = 2 * np.pi * np.fft.fftfreq(edge)
    ky, kx = np.meshgrid(k, k, indexing="ij")
    along, across = (kx + direction * ky) ** 2 / 2, (kx - direction * ky) ** 2 / 2
    amplitude = np.exp(-(along * LONG**2 + across * SHORT**2) / 4)
    field = np.fft.ifft2(amplitude * np.fft.fft2(rng.standard_normal((edge, edge))))
    solid: Phase = field.real > np.quantile(field.real, 1 - FRACTION)
    return solid


def plies(material: str, edge: int, seed: int) -> Phase:
    """Stack of plies, [Z, Y, X]."""
    rng = np.random.default_rng(seed)
    run = RUNS[material]
    patterns = [
        pattern(rng, edge, -1 if number // run % 2 else 1)
        for number in range(edge // PLY)
    ]
    return np.repeat(patterns, PLY, axis=0)


def sections(material: str, edge: int) -> TrainingImages:
    """Pictures of two stacks: pairs one ply apart along z, and single ones."""
    z: list[Phase] = []
    y: list[Phase] = []
    x: list[Phase] = []
    for seed in (1, 2):
        stack = plies(material, edge, seed)
        middle = PLY // 2
        for position in range(middle, edge - PLY, PLY):
            z += [stack[position], stack[position + PLY]]
        y += [stack[:, at] for at in (edge // 4, 3 * edge // 4)]
        x += [stack[:, :, at] for at in (edge // 4, 3 * edge // 4)]
    images = (
        [Micrograph.from_array(each, "phases", name="ply") for each in of_axis]
        for of_axis in (z, y, x)
    )
    return TrainingImages.anisotropic(*images)


def directions(volume: Phase) -> NDArray[np.float64]:
    """Direction of each plane along z: correlation in one diagonal less the other."""
    v = volume - volume.mean()
    down = (v[:, LAG:, LAG:] * v[:, :-LAG, :-LAG]).mean(axis=(1, 2))
    up = (v[:, LAG:, :-LAG] * v[:, :-LAG, LAG:]).mean(axis=(1, 2))
    return np.asarray((down - up) / v.var())


def measured(volume: Phase) -> dict[str, float]:
    """Statistics of a volume; see `COLUMNS`."""
    sign = directions(volume)
    d_z, d_y, d_x = (effective_diffusivity(volume, axis) for axis in range(3))
    faces = interface_density(volume)
    return {
        "fraction": float(volume.mean()),
        **{f"faces_{axis}": float(n) for axis, n in zip("zyx", faces, strict=True)},
        "turn": float((sign[PLY:] * sign[:-PLY]).mean() / (sign**2).mean()),
        "euler": 1e6 * euler_density(volume),
        "d_z": d_z,
        "d_yx": fmean((d_y, d_x)),
    }


def trained_volumes(
    material: str, paired: bool, seed: int, options: argparse.Namespace
) -> list[Phase]:
    """Train a generator, and make volumes."""
    config = preset("slicegan-fast").changed(
        patch_size=32,
        generator_widths=(64, 32, 16),
        critic_widths=(32, 64, 128),
        voxel_noise="off",
        voxel_stretch=(1, 1, 1),
        augmentation="flips",
        monitor_interval=10**9,
        minutes=None,
        steps=options.steps,
        threads=1,
        device="cpu",
        seed=seed,
    )
    if paired:
        config = config.changed(pair_distance=PLY, pair_axis="z")
    name = f"{material}-{'pairs' if paired else 'single'}-{seed}"
    path = options.out / name
    started = time.process_time()
    trainer = Trainer.start(config, sections(material, options.images), path)
    for _ in trainer.run():
        pass
    say(f"{name}: {time.process_time() - started:.0f} s of processor time")
    generator = load_generator(path)
    shape = (options.size,) * 3
    return [generate(generator, shape, n).values > 0 for n in range(N_VOLUMES)]


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Mean of the volumes of each material and kind of training, and all seeds."""
    lines = ["material  trained on  " + "".join(f"{name:>10}" for name in COLUMNS)]
    kinds = dict.fromkeys((row["material"], row["trained"]) for row in rows)
    for kind in kinds:
        of_kind = [row for row in rows if (row["material"], row["trained"]) == kind]
        numbers = [fmean(float(row[name]) for row in of_kind) for name in COLUMNS]
        lines.append(
            f"{kind[0]:10}{kind[1]:12}" + "".join(f"{n:10.3f}" for n in numbers)
        )
    return "\n".join(lines)


def draw(volumes: Mapping[tuple[str, str], Phase], path: Path) -> None:
    """Three successive plies along z, and a section along y, of each volume."""
    figure = Figure((9, 2.2 * len(volumes)), layout="constrained")
    rows = figure.subplots(len(volumes), 4, squeeze=False)
    for row, ((material, trained), volume) in zip(rows, volumes.items(), strict=True):
        start = PLY // 2 + PLY * max(0, len(volume) // PLY // 2 - 1)
        planes = {f"z = {z}": volume[z] for z in range(start, start + 3 * PLY, PLY)}
        planes["y section"] = volume[:, len(volume) // 2]
        for axis, (title, plane) in zip(row, planes.items(), strict=True):
            axis.imshow(plane, cmap="gray", interpolation="nearest")
            axis.set_title(title, fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(f"{material},\n{trained}", fontsize=9)
    figure.savefig(path, dpi=90)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/pairs"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--size", type=int, default=96, help="of the volumes")
    parser.add_argument("--images", type=int, default=128, help="edge of the pictures")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    draw_held(held(), options.out / "held.png")
    if not options.seeds:
        return 0
    rows: list[dict[str, str]] = []
    shown: dict[tuple[str, str], Phase] = {}

    def add(material: str, trained: str, seed: int, volumes: list[Phase]) -> None:
        shown.setdefault((material, trained), volumes[0])
        for volume in volumes:
            found = {name: f"{n:.4f}" for name, n in measured(volume).items()}
            row = {"material": material, "trained": trained, "seed": str(seed), **found}
            rows.append(row)
            say(", ".join(f"{name} {value}" for name, value in row.items()))
        with (options.out / "pairs.csv").open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    for material in RUNS:
        size = options.size - options.size % PLY
        add(material, "truth", 0, [plies(material, size, n) for n in (11, 12)])
    for seed in options.seeds:
        for paired in (False, True):
            for material in RUNS:
                volumes = trained_volumes(material, paired, seed, options)
                add(material, "pairs" if paired else "single", seed, volumes)
        draw(dict(sorted(shown.items())), options.out / "pairs.png")
        say(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
