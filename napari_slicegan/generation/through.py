"""Volumes that pass through real sections: chosen planes are given images.

A conditional simulation: latents and noise on which the planes depend are changed until
the generator makes the images there; everything else stays as the seed gives it. By
randomised maximum likelihood (Oliver, He and Reynolds 1996, "Conditioning permeability
fields to pressure data"), the result is the least deviation from a random draw, not the
likeliest input: other seeds give other volumes, and the inputs keep their distribution.

Details for which a generator has no noise, finer than its latents, are made by small
offsets of the features of its last hidden blocks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from napari_slicegan.config import AXES, Axis
from napari_slicegan.data.interpretation import are_same_phases, match_labels
from napari_slicegan.data.pixel_sizes import SIZE_TOLERANCE
from napari_slicegan.data.pixel_values import label_indices
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.boxes import Spans, positions_before, run_box
from napari_slicegan.generation.fixed import (
    LATENTS,
    FixedBox,
    FixedInputs,
    noise_of,
    offsets_of,
)
from napari_slicegan.generation.lazy import box_values
from napari_slicegan.generation.memory import WORK_BYTES, weight_bytes
from napari_slicegan.models import build_generator
from napari_slicegan.models.cost import META, CostCounter, StepCost
from napari_slicegan.models.noise import NoiseInput
from napari_slicegan.runtime.limits import PROGRAM_BYTES, check_need
from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.runtime.quantities import length_text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_slicegan.data.micrograph import Micrograph
    from napari_slicegan.generation.boxes import Change
    from napari_slicegan.generation.fixed import Periods
    from napari_slicegan.generation.generate import Size, VolumePlan
    from napari_slicegan.models.generator_file import TrainedGenerator

STEPS, HISTORY = 150, 20
"""Iterations, and earlier ones from which the curvature is estimated (L-BFGS)."""
MARGIN = 0.07
"""Lead of the right phase's logit that is enough, in median leads of the seed's plane.

Larger ones continue in the planes next to it, which then copy the image.
"""
WEIGHT = 120.0
"""Of the squares that miss the margin, in the same unit."""
SPREADS = {1: 0.03, 2: 0.5, 3: 0.5}
"""Standard deviation of the offsets of a block, in those of its features, by the number
of blocks behind it."""
SPREADS_OF_UNIONS = {1: 0.7, 2: 3.0, 3: 3.0}
"""The same where a phase is a union of several fields, which follow less easily.

With a third of these, latents follow in their place, and within ten planes of the
section there are too few pores, then too many.
"""
# Copies of all fitted inputs that L-BFGS holds: two for each earlier step, besides the
# inputs, their gradients, directions and those of the line search.
FIT_COPIES = 2 * HISTORY + 13
# Memory of a fit in its tensors: measured for sections of 128 and 200 pixels.
FIT_HEAP = 1.3
MOST = 1 - 1e-7
"""Largest uniform value, relative to the edge: the normal one is finite."""


@dataclass(frozen=True, eq=False)
class Section:
    """An image and the plane of a volume that it is.

    Attributes
    ----------
    labels
        Labels of the phases, [rows, columns]: Y, X of a section across z; Z, X across
        y; Z, Y across x.
    axis
        Axis across which the plane lies.
    position
        Its voxel along this axis.
    corner
        First voxel along the rows and the columns; None centres the image.
    name
        Of the image, for messages.
    pixel_size_nm
        Edge of a pixel in nanometres, None if unknown.
    """

    labels: NDArray[Any]
    axis: Axis
    position: int
    corner: tuple[int, int] | None = None
    name: str = "section"
    pixel_size_nm: float | None = None

    @classmethod
    def of(
        cls,
        image: Micrograph,
        axis: Axis,
        position: int,
        corner: tuple[int, int] | None = None,
    ) -> Section:
        """Section of an image of phases.

        Raises
        ------
        ValueError
            If it is a volume, or its values are not labels of phases.
        """
        if image.is_volume:
            raise ValueError(
                f"{image.name}: expected one plane as a section, got a volume; "
                "save the plane as an image."
            )
        if image.kind != "phases":
            raise ValueError(
                f"{image.name}: expected labels of phases in a section, got "
                f"{image.kind} values; segment the image."
            )
        size, name = image.pixel_size_nm, image.name
        return cls(image.values, axis, position, corner, name, size)

    def box(self, size: Size) -> Spans:
        """First voxel and voxel after the last along z, y, x in a volume of this size.

        Raises
        ------
        ValueError
            If the plane is not inside of the volume.
        """
        number = AXES.index(self.axis)
        if not 0 <= self.position < size[number]:
            raise ValueError(
                f"{self.name}: expected a position from 0 to {size[number] - 1} along "
                f"{self.axis}, got {self.position}; choose one in the volume."
            )
        face = [n for n, axis in zip(size, AXES, strict=True) if axis != self.axis]
        shape = self.labels.shape
        corner = self.corner
        if corner is None:
            corner = tuple((n - edge) // 2 for n, edge in zip(face, shape, strict=True))
        ends = [a + edge for a, edge in zip(corner, shape, strict=True)]
        if min(corner) < 0 or any(b > n for b, n in zip(ends, face, strict=True)):
            raise ValueError(
                f"{self.name}: expected an image within the volume's "
                f"{face[0]} x {face[1]} voxels across {self.axis}, got "
                f"{shape[0]} x {shape[1]} pixels from {corner[0]}, {corner[1]} on; "
                "choose a larger volume or another corner, or crop the image."
            )
        spans = list(zip(corner, ends, strict=True))
        spans.insert(number, (self.position, self.position + 1))
        z, y, x = spans
        return (z, y, x)

    def pixels(self, trained: TrainedGenerator) -> NDArray[np.uint8]:
        """Index of each pixel's phase among those of a generator, [rows, columns].

        Labels that are the same phases, spread to be seen, are matched by rank.

        Raises
        ------
        ValueError
            If the image has other phases or pixels of another size.
        """
        own, wanted = self.pixel_size_nm, trained.voxel_size_nm
        if own and wanted and not math.isclose(own, wanted, rel_tol=SIZE_TOLERANCE):
            raise ValueError(
                f"{self.name}: expected pixels of {length_text(wanted)}, the "
                f"generator's voxel size, got {length_text(own)}; rescale the image."
            )
        labels = trained.labels
        found = [int(label) for label in np.unique(self.labels)]
        values = self.labels
        if are_same_phases(found, labels):
            values = match_labels(values, found, labels)
        elif not set(found) <= set(labels):
            raise ValueError(
                f"{self.name}: expected the generator's phases "
                f"{', '.join(map(str, labels))}, got {', '.join(map(str, found))}; "
                "segment the image as those that the generator was trained on."
            )
        return label_indices(values, labels)


def pass_through(
    plan: VolumePlan,
    sections: Sequence[Section],
    n_steps: int = STEPS,
    progress: Progress | None = None,
) -> VolumePlan:
    """Plan of a volume of which given planes are given images.

    Latents and noise around the planes are optimised by randomised maximum likelihood;
    Oliver, He and Reynolds, "Conditioning permeability fields to pressure data" (1996).

    Parameters
    ----------
    plan
        Plan of the volume, without edits; it is not changed.
    sections
        Images and their planes; planes may be parallel or cross.
    n_steps
        Steps of the optimisation.
    progress
        Called with the finished fraction after each step.

    Returns
    -------
    VolumePlan
        With `fixed` inputs around the planes. Volumes of other sizes that are not
        periodic contain the same planes with these.

    Raises
    ------
    ValueError
        If the generator makes no phases, the plan has edits, a section does not fit,
        or, on a CPU, the memory does not suffice.
    """
    transform = plan.trained.transform
    if not isinstance(transform, OneHotPhases):
        raise ValueError(
            f"Expected a generator of phases for given sections, got one of "
            f"{transform.kind} values; train one on segmented images."
        )
    report = subrange(progress)
    plan = replace(plan, fixed=FixedInputs({}))
    _check_apart(sections, plan.size)
    _check_memory(plan, sections)
    planes = [_Plane(plan, section, transform) for section in sections]
    inputs = [each for plane in planes for each in plane.inputs]
    # Not Adam, which moves inputs of little influence as far as others.
    optimizer = torch.optim.LBFGS(
        [each.normal for each in inputs],
        max_iter=n_steps,
        max_eval=2 * n_steps,
        tolerance_change=0,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )
    n_done = 0

    def loss() -> Tensor:
        nonlocal n_done
        optimizer.zero_grad()
        plan.fixed = _fixed(inputs)
        misfit = torch.stack([plane.misfit(plan) for plane in planes]).sum()
        deviation = torch.stack([each.deviation() for each in inputs]).sum()
        total: Tensor = WEIGHT * misfit + deviation
        total.backward()
        n_done += 1
        report(min(n_done / n_steps, 1.0))
        return total

    optimizer.step(loss)
    for each in inputs:
        each.normal.requires_grad_(False)
    plan.fixed = _fixed(inputs)
    return plan


def pass_cost(plan: VolumePlan, sections: Sequence[Section]) -> StepCost:
    """Operations and memory of one step of `pass_through`, without the network."""
    network = build_generator(plan.trained.network.spec).to(META).eval()
    network.requires_grad_(False)
    n_blocks, n_inputs = len(network.rules), 0

    def with_offsets(block: int, made: Tensor, first: object) -> Tensor:
        nonlocal n_inputs
        if n_blocks - block not in SPREADS:
            return made
        n_inputs += made.numel()
        return made + torch.empty_like(made, requires_grad=True)

    misfits = []
    with CostCounter() as counter:
        for section in sections:
            box = plan.network_box(section.box(plan.size))
            shape = [b - a for a, b in positions_before(network, 0, box)]
            latents = torch.empty(1, network.field_channels, *shape, device=META)
            noise = network.noise(latents)
            latents.requires_grad_(True)
            n_inputs += network.spec.latent_channels * math.prod(shape)
            for layer in network.modules():
                if isinstance(layer, NoiseInput):
                    spans = positions_before(network, layer.level, box)
                    n_inputs += math.prod(b - a for a, b in spans)
            made = run_box(network, latents, noise, box, with_offsets, logits=True)
            misfits.append(made.square().sum())
        torch.stack(misfits).sum().backward()
    cost: StepCost = counter.take()
    vectors = FIT_COPIES * n_inputs * torch.float32.itemsize
    return replace(cost, memory_bytes=cost.memory_bytes + vectors)


def fit_bytes(plan: VolumePlan, cost: StepCost) -> int:
    """Memory of the program during a fit, in bytes.

    Parameters
    ----------
    cost
        See `pass_cost`.
    """
    kept = PROGRAM_BYTES + WORK_BYTES + weight_bytes(plan.trained.network)
    return kept + int(FIT_HEAP * cost.memory_bytes)


def _check_memory(plan: VolumePlan, sections: Sequence[Section]) -> None:
    """Refuse a fit on the CPU for which the memory does not suffice."""
    if next(plan.trained.network.parameters()).device.type == "cpu":
        advice = "choose smaller images, or close other programs"
        check_need(fit_bytes(plan, pass_cost(plan, sections)), "a fit", advice)


def _check_apart(sections: Sequence[Section], size: Size) -> None:
    """Refuse two sections of one plane that overlap."""
    for one, other in itertools.combinations(sections, 2):
        spans = zip(one.box(size), other.box(size), strict=True)
        if one.axis == other.axis and all(
            a[0] < b[1] and b[0] < a[1] for a, b in spans
        ):
            raise ValueError(
                f"{other.name}: expected a part of a plane that no other section has, "
                f"got one of {other.axis}={other.position} where {one.name} lies; "
                "choose another position or corner."
            )


def agreement(plan: VolumePlan, section: Section) -> float:
    """Fraction of a section's pixels, 0 to 1, whose phase the volume of a plan has."""
    labels = np.asarray(plan.trained.labels)[section.pixels(plan.trained)]
    made = box_values(plan, section.box(plan.size))
    return float(np.mean(made.reshape(labels.shape) == labels))


class _Input:
    """Values of a box of positions, as independent normal variables.

    Parameters
    ----------
    name
        See `FixedInputs`.
    first
        First position along z, y, x.
    start
        Values of the seed, [C, z, y, x].
    edge
        Values are uniform from -edge to edge; None if they are normal.
    spread
        Standard deviation of normal values.
    """

    def __init__(
        self,
        name: str,
        first: Size,
        start: Tensor,
        edge: float | None = None,
        spread: float = 1.0,
    ) -> None:
        self.name, self.first, self._edge, self._spread = name, first, edge, spread
        if edge is not None:
            inside = (start.double() / edge).clamp(-MOST, MOST)
            start = (math.sqrt(2) * torch.erfinv(inside)).float()
        self._start = start
        self.normal = start.clone(memory_format=torch.contiguous_format)
        self.normal.requires_grad_(True)

    def box(self) -> FixedBox:
        """The values."""
        if self._edge is None:
            return FixedBox(self.first, self._spread * self.normal)
        values = self._edge * torch.erf(self.normal / math.sqrt(2))
        return FixedBox(self.first, values)

    def deviation(self) -> Tensor:
        """Half the squared distance to the values of the seed."""
        return (self.normal - self._start).square().sum() / 2


def _fixed(inputs: Sequence[_Input]) -> FixedInputs:
    boxes: dict[str, list[FixedBox]] = {}
    for each in inputs:
        boxes.setdefault(each.name, []).append(each.box())
    return FixedInputs(boxes)


class _Plane:
    """The plane of one section, and the inputs on which it depends."""

    def __init__(
        self, plan: VolumePlan, section: Section, transform: OneHotPhases
    ) -> None:
        network = plan.trained.network
        device = next(network.parameters()).device
        box = section.box(plan.size)
        self._box = plan.network_box(box)
        # The network's voxel of each pixel, counted from the box's first one.
        self._cells = [
            torch.arange(*span, device=device) // factor - first
            for span, factor, (first, _) in zip(
                box, plan.stretch, self._box, strict=True
            )
        ]
        pixels = torch.from_numpy(section.pixels(plan.trained)).long().to(device)
        # [1, Z, Y, X], one of them 1
        self._pixels = pixels.unsqueeze(AXES.index(section.axis))[None]
        weights = torch.tensor(transform.weights or (1.0,) * transform.channels)
        self._gains = weights.log().view(-1, 1, 1, 1).to(device)
        self._needed = positions_before(network, 0, self._box)
        (z, _), (y, _), (x, _) = self._needed
        self._first = (z, y, x)
        self._drawn = torch.from_numpy(plan.field.region(*self._needed)).to(device)
        self.inputs = [*self._drawn_inputs(plan), *self._offsets(plan)]
        with torch.no_grad():
            logits = self._logits(plan, plan.with_offsets)
        first, second = logits.topk(2, dim=0).values
        self._unit = (first - second).median()

    def _drawn_inputs(self, plan: VolumePlan) -> Iterator[_Input]:
        """Latents, then noise level by level."""
        network, periods = plan.trained.network, plan.field.periods
        latents = self._drawn[: network.spec.latent_channels]
        edge = None if network.prior == "normal" else 1.0
        yield _Input(LATENTS, self._first, _once(latents, periods, 1), edge)
        noise = network.noise(self._drawn[None])
        if noise is None:
            return
        for layer in network.modules():
            if isinstance(layer, NoiseInput):
                spans = positions_before(network, layer.level, self._box)
                places = [
                    torch.arange(
                        first - cell * layer.scale,
                        last - cell * layer.scale,
                        dtype=torch.int32,
                        device=self._drawn.device,
                    )
                    for (first, last), cell in zip(spans, self._first, strict=True)
                ]
                (drawn,) = noise.at(layer.level, layer.scale, places)
                (z, _), (y, _), (x, _) = spans
                drawn = _once(drawn, periods, layer.scale)
                yield _Input(noise_of(layer.level), (z, y, x), drawn, math.sqrt(3))

    @torch.no_grad()
    def _offsets(self, plan: VolumePlan) -> list[_Input]:
        """Offsets of the last hidden blocks, at first 0."""
        network = plan.trained.network
        n_blocks = len(network.rules)
        spreads = SPREADS if network.spec.fields == 1 else SPREADS_OF_UNIONS
        made: list[_Input] = []

        def note(block: int, features: Tensor, first: Size) -> Tensor:
            spread = spreads.get(n_blocks - block, 0.0)
            if spread:
                scale = network.rules_around(block)[0].scale
                start = _once(torch.zeros_like(features[0]), plan.field.periods, scale)
                spread *= float(features.std())
                made.append(_Input(offsets_of(block), first, start, None, spread))
            return features

        self._logits(plan, note)
        return made

    def _logits(self, plan: VolumePlan, change: Change) -> Tensor:
        """Logits of the pixels' phases, [C, Z, Y, X]."""
        latents = plan.with_fixed(self._drawn, self._needed)[None]
        noise = plan.noise(latents, self._first)
        network = plan.trained.network
        (logits,) = run_box(network, latents, noise, self._box, change, logits=True)
        z, y, x = self._cells
        of_pixels: Tensor = logits[:, z][:, :, y][:, :, :, x] + self._gains
        return of_pixels

    def misfit(self, plan: VolumePlan) -> Tensor:
        """Squares by which the logits of the pixels' phases miss the margin, summed.

        Unlike the cross-entropy it is 0 where the phase is right: such pixels do not
        push their surroundings further away from those of the seed.
        """
        logits = self._logits(plan, plan.with_offsets)
        own = logits.gather(0, self._pixels)
        others = logits.scatter(0, self._pixels, -math.inf).amax(0)
        lead = (own - others) / self._unit
        missing: Tensor = functional.relu(MARGIN - lead).square().sum()
        return missing


def _once(values: Tensor, periods: Periods, scale: int) -> Tensor:
    """Values of [C, z, y, x] without positions that repeat others."""
    z, y, x = (slice(period and period * scale) for period in periods)
    return values[:, z, y, x]
