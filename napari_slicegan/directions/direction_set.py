"""The directions of one generator, and their file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save

from napari_slicegan.config import parse_json
from napari_slicegan.directions.direction import (
    RENAMED_PROPERTIES,
    Direction,
    Effect,
    Example,
    Model,
)
from napari_slicegan.models.generator_file import read_tensors, reproducible
from napari_slicegan.models.network import LATENT
from napari_slicegan.runtime.atomic_files import replacing

if TYPE_CHECKING:
    from napari_slicegan.models.generator_file import TrainedNetwork

FORMAT = "napari-slicegan directions 1"
# If the first component explains less than this, in units of a random direction, the
# material hardly varies.
LITTLE = 3.0


@dataclass(frozen=True)
class Fit:
    """Parameters and variances of a fit of components.

    Attributes
    ----------
    block
        Block of the features.
    n_samples, seed
        Number and seed of the random latents.
    shares
        Fractions of the variance that the components explain.
    random_share
        Mean fraction along random directions.
    """

    block: str
    n_samples: int
    seed: int
    shares: tuple[float, ...]
    random_share: float


@dataclass(frozen=True, eq=False)
class DirectionSet:
    """Directions of one generator.

    Attributes
    ----------
    model
        The generator they were found in.
    directions
        In the order in which they are shown.
    fit
        The fit of the components, if there are any.
    """

    model: Model
    directions: tuple[Direction, ...]
    fit: Fit | None = None

    def __iter__(self) -> Iterator[Direction]:
        return iter(self.directions)

    def __len__(self) -> int:
        return len(self.directions)

    def named(self, name: str) -> Direction:
        """Direction of a name.

        Raises
        ------
        ValueError
            If there is none; lists the names.
        """
        for direction in self.directions:
            if direction.name == name:
                return direction
        names = ", ".join(direction.name for direction in self.directions)
        raise ValueError(
            f"Expected one of the directions {names}, got '{name}'; choose one of them."
        )

    def with_(self, *directions: Direction) -> DirectionSet:
        """With more directions; one of the same name is replaced."""
        new = {direction.name: direction for direction in directions}
        kept = [new.pop(old.name, old) for old in self.directions]
        return replace(self, directions=(*kept, *new.values()))

    def only(self, *names: str) -> DirectionSet:
        """With the named ones only, in the order of the names.

        Raises
        ------
        ValueError
            If there is no direction of a name.
        """
        return replace(self, directions=tuple(self.named(name) for name in names))

    def renamed(self, name: str, new: str) -> DirectionSet:
        """With another name for a direction.

        Raises
        ------
        ValueError
            If there is no such direction, or the new name is empty or taken.
        """
        direction = self.named(name)
        taken = {one.name for one in self.directions} - {name}
        if not new.strip() or new in taken:
            raise ValueError(
                f"Expected a name that no other direction has, got '{new}'; choose "
                "another one."
            )
        changed = tuple(
            replace(one, name=new) if one is direction else one
            for one in self.directions
        )
        return replace(self, directions=changed)

    def check(self, trained: TrainedNetwork, *, of_any_model: bool = False) -> None:
        """Refuse a generator that the directions do not fit.

        Parameters
        ----------
        of_any_model
            Whether any generator of the same networks will do. If not, it must be the
            one of the directions, another state of its run, or fine-tuned from it.

        Raises
        ------
        ValueError
            Says what differs.
        """
        self.model.check(trained)
        if not (of_any_model or self.model.is_relative(trained)):
            raise ValueError(
                f"Expected the generator of the directions (of {self.model.name}) or "
                f"one that was fine-tuned from it, got another one of {trained.name}, "
                "in which they may do the opposite; find directions in it, or use "
                "these all the same with 'slicegan directions apply --any-model'."
            )

    def is_of(self, trained: TrainedNetwork) -> bool:
        """Whether they were found in exactly this generator."""
        return self.model.weights == Model.of(trained).weights

    @property
    def finds_little(self) -> bool:
        """Whether the material hardly varies, so that nothing can be steered."""
        if self.fit is None or not self.fit.shares:
            return False
        measured = [direction for direction in self.directions if direction.effects]
        return self.is_flat or (
            bool(measured) and all(one.strongest is None for one in measured)
        )

    @property
    def is_flat(self) -> bool:
        """Whether the first component explains hardly more than a random direction."""
        if self.fit is None or not self.fit.shares:
            return False
        return self.fit.shares[0] < LITTLE * self.fit.random_share

    def sentence(self) -> str:
        """Summary of the fit, in one or two sentences."""
        if self.fit is None or not self.fit.shares:
            return f"{len(self)} directions."
        share = 100 * self.fit.random_share
        random = f"{share:.0f}" if share >= 1 else "below 1"
        text = (
            f"The first component explains {100 * self.fit.shares[0]:.0f} % of the "
            f"variance (a random direction: {random} %)."
        )
        if self.finds_little:
            text += self._why_little
        return text

    @property
    def _why_little(self) -> str:
        if self.fit is not None and self.fit.block == LATENT:
            return (
                " The latents vary equally along all directions, so their components "
                "are nearly random; take those of a block, such as '--block block1'."
            )
        if self.is_flat:
            return (
                " There is little to find: the training images hardly vary. Train on "
                "several micrographs that differ in what you want to steer."
            )
        return (
            " There is little to find in what is measured: no direction changes one of "
            "the properties beyond chance. Look at samples along them ('slicegan "
            "directions sweep --sheet')."
        )

    def save(self, path: str | Path) -> None:
        """Write one safetensors file; it is whole or not there."""
        facts = {
            "model": asdict(self.model),
            "fit": None if self.fit is None else asdict(self.fit),
            "directions": [_facts(direction) for direction in self.directions],
        }
        offsets = {
            f"{number}/{block}": np.ascontiguousarray(offset)
            for number, direction in enumerate(self.directions)
            for block, offset in direction.offsets.items()
        }
        metadata = {"format": FORMAT, "facts": json.dumps(facts)}
        content = reproducible(save(offsets, metadata))
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(content)


def load_directions(path: str | Path) -> DirectionSet:
    """Read what `DirectionSet.save` wrote. Executes no code.

    Raises
    ------
    ValueError
        If there is no file, or it is damaged, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"Expected a file of directions, got {path}, where there is none; find "
            "some with 'slicegan directions fit' or check the path."
        )
    metadata, tensors = read_tensors(path, (FORMAT,), "directions", "np")
    try:
        return _read(parse_json(metadata["facts"]), tensors)
    except (AttributeError, LookupError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path.name}: expected complete directions, got only a part of them; copy "
            "the file again or find directions anew."
        ) from error


def _facts(direction: Direction) -> dict[str, Any]:
    """All of a direction but its offsets, fit for JSON."""
    facts = asdict(replace(direction, offsets={}))
    del facts["offsets"]
    return {**facts, "blocks": list(direction.offsets)}


def _read(facts: dict[str, Any], tensors: dict[str, Any]) -> DirectionSet:
    fit, directions = facts["fit"], []
    if fit is not None:
        fit = Fit(**{**fit, "shares": tuple(fit["shares"])})
    for number, one in enumerate(facts["directions"]):
        blocks, example = one.pop("blocks"), one["example"]
        one["offsets"] = {block: tensors[f"{number}/{block}"] for block in blocks}
        one["guide"] = RENAMED_PROPERTIES.get(one["guide"], one["guide"])
        for effect in one["effects"]:
            name = effect["measured"]
            effect["measured"] = RENAMED_PROPERTIES.get(name, name)
        one["effects"] = tuple(Effect(**effect) for effect in one["effects"])
        if example is not None:
            one["example"] = Example(**{**example, "size": tuple(example["size"])})
        directions.append(Direction(**one))
    model = facts["model"]
    model["lineage"] = tuple(model.get("lineage", ()))
    return DirectionSet(Model(**model), tuple(directions), fit)
