"""Where a generator comes from: images, settings, versions, hashes, licence."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_slicegan.config import parse_json
from napari_slicegan.models.pretrained import pretrained_weights
from napari_slicegan.sample_data import SAMPLES
from napari_slicegan.training.run_folder import CONFIG, GENERATOR, RunFolder

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.volumes.volume import Volume

VERSIONED = ("napari-slicegan", "torch", "numpy", "scipy", "pyamg")
NOT_STATED = "not stated"
METHOD = (
    "Kench, S. & Cooper, S. J. Generating three-dimensional structures from a "
    "two-dimensional slice with generative adversarial network-based dimensionality "
    "expansion. Nature Machine Intelligence 3, 299-305 (2021). "
    "https://doi.org/10.1038/s42256-021-00322-1"
)
PROGRAM = (
    "napari-slicegan contributors. napari-slicegan, version "
    f"{version('napari-slicegan')}."
)
MEASURES = {
    "representativity": "Dahari, A., Docherty, R., Kench, S. & Cooper, S. J. "
    "Prediction of microstructural representativity from a single image. Advanced "
    "Science (2025).",
    "transport": "Kench, S., Squires, I. & Cooper, S. TauFactor 2: A GPU accelerated "
    "python tool for microstructural analysis. Journal of Open Source Software 8, 5358 "
    "(2023).",
}
"""Works behind some checks, by their name."""


@dataclass(frozen=True)
class ImageFacts:
    """One training image: file name, pixels, viewing direction ("all" if isotropic).

    The hash is that of the values in rows, as trained on; the licence that of sample
    data, or given by the user.
    """

    name: str
    size: str
    kind: str
    pixel_size_nm: float | None
    axis: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Provenance:
    """Where a generator comes from.

    Attributes
    ----------
    name
        Name of the material.
    images, settings, trained_with
        Training images, settings of the run and versions of the programs; empty without
        a run folder.
    training
        Preset, steps and time, in words.
    measured_with
        Versions of the programs now.
    generator_sha256, architecture, n_weights
        Properties of the generator; empty and 0 if there is only a volume.
    written
        Time of writing.
    """

    name: str
    images: tuple[ImageFacts, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    training: str = NOT_STATED
    trained_with: Mapping[str, str] = field(default_factory=dict)
    measured_with: Mapping[str, str] = field(default_factory=lambda: _versions())
    generator_sha256: str = ""
    architecture: str = ""
    n_weights: int = 0
    voxel_size_nm: float | None = None
    written: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds")
    )

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @property
    def licences(self) -> str:
        """Licences of the images, each once."""
        found = dict.fromkeys(image.licence for image in self.images)
        return "; ".join(found) or NOT_STATED


def provenance_of(
    path: str | Path, trained: TrainedGenerator, licence: str = ""
) -> Provenance:
    """Facts about a run folder, or about the file of a generator alone.

    Parameters
    ----------
    path
        Run folder or ``.safetensors``.
    trained
        The generator in it.
    licence
        Licence of the images; that of sample data is known.
    """
    path = Path(path)
    run = RunFolder.open(path) if path.is_dir() else None
    file = path / GENERATOR if run else path
    weights = trained.network.parameters()
    return Provenance(
        # Bytes of a file's name that are no text cannot be written either.
        name=trained.name.encode("utf-8", "replace").decode("utf-8"),
        images=_images(path, licence) if run else (),
        settings=run.config().model_dump(mode="json") if run else {},
        training=_training(run, trained.lineage) if run else NOT_STATED,
        trained_with=_trained_with(path / CONFIG) if run else {},
        generator_sha256=sha256_of(file),
        architecture=str(trained.network.spec.architecture),
        n_weights=sum(parameter.numel() for parameter in weights),
        voxel_size_nm=trained.voxel_size_nm,
    )


def sha256_of(file: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def provenance_of_layers(real: str, generated: str, volume: Volume) -> Provenance:
    """Facts about two layers of the viewer, known by their names only."""
    return Provenance(f"{generated} and {real}", voxel_size_nm=volume.voxel_size_nm)


def _images(run: Path, licence: str) -> tuple[ImageFacts, ...]:
    images = RunFolder(run).images()
    samples = {each.file: f"{each.licence} (sample data)" for each in SAMPLES.values()}
    return tuple(
        ImageFacts(
            name=image.name,
            size=" x ".join(map(str, image.values.shape)),
            kind=image.kind,
            pixel_size_nm=image.pixel_size_nm,
            axis="all" if len(images.views) == 1 else axis,
            sha256=hashlib.sha256(image.values.tobytes()).hexdigest(),
            licence=licence or samples.get(image.name, NOT_STATED),
        )
        for axis, of_axis in images.views.items()
        for image in of_axis
    )


def _training(folder: RunFolder, lineage: Sequence[str]) -> str:
    """Such as ``preset slicegan-fast, 800 steps in 285 s``."""
    config = folder.config()
    words = f"preset {config.preset or 'own settings'}"
    if len(lineage) > 1:
        words += ", from the weights of another run"
    elif config.architecture.initial_weights == "pretrained":
        words += f", from pretrained weights ({pretrained_weights().origin})"
    n_steps, elapsed_s = folder.trained()
    return f"{words}, {n_steps} steps in {elapsed_s:.0f} s" if n_steps else words


def _trained_with(config: Path) -> dict[str, str]:
    versions = parse_json(config.read_text(encoding="utf-8")).get("versions", {})
    return {str(name): str(value) for name, value in versions.items()}


def _versions() -> dict[str, str]:
    """Versions of the packages that measure, and of Python."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
