"""A direction: the offsets of one unit of a slider, and their measured effects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_slicegan.config import AXES, dimensions_of
from napari_slicegan.config.architecture import TASKS
from napari_slicegan.generation.edits import Edit
from napari_slicegan.models.network import LATENT

if TYPE_CHECKING:
    from napari_slicegan.directions.components import Numbers
    from napari_slicegan.generation.regions import Region
    from napari_slicegan.models.generator_file import TrainedNetwork

Kind = Literal["component", "guided", "condition", "random"]
NO_PROPERTY = "no measured property"
MOST_STRENGTH = 1000.0
"""Largest strength. Offsets much beyond it are no numbers of float32 in the blocks."""
# Must be equal in two generators so that a direction of one fits the other; the size
# of the training volumes does not matter.
SHARED = {
    "architecture": "networks",
    "channels": "output channels",
    "output": "output values",
    "latent_channels": "latent channels",
    "widths": "widths",
    "layers": "kernels",
    "normalisation": "normalisation",
    "size": "image sizes",
}


RENAMED_PROPERTIES = {"face_density": "interface_density"}
"""Names in files and scripts of earlier versions -> keys of ``PROPERTIES``."""


@dataclass(frozen=True)
class Effect:
    """Measured effect of a direction on one property.

    Attributes
    ----------
    measured
        The property, a key of ``PROPERTIES``.
    slope, slope_error
        Change for one unit of strength, mean over seeds, and half the width of its
        95 % confidence interval (Student's t over the seeds).
    spearman
        Rank correlation of strength and property, mean over seeds.
    span
        Change from the lowest strength to the highest, mean over seeds.
    random_span
        Mean size of that change along random directions.
    """

    measured: str
    slope: float
    slope_error: float
    spearman: float
    span: float
    random_span: float

    @property
    def times_random(self) -> float:
        """Size of the change in units of that of random directions."""
        return abs(self.span) / max(self.random_span, 1e-12)

    @property
    def is_real(self) -> bool:
        """Whether the effect is monotonic, significant and beyond random directions."""
        return self.is_sure and self.times_random >= 3

    @property
    def is_measurable(self) -> bool:
        """Whether it exceeds its error when both are shown with one digit."""
        slope, error = (float(f"{abs(n):.1g}") for n in (self.slope, self.slope_error))
        return slope > error

    @property
    def is_sure(self) -> bool:
        """Whether the effect is monotonic and significant."""
        return abs(self.spearman) >= 0.9 and abs(self.slope) > self.slope_error


@dataclass(frozen=True)
class Example:
    """A volume generated with a direction, reproducible bit for bit.

    Attributes
    ----------
    seed, size, periodic, truncation
        See `napari_slicegan.generation.generate.VolumePlan`.
    strength, first, last, region
        See `Direction.edit`; the region as its state.
    digest
        SHA-256 of the volume's values.
    """

    seed: int
    size: tuple[int, int, int]
    strength: float
    first: str
    last: str
    region: dict[str, Any] | None
    periodic: str
    truncation: float
    digest: str


@dataclass(frozen=True, eq=False)
class Direction:
    """Direction in the latents and block outputs, controlled by one slider.

    Attributes
    ----------
    name
        Chosen by the user, or the component's or the property's.
    kind
        Method by which it was found.
    offsets
        By block, first to last, beginning with ``"latent"``: added to its channels at
        strength 1. Strength 1 is one standard deviation in volumes of the training
        size; it is the same absolute step in volumes of any size.
    share
        Of a component, the fraction of the features' variance that it explains; guided,
        the fraction of the property's variance that the latents explain (R squared).
    effects
        Measured effects; empty if not measured.
    example
        A reproducible volume, if one was noted.
    block
        Block that is edited by default.
    guide
        Of a guided direction, the property, a key of ``PROPERTIES``.
    """

    name: str
    kind: Kind
    offsets: Mapping[str, Numbers]
    share: float | None = None
    effects: tuple[Effect, ...] = ()
    example: Example | None = None
    block: str = LATENT
    guide: str | None = None

    def edit(
        self,
        strength: float,
        first: str | None = None,
        last: str | None = None,
        region: Region | None = None,
    ) -> Edit:
        """Edit of a strength at a block, or divided evenly among a range of blocks.

        Parameters
        ----------
        strength
            In standard deviations; a region multiplies it.
        first, last
            Blocks from first to last, both included; ``"latent"`` stands before the
            first. `last` is `first` if left out, and `first` the direction's own block.
        region
            Where it acts; None is everywhere.

        Raises
        ------
        ValueError
            If there is no such block, or the strength is beyond `MOST_STRENGTH`.
        """
        if not abs(strength) <= MOST_STRENGTH:  # also of NaN
            raise ValueError(
                f"Expected a strength from -{MOST_STRENGTH:g} to {MOST_STRENGTH:g} "
                f"standard deviations, got {strength:g}; choose one in this range."
            )
        start = self.block if first is None else first
        names = self._blocks(start, start if last is None else last)
        share = strength / len(names)
        return Edit({name: share * self.offsets[name] for name in names}, region)

    def _blocks(self, first: str, last: str) -> list[str]:
        names = list(self.offsets)
        for name in (first, last):
            if name not in names:
                raise ValueError(
                    f"Expected one of the blocks {', '.join(names)} of the direction "
                    f"'{self.name}', got '{name}'; choose one of them."
                )
        start, stop = names.index(first), names.index(last)
        if start > stop:
            raise ValueError(
                f"Expected blocks from first to last, got '{first}' to '{last}'; swap "
                "them."
            )
        return names[start : stop + 1]

    @property
    def strongest(self) -> Effect | None:
        """Effect on the guiding property if significant, else the largest real effect.

        Effects are compared in units of those of random directions.
        """
        guided = [effect for effect in self.effects if effect.measured == self.guide]
        if guided and guided[0].is_sure:
            return guided[0]
        real = [effect for effect in self.effects if effect.is_real]
        return max(real, key=lambda effect: effect.times_random, default=None)

    def cosine(self, other: Direction, block: str = LATENT) -> float:
        """Cosine of the angle between two directions in one block."""
        one, two = self.offsets[block].ravel(), other.offsets[block].ravel()
        lengths = float(np.linalg.norm(one) * np.linalg.norm(two))
        return float(one @ two / lengths) if lengths else 0.0


@dataclass(frozen=True)
class Model:
    """The generator that directions belong to.

    Attributes
    ----------
    facts
        Must be equal in a generator to use them.
    weights
        SHA-256 of the weights.
    name
        Training data.
    lineage
        See `napari_slicegan.models.generator_file.TrainedNetwork`.
    """

    facts: Mapping[str, Any]
    weights: str
    name: str = field(compare=False)
    lineage: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, trained: TrainedNetwork) -> Model:
        """Model of a generator."""
        spec = asdict(trained.network.spec)
        # Tuples as lists, as JSON has them.
        facts = json.loads(json.dumps({n: spec[n] for n in SHARED if n in spec}))
        return cls(facts, trained.weights_digest(), trained.name, trained.lineage)

    @property
    def dimensions(self) -> int:
        """Of the samples: 3 for volumes, 2 for images."""
        architecture = str(self.facts.get("architecture"))
        # That of a plugin that is not installed is unknown.
        return dimensions_of(architecture) if architecture in TASKS else len(AXES)

    def is_relative(self, trained: TrainedNetwork) -> bool:
        """Whether this is the generator, or a state or descendant of its run."""
        known = {self.weights, *self.lineage[-1:]}
        return not known.isdisjoint({trained.weights_digest(), *trained.lineage})

    def check(self, trained: TrainedNetwork) -> None:
        """Refuse a generator that these directions do not fit.

        Raises
        ------
        ValueError
            Says what differs.
        """
        theirs = Model.of(trained)
        for name, words in SHARED.items():
            wanted, got = self.facts.get(name), theirs.facts.get(name)
            if wanted != got:
                raise ValueError(
                    f"The directions are of a generator with other {words}: expected "
                    f"{_shown(wanted)}, got {_shown(got)}; find directions in this "
                    "generator or give the one that they belong to."
                )


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        parts = (
            ",".join(map(str, part)) if isinstance(part, list) else str(part)
            for part in value
        )
        return " ".join(parts)
    return str(value)
