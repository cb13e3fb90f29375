"""Micrographs to try the program with: real ones, or with a known truth.

README.md in this folder names the source, the licence and the processing of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "GENERATORS",
    "MODELS",
    "SAMPLES",
    "Sample",
    "generator_path",
    "image_samples",
    "model_path",
    "path",
]


@dataclass(frozen=True)
class Sample:
    """One file of this folder.

    ``kind`` is what its values mean (phases or grayscale); ``truth`` names the sample
    that holds the volume it was cut from, where there is one.
    """

    file: str
    title: str
    kind: str
    description: str
    licence: str
    truth: str | None = None
    is_volume: bool = False


_FIBRES = "256 x 256 pixels of 700 nm; 0 = matrix, 255 = fibre. Fibre fraction 0.25."
_SPHERES = "0 = matrix, 127 = large spheres, 255 = small spheres."

SAMPLES: dict[str, Sample] = {
    "nanoporous_gold": Sample(
        "nanoporous_gold.tif",
        "Nanoporous gold",
        "grayscale",
        "Scanning electron micrograph, 690 x 1024 pixels of 0.543 nm; Otsu's threshold "
        "parts the metal (bright) from the pores.",
        "MIT, Joshua Stuckner",
    ),
    "bentheimer_slice": Sample(
        "bentheimer_slice.tif",
        "Bentheimer sandstone, one slice",
        "phases",
        "X-ray tomography, 250 x 250 pixels; 0 = grain, 255 = pore. Slice 125 along z "
        "of the volume 'bentheimer_truth'.",
        "MIT, The PMEAL Group",
        truth="bentheimer_truth",
    ),
    "bentheimer_truth": Sample(
        "bentheimer_truth.tif",
        "Bentheimer sandstone, volume",
        "phases",
        "X-ray tomography, 250 x 250 x 250 voxels; 0 = grain, 255 = pore.",
        "MIT, The PMEAL Group",
        is_volume=True,
    ),
    "bentheimer_truth_128": Sample(
        "bentheimer_truth_128.tif",
        "Bentheimer sandstone, block",
        "phases",
        "128 x 128 x 128 voxels of 'bentheimer_truth' with the porosity of the whole.",
        "MIT, The PMEAL Group",
        is_volume=True,
    ),
    "aluminium": Sample(
        "aluminium.png",
        "Aluminium alloy",
        "grayscale",
        "Grains (bright) with particles and grain boundaries (dark), 150 x 150 pixels.",
        "MIT, Georgia Tech Research Corporation",
    ),
    "fibres_z": Sample(
        "fibres_z.tif",
        "Fibres along x, seen along z",
        "phases",
        f"Rows y, columns x; {_FIBRES}",
        "MIT, generated for this project",
        truth="fibres_truth",
    ),
    "fibres_y": Sample(
        "fibres_y.tif",
        "Fibres along x, seen along y",
        "phases",
        f"Rows z, columns x; {_FIBRES}",
        "MIT, generated for this project",
        truth="fibres_truth",
    ),
    "fibres_x": Sample(
        "fibres_x.tif",
        "Fibres along x, seen along x",
        "phases",
        f"Rows z, columns y; {_FIBRES}",
        "MIT, generated for this project",
        truth="fibres_truth",
    ),
    "fibres_truth": Sample(
        "fibres_truth.tif",
        "Fibres along x, volume",
        "phases",
        "256 x 256 x 256 voxels of 700 nm; 0 = matrix, 255 = fibre. The volume that "
        "the three views were cut from.",
        "MIT, generated for this project",
        is_volume=True,
    ),
    "spheres_slice": Sample(
        "spheres_slice.tif",
        "Overlapping spheres, one slice",
        "phases",
        f"256 x 256 pixels; {_SPHERES} Slice 201 along z of the volume "
        "'spheres_truth'.",
        "MIT, generated for this project",
        truth="spheres_truth",
    ),
    "spheres_truth": Sample(
        "spheres_truth.tif",
        "Overlapping spheres, volume",
        "phases",
        f"256 x 256 x 256 voxels; {_SPHERES}",
        "MIT, generated for this project",
        is_volume=True,
    ),
    "speckle_slice": Sample(
        "speckle_slice.tif",
        "Particles in a fine mixture, one slice",
        "phases",
        "224 x 224 pixels; 0 = pores and cracks, 127 = second phase, random from pixel "
        "to pixel, 255 = particles.",
        "MIT, generated for this project",
    ),
    "binder_bridges_slice": Sample(
        "binder_bridges_slice.tif",
        "Packed bed with binder bridges, one slice",
        "phases",
        "224 x 224 pixels; 0 = pores, 127 = binder, 255 = particles.",
        "MIT, generated for this project",
    ),
}


GENERATORS: dict[str, str] = {"varied_sandstone": "varied_sandstone.safetensors"}
"""Files of trained generators: sandstones of porosities from 0.15 to 0.40."""

MODELS: dict[str, str] = {
    "bentheimer": "Bentheimer sandstone",
    "nanoporous-gold": "Nanoporous gold",
    "fibres": "Fibres along x",
    "spheres": "Overlapping spheres, three phases",
    "binder-bridges": "Packed bed with binder bridges",
    "speckle": "Particles in a fine mixture",
}
"""Titles of the generators that `make models` trains, each with a model card."""


def path(name: str) -> Path:
    """Where the file of a sample or of a trained generator lies.

    Raises
    ------
    ValueError
        If no sample has this name; the sentence lists those there are.
    """
    files = {name: sample.file for name, sample in SAMPLES.items()} | GENERATORS
    if name not in files:
        raise ValueError(
            f"No sample is called {name!r}. Choose one of: {', '.join(files)}."
        )
    return Path(__file__).resolve().parent / files[name]


def image_samples() -> dict[str, list[str]]:
    """Names of the samples that are images, by title; views of a material together."""
    found: dict[str, list[str]] = {}
    for name, sample in SAMPLES.items():
        if not sample.is_volume:
            found.setdefault(sample.title.partition(", seen")[0], []).append(name)
    return found


def model_path(name: str) -> Path:
    """Where `make models` puts the generator of this name."""
    return Path(__file__).resolve().parent / "models" / f"{name}.safetensors"


def generator_path(name: str) -> Path:
    """Where the file of a trained generator lies.

    Raises
    ------
    ValueError
        If there is none of this name; the sentence lists those there are.
    """
    folder = Path(__file__).resolve().parent
    files = {name: folder / file for name, file in GENERATORS.items()}
    files |= {name: model_path(name) for name in MODELS}
    there = [name for name, file in files.items() if file.is_file()]
    if name not in there:
        raise ValueError(
            f"No sample generator is called {name!r}. Choose one of: "
            f"{', '.join(there)}."
        )
    return files[name]
