"""Size arithmetic, and the kernels that are refused."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from napari_slicegan.models.sizes import (
    SizeRule,
    chain_rule,
    check_density,
    check_growth,
    default_layers,
    transposed_rule,
)

if TYPE_CHECKING:
    from napari_slicegan.config import KernelSet

PAPER = chain_rule([transposed_rule(layer) for layer in default_layers(5)])

# Kernel, stride, padding and what Kench & Cooper 2021 say they make of n positions:
# 2n - 2, 2n - 4, 3n - 3, 2n - 4.
NAMED: list[tuple[KernelSet, SizeRule]] = [
    ((4, 2, 2), SizeRule(2, -2)),
    ((4, 2, 3), SizeRule(2, -4)),
    ((6, 3, 3), SizeRule(3, -3)),
    ((6, 2, 4), SizeRule(2, -4)),
]


def test_rules_of_the_named_kernels() -> None:
    for layer, rule in NAMED:
        assert transposed_rule(layer) == rule


def test_rules_are_those_of_torch() -> None:
    """The true edge is that of torch's own layer."""
    for layer in [layer for layer, _ in NAMED] + [
        (3, 1, 2),
        (8, 4, 4),
        (9, 3, 7),
        (5, 2, 0),
    ]:
        kernel, stride, padding = layer
        true_layer = nn.ConvTranspose3d(1, 1, kernel, stride, padding)
        for edge in (6, 7, 10):
            with torch.no_grad():
                made = true_layer(torch.zeros(1, 1, edge, edge, edge))
            assert transposed_rule(layer).output_size(edge) == made.shape[-1]


def test_chain_of_the_paper() -> None:
    """32 (L - 2) voxels per axis: 4 -> 6 -> 10 -> 18 -> 34 -> 64."""
    assert SizeRule(32, -64) == PAPER
    # Edges for latents of 4, 5, 6, 8 and 18, from the paper's chain by hand.
    made = [PAPER.output_size(n) for n in (4, 5, 6, 8, 18)]
    assert made == [64, 96, 128, 192, 512]


def test_chain_is_its_layers_one_after_the_other() -> None:
    rules = [rule for _, rule in NAMED]
    for size in range(1, 9):
        edge = size
        for rule in rules:
            edge = rule.output_size(edge)
        assert chain_rule(rules).output_size(size) == edge


def test_latent_size_is_the_smallest_that_suffices() -> None:
    """Against a search through all latent sizes."""
    for rule in [PAPER, *(rule for _, rule in NAMED), SizeRule(3, -7)]:
        for voxels in range(1, 200):
            enough = (n for n in itertools.count(1) if rule.output_size(n) >= voxels)
            assert rule.latent_size(voxels) == next(enough)


def test_overlap_lets_tiles_join() -> None:
    """Tiles that share the overlap leave no gap; with one position less they do."""
    for rule in [PAPER, *(rule for _, rule in NAMED), SizeRule(3, -7)]:
        for latents in range(rule.overlap + 1, rule.overlap + 6):
            made = rule.output_size(latents)
            assert made >= rule.scale * (latents - rule.overlap)
            assert made < rule.scale * (latents - rule.overlap + 1)


UNEVEN: list[tuple[KernelSet, str]] = [
    ((4, 4, 2), "stride must be smaller than the kernel"),
    ((5, 2, 3), "multiple of the stride.*checkerboard"),
    ((6, 2, 3), r"at least kernel - stride = 4.*use \{6,2,4\}"),
]


def test_uneven_kernels_are_refused(subtests: pytest.Subtests) -> None:
    for layer, words in UNEVEN:
        with subtests.test(layer=layer):
            with pytest.raises(ValueError, match=words) as caught:
                check_density(layer)
            # Names the kernel as the setting shows it.
            assert "{" + ",".join(map(str, layer)) + "}" in str(caught.value)


def test_exactly_the_three_rules_decide() -> None:
    """Refused if and only if s < k, k mod s = 0 or p >= k - s does not hold."""
    for kernel, stride, padding in itertools.product(
        range(1, 9), range(1, 6), range(9)
    ):
        even = stride < kernel and kernel % stride == 0 and padding >= kernel - stride
        try:
            check_density((kernel, stride, padding))
        except ValueError:
            assert not even
        else:
            assert even


def test_fixed_point_is_refused() -> None:
    """{6,2,4} makes 2n - 4: a latent of 4 stays 4, one of 5 grows to 6, 8, 12."""
    rules = [transposed_rule((6, 2, 4))] * 3
    with pytest.raises(ValueError, match=r"turns 4 positions per axis into 4.*never"):
        check_growth(rules, 4)
    check_growth(rules, 5)


def test_shrinking_is_refused() -> None:
    """{4,2,2} makes 2n - 2: a latent of 2 stays 2 and one of 1 would vanish."""
    with pytest.raises(ValueError, match="turns 2 positions per axis into 2"):
        check_growth([transposed_rule((4, 2, 2))], 2)
    with pytest.raises(ValueError, match="turns 1 positions per axis into 0"):
        check_growth([transposed_rule((4, 2, 3))], 1)


def test_every_layer_must_grow() -> None:
    """6 -> 10 by {4,2,2}, then {3,1,2} takes two away; the second one is named."""
    rules = [transposed_rule((4, 2, 2)), transposed_rule((3, 1, 2))]
    with pytest.raises(ValueError, match="layer 2 turns 10"):
        check_growth(rules, 6)
