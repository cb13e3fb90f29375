"""The blocks of a volume and its pyramid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_slicegan.volumes.block_tree import Block, BlockTree, inner_edge, levels_for

TREES = [
    BlockTree((8, 8, 8), (8, 8, 8), 1),
    BlockTree((33, 16, 9), (8, 8, 8), 4),
    BlockTree((1, 40, 17), (2, 8, 8), 4),
    BlockTree((20, 20, 20), (8, 6, 4), 2),
]


def test_blocks_cover_each_voxel_of_each_level_once(subtests: pytest.Subtests) -> None:
    for tree in TREES:
        with subtests.test(tree=tree):
            counts = [np.zeros(tree.shape(level), int) for level in range(tree.levels)]
            for block in tree.in_order():
                counts[block.level][tree.target(block)] += 1
            assert all((count == 1).all() for count in counts)
            assert tree.count == len(list(tree.in_order()))


def test_children_cover_their_parent_and_come_before_it(
    subtests: pytest.Subtests,
) -> None:
    for tree in TREES:
        with subtests.test(tree=tree):
            made: set[Block] = set()
            for block in tree.in_order():
                children = tree.children(block)
                assert made.issuperset(children)
                made.add(block)
                if block.level == 0:
                    assert not children
                    continue
                shape = [span.stop - span.start for span in tree.target(block)]
                count = np.zeros(shape, int)
                for child in children:
                    count[tree.part_of_parent(child)] += 1
                    # A voxel stands for those at twice its place.
                    for axis in range(3):
                        first = tree.target(child)[axis].start
                        part = tree.part_of_parent(child)[axis].start
                        assert 2 * (tree.target(block)[axis].start + part) == first
                assert (count == 1).all()


def test_few_blocks_wait_for_others() -> None:
    """Of 4096 tiles at most seven per level are finished but not yet halved."""
    tree = BlockTree((128, 128, 128), (8, 8, 8), 5)
    waiting: set[Block] = set()
    for block in tree.in_order():
        waiting -= set(tree.children(block))
        waiting.add(block)
        assert len(waiting) <= 7 * 4 + 1


def test_levels_end_with_a_single_block() -> None:
    sizes = (1, 7, 8, 9, 16, 17, 200)
    for z, y in itertools.product(sizes, sizes):
        size, edges = (z, y, 8), (8, 8, 8)
        levels = levels_for(size, edges)
        tree = BlockTree(size, edges, levels)
        assert tree.grid(levels - 1) == (1, 1, 1)
        assert levels == 1 or tree.grid(levels - 2) != (1, 1, 1)


def test_a_volume_of_10_to_12_voxels() -> None:
    """10,000 voxels per axis in tiles of 192: 53 per axis, and six coarser levels."""
    tree = BlockTree((10_000,) * 3, (192,) * 3, levels_for((10_000,) * 3, (192,) * 3))
    assert tree.levels == 7
    grids = (53, 27, 14, 7, 4, 2, 1)
    assert tree.count == sum(n**3 for n in grids)


def test_chunks_divide_a_block() -> None:
    assert [inner_edge(edge, 64) for edge in (192, 200, 64, 6, 2)] == [64, 50, 64, 6, 2]


def test_blocks_that_cannot_be_halved_are_refused(subtests: pytest.Subtests) -> None:
    for edges in [(8, 8, 7), (0, 8, 8)]:
        with subtests.test(edges=edges):
            with pytest.raises(ValueError, match="even number of voxels"):
                BlockTree((16, 16, 16), edges, 1)
