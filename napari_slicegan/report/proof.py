"""Proof of quality: a generator measured against its training images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES
from napari_slicegan.generation.gaussian_field import SMALLEST_EDGE as SMALLEST_FIELD
from napari_slicegan.generation.gaussian_field import gaussian_phases
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.metrics.comparison import (
    FIGURES_BYTES,
    Comparison,
    check_measuring_memory,
    compare,
    with_labels_of,
)
from napari_slicegan.metrics.isotropy import Isotropy, isotropy
from napari_slicegan.metrics.judgement import FAR_FLOORS, Grade
from napari_slicegan.metrics.lattice import lattice_by_part
from napari_slicegan.metrics.novelty import (
    Channels,
    cut,
    diversity,
    memorisation,
    random_places,
)
from napari_slicegan.metrics.reference import (
    ISOTROPIC,
    Group,
    Source,
    check_source,
    reference_of,
    some_planes,
    views_of,
)
from napari_slicegan.metrics.representativity import WANTED, representativity
from napari_slicegan.metrics.sliced_wasserstein import SMALLEST_EDGE, RealPatches
from napari_slicegan.metrics.stored_volume import IN_3D
from napari_slicegan.report.physics import (
    DIFFUSIVITY,
    TORTUOSITY,
    Physics,
    PhysicsSettings,
    check_physics,
    check_physics_of,
    measure_physics,
)
from napari_slicegan.report.text import (
    MetricVerdict,
    Verdict,
    baseline_sentence,
    metric_verdicts,
    phase_name,
    verdict,
)
from napari_slicegan.runtime.limits import check_repeats
from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.config import Axis, Kind
    from napari_slicegan.metrics.rows import Row
    from napari_slicegan.metrics.stored_volume import AnyVolume
    from napari_slicegan.models.generator_file import TrainedGenerator

Images: TypeAlias = Sequence[NDArray[Any]]
Views: TypeAlias = Mapping["Axis | None", Images]

PLANES = 4
N_CROPS, CROP_EDGE = 64, 64
CHANCE = 0.01
# Smallest likeness of seeds that is reported.
ALIKE = 0.02
# Departures from isotropy that are neglected.
EVEN = 0.05
# A grid weaker than this, in standard deviations of the values, is called faint.
FAINT = 0.02
LATTICE_EDGE = 128
# Largest edge of the Gaussian field.
BASELINE_EDGE = 192


@dataclass(frozen=True)
class Check:
    """A question (``title``; ``name`` in files), its verdict in words, and the numbers.

    The grade is ``"unknown"`` for mere information.
    """

    name: str
    title: str
    grade: Grade
    verdict: str
    numbers: Mapping[str, float | None]


def slices_of(volume: Volume, axis: Axis | None) -> Images:
    """Planes of a generated volume, seen along one axis or all."""
    seen = AXES if axis is None else (axis,)
    return [plane for one in seen for plane in some_planes(volume.planes(one), PLANES)]


def check_size(samples: Group, volume: Volume) -> Check | None:
    """Whether the images are enough, and how large a volume must be."""
    images = [sample.values for sample in samples]
    isotropic = samples[0].axes is ISOTROPIC
    found = {
        label: representativity([image == label for image in images], isotropic)
        for label in volume.labels
    }
    known = {label: one for label, one in found.items() if one is not None}
    if not known:
        return None
    label, worst = max(known.items(), key=lambda pair: pair[1].relative)
    percent = 100 * worst.relative
    answer = "Yes" if worst.is_enough else "No"
    is_volume = samples[0].axes is IN_3D
    known_from = "volume" if is_volume else "images"
    needed = f"a square image of {math.ceil(worst.image_edge)} pixels"
    if worst.volume_edge is not None:
        needed += f", or a cube of {math.ceil(worst.volume_edge)} voxels,"
    verdict = (
        f"{answer}: from the real {known_from} the fraction of {phase_name(label)}, "
        f"{worst.fraction:.3g}, is known to ± {percent:.2g} % of its value (95 % "
        "confidence). "
        f"For ± {100 * WANTED:g} % it takes {needed} per edge."
    )
    grade: Grade = "agrees" if worst.is_enough else "close"
    if worst.relative > FAR_FLOORS * WANTED:
        grade = "differs"
    numbers = {
        "phase": float(label),
        "fraction": worst.fraction,
        "half_width_95": worst.half_width,
        "integral_range": worst.integral_range,
        "image_edge": worst.image_edge,
        "volume_edge": worst.volume_edge,
    }
    title = f"{'Is the real volume' if is_volume else 'Are the images'} large enough?"
    return Check("representativity", title, grade, verdict, numbers)


def check_isotropy(samples: Group, volume: Volume) -> Check | None:
    """Whether the material is isotropic, as assumed in training."""
    channels = {"phases": 0, "grayscale": 1, "colour": 3}[volume.kind]
    made = isotropy([volume.values], channels)
    taken = samples[0].axes is ISOTROPIC
    real = isotropy([one.values for one in samples], channels) if taken else None
    if made is None:
        return None
    grade: Grade = "unknown"
    words = f"Interfaces per length, generated: {_departures(made, AXES)}."
    if real is not None:
        words += f" Real: {_departures(real, ('along columns', 'along rows'))}."
        if not real.is_isotropic and abs(real.largest) > EVEN:
            grade = "differs"
            words = (
                "The images differ along rows and columns, but were taken as "
                f"isotropic: train with an image for each direction. {words}"
            )
        elif made.is_isotropic or abs(made.largest) <= EVEN:
            grade = "agrees"
            words = f"Isotropic to {100 * EVEN:g} %, as the images. {words}"
        else:
            grade = "differs"
            words = f"The images are isotropic, the generated volume is not. {words}"
    numbers: dict[str, float | None] = dict(zip(AXES, made.departures, strict=True))
    numbers["margin"] = made.margin
    return Check("isotropy", "Is it isotropic?", grade, words, numbers)


def check_lattice(volume: Volume) -> Check | None:
    """Whether the grid of the network's strides shows in the volume."""
    edges = [min(n, LATTICE_EDGE) for n in volume.values.shape[:3]]
    values = volume.values[tuple(map(slice, edges))]
    parts = lattice_by_part(values, volume.kind, volume.labels)
    found = [(one, part) for part in parts for one in parts[part]]
    if not found:
        return None
    worst, part = max(found, key=lambda pair: pair[0].excess)
    name = "the gray values" if part == "gray" else phase_name(part)
    grade: Grade = "agrees"
    words = "No: the mean does not depend on the position modulo 2, 4, 8, ... voxels."
    if worst.is_visible:
        grade = "differs" if worst.deviation > FAINT else "close"
        words = (
            f"{'Yes' if grade == 'differs' else 'Faintly'}: {name} repeats every "
            f"{worst.modulus} voxels, with {100 * worst.deviation:.2g} % of the "
            f"standard deviation; the strongest wave has {worst.strongest:.3g} times "
            "the power of its surroundings (by chance up to "
            f"{worst.strongest_limit:.3g})."
        )
    numbers: dict[str, float | None] = {
        f"deviation_{one.modulus}": max(
            other.deviation for other, _ in found if other.modulus == one.modulus
        )
        for one, _ in found
    }
    numbers |= {"modulus": float(worst.modulus), "excess": worst.excess}
    title = "Does it repeat the grid of the network?"
    return Check("lattice", title, grade, words, numbers)


def check_memorisation(views: Views, volume: Volume) -> Check | None:
    """Whether the generator copies the images."""
    generated: list[float] = []
    real: list[float] = []
    worst, copies = 1.0, 0
    channels = _channels(views, volume)
    for axis, images in views.items():
        made = memorisation(images, slices_of(volume, axis), channels, axis is None)
        if made is None:
            continue
        generated += made.generated
        real += made.real
        worst, copies = min(worst, made.probability), copies + made.copies
    if not real:
        return None
    numbers: dict[str, float | None] = {
        "generated_median": float(np.median(generated)),
        "real_median": float(np.median(real)),
        "probability": worst,
        "copies": float(copies),
    }
    medians = (
        f"A generated crop differs from the nearest real one "
        f"{_apart(generated, volume)}, a real crop from the nearest other one "
        f"{_apart(real, volume)} (medians)."
    )
    grade: Grade = "agrees"
    words = f"No sign of it. {medians}"
    if copies:
        grade, words = "differs", f"{copies} generated crops are copies. {medians}"
    elif worst < CHANCE / len(views):
        grade = "close"
        words = (
            "Generated crops are nearer to the images than real crops are to each "
            f"other: they repeat them in part, or are simpler. {medians}"
        )
    return Check("memorisation", "Does it copy the images?", grade, words, numbers)


def check_diversity(volumes: Images, labels: Sequence[int]) -> Check:
    """Whether other seeds make other volumes."""
    found = diversity(volumes, labels)
    limit = max(ALIKE, FAR_FLOORS * found.chance)
    alike = found.likeness > limit
    words = (
        f"Volumes of {found.n_volumes} seeds agree by {found.likeness:.3f} beyond "
        f"chance (1: equal); independent ones scatter by {found.chance:.3f}."
    )
    grade: Grade = "agrees"
    if alike:
        grade = "differs" if found.likeness > 0.2 else "close"
    answer = "Not quite: they share a pattern" if alike else "Yes"
    numbers = {"likeness": found.likeness, "chance": found.chance}
    title = "Do other seeds make other volumes?"
    return Check("diversity", title, grade, f"{answer}. {words}", numbers)


def check_textures(views: Views, volume: Volume) -> Check | None:
    """Sliced Wasserstein distance of slices, with that of two parts of the images."""
    channels = _channels(views, volume)
    generated, floors = [], []
    for axis, images in views.items():
        halves = _halves(images)
        made = slices_of(volume, axis)
        edges = [min(one.shape[:2]) for part in (*halves, made) for one in part]
        edge = min(CROP_EDGE, *edges)
        if edge < SMALLEST_EDGE:
            continue
        first, second, slices = (
            _crops(part, channels, edge) for part in (*halves, made)
        )
        patches = RealPatches(first)
        floors.append(patches.distance(second))
        generated += [patches.distance(slices), RealPatches(second).distance(slices)]
    # The halves of two copies of one image do not differ.
    if not any(floors):
        return None
    distance, floor = float(np.mean(generated)), float(np.mean(floors))
    ratio = distance / floor
    grade: Grade = "agrees" if ratio <= 1 else "close"
    words = {
        "agrees": "Indistinguishable from another part of the images",
        "close": "Close",
    }
    if ratio > FAR_FLOORS:
        grade = "differs"
    verdict = (
        f"{words.get(grade, 'Differs')}: sliced Wasserstein distance {distance:.3g}, "
        f"between two parts of the images {floor:.3g}."
    )
    numbers = {"distance": distance, "noise_floor": floor}
    title = "Do patches look alike at every scale?"
    return Check("sliced_wasserstein", title, grade, verdict, numbers)


def _apart(distances: Sequence[float], volume: Volume) -> str:
    median = float(np.median(distances))
    if volume.kind == "phases":
        return f"in {100 * median:.1f} % of its pixels"
    return f"by {median:.2f} standard deviations"


def _departures(found: Isotropy, names: Sequence[str]) -> str:
    parts = [
        f"{name} {100 * value:+.1f} %"
        for name, value in zip(names, found.departures, strict=True)
    ]
    return f"{', '.join(parts)} (chance: ± {100 * found.margin:.1f} %)"


def _channels(views: Views, volume: Volume) -> Channels:
    images = [image for of_axis in views.values() for image in of_axis]
    return Channels.of(volume.kind, volume.labels, images)


def _halves(images: Images) -> tuple[Images, Images]:
    """Two disjoint parts of the images: every other one, or halves of one image."""
    if len(images) > 1:
        return images[::2], images[1::2]
    (image,) = images
    axis = int(image.shape[1] > image.shape[0])
    middle = image.shape[axis] // 2
    first, second = np.split(image.take(range(2 * middle), axis), 2, axis)
    return [first], [second]


def _crops(images: Images, channels: Channels, edge: int) -> NDArray[Any]:
    """Random crops as channels, ``[N, C, edge, edge]``, always the same ones."""
    places = random_places(images, edge, N_CROPS, np.random.default_rng(0))
    split = [channels.split(image) for image in images]
    return np.stack([cut(split[place.image], place, edge) for place in places])


# Edge of the volumes of other seeds.
SEED_EDGE = 64
# Fraction of the time of all else beside transport properties.
QUICK_SHARE = 0.2


@dataclass(frozen=True)
class ProofSettings:
    """Volumes to generate and checks to run.

    Attributes
    ----------
    size
        Edge of the measured volume, in voxels, at least 32.
    seed
        Its seed; the following ones are used for diversity.
    n_seeds
        Number of volumes for diversity, at least 2.
    transport
        Whether to solve for diffusion, which takes minutes.
    permeability, conductivities, block_edge
        Further transport properties, see `PhysicsSettings`.
    transport_seeds
        Number of volumes, with successive seeds, of which they are measured.
    """

    size: int = 128
    seed: int = 1
    n_seeds: int = 4
    transport: bool = True
    permeability: tuple[int, ...] = ()
    conductivities: tuple[float, ...] = ()
    block_edge: int | None = None
    transport_seeds: int = 1

    def __post_init__(self) -> None:
        if self.n_seeds < 2 or self.size < 32:
            raise ValueError(
                "A report needs at least 2 seeds and a volume of 32 voxels per edge; "
                f"got {self.n_seeds} and {self.size}. Raise them."
            )
        check_repeats("volumes for diversity", self.n_seeds, 2)
        check_repeats("volumes for transport properties", self.transport_seeds, 1)

    def physics(self, kind: Kind) -> PhysicsSettings:
        """Transport properties; by default of phases only."""
        return PhysicsSettings(
            self.transport and kind == "phases",
            self.permeability,
            self.conductivities,
            self.block_edge,
        )


@dataclass(frozen=True, eq=False)
class Proof:
    """Comparison of a real material and a generated volume, and further checks.

    The baseline compares a Gaussian random field (see `generation.gaussian_field`) with
    the same material; None for gray values and colours, or for tiny images. The
    transport properties are None if they were not measured.
    """

    comparison: Comparison
    checks: tuple[Check, ...]
    source: Source
    volume: Volume
    settings: ProofSettings
    baseline: Comparison | None = None
    physics: Physics | None = None

    @property
    def verdict(self) -> Verdict:
        """Overall verdict of the comparison."""
        return verdict(self.comparison)

    @property
    def metrics(self) -> list[MetricVerdict]:
        """A verdict in words for each metric."""
        return metric_verdicts(self.comparison)

    @property
    def baseline_metrics(self) -> dict[str, MetricVerdict]:
        """Verdicts on the baseline by metric; empty if there is none."""
        found = metric_verdicts(self.baseline) if self.baseline else []
        return {one.metric: one for one in found}

    @property
    def baseline_sentence(self) -> str:
        """How the volume compares with the baseline; empty if there is none."""
        if self.baseline is None:
            return ""
        return baseline_sentence(self.comparison, self.baseline)

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dict."""
        baseline = None
        if self.baseline is not None:
            found = [_finite(asdict(one)) for one in self.baseline_metrics.values()]
            baseline = {
                "sentence": self.baseline_sentence,
                "verdict": asdict(verdict(self.baseline)),
                "metrics": found,
            }
        return {
            "verdict": asdict(self.verdict),
            "settings": asdict(self.settings),
            "metrics": [_finite(asdict(one)) for one in self.metrics],
            "checks": [
                {**asdict(one), "numbers": _finite(one.numbers)} for one in self.checks
            ],
            "baseline": baseline,
            "physics": self.physics.to_dict() if self.physics else None,
            "comparison": self.comparison.to_dict(),
        }


def prove(
    trained: TrainedGenerator,
    source: Source,
    settings: ProofSettings,
    progress: Progress | None = None,
) -> Proof:
    """Generate a volume and measure it against the real material.

    Parameters
    ----------
    trained
        The generator.
    source
        The real material, as for `napari_slicegan.compare`.
    settings
        Sizes and seeds of the volumes, and the checks.
    progress
        Called with the finished fraction.

    Raises
    ------
    ValueError
        If the source does not fit the generator.
    """
    wanted = settings.physics(trained.transform.kind)
    check_source(source, trained.transform.kind, trained.voxel_size_nm)
    if not wanted.is_empty:
        check_physics_of(trained, source, (settings.size,) * 3, wanted)
    check_measuring_memory((settings.size,) * 3, FIGURES_BYTES)
    n_volumes = 1 if wanted.is_empty else settings.transport_seeds
    volumes = []
    for number in range(n_volumes):
        plan = VolumePlan(trained, (settings.size,) * 3, settings.seed + number)
        start, end = (0.2 * one / n_volumes for one in (number, number + 1))
        volumes.append(plan.generate(subrange(progress, start, end)))
    volume, *further = volumes
    others = []
    for number in range(settings.n_seeds):
        plan = VolumePlan(trained, (SEED_EDGE,) * 3, settings.seed + 1 + number)
        share = 0.2 + 0.1 * number / settings.n_seeds
        other = plan.generate(subrange(progress, share, share))
        others.append(other.values)
    proof = examine(source, volume, settings, subrange(progress, 0.3, 1.0), further)
    found = check_diversity(others, volume.labels)
    return replace(proof, checks=(*proof.checks, found))


def examine(
    source: Source,
    volume: Volume,
    settings: ProofSettings,
    progress: Progress | None = None,
    others: Sequence[Volume] = (),
) -> Proof:
    """Measure a volume against the real material.

    Parameters
    ----------
    source
        The real material, as for `napari_slicegan.compare`.
    volume
        The generated one.
    settings
        Whether to solve for diffusion; seed and size of the volume.
    progress
        Called with the finished fraction.
    others
        Further volumes of the same generator, for the transport properties.

    Raises
    ------
    ValueError
        If the source does not fit the volume.
    """
    wanted, physics = settings.physics(volume.kind), None
    quick = 1.0 if wanted.is_empty else QUICK_SHARE
    report = subrange(progress, 0.0, quick)
    report(0.0)
    labelled = with_labels_of(source, volume)
    if not wanted.is_empty:
        check_physics(labelled, wanted)
    comparison = compare(source, volume)
    volume = labelled
    report(0.3)
    samples = reference_of(source, volume, comparison.max_distance).samples
    views = views_of(samples, PLANES)
    checks = []
    for number, check in enumerate(_checks(samples, views, volume), start=1):
        if check is not None:
            checks.append(check)
        report(0.3 + 0.08 * number)
    field = gaussian_like(samples, volume, settings.seed)
    baseline = None if field is None else compare(source, field)
    report(1.0)
    if not wanted.is_empty:
        part = subrange(progress, quick, 1.0)
        others = [with_labels_of(source, other) for other in others]
        physics = measure_physics(volume, wanted, source, field, part, others)
        comparison = _extended(comparison, physics.comparison_rows())
        if baseline is not None:
            baseline = _extended(baseline, physics.comparison_rows("gaussian"))
        if wanted.diffusivity:
            checks.append(_check_transport(physics, volume))
    return Proof(comparison, tuple(checks), source, volume, settings, baseline, physics)


def gaussian_like(samples: Group, volume: AnyVolume, seed: int) -> Volume | None:
    """A Gaussian random field like the samples, the baseline of a volume.

    None for gray values and colours, or for tiny images.
    """
    edge = min(min(sample.values.shape) for sample in samples)
    if volume.kind != "phases" or edge < SMALLEST_FIELD:
        return None
    labels = tuple(volume.labels)
    shape = [min(n, BASELINE_EDGE) for n in volume.values.shape]
    values = gaussian_phases(samples, labels, shape, seed)
    return Volume(values, "phases", volume.voxel_size_nm, labels)


def _extended(comparison: Comparison, rows: tuple[Row, ...]) -> Comparison:
    return replace(comparison, rows=(*comparison.rows, *rows))


def _checks(samples: Group, views: Views, volume: Volume) -> Iterator[Check | None]:
    """The checks, one after the other; None where one does not apply."""
    yield check_size(samples, volume) if volume.kind == "phases" else None
    yield check_isotropy(samples, volume)
    yield check_lattice(volume)
    yield check_textures(views, volume)
    yield check_memorisation(views, volume)


def _check_transport(physics: Physics, volume: Volume) -> Check:
    """How well each phase conducts, mean of the axes."""
    numbers: dict[str, float | None] = {}
    parts = []
    for label in volume.labels:
        means = {
            name: [physics.row(name, label, axis).generated.mean for axis in AXES]
            for name in (DIFFUSIVITY, TORTUOSITY)
        }
        mean = fmean(means[DIFFUSIVITY])
        # The fraction over the mean diffusivity.
        tortuosity = (
            1 / fmean(1 / one for one in means[TORTUOSITY]) if mean else math.inf
        )
        numbers[f"diffusivity_{label}"] = mean
        numbers[f"tortuosity_factor_{label}"] = tortuosity
        transport = (
            f"D_eff / D_0 {mean:.3g}, tortuosity factor {tortuosity:.3g}"
            if mean
            else "does not connect opposite faces, so nothing flows"
        )
        parts.append(f"{phase_name(label)}: {transport}")
    edges = " x ".join(map(str, physics.edges))
    words = f"Mean of the axes in blocks of {edges} voxels. {'; '.join(parts)}."
    title = "How well does it conduct?"
    return Check("transport", title, "unknown", words, numbers)


def _finite(numbers: Any) -> dict[str, Any]:
    """Infinity and NaN as None, for JSON."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in numbers.items()
    }
