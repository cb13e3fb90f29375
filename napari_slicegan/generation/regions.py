"""Where in a volume an edit acts, and how strongly. Loads no torch.

All coordinates are voxels of the whole volume, so that tiles agree on them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_slicegan.config import AXES, Axis

MOST_FACTOR = 1000.0
"""Largest factor of a region; see `napari_slicegan.directions.Direction.edit`."""
Places = NDArray[np.float64]
Corner = tuple[float, float, float]


class Region(Protocol):
    """Part of a volume in which an edit acts."""

    def weights(self, z: Places, y: Places, x: Places) -> Places:
        """Factor of the edit's strength, [len(z), len(y), len(x)].

        The shape may have 1 where all places along an axis agree.
        """

    def state(self) -> dict[str, Any]:
        """Name and parameters, fit for JSON; read by `region_from_state`."""


@dataclass(frozen=True)
class Box:
    """A box: 1 inside, 0 outside, linear over `margin` voxels within its faces.

    Attributes
    ----------
    low, high
        First voxel and voxel after the last, along z, y, x.
    margin
        Voxels over which the edit fades in; 0 is a sharp border. The generator blurs
        it in any case, by the spacing of the edited block.

    Raises
    ------
    ValueError
        If the box holds no voxel.
    """

    low: Corner
    high: Corner
    margin: float = 0.0

    def __post_init__(self) -> None:
        sizes = [b - a for a, b in zip(self.low, self.high, strict=True)]
        if len(sizes) != len(AXES) or min(sizes) <= 0 or self.margin < 0:
            raise ValueError(
                "Expected a box whose end lies behind its start along z, y and x, got "
                f"{self.low} to {self.high}; swap or change them."
            )

    def check_within(self, size: Sequence[int]) -> None:
        """Refuse a box that is not within a volume of so many voxels along z, y, x.

        Raises
        ------
        ValueError
            Names the size.
        """
        space = [n - b for n, b in zip(size, self.high, strict=True)]
        if min(*self.low, *space) < 0:
            shape, low, high = (
                " x ".join(f"{n:g}" for n in numbers)
                for numbers in (size, self.low, self.high)
            )
            raise ValueError(
                f"Expected a box within the volume of {shape} voxels (z, y, x), got "
                f"one from {low} to {high}; move it, or choose a larger volume."
            )

    def weights(self, z: Places, y: Places, x: Places) -> Places:
        """See `Region`."""
        lines = []
        for places, low, high in zip((z, y, x), self.low, self.high, strict=True):
            # A voxel extends 1/2 to both sides of its centre.
            depth = np.minimum(places - (low - 0.5), high - 0.5 - places)
            inside = (depth > 0).astype(np.float64)
            lines.append(np.clip(depth / self.margin, 0, 1) if self.margin else inside)
        return np.asarray(lines[0][:, None, None] * lines[1][:, None] * lines[2])

    def state(self) -> dict[str, Any]:
        """Name and parameters."""
        return _state("box", self)


@dataclass(frozen=True)
class Profile:
    """A factor that changes along one axis: graded materials.

    Attributes
    ----------
    axis
        Axis along which it changes.
    positions
        Rising voxel coordinates.
    factors
        Factor at each of them, linear in between, constant outside.

    Raises
    ------
    ValueError
        If positions and factors do not fit together, or a factor is beyond
        `MOST_FACTOR`.
    """

    axis: Axis
    positions: tuple[float, ...]
    factors: tuple[float, ...]

    def __post_init__(self) -> None:
        if (
            self.axis not in AXES
            or not self.positions
            or len(self.positions) != len(self.factors)
            or any(b <= a for a, b in itertools.pairwise(self.positions))
        ):
            raise ValueError(
                "Expected an axis out of z, y, x and as many factors as rising "
                f"positions, got '{self.axis}', {len(self.positions)} positions and "
                f"{len(self.factors)} factors; correct them."
            )
        _check_factors(np.asarray(self.factors))

    def weights(self, z: Places, y: Places, x: Places) -> Places:
        """See `Region`."""
        number = AXES.index(self.axis)
        line = np.interp((z, y, x)[number], self.positions, self.factors)
        shape = [1, 1, 1]
        shape[number] = len(line)
        return np.asarray(line.reshape(shape))

    def state(self) -> dict[str, Any]:
        """Name and parameters."""
        return _state("profile", self)


def ramp(axis: Axis, voxels: int, first: float = 0.0, last: float = 1.0) -> Profile:
    """Factor that changes linearly from the first voxel of an axis to the last."""
    return Profile(axis, (0.0, float(max(voxels - 1, 1))), (first, last))


class Mask:
    """A factor for each voxel of a volume, such as one drawn by hand.

    Parameters
    ----------
    values
        [Z, Y, X]; outside of it, the nearest voxel counts.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        if values.ndim != len(AXES) or values.size == 0:
            raise ValueError(
                f"Expected a mask [Z, Y, X], got the shape {values.shape}; give one "
                "factor for each voxel of the volume."
            )
        self.values = np.asarray(values, np.float64)
        _check_factors(self.values)

    def weights(self, z: Places, y: Places, x: Places) -> Places:
        """See `Region`."""
        nearest = [
            np.clip(np.rint(places), 0, length - 1).astype(np.intp)
            for places, length in zip((z, y, x), self.values.shape, strict=True)
        ]
        return np.asarray(self.values[np.ix_(*nearest)])

    def state(self) -> dict[str, Any]:
        """Raise a ValueError: a mask is too large to be stored with a direction."""
        raise ValueError(
            "A region that is kept with a direction is a box or a profile and cannot "
            "be kept as a mask, got one; use a box or a profile."
        )


def _check_factors(factors: NDArray[Any]) -> None:
    """Refuse factors that are no numbers, or with which edits leave float32."""
    beyond = factors[~(np.abs(factors) <= MOST_FACTOR)]  # also NaN
    if beyond.size:
        raise ValueError(
            f"Expected factors from -{MOST_FACTOR:g} to {MOST_FACTOR:g}, got "
            f"{beyond[0]:g}; choose others."
        )


def _state(name: str, region: Box | Profile) -> dict[str, Any]:
    """Name and parameters, with lists for tuples, as JSON returns them."""
    values = asdict(region).items()
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in values}
    return {"name": name, **lists}


REGIONS: dict[str, Any] = {"box": Box, "profile": Profile}


def region_from_state(state: dict[str, Any]) -> Region:
    """Region from its `state`, also after storage as JSON.

    Raises
    ------
    ValueError
        If the state is of no known region.
    """
    name = state.get("name")
    if name not in REGIONS:
        raise ValueError(
            f"Expected the region 'box' or 'profile', got '{name}'; use a newer "
            "version of this program."
        )
    try:
        values = {field.name: state[field.name] for field in fields(REGIONS[name])}
        tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        region: Region = REGIONS[name](**tuples)
        return region
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"Expected a complete region, got {state}; note the example once more."
        ) from error
