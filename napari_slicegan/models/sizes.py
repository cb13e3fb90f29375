"""Size arithmetic of generators and the rules of uniform information density.

Every layer maps n positions per axis to ``scale * n + offset``; so does a chain of
layers. Rules: Kench & Cooper 2021, "Requirements for uniform information density".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_slicegan.config import KernelSet

FIRST_LAYERS: KernelSet = (4, 2, 2)
LAST_LAYER: KernelSet = (4, 2, 3)


@dataclass(frozen=True)
class SizeRule:
    """Output size as a function of the input size: ``scale * n + offset``."""

    scale: int
    offset: int

    def output_size(self, latent_size: int) -> int:
        """Voxels per axis from ``latent_size`` latent positions."""
        return self.scale * latent_size + self.offset

    def latent_size(self, voxels: int) -> int:
        """Smallest number of latent positions that gives at least ``voxels``."""
        return -((self.offset - voxels) // self.scale)

    @property
    def overlap(self) -> int:
        """Latent positions that adjacent tiles must share."""
        return -(self.offset // self.scale)

    def centre(self, position: NDArray[np.int64]) -> NDArray[np.float64]:
        """Output coordinate of a latent position, in voxels from the first voxel."""
        first = (self.offset + self.scale - 1) / 2
        return np.asarray(self.scale * position + first, np.float64)

    def after(self, first: SizeRule) -> SizeRule:
        """Rule of ``first`` followed by this one."""
        return SizeRule(
            self.scale * first.scale, self.scale * first.offset + self.offset
        )


def transposed_rule(layer: KernelSet) -> SizeRule:
    """Size rule of a transposed convolution: (n - 1) s - 2 p + k."""
    kernel, stride, padding = layer
    return SizeRule(stride, kernel - stride - 2 * padding)


def chain_rule(rules: Sequence[SizeRule]) -> SizeRule:
    """Size rule of several layers, first to last."""
    whole = SizeRule(1, 0)
    for rule in rules:
        whole = rule.after(whole)
    return whole


def default_layers(count: int) -> tuple[KernelSet, ...]:
    """The paper's kernels for ``count`` layers: {4,2,2}, and {4,2,3} last."""
    return (FIRST_LAYERS,) * (count - 1) + (LAST_LAYER,)


def check_density(layer: KernelSet) -> None:
    """Refuse kernels that violate uniform information density.

    Raises
    ------
    ValueError
        If the kernels do not overlap (s >= k), leave a checkerboard (k mod s) or
        starve the border (p < k - s).
    """
    kernel, stride, padding = layer
    text = "{" + f"{kernel},{stride},{padding}" + "}"
    if stride >= kernel:
        raise ValueError(
            f"Generator layer {text}: the stride must be smaller than the kernel so "
            f"that kernels overlap; use for example {{4,2,2}}."
        )
    if kernel % stride:
        raise ValueError(
            f"Generator layer {text}: the kernel must be a multiple of the stride, "
            "otherwise the volume shows a checkerboard; use for example {4,2,2}."
        )
    if padding < kernel - stride:
        raise ValueError(
            f"Generator layer {text}: the padding must be at least kernel - stride = "
            f"{kernel - stride}, otherwise the border gets less information than the "
            f"inside; use {{{kernel},{stride},{kernel - stride}}}."
        )


def check_growth(rules: Sequence[SizeRule], latent_size: int) -> None:
    """Refuse chains with a layer whose output is not larger than its input.

    Raises
    ------
    ValueError
        For example for {6,2,4} with its fixed point, a latent size of 4.
    """
    size = latent_size
    for number, rule in enumerate(rules, start=1):
        grown = rule.output_size(size)
        if grown <= size:
            raise ValueError(
                f"Generator layer {number} turns {size} positions per axis into "
                f"{max(grown, 0)}, so the volume never grows; use a larger 'Latent "
                f"size' than {latent_size} or a layer with less padding."
            )
        size = grown
