"""The commands ``slicegan measure``, ``report``, ``export`` and ``info``."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_slicegan.cli.options import (
    DONE,
    FAULT,
    SAMPLE,
    changes_from,
    expanded,
    generator_path,
    opened,
    opened_as_of,
    output_folder,
    refuse_settings,
    say,
    unused,
    warning_lines,
)
from napari_slicegan.cli.progress import progress_bar
from napari_slicegan.config import RunConfig
from napari_slicegan.data.pixel_sizes import SIZE_TOLERANCE
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.metrics.comparison import (
    FIGURES_BYTES,
    check_measuring_memory,
    compare,
    with_labels_of,
)
from napari_slicegan.metrics.reference import check_source, reference_of
from napari_slicegan.metrics.stored_volume import StoredVolume
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.report.card_facts import card_path
from napari_slicegan.report.figure import draw_comparison
from napari_slicegan.report.model_card import export_generator
from napari_slicegan.report.page import ENDINGS, write_report
from napari_slicegan.report.physics import (
    PhysicsSettings,
    check_physics,
    check_physics_of,
    measure_physics,
)
from napari_slicegan.report.proof import ProofSettings, gaussian_like, prove
from napari_slicegan.report.provenance import provenance_of
from napari_slicegan.runtime.atomic_files import check_can_write
from napari_slicegan.runtime.devices import choose_device
from napari_slicegan.runtime.limits import check_repeats
from napari_slicegan.runtime.memory import in_words
from napari_slicegan.runtime.quantities import length_text
from napari_slicegan.training.run_folder import GENERATOR, RunFolder
from napari_slicegan.volumes.ome_zarr import is_pyramid
from napari_slicegan.volumes.volume import Volume, without_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from napari_slicegan.metrics.reference import Source
    from napari_slicegan.metrics.stored_volume import AnyVolume
    from napari_slicegan.models.generator_file import TrainedNetwork
    from napari_slicegan.report.physics import Physics

logger = logging.getLogger(__name__)

MOST_NAMES = 3
"""Images of a run that `info` names."""


def measure(options: Namespace) -> int:
    """Compare a volume with the real material."""
    path, *others = map(generator_path, options.volume)
    if options.figure:
        check_can_write(options.figure, ".png")
    if options.csv:
        check_can_write(options.csv, ".csv")
    wanted = PhysicsSettings(
        options.transport,
        tuple(options.permeability),
        tuple(options.conductivity),
        options.block,
    )
    given = (options.csv, others or None, options.block, options.transport_seeds)
    if wanted.is_empty and any(one is not None for one in given):
        raise ValueError(
            "Expected a transport property for --csv, --block, --transport-seeds and "
            "several volumes; add --transport, --permeability or --conductivity."
        )
    # Transport properties need no real material.
    is_volume = not path.is_dir() or is_pyramid(path)
    is_alone = options.against is None and not options.figure and is_volume
    source = None if is_alone and not wanted.is_empty else _source(options, path)
    volume, *further = _volumes(options, [path, *others], source, wanted)
    if not wanted.is_empty:
        labelled = volume if source is None else with_labels_of(source, volume)
        check_physics(labelled, wanted)
    facts, texts = {}, []
    if source is not None:
        if options.figure:
            check_measuring_memory(volume.values.shape, FIGURES_BYTES)
        comparison = compare(source, volume)
        facts, texts = comparison.to_dict(), [comparison.table()]
    if not wanted.is_empty:
        physics = _physics(options, wanted, source, volume, further)
        facts["physics"] = physics.to_dict()
        texts.append(physics.table())
        if options.csv:
            physics.write_csv(options.csv)
    say(json.dumps(facts, indent=2) if options.json else "\n\n".join(texts))
    if source is not None and options.figure:
        draw_comparison(comparison, source, volume, options.figure)
    return DONE


def _physics(
    options: Namespace,
    wanted: PhysicsSettings,
    source: Source | None,
    volume: AnyVolume,
    others: Sequence[AnyVolume],
) -> Physics:
    """Transport properties, with those of a Gaussian field like the real material."""
    gaussian = None
    if source is not None:
        volume = with_labels_of(source, volume)
        others = [with_labels_of(source, other) for other in others]
        samples = reference_of(source, volume, 1).samples
        gaussian = gaussian_like(samples, volume, _size_and_seed(options)[1])
    with progress_bar("Solving") as progress:
        return measure_physics(volume, wanted, source, gaussian, progress, others)


def _volumes(
    options: Namespace,
    paths: Sequence[Path],
    source: Source | None,
    wanted: PhysicsSettings,
) -> Iterator[AnyVolume]:
    """Volumes from files or folders, or new ones from a generator."""
    is_stored = {path: is_pyramid(path) for path in paths}
    files = [
        path
        for path in paths
        if is_stored[path] or (path.is_file() and path.suffix != ".safetensors")
    ]
    for name in ("size", "seed", "transport_seeds"):
        if files and getattr(options, name) is not None:
            raise unused(name, "a generator", "a volume in a file")
    for path in paths:
        if path in files:
            yield _sized(path, is_stored[path], options)
            continue
        trained = load_generator(path)
        if source is not None:
            check_source(source, trained.transform.kind, trained.voxel_size_nm)
        size, seed = _size_and_seed(options)
        if not wanted.is_empty:
            check_physics_of(trained, source, (size,) * 3, wanted)
        trained.network.to(choose_device("auto"))
        for number in range(_transport_seeds(options)):
            plan = VolumePlan(trained, (size,) * 3, seed + number)
            with progress_bar("Generating") as progress:
                volume = plan.generate(progress)
            yield volume


def _sized(path: Path, is_stored: bool, options: Namespace) -> AnyVolume:
    """Volume in a file; the voxel size of the flags if the file holds none."""
    given = RunConfig().changed(**changes_from(options)).micrograph
    size, step = given.pixel_size_nm, given.z_step_nm
    volume: AnyVolume
    if is_stored:
        volume = StoredVolume.open(path)
        has_own = volume.voxel_size_nm is not None
        if not has_own:
            _check_cubic(path, size, step)
            volume = replace(volume, voxel_size_nm=size)
    else:
        volume, has_own = Volume.open_sized(path, size, step)
    if size is not None or step is not None:
        edge = volume.voxel_size_nm
        source = "from the file" if has_own else "as given"
        shown = "not known" if edge is None else f"{length_text(edge)} ({source})"
        shape = " x ".join(map(str, volume.values.shape[:3]))
        # Beside JSON, which stands alone on the standard output.
        stream = sys.stderr if options.json else sys.stdout
        stream.write(f"{path.name}: {shape} voxels, voxel size {shown}\n")
    return volume


def _check_cubic(path: Path, size: float | None, step: float | None) -> None:
    """Refuse planes at another distance: a volume read in parts is not resampled."""
    if step is None:
        return
    if size is None:
        raise without_size(path, step)
    if not math.isclose(size, step, rel_tol=SIZE_TOLERANCE):
        raise ValueError(
            f"{path.name}: expected cubic voxels in an OME-Zarr volume, got "
            f"'Plane distance' {step:g} nm beside 'Pixel size' {size:g} nm; leave "
            "the distance out, or save the volume as TIFF or NPY."
        )


def _size_and_seed(options: Namespace) -> tuple[int, int]:
    """Edge and seed of the generated volume."""
    size: int = 128 if options.size is None else options.size
    seed: int = 1 if options.seed is None else options.seed
    return size, seed


def _transport_seeds(options: Namespace) -> int:
    """Volumes to generate for the transport properties."""
    n: int = 1 if options.transport_seeds is None else options.transport_seeds
    check_repeats("volumes for --transport-seeds", n, 1)
    return n


def report(options: Namespace) -> int:
    """Measure the quality of a generator and write the report."""
    path = generator_path(options.run)
    out = options.out or output_folder(options.run) / "report.html"
    check_can_write(out, *ENDINGS)
    check_can_write(out.with_suffix(".json"))
    source = _source(options, path)
    settings = ProofSettings(
        *_size_and_seed(options),
        options.seeds,
        transport=not options.quick,
        permeability=tuple(options.permeability),
        conductivities=tuple(options.conductivity),
        block_edge=options.block,
        transport_seeds=_transport_seeds(options),
    )
    trained = load_generator(path)
    origin = provenance_of(path, trained, options.licence)
    trained.network.to(choose_device("auto"))
    with progress_bar("Measuring") as progress:
        proof = prove(trained, source, settings, progress)
    numbers = write_report(proof, origin, out)
    judged = proof.verdict
    say(f"{judged.headline}: {judged.bound}. {judged.largest}")
    if proof.baseline_sentence:
        say(proof.baseline_sentence)
    if proof.physics:
        say(proof.physics.table())
    say(f"Saved {out}\nSaved {numbers}")
    return DONE


def _source(options: Namespace, path: Path) -> Source:
    """Reference: the given files, or the images of the run."""
    is_run = path.is_dir() and not is_pyramid(path)
    run = RunFolder.open(path) if is_run else None
    if options.against is None:
        if run is None:
            raise ValueError(
                "Give a reference to compare with by --against: image files of "
                "the real material, or a 3-D ground truth."
            )
        refuse_settings(options, "images by --against", "none")
        return run.images()
    is_file = run is None and path.suffix != ".safetensors"
    optional = ("z_step_nm",) if is_file else ()
    images = opened_as_of(run, options.against, options, optional=optional)
    return images[0] if len(images) == 1 else TrainingImages.isotropic(*images)


def export(options: Namespace) -> int:
    """Write the generator of a run with its model card."""
    out: Path = options.out
    for file, ending in ((out, ".safetensors"), (card_path(out), ".md")):
        check_can_write(file, ending)
    export_generator(options.run, out, half=options.half, licence=options.licence)
    say(f"Saved {out}\nSaved {card_path(out)}")
    return DONE


def info(options: Namespace) -> int:
    """Print facts about runs, generators and image files."""
    status = DONE
    for file in expanded(options.files):
        try:
            for line in _facts(file, options):
                say(line)
        except (ValueError, OSError) as error:
            if len(options.files) == 1:
                raise
            sys.stderr.write(f"slicegan: {in_words(error)}\n")
            status = FAULT
    return status


def _facts(file: str, options: Namespace) -> list[str]:
    """Lines about a run, a generator or an image."""
    path: Path | None = None
    if file.startswith(SAMPLE):
        with contextlib.suppress(ValueError):
            path = generator_path(Path(file))
    elif Path(file).suffix == ".safetensors" or (Path(file) / "config.json").is_file():
        path = Path(file)
    if path is None:
        config = RunConfig().changed(**changes_from(options))
        (image,) = opened([file], config.micrograph)
        images = TrainingImages.isotropic(image)
        return image.summary() + warning_lines(images, config)
    refuse_settings(options, "an image", "a generator")
    is_run = path.is_dir()
    lines = {}
    if not is_run or (path / GENERATOR).exists():
        lines = _facts_of_generator(load_any_generator(path))
    if is_run:
        lines |= _facts_of_run(RunFolder.open(path))
    head = [f"{file}:"] if len(options.files) > 1 else []
    return head + [f"{title:14} {text}" for title, text in lines.items()]


def _facts_of_generator(trained: TrainedNetwork) -> dict[str, str]:
    network = trained.network
    weights = sum(parameter.numel() for parameter in network.parameters())
    size = trained.voxel_size_nm
    return {
        "trained on": trained.name,
        "kind": trained.transform.kind,
        "architecture": network.spec.architecture,
        "weights": f"{weights:,}",
        "voxel size": "not known" if size is None else f"{size:g} nm",
    }


def _facts_of_run(folder: RunFolder) -> dict[str, str]:
    path, lines = folder.path, {}
    if (path / "micrographs").is_dir():
        lines["trained on"] = _listed(TrainingImages.names_in(path / "micrographs"))
    if not (path / GENERATOR).exists():
        lines["generator"] = f"none yet; slicegan resume {path} trains and saves it"
    n_steps, elapsed_s = folder.trained()
    lines["preset"] = folder.config().preset or "own settings"
    lines["steps"] = str(n_steps)
    lines["training"] = f"{elapsed_s:.0f} s"
    checkpoints = ", ".join(file.name for file in folder.checkpoints())
    lines["checkpoints"] = checkpoints or (
        f"none; slicegan resume {path} begins with the first step"
    )
    return lines


def _listed(names: list[str]) -> str:
    """All of few names, or the first and the number of the others."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    return f"{names[0]} and {len(names) - 1} more"
