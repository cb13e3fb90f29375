"""Blocks of a volume and of its pyramid, and how blocks are halved."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Block:
    """Place of a block: its level, 0 is the volume itself, and its place in the grid.

    Attributes
    ----------
    place
        Number along z, y, x.
    """

    level: int
    place: Size


@dataclass(frozen=True)
class BlockTree:
    """All blocks of a volume.

    Attributes
    ----------
    size
        Voxels of the volume along z, y, x.
    edges
        Voxels of a block along z, y, x, the same at each level; even numbers.
    levels
        Levels of the pyramid, the volume included.
    """

    size: Size
    edges: Size
    levels: int

    def __post_init__(self) -> None:
        if any(edge < 2 or edge % 2 for edge in self.edges):
            raise ValueError(
                "Expected blocks of an even number of voxels along each axis, got "
                f"{self.edges}; change the size of the tiles."
            )

    @cached_property
    def count(self) -> int:
        """Number of blocks of all levels."""
        return sum(math.prod(self.grid(level)) for level in range(self.levels))

    def shape(self, level: int) -> Size:
        """Voxels of a level along z, y, x."""
        z, y, x = (-(-n // 2**level) for n in self.size)
        return (z, y, x)

    def grid(self, level: int) -> Size:
        """Blocks of a level along z, y, x."""
        z, y, x = (
            -(-n // e) for n, e in zip(self.shape(level), self.edges, strict=True)
        )
        return (z, y, x)

    def target(self, block: Block) -> Box:
        """Place of the voxels of a block in its level."""
        z, y, x = (
            slice(number * edge, min((number + 1) * edge, n))
            for number, edge, n in zip(
                block.place, self.edges, self.shape(block.level), strict=True
            )
        )
        return (z, y, x)

    def children(self, block: Block) -> list[Block]:
        """Blocks of the next finer level that a block is downsampled from: up to 8."""
        if block.level == 0:
            return []
        spans = (
            range(2 * number, min(2 * number + 2, n))
            for number, n in zip(block.place, self.grid(block.level - 1), strict=True)
        )
        return [
            Block(block.level - 1, (z, y, x)) for z, y, x in itertools.product(*spans)
        ]

    def part_of_parent(self, child: Block) -> Box:
        """Place of the halved child in its parent, from the parent's first voxel."""
        sides = []
        for number, edge, span in zip(
            child.place, self.edges, self.target(child), strict=True
        ):
            first = number % 2 * edge // 2
            sides.append(slice(first, first + -(-(span.stop - span.start) // 2)))
        z, y, x = sides
        return (z, y, x)

    def in_order(self) -> Iterator[Block]:
        """All blocks, each soon after its children.

        The order is fixed: a volume grows in compact pieces, and hardly more than one
        path to the top is unfinished at any time.
        """
        top = self.levels - 1
        for z, y, x in itertools.product(*map(range, self.grid(top))):
            yield from self._after_children(Block(top, (z, y, x)))

    def _after_children(self, block: Block) -> Iterator[Block]:
        for child in self.children(block):
            yield from self._after_children(child)
        yield block


def levels_for(size: Size, edges: Size) -> int:
    """Levels of a pyramid whose coarsest level is a single block."""
    halvings = (
        max(0, math.ceil(math.log2(n / edge)))
        for n, edge in zip(size, edges, strict=True)
    )
    return 1 + max(halvings)


def inner_edge(edge: int, largest: int) -> int:
    """Largest divisor of an edge up to a limit: the chunks inside of a block."""
    return max(n for n in range(1, min(edge, largest) + 1) if edge % n == 0)


def halved_phases(labels: NDArray[Any]) -> NDArray[Any]:
    """The commonest label of each 2 x 2 x 2 voxels, [Z, Y, X].

    Where labels are equally common, the one that occurs first in the order z, y, x:
    a fixed winner, such as the lowest, would change the phase fractions.

    Returns
    -------
    ndarray
        [ceil(Z / 2), ceil(Y / 2), ceil(X / 2)] of the same type. A last voxel without
        a neighbour counts twice.
    """
    eight = _eight(labels)
    best = eight[0].copy()
    most = _votes(eight, best)
    for candidate in eight[1:]:
        votes = _votes(eight, candidate)
        np.copyto(best, candidate, where=votes > most)
        np.maximum(most, votes, out=most)
    return best


def halved_values(values: NDArray[Any]) -> NDArray[Any]:
    """Mean of each 2 x 2 x 2 voxels, [Z, Y, X] or [Z, Y, X, 3]; shape as for phases.

    Integers are rounded, halves to the even number.
    """
    eight = _eight(values)
    mean = eight[0].astype(np.float64)
    for one in eight[1:]:
        mean += one
    mean /= 8
    if values.dtype.kind in "iu":
        np.rint(mean, out=mean)
    return mean.astype(values.dtype)


def _votes(eight: list[NDArray[Any]], candidate: NDArray[Any]) -> NDArray[np.uint8]:
    """How many of the eight are equal to a candidate."""
    votes = np.zeros(candidate.shape, np.uint8)
    for one in eight:
        votes += one == candidate
    return votes


def _eight(values: NDArray[Any]) -> list[NDArray[Any]]:
    """The eight voxels of each cell, in the order z, y, x."""
    odd = [(0, n % 2) for n in values.shape[:3]]
    if any(more for _, more in odd):
        rest = [(0, 0)] * (values.ndim - 3)
        values = np.pad(values, [*odd, *rest], mode="edge")
    # Copies: comparing every other voxel in place takes several times as long.
    return [
        np.ascontiguousarray(values[z::2, y::2, x::2])
        for z, y, x in itertools.product(range(2), repeat=3)
    ]
