"""Volumes of any size from a trained generator, tile by tile."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_slicegan.config import AXES
from napari_slicegan.data.transforms import OneHotPhases
from napari_slicegan.generation.boxes import run_box
from napari_slicegan.generation.edits import Edit, checked_edits, run_volume
from napari_slicegan.generation.fixed import FixedInputs, FixedNoise
from napari_slicegan.generation.memory import check_tiles, with_fitting_tiles
from napari_slicegan.models.inference import inference_form
from napari_slicegan.models.latent import LatentField
from napari_slicegan.runtime.devices import computing_in
from napari_slicegan.runtime.limits import check_memory
from napari_slicegan.runtime.progress import Progress, subrange
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from napari_slicegan.models import VolumeGenerator
    from napari_slicegan.models.generator_file import TrainedGenerator
    from napari_slicegan.models.noise import NoiseField

Size = tuple[int, int, int]
Box = tuple[slice, slice, slice]
Span = tuple[int, int]
Spans = tuple[Span, Span, Span]

LOWER_SIZE = "lower its size, or write it block by block (slicegan generate)"
TILE_STEPS = 7
"""Latent positions per axis from tile to tile: 224 voxels for the paper's chain."""


@dataclass(frozen=True)
class Tile:
    """Tile of a volume.

    Attributes
    ----------
    latents
        First latent position and position after the last, along z, y, x.
    target
        Where the tile's voxels go in the volume; the tile starts at its first
        voxel and may be larger than its target at the far border.
    """

    latents: tuple[Span, Span, Span]
    target: Box


@dataclass(eq=False)
class VolumePlan:
    """Latent field and tiles of a volume.

    Parameters
    ----------
    trained
        The generator.
    size
        Voxels along z, y, x; any numbers of at least 1.
    seed
        Selects the sample of the material.
    periodic
        Axes (a subset of "zyx") along which the volume is periodic.
    tile_latents
        Latent positions per axis of a tile; bounds the memory. By default (0) 7 more
        than adjacent tiles share: 224 voxels of the network for the default networks.
    precision
        Data type of the convolutions. In bfloat16 a few voxels per thousand, all at
        interfaces, get another label than in float32.
    edits
        Edits, which add up; see `napari_slicegan.generation.edits`.
    truncation
        Factor of the latents; values below 1 reduce the variation of the structure,
        but not the noise that a generator adds.
    fixed
        Latents and noise that are given, such as those of `pass_through`.

    Raises
    ------
    ValueError
        If a size is not positive, a periodic axis is not a whole number of latent
        steps long, or an edit does not fit the generator.
    """

    trained: TrainedGenerator
    size: Size
    seed: int = 0
    periodic: str = ""
    tile_latents: int = 0
    precision: torch.dtype = torch.float32
    edits: Sequence[Edit] = ()
    truncation: float = 1.0
    fixed: FixedInputs | None = None

    def __post_init__(self) -> None:
        network = self.trained.network
        rule = network.size_rule
        _check(self.size, self.seed, self.periodic, self.steps)
        check_truncation(self.truncation)
        self.edits = checked_edits(network, self.edits, self.periodic)
        if self.edits and self.fixed is not None:
            raise ValueError(
                "Expected a plan without edits for given sections, got one with edits; "
                "leave them out."
            )
        wanted = self.tile_latents or rule.overlap + TILE_STEPS
        self.tile_latents = max(wanted, rule.overlap + 1)
        z, y, x = (
            n // step if axis in self.periodic else None
            for axis, n, step in zip(AXES, self.size, self.steps, strict=True)
        )
        self.field = LatentField(
            self.seed, network.field_channels, network.prior, (z, y, x)
        )

    @functools.cached_property
    def network(self) -> VolumeGenerator:
        """The network in its fastest form for inference on its device."""
        network, transform = self.trained.network, self.trained.transform
        if next(network.parameters()).device.type != "cpu":
            return network
        if not isinstance(transform, OneHotPhases):
            return inference_form(network)
        weights = transform.weights or (1.0,) * transform.channels
        return inference_form(network, weights)

    @property
    def stretch(self) -> Size:
        """Voxels along z, y, x that one voxel of the network becomes."""
        return self.trained.network.spec.stretch

    @property
    def steps(self) -> Size:
        """Voxels from one latent position to the next along z, y, x."""
        return latent_steps(self.trained.network)

    @property
    def tile_edges(self) -> Size:
        """Voxels of a tile along z, y, x; tiles at the far border may be smaller."""
        n = self.tile_latents - self.trained.network.size_rule.overlap
        z, y, x = (n * step for step in self.steps)
        return z, y, x

    @functools.cached_property
    def n_bytes(self) -> int:
        """Bytes of the volume's values."""
        return math.prod(self.size) * self._voxel().nbytes

    @functools.cached_property
    def n_channels(self) -> int:
        """Values of a voxel."""
        return self._voxel().size

    def _voxel(self) -> NDArray[np.generic]:
        """Any voxel: micrograph values [1, 1, 1(, 3)]."""
        return self.micrograph_values(
            torch.zeros(1, self.trained.transform.channels, 1, 1, 1)
        )

    def tiles(self) -> list[Tile]:
        """All tiles, in the order z, y, x."""
        counts = (
            range(-(-n // edge))
            for n, edge in zip(self.size, self.tile_edges, strict=True)
        )
        return [self.tile(place) for place in itertools.product(*counts)]

    def tile(self, place: Sequence[int]) -> Tile:
        """One tile by its place in the grid of tiles, counted along z, y, x."""
        rule = self.trained.network.size_rule
        spans = []
        for number, voxels, edge, factor in zip(
            place, self.size, self.tile_edges, self.stretch, strict=True
        ):
            start = number * edge
            stop = min(start + edge, voxels)
            made = -(-(stop - start) // factor)
            latents = min(self.tile_latents, rule.latent_size(made))
            first = number * (self.tile_latents - rule.overlap)
            spans.append(((first, first + latents), slice(start, stop)))
        z, y, x = spans
        return Tile((z[0], y[0], x[0]), (z[1], y[1], x[1]))

    def latents(self, z: Span, y: Span, x: Span) -> Tensor:
        """Latents from a first position to before a last one, [C, Z, Y, X]."""
        device = next(self.trained.network.parameters()).device
        drawn = torch.from_numpy(self.field.region(z, y, x)).to(device)
        return self.with_fixed(drawn, (z, y, x))

    def with_fixed(self, drawn: Tensor, box: tuple[Span, Span, Span]) -> Tensor:
        """Drawn latents of a box with those that are fixed, truncated; [C, Z, Y, X]."""
        if self.fixed is not None:
            drawn = self.fixed.latents(drawn, box, self.field.periods)
        if self.truncation == 1:
            return drawn
        n = self.trained.network.spec.latent_channels
        # The key of the noise that may follow stays as it is.
        return torch.cat([drawn[:n] * self.truncation, drawn[n:]])

    def noise(self, latents: Tensor, first: Size) -> NoiseField | None:
        """Noise of latents [1, C, z, y, x] that start at a first position, if any."""
        network = self.trained.network
        if self.fixed is None or not network.spec.noise:
            return network.noise(latents)
        key = latents[:, network.spec.latent_channels]
        return FixedNoise(key, self.fixed, first, self.field.periods)

    def with_offsets(self, block: int, made: Tensor, first: Size) -> Tensor:
        """Output of a block with the offsets that are fixed; see `run_box`."""
        if self.fixed is None:
            return made
        scale = self.trained.network.rules_around(block)[0].scale
        return self.fixed.with_offsets(made, block, scale, first, self.field.periods)

    def network_box(self, box: Spans) -> Spans:
        """Voxels of the network that become those of a box."""
        z, y, x = (
            (first // factor, -(-last // factor))
            for (first, last), factor in zip(box, self.stretch, strict=True)
        )
        return (z, y, x)

    @torch.no_grad()
    def values(self, tile: Tile) -> NDArray[np.generic]:
        """Micrograph values of a tile, [Z, Y, X] or [Z, Y, X, 3]."""
        latents = self.latents(*tile.latents)[None]
        first_z, first_y, first_x = (first for first, _ in tile.latents)
        first = (first_z, first_y, first_x)
        with computing_in(self.precision, latents.device):
            if self.fixed is not None:
                noise = self.noise(latents, first)
                z, y, x = ((span.start, span.stop) for span in tile.target)
                box = self.network_box((z, y, x))
                made = run_box(self.network, latents, noise, box, self.with_offsets)
            elif self.edits:
                periods = [
                    n and n * step
                    for n, step in zip(self.field.periods, self.steps, strict=True)
                ]
                made = run_volume(self.network, latents, self.edits, first, periods)
            else:
                made = self.network(latents)
        sizes = [span.stop - span.start for span in tile.target]
        return self.stretched(made, ((0, sizes[0]), (0, sizes[1]), (0, sizes[2])))

    def stretched(
        self, made: Tensor, box: tuple[Span, Span, Span]
    ) -> NDArray[np.generic]:
        """Micrograph values of a box, counted in voxels from the output's first one.

        Parameters
        ----------
        made
            Output of the network, [1, C, Z, Y, X].
        """
        z, y, x = (
            slice(first // factor, -(-last // factor))
            for (first, last), factor in zip(box, self.stretch, strict=True)
        )
        values = self.micrograph_values(made[:, :, z, y, x])
        for axis, ((first, last), factor) in enumerate(
            zip(box, self.stretch, strict=True)
        ):
            if factor > 1:
                places = np.arange(first, last) // factor - first // factor
                values = values.take(places, axis=axis)
        return values

    def micrograph_values(self, made: Tensor) -> NDArray[np.generic]:
        """Micrograph values of network output: [1, C, Z, Y, X] -> [Z, Y, X(, 3)]."""
        transform = self.trained.transform
        if isinstance(transform, OneHotPhases) and not made.is_floating_point():
            return transform.labels_of(made[0, 0])
        return np.asarray(transform.inverse(made[0], 0))

    def generate(self, progress: Progress | None = None) -> Volume:
        """Generate the volume in memory, tile by tile; in smaller ones if they must be.

        Parameters
        ----------
        progress
            Called with the finished fraction after each tile.

        Raises
        ------
        ValueError
            If it does not fit in memory.
        """
        report = subrange(progress)
        voxel = self._voxel()
        shape = (*self.size, *voxel.shape[3:])
        check_memory(shape, voxel.dtype, "The volume", LOWER_SIZE)
        plan = with_fitting_tiles(self, self.n_bytes)
        check_tiles(plan, self.n_bytes, LOWER_SIZE)
        whole = np.empty(shape, voxel.dtype)
        tiles = plan.tiles()
        for number, tile in enumerate(tiles, start=1):
            whole[tile.target] = plan.values(tile)
            report(number / len(tiles))
        return volume_of(self.trained, whole)


def generate(
    trained: TrainedGenerator,
    size: Size,
    seed: int = 0,
    periodic: str = "",
    tile_latents: int = 0,
    precision: torch.dtype = torch.float32,
    edits: Sequence[Edit] = (),
    truncation: float = 1.0,
    progress: Progress | None = None,
    fixed: FixedInputs | None = None,
) -> Volume:
    """Generate a whole volume in memory.

    Parameters
    ----------
    trained
        The generator, from `load_generator`.
    size
        Voxels along z, y, x; any numbers of at least 1.
    seed
        Selects the sample of the material.
    periodic
        Axes (a subset of "zyx") along which the volume is periodic.
    tile_latents, precision, edits, truncation, fixed
        See `VolumePlan`.
    progress
        Called with the finished fraction, 0 to 1, after each tile; may raise
        `Cancelled`.

    Returns
    -------
    Volume
        With the micrograph's own values and the voxel size.

    Raises
    ------
    ValueError
        If a setting is not allowed (see `VolumePlan`), or the volume does not fit in
        memory.
    """
    plan = VolumePlan(
        trained, size, seed, periodic, tile_latents, precision, edits, truncation, fixed
    )
    return plan.generate(progress)


def volume_of(trained: TrainedGenerator, values: NDArray[np.generic]) -> Volume:
    """Volume of generated values; labels include phases that do not occur in it."""
    kind = trained.transform.kind
    size = trained.voxel_size_nm
    return Volume(values, kind, size, trained.labels, trained.colours)


def latent_steps(network: VolumeGenerator) -> Size:
    """Voxels from one latent position to the next along z, y, x."""
    z, y, x = (network.size_rule.scale * n for n in network.spec.stretch)
    return z, y, x


def check_truncation(truncation: float) -> None:
    """Raise a ValueError if the truncation is not from 0 to 1."""
    if not 0 <= truncation <= 1:
        raise ValueError(
            f"Expected a truncation from 0 to 1, got {truncation:g}; choose a value "
            "in this range."
        )


def _check(size: Size, seed: int, periodic: str, steps: Size) -> None:
    if len(size) != len(AXES) or min(size) < 1:
        raise ValueError(
            f"Expected three positive sizes (z, y, x) in voxels; got {tuple(size)}."
        )
    if seed < 0:
        raise ValueError(f"Expected a seed of at least 0; got {seed}.")
    unknown = set(periodic) - set(AXES)
    if unknown:
        raise ValueError(
            f"Expected periodic axes out of 'zyx'; got '{periodic}'. Write for example "
            "'z' or 'xy'."
        )
    for axis, voxels, scale in zip(AXES, size, steps, strict=True):
        if axis in periodic and voxels % scale:
            below = voxels // scale * scale
            choice = f"{below} or {below + scale}" if below else str(scale)
            raise ValueError(
                f"A periodic axis must be a multiple of {scale} voxels long; got "
                f"{voxels} along {axis}. Use {choice}."
            )
