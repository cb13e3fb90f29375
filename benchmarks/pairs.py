"""What pairs of sections hold of the connectivity, and generators trained on them.

    python -m benchmarks.pairs --out build/pairs --seeds          # only what they hold
    python -m benchmarks.pairs --out build/pairs --seeds 0 1 2

First, of volumes of the sample data: the Euler number density that pairs of planes at
a distance show, as a part of that of the volume. It is that of the volume at a distance
of one voxel; at larger ones throats and walls are missed.

Then two materials with the same sections are learned from single sections and from
pairs. Both consist of cells of 2 x 2 x 2 blocks, each block of one phase or the other
with equal probability. A plane meets four blocks of a cell, which are independent of
each other. The block diagonally across the cell is, in "twins", of the same phase,
in "opposites" of the other one. No plane meets both, so single sections of the two
materials have exactly the same distribution. Their Euler number and diffusivity differ.

Each generator is trained on the same pictures, as single images or as pairs one block
apart. Printed and written to ``pairs.csv``, of the blocks of two volumes (by the
majority of their voxels): fraction, interface density, share of blocks that agree with
the one across (1 in twins, 0 in opposites), Euler number density per 1000 blocks,
diffusivity. What ``pairs.csv`` holds is not trained again.
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
from napari_slicegan.models import VolumeGenerator
from napari_slicegan.models.generator_file import TrainedGenerator
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.volume import Volume

SAMPLES = ("bentheimer_truth", "spheres_truth")
DISTANCES = (1, 2, 3, 4, 6, 8, 12, 16)
PLANES = 24
"""Pairs along each axis."""
EDGE = 2
"""Voxels of a block."""
PATCH = 4 * EDGE
"""Voxels of a crop: two cells."""
CELLS = 16
MATERIALS = ("twins", "opposites")
COLUMNS = ("fraction", "faces", "agree", "euler", "diffusivity")
N_VOLUMES = 2

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


def cells(material: str, n: int, seed: int) -> Phase:
    """Material of n x n x n cells, its blocks [2 n, 2 n, 2 n]."""
    rng = np.random.default_rng(seed)
    blocks: Phase = rng.random((n, 2, n, 2, n, 2)) < 1 / 2
    across = blocks[:, 0, :, ::-1, :, ::-1]
    blocks[:, 1] = across if material == "twins" else ~across
    return blocks.reshape((2 * n,) * 3)


def sections(material: str) -> TrainingImages:
    """Crops of two cells, and those one block below them: images two by two."""
    voxels = cells(material, CELLS, 1)
    for axis in range(3):
        voxels = voxels.repeat(EDGE, axis)
    starts = range(0, len(voxels), PATCH)
    images = []
    for z in range(0, len(voxels) - EDGE, EDGE):
        for y in starts:
            for x in starts:
                pair = [
                    voxels[at, y : y + PATCH, x : x + PATCH] for at in (z, z + EDGE)
                ]
                # An image needs both phases; one in 65,536 crops has a single one.
                if all(0 < image.mean() < 1 for image in pair):
                    images += pair
    return TrainingImages.isotropic(
        *(Micrograph.from_array(each, "phases", name="blocks") for each in images)
    )


def measured(blocks: Phase) -> dict[str, float]:
    """Statistics of the blocks of a volume; see `COLUMNS`."""
    n = len(blocks) // 2
    cell = blocks.reshape(n, 2, n, 2, n, 2)
    return {
        "fraction": float(blocks.mean()),
        "faces": fmean(interface_density(blocks)),
        "agree": float((cell[:, 0] == cell[:, 1, :, ::-1, :, ::-1]).mean()),
        "euler": 1000 * euler_density(blocks),
        "diffusivity": fmean(effective_diffusivity(blocks, axis) for axis in range(3)),
    }


def generated(material: str, paired: bool, seed: int, steps: int) -> list[Phase]:
    """Train a generator; the blocks of its volumes."""
    config = preset("slicegan-fast").changed(
        # Its layers have the grid of the cells.
        architecture="slicegan",
        patch_size=PATCH,
        latent_size=4,
        generator_widths=(48,),
        critic_widths=(24, 48),
        noise=False,
        voxel_noise="off",
        fields_per_phase=1,
        voxel_stretch=(1, 1, 1),
        generator_batch_size=8,
        critic_batch_size=8,
        penalty_weight=2.0,
        lr_decay_start=0.6,
        precision="float32",
        monitor_interval=10**9,
        minutes=None,
        steps=steps,
        threads=1,
        device="cpu",
        seed=seed,
    )
    if paired:
        config = config.changed(pair_distance=EDGE)
    started = time.process_time()
    trainer = Trainer(config, sections(material))
    for _ in trainer.run():
        pass
    seconds = time.process_time() - started
    say(f"{material}, {name_of(paired)}, seed {seed}: {seconds:.0f} s of the processor")
    trainer.gan.recalibrate()
    network = trainer.gan.averaged.network.eval()
    assert isinstance(network, VolumeGenerator)
    generator = TrainedGenerator(network, trainer.task.transform, None)
    found = []
    n, shape = 2 * CELLS, (2 * CELLS * EDGE,) * 3
    for number in range(N_VOLUMES):
        voxels = generate(generator, shape, number).values > 0
        parts = voxels.reshape(n, EDGE, n, EDGE, n, EDGE).mean(axis=(1, 3, 5))
        found.append(parts > 1 / 2)
    return found


def name_of(paired: bool) -> str:
    """What a generator is trained on."""
    return "pairs" if paired else "single"


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Means over volumes and seeds, of each material and kind of training."""
    lines = ["material   trained on  " + "".join(f"{name:>12}" for name in COLUMNS)]
    for material, trained in dict.fromkeys((r["material"], r["trained"]) for r in rows):
        numbers = [
            [
                float(row[name])
                for row in rows
                if (row["material"], row["trained"]) == (material, trained)
            ]
            for name in COLUMNS
        ]
        cells_of_row = "".join(f"{fmean(each):12.4f}" for each in numbers)
        lines.append(f"{material:11}{trained:12}{cells_of_row}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what pairs hold; train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/pairs"))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.seeds:
        draw_held(held(), options.out / "held.png")
        return 0
    path = options.out / "pairs.csv"
    rows: list[dict[str, str]] = []
    if path.is_file():
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))

    def is_known(*kind: str) -> bool:
        return any((r["material"], r["trained"], r["seed"]) == kind for r in rows)

    def add(material: str, trained: str, seed: int, volumes: list[Phase]) -> None:
        for blocks in volumes:
            found = {name: f"{n:.4f}" for name, n in measured(blocks).items()}
            row = {"material": material, "trained": trained, "seed": str(seed), **found}
            rows.append(row)
            say(", ".join(f"{name} {value}" for name, value in row.items()))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    for material in MATERIALS:
        if not is_known(material, "truth", "0"):
            truths = [cells(material, CELLS, n) for n in (11, 12)]
            add(material, "truth", 0, truths)
    for seed in options.seeds:
        for material in MATERIALS:
            for paired in (True, False):
                trained = name_of(paired)
                if not is_known(material, trained, str(seed)):
                    volumes = generated(material, paired, seed, options.steps)
                    add(material, trained, seed, volumes)
    say(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
