"""Anchors of the realness game: what the critic is to say of real and generated images.

An anchor is a distribution over the outcomes of the critic, which stand at equal
distances on [-1, 1]; the first outcome means generated, the last one real. Source:
Xiangli et al. 2020, section 3, and the settings of the authors' experiments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from napari_slicegan.config.game import AnchorLaw

DRAWS = 1000
# Shape of the skew-normal law at a skew of 1.
SKEW_NORMAL_SHAPE = 5.0


class Anchors(Protocol):
    """Source of the two anchors of a step."""

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Anchors of real and of generated images, each [outcomes] of sum 1."""


@dataclass(frozen=True)
class NormalAndUniform:
    """Histograms of a uniform (real) and a normal sample (generated), moved apart.

    Attributes
    ----------
    skew
        How far the outcomes are moved, up for real and down for generated images;
        mass that would leave [-1, 1] gathers at its end.
    """

    outcomes: int
    skew: float

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Anchors of real and of generated images, each [outcomes] of sum 1."""
        uniform = 2 * torch.rand(DRAWS, generator=rng) - 1
        normal = torch.randn(DRAWS, generator=rng)
        return (
            skewed(histogram(uniform, self.outcomes), self.skew),
            skewed(histogram(normal, self.outcomes), -self.skew),
        )


@dataclass(frozen=True)
class SkewNormal:
    """Histograms of two skew-normal samples, with their peaks at opposite ends.

    Attributes
    ----------
    skew
        Shape of the law in units of ``SKEW_NORMAL_SHAPE``.
    """

    outcomes: int
    skew: float

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Anchors of real and of generated images, each [outcomes] of sum 1."""
        shape = SKEW_NORMAL_SHAPE * self.skew
        real = skew_normal(-shape, DRAWS, rng)
        generated = skew_normal(shape, DRAWS, rng)
        return histogram(real, self.outcomes), histogram(generated, self.outcomes)


@dataclass(frozen=True)
class Fixed:
    """The same two anchors in every step, scaled to a sum of 1."""

    real: Sequence[float]
    generated: Sequence[float]

    def draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Anchors of real and of generated images, each [outcomes] of sum 1."""
        real = torch.tensor(self.real, dtype=torch.float64)
        generated = torch.tensor(self.generated, dtype=torch.float64)
        return real / real.sum(), generated / generated.sum()


def choose_anchors(
    law: AnchorLaw,
    outcomes: int,
    skew: float,
    real: Sequence[float] = (),
    generated: Sequence[float] = (),
) -> Anchors:
    """Anchors of the settings.

    Parameters
    ----------
    real, generated
        Own anchors, for the law "custom".

    Raises
    ------
    ValueError
        If own anchors do not have a number for each outcome, or no positive one.
    """
    if law == "normal-uniform":
        return NormalAndUniform(outcomes, skew)
    if law == "skew-normal":
        return SkewNormal(outcomes, skew)
    for title, anchor in (("real", real), ("generated", generated)):
        if len(anchor) != outcomes or not sum(anchor) > 0:
            raise ValueError(
                f"'Anchor, {title}' must hold {outcomes} numbers, one for each of the "
                f"'Outcomes', some of them above 0; got {len(anchor)}: "
                f"{', '.join(f'{number:g}' for number in anchor) or 'none'}."
            )
    return Fixed(real, generated)


def histogram(sample: Tensor, outcomes: int) -> Tensor:
    """Shares of a sample in equal bins from its smallest to its largest value.

    Parameters
    ----------
    sample
        [n], on the CPU.
    """
    counts = torch.histc(sample, outcomes)  # without limits: those of the sample
    return counts / counts.sum()


def skewed(anchor: Tensor, skew: float) -> Tensor:
    """Anchor whose outcomes moved by ``skew`` on [-1, 1], put back on the grid.

    Each outcome's mass goes to the two nearest grid points in proportion, as in the
    projection of distributional reinforcement learning (Bellemare et al. 2017, eq. 7).

    Parameters
    ----------
    anchor
        [outcomes], summing to 1.
    skew
        From -2 to 2; 0 changes nothing.
    """
    n = len(anchor)
    places = torch.arange(n, dtype=torch.float64)
    moved = (places + skew * (n - 1) / 2).clamp(0, n - 1)
    shares = (1 - (moved[:, None] - places).abs()).clamp_min(0)  # [from, to]
    return (anchor.double() @ shares).to(anchor.dtype)


def skew_normal(shape: float, n: int, rng: torch.Generator) -> Tensor:
    """Sample of the skew-normal law, [n]; Azzalini (1985).

    delta |a| + sqrt(1 - delta^2) b, a and b normal, delta = shape / sqrt(1 + shape^2).
    """
    delta = shape / math.hypot(1, shape)
    folded = torch.randn(n, generator=rng).abs()
    return delta * folded + math.sqrt(1 - delta**2) * torch.randn(n, generator=rng)
