"""The proof of quality: a generator measured against what it was trained on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_slicegan.generation import VolumePlan, generate_in_steps, scaled
from napari_slicegan.metrics.comparison import Comparison, compare
from napari_slicegan.metrics.reference import Source, reference_of
from napari_slicegan.metrics.transport import has_taufactor, tortuosity_factor
from napari_slicegan.reporting.proof_checks import (
    Check,
    check_diversity,
    check_isotropy,
    check_memorisation,
    check_size,
    check_textures,
    views_of,
)
from napari_slicegan.reporting.rows import phase_name, rows_of
from napari_slicegan.reporting.text import Verdict, verdict
from napari_slicegan.reporting.verdicts import MetricVerdict, metric_verdicts

if TYPE_CHECKING:
    from napari_slicegan.trained_generator import TrainedGenerator
    from napari_slicegan.volume import Volume

# Edge of the blocks that diffusion is solved in, and of the volumes of other seeds.
TRANSPORT_EDGE, SEED_EDGE = 96, 64
TRANSPORT = "effective_diffusivity"
NO_TAUFACTOR = (
    "Not measured: taufactor is missing; pip install 'napari-slicegan[metrics]'."
)


@dataclass(frozen=True)
class ProofSettings:
    """What is generated and measured.

    Attributes
    ----------
    size
        Edge of the volume that is measured, in voxels.
    seed
        Its seed; the following ones make the volumes for diversity.
    n_seeds
        Number of volumes for diversity, at least 2.
    transport
        Whether to solve for diffusion, which takes minutes.

    Raises
    ------
    ValueError
        If fewer than two seeds are wanted, or the volume is too small to be measured.
    """

    size: int = 128
    seed: int = 1
    n_seeds: int = 4
    transport: bool = True

    def __post_init__(self) -> None:
        if self.n_seeds < 2 or self.size < 32:
            raise ValueError(
                "A report needs at least 2 seeds and a volume of 32 voxels per edge; "
                f"got {self.n_seeds} and {self.size}. Raise them."
            )


@dataclass(frozen=True, eq=False)
class Proof:
    """All that was found about a generator.

    Attributes
    ----------
    comparison
        Metrics of the volume beside those of the real material.
    checks
        Further questions and answers.
    source, volume
        What was compared.
    settings
        What was generated.
    """

    comparison: Comparison
    checks: tuple[Check, ...]
    source: Source
    volume: Volume
    settings: ProofSettings

    @property
    def verdict(self) -> Verdict:
        """What the comparison amounts to."""
        return verdict(self.comparison)

    @property
    def metrics(self) -> list[MetricVerdict]:
        """A verdict in words for each metric."""
        return metric_verdicts(self.comparison)

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists, dicts and None only, ready for JSON."""
        judged = self.verdict
        return {
            "verdict": {
                "grade": judged.grade,
                "headline": judged.headline,
                "bound": judged.bound,
                "largest": judged.largest,
            },
            "settings": asdict(self.settings),
            "metrics": [_finite(asdict(one)) for one in self.metrics],
            "checks": [
                {**asdict(one), "numbers": _finite(one.numbers)} for one in self.checks
            ],
            "comparison": self.comparison.to_dict(),
        }


def prove(
    trained: TrainedGenerator, source: Source, settings: ProofSettings
) -> Generator[float, None, Proof]:
    """Generate and measure: yields the finished share, returns the proof.

    Parameters
    ----------
    trained
        The generator.
    source
        The real material, as for `napari_slicegan.compare`.
    settings
        What is generated and measured.

    Raises
    ------
    ValueError
        If the source does not fit the generator.
    """
    plan = VolumePlan(trained, (settings.size,) * 3, settings.seed)
    volume = yield from scaled(generate_in_steps(plan), 0.0, 0.2)
    others = []
    for number in range(settings.n_seeds):
        plan = VolumePlan(trained, (SEED_EDGE,) * 3, settings.seed + 1 + number)
        share = 0.2 + 0.1 * number / settings.n_seeds
        other = yield from scaled(generate_in_steps(plan), share, share)
        others.append(other.values)
    proof = yield from scaled(examine(source, volume, settings), 0.3, 1.0)
    found = check_diversity(others, volume.labels)
    return replace(proof, checks=(*proof.checks, found))


def examine(
    source: Source, volume: Volume, settings: ProofSettings
) -> Generator[float, None, Proof]:
    """Measure a volume: yields the finished share, returns the proof.

    Parameters
    ----------
    source
        The real material, as for `napari_slicegan.compare`.
    volume
        The generated one.
    settings
        Whether to solve for diffusion, and how the volume was made.

    Raises
    ------
    ValueError
        If the source does not fit the volume.
    """
    yield 0.0
    comparison = compare(source, volume)
    yield 0.3
    checks = []
    for check in _checks(source, volume, comparison.max_distance):
        checks.append(check)
        yield 0.3 + 0.1 * len(checks)
    if settings.transport and volume.kind == "phases":
        comparison, transport = _with_transport(comparison, source, volume)
        checks.append(transport)
    yield 1.0
    return Proof(comparison, tuple(checks), source, volume, settings)


def _checks(source: Source, volume: Volume, reach: int) -> Iterator[Check]:
    """Those that can be answered, one after the other."""
    samples = reference_of(source, volume, reach).samples
    views = views_of(samples)
    if volume.kind == "phases" and (size := check_size(samples, volume)):
        yield size
    if even := check_isotropy(samples, volume):
        yield even
    if textures := check_textures(views, volume):
        yield textures
    if copied := check_memorisation(views, volume):
        yield copied


def _with_transport(
    comparison: Comparison, source: Source, volume: Volume
) -> tuple[Comparison, Check]:
    """The comparison with rows of diffusivities, and what they say."""
    title = "How well does it conduct?"
    if not has_taufactor():
        return comparison, Check("transport", title, "unknown", NO_TAUFACTOR, {})
    corner = (slice(TRANSPORT_EDGE),) * 3
    block = replace(volume, values=volume.values[corner])
    found = compare(source, block, comparison.max_distance, (TRANSPORT,))
    rows = rows_of(found, TRANSPORT)
    numbers: dict[str, float | None] = {}
    parts = []
    for label in volume.labels:
        values = [row.generated for row in rows if row.phase == label]
        mean = fmean(value for value in values if isinstance(value, float))
        fraction = float((block.values == label).mean())
        tortuosity = tortuosity_factor(fraction, mean)
        numbers[f"diffusivity_{label}"] = mean
        numbers[f"tortuosity_factor_{label}"] = tortuosity
        told = (
            f"D_eff / D_0 {mean:.3g}, tortuosity factor {tortuosity:.3g}"
            if mean
            else "does not connect opposite faces, so nothing flows"
        )
        parts.append(f"{phase_name(label)}: {told}")
    edges = " x ".join(map(str, block.values.shape))
    words = f"Mean of the axes in {edges} voxels. {'; '.join(parts)}."
    check = Check("transport", title, "unknown", words, numbers)
    return replace(comparison, rows=(*comparison.rows, *rows)), check


def _finite(numbers: Any) -> dict[str, Any]:
    """JSON knows neither infinity nor NaN."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in numbers.items()
    }
