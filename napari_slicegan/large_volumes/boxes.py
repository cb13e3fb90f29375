"""Any box of an endless volume, computed with hardly more than it needs.

A tile of the volume plan is a whole number of latent steps; a box may be one plane.
Between the blocks of the network everything is cut away that no voxel of the box
depends on, so that a plane costs a fraction of the slab around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from napari_slicegan.machine.precision import computing_in

if TYPE_CHECKING:
    from napari_slicegan.architectures.sizes import SizeRule
    from napari_slicegan.generation import VolumePlan

Span = tuple[int, int]
Spans = tuple[Span, Span, Span]


@torch.no_grad()
def box_values(plan: VolumePlan, box: Spans) -> NDArray[Any]:
    """Micrograph values of a box, [Z, Y, X] or [Z, Y, X, 3].

    Parameters
    ----------
    plan
        How the volume is made; one without edits.
    box
        First voxel and voxel after the last along z, y, x.
    """
    network = plan.network
    _, whole = network.rules_around(0)
    needed = _needed(box, whole)
    latents = plan.latents(*needed)
    with computing_in(plan.precision, latents.device):
        made = network.entering(latents[None])
        before = network.rules_around(0)[0].scale
        for number, block in enumerate(network.blocks.children(), start=1):
            so_far, after = network.rules_around(number)
            step = so_far.scale // before
            # Where the first position of the block's output lies.
            origin = [first * step for first, _ in needed]
            before, needed = so_far.scale, _needed(box, after)
            z, y, x = (
                slice(first - start, last - start)
                for (first, last), start in zip(needed, origin, strict=True)
            )
            made = block(made)[:, :, z, y, x]
    return plan.micrograph_values(made)


def _needed(box: Spans, rule: SizeRule) -> Spans:
    """Positions before layers with a size rule that a box after them depends on."""
    z, y, x = (
        (first // rule.scale, -((rule.offset - last) // rule.scale))
        for first, last in box
    )
    return (z, y, x)
