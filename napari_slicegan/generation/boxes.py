"""Output of a network in a box, from no more features than it depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from napari_slicegan.models import VolumeGenerator
    from napari_slicegan.models.noise import NoiseField

Span = tuple[int, int]
Spans = tuple[Span, Span, Span]
Size = tuple[int, int, int]
Change = Callable[[int, Tensor, Size], Tensor]


def run_box(
    network: VolumeGenerator,
    latents: Tensor,
    noise: NoiseField | None,
    box: Spans,
    change: Change | None = None,
    *,
    logits: bool = False,
) -> Tensor:
    """Network output in a box, computed from no more features than it depends on.

    Parameters
    ----------
    latents
        Those of `positions_before` the first block, [1, C, z, y, x].
    noise
        Of these latents.
    box
        First voxel of the network and voxel after the last along z, y, x.
    change
        Changes the output of a block, given its number (from 1) and the position at
        which the output starts.
    logits
        See `GeneratorNetwork.forward`.

    Returns
    -------
    Tensor
        [1, C, Z, Y, X].
    """
    needed = positions_before(network, 0, box)
    made = network.prepare_latents(latents)
    corner = [first for first, _ in needed]
    before = network.rules_around(0)[0].scale
    for number, block in enumerate(network.blocks.children(), start=1):
        scale = network.rules_around(number)[0].scale
        # Where the first position of the block's output lies.
        origin = [first * (scale // before) for first, _ in needed]
        start = [
            first - scale * cell for first, cell in zip(origin, corner, strict=True)
        ]
        before, needed = scale, positions_before(network, number, box)
        z, y, x = (
            slice(first - start, last - start)
            for (first, last), start in zip(needed, origin, strict=True)
        )
        is_last = number == len(network.rules)
        whole = network.run_block(block, made, noise, start, logits=logits and is_last)
        made = whole[:, :, z, y, x]
        if change is not None:
            made = change(number, made, (needed[0][0], needed[1][0], needed[2][0]))
    return made


def positions_before(network: VolumeGenerator, n_blocks: int, box: Spans) -> Spans:
    """Positions before the remaining blocks on which a box of the output depends."""
    _, rule = network.rules_around(n_blocks)
    z, y, x = (
        (first // rule.scale, -((rule.offset - last) // rule.scale))
        for first, last in box
    )
    return (z, y, x)
