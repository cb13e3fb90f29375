"""The blocks of a volume and of its pyramid, and the order in which they are made.

A block is what is written at once: one tile of the volume, or of a coarser level, whose
voxels stand for 2 x 2 x 2 of the level below it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

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
        z, y, x = map(_quotient, self.shape(level), self.edges)
        return (z, y, x)

    def target(self, block: Block) -> Box:
        """Where the voxels of a block go in its level."""
        z, y, x = (
            slice(number * edge, min((number + 1) * edge, n))
            for number, edge, n in zip(
                block.place, self.edges, self.shape(block.level), strict=True
            )
        )
        return (z, y, x)

    def children(self, block: Block) -> list[Block]:
        """Blocks of the level below that a block is made from: up to eight."""
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
        """Where the halved child goes in its parent, from the parent's first voxel."""
        target = self.target(child)
        z, y, x = (
            slice(at, at + -(-(span.stop - span.start) // 2))
            for at, span in (
                ((number % 2) * edge // 2, span)
                for number, edge, span in zip(
                    child.place, self.edges, target, strict=True
                )
            )
        )
        return (z, y, x)

    def in_order(self) -> Iterator[Block]:
        """All blocks, each soon after those that it is made from.

        The order does not depend on what is made already, so that a volume grows in
        compact pieces, and hardly more than its path to the top is begun at a time.
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


def _quotient(voxels: int, edge: int) -> int:
    return -(-voxels // edge)
