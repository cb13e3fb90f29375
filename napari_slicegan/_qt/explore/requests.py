"""What is asked of the workers of the Explore panel, and what they bring back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_slicegan.config import Axis
    from napari_slicegan.directions import DirectionSet


@dataclass(frozen=True)
class Studied:
    """What the panel must know of a generator.

    Attributes
    ----------
    blocks
        Names of what can be edited, ``"latent"`` first.
    properties
        Those that can be measured quickly: key of ``PROPERTIES`` -> title with unit.
    """

    blocks: tuple[str, ...]
    properties: Mapping[str, str]


@dataclass(frozen=True)
class FitRequest:
    """What to look for.

    Attributes
    ----------
    block, n_components, n_samples
        As of `napari_slicegan.directions.fit_directions`.
    guided
        Properties that get a direction of their own.
    n_guided
        Volumes that are measured for these.
    """

    block: str = "block2"
    n_components: int = 6
    n_samples: int = 1000
    guided: tuple[str, ...] = ()
    n_guided: int = 300


@dataclass(frozen=True)
class SweepRequest:
    """A direction and the strengths from end to end."""

    name: str
    first: float = -3.0
    last: float = 3.0
    n: int = 7

    @property
    def strengths(self) -> tuple[float, ...]:
        """[n], evenly spaced."""
        step = (self.last - self.first) / (self.n - 1)
        return tuple(self.first + number * step for number in range(self.n))


@dataclass(frozen=True)
class GradeRequest:
    """What is asked for along an axis.

    Attributes
    ----------
    direction
        Name of the direction that is used.
    measured
        Key of ``PROPERTIES``.
    axis, first, last, n_slabs
        As of `napari_slicegan.directions.Grade`.
    """

    direction: str
    measured: str
    axis: Axis = "z"
    first: float = 0.2
    last: float = 0.3
    n_slabs: int = 8


@dataclass(frozen=True)
class Curve:
    """Properties of one sample against the strength of a direction.

    Attributes
    ----------
    strengths
        [N].
    properties
        By key of ``PROPERTIES``: [N].
    """

    strengths: tuple[float, ...]
    properties: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Row:
    """What is shown of one direction.

    Attributes
    ----------
    words
        What it really moves, in a line.
    facts
        Its effect on every property, a line for each.
    plotted
        Key and title of the property in the plot.
    curve
        The measured points.
    has_example
        Whether there is a volume that can be made again.
    """

    name: str
    words: str
    facts: str
    plotted: tuple[str, str]
    curve: Curve
    has_example: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """Directions that were fitted or loaded, and what is shown of them."""

    directions: DirectionSet
    rows: tuple[Row, ...]
    sentence: str
