"""Memory of volumes: estimated, and smaller tiles where there is less of it."""

from __future__ import annotations

import copy
import itertools
import math
from collections import Counter as Tally
from typing import TYPE_CHECKING

import torch

from napari_slicegan.models import VolumeGenerator, build_generator
from napari_slicegan.models.cost import META, CostCounter, StepCost
from napari_slicegan.models.inference import inference_form
from napari_slicegan.runtime.limits import (
    PROGRAM_BYTES,
    available_memory,
    available_swap,
    check_need,
    free_for_program,
)
from napari_slicegan.runtime.memory import return_freed_memory

if TYPE_CHECKING:
    from napari_slicegan.generation.generate import VolumePlan

# Work spaces of kernels.
WORK_BYTES = 20 * 10**6
# Zarr, compression and blocks of the pyramid.
STREAM_BYTES = 100 * 10**6
# Bytes of a voxel on its way to the micrograph's values: indices of phases, or some
# steps in single and double precision.
PHASE_BYTES, VALUE_BYTES = 16, 32
# Bytes of free memory for each voxel of a tile that suffice for any network: the
# largest of a preset takes 90.
AMPLE_BYTES = 1000

Shape = tuple[int, int, int]


def memory_bytes(plan: VolumePlan) -> int:
    """Memory of the program while it generates a tile, in bytes.

    A volume in memory adds its own bytes, one that is streamed `STREAM_BYTES`.
    """
    largest = max(tile_shapes(plan), key=math.prod)
    # Of the network, before each becomes several.
    stretch = plan.trained.network.spec.stretch
    tile = map(min, plan.tile_edges, plan.size)
    voxels = math.prod(-(-n // factor) for n, factor in zip(tile, stretch, strict=True))
    transform = plan.trained.transform
    is_phases = transform.kind == "phases"
    values = voxels * plan.n_channels * (PHASE_BYTES if is_phases else VALUE_BYTES)
    weights = (1.0,) * transform.channels if is_phases else ()
    with META:
        network = build_generator(plan.trained.network.spec).eval()
        form = inference_form(network, weights)
    layers = tile_cost(plan, largest, form).memory_bytes
    # The layers are freed before their output becomes values.
    kept = PROGRAM_BYTES + WORK_BYTES + weight_bytes(network) + weight_bytes(form)
    return kept + max(layers, values)


def with_fitting_tiles(plan: VolumePlan, other_bytes: int) -> VolumePlan:
    """The plan, with smaller tiles where the memory does not suffice for its own.

    The voxels do not depend on the tiles. They are halved until they fit; the smallest
    may not fit either, see `check_tiles`. A device other than the CPU keeps its tiles.

    Parameters
    ----------
    other_bytes
        Needed beside a tile: for the volume, or `STREAM_BYTES`.
    """
    if not _is_short(plan, other_bytes):
        return plan
    plan = copy.copy(plan)
    overlap = plan.trained.network.size_rule.overlap
    free = free_for_program() - other_bytes
    while memory_bytes(plan) > free and plan.tile_latents > overlap + 1:
        plan.tile_latents = overlap + (plan.tile_latents - overlap) // 2
    return plan


def check_tiles(plan: VolumePlan, other_bytes: int, advice: str) -> None:
    """Refuse a volume whose tiles do not fit in memory.

    Parameters
    ----------
    other_bytes
        As in `with_fitting_tiles`.
    advice
        What to do, the end of the sentence.

    Raises
    ------
    ValueError
        If memory and swap space do not suffice.
    """
    if _is_short(plan, other_bytes):
        check_need(memory_bytes(plan) + other_bytes, "a volume", advice)


def fits_in_memory(plan: VolumePlan) -> bool:
    """Whether a volume in memory fits beside a small tile of it."""
    small = with_fitting_tiles(plan, plan.n_bytes)
    if not _is_short(small, plan.n_bytes):
        return True
    needed = memory_bytes(small) + plan.n_bytes
    return needed <= free_for_program() + available_swap()


def _is_short(plan: VolumePlan, other_bytes: int) -> bool:
    """Whether the memory may be too small, beside the program as it is.

    That takes less time and memory than an estimate.
    """
    if next(plan.trained.network.parameters()).device.type != "cpu":
        return False
    voxels = math.prod(map(min, plan.tile_edges, plan.size))
    ample = AMPLE_BYTES * voxels + WORK_BYTES + other_bytes
    if ample <= available_memory():
        return False
    # What an earlier volume has left in the heap counts as free.
    return_freed_memory()
    return ample > available_memory()


def weight_bytes(network: VolumeGenerator) -> int:
    """Memory of the weights, which are buffers of the inference form."""
    weights = itertools.chain(network.parameters(), network.buffers())
    return sum(weight.numel() * weight.element_size() for weight in weights)


def tile_shapes(plan: VolumePlan) -> Tally[Shape]:
    """Number of tiles of each latent shape, without listing the tiles."""
    counts = [
        -(-voxels // edge)
        for voxels, edge in zip(plan.size, plan.tile_edges, strict=True)
    ]
    # Along each axis all tiles but the last one are alike.
    numbers = [{0: n - 1, n - 1: 1} if n > 1 else {0: 1} for n in counts]
    shapes = Tally[Shape]()
    for z, y, x in itertools.product(*numbers):
        lengths = (last - first for first, last in plan.tile((z, y, x)).latents)
        i, j, k = lengths
        shapes[i, j, k] += numbers[0][z] * numbers[1][y] * numbers[2][x]
    return shapes


def tile_cost(
    plan: VolumePlan, latents: Shape, network: VolumeGenerator | None = None
) -> StepCost:
    """Operations and memory of one tile, of the trained network or another form."""
    if network is None:
        network = build_generator(plan.trained.network.spec).to(META).eval()
    channels = network.field_channels
    with CostCounter() as counter, torch.no_grad():
        network(torch.empty(1, channels, *latents, device=META))
    cost: StepCost = counter.take()
    return cost
