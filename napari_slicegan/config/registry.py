"""Tables of named parts that other packages, such as `systems`, extend.

A room of the core declares its parts in a `Table`. A plug-in adds further parts with
`add_part` as the place ``"package.module:NAME"``; the module is imported when the part
is first used, so that registration is fast and needs no torch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, Literal, TypeVar

PartKind = Literal["architecture", "objective", "transform", "task", "data"]
T = TypeVar("T")

_PLACES: dict[str, dict[str, str]] = defaultdict(dict)


def add_part(kind: PartKind, name: str, place: str) -> None:
    """Add a part to the table of a kind; adding the same part again changes nothing.

    Parameters
    ----------
    kind
        Which table.
    name
        Key of the part.
    place
        ``"package.module:NAME"``. Where NAME is a mapping, the part is its entry
        ``name``.

    Raises
    ------
    ValueError
        If the name is taken by a part from elsewhere.
    """
    taken = _PLACES[kind].setdefault(name, place)
    if taken != place:
        raise ValueError(
            f"The {kind} '{name}' is registered as {taken}, got {place}; choose "
            "another name."
        )


def part_names(kind: PartKind) -> tuple[str, ...]:
    """Names of the parts that were added to a kind."""
    return tuple(_PLACES[kind])


class Table(Mapping[str, T], Generic[T]):
    """Parts of one kind by name: those of the core, then those that were added.

    Parameters
    ----------
    kind
        As for `add_part`.
    parts
        The parts of the core.
    """

    def __init__(self, kind: PartKind, parts: Mapping[str, T]) -> None:
        self._kind: PartKind = kind
        self._parts = dict(parts)

    def __getitem__(self, name: str) -> T:
        if name not in self._parts:
            self._parts[name] = _resolved(name, _PLACES[self._kind][name])
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._parts, *part_names(self._kind)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._parts or name in _PLACES[self._kind]


def _resolved(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(module), attribute)
    return found[name] if isinstance(found, Mapping) else found
