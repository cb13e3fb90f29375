"""The command ``slicegan models``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_slicegan.cli.options import DONE, SAMPLE, say
from napari_slicegan.report.card_facts import card_path, split_card
from napari_slicegan.report.ready_models import (
    ReadyModel,
    add_place,
    model_file,
    ready_models,
    remove_place,
)
from napari_slicegan.runtime.quantities import length_text

if TYPE_CHECKING:
    from argparse import Namespace

HEAD = ("name", "material", "phases", "voxel", "verdict", "MB", "licence")


def models(options: Namespace) -> int:
    """List ready models, show the card of one, or add and remove places."""
    if options.add is not None:
        for file in add_place(options.add):
            say(f"Added {SAMPLE}{file.stem}: {file}")
    if options.remove is not None:
        remove_place(options.remove)
        say(f"Removed {options.remove}")
    if options.name:
        say(_card_text(options.name.removeprefix(SAMPLE)))
    elif options.add is None and options.remove is None:
        for line in _table([HEAD, *map(_row, ready_models())]):
            say(line)
        say("\nUse one as sample:NAME: slicegan generate sample:NAME --size 128")
    return DONE


def _card_text(name: str) -> str:
    """Markdown of the card of a model.

    Raises
    ------
    ValueError
        If no model has this name, or it has no card.
    """
    card = card_path(model_file(name))
    if not card.is_file():
        raise ValueError(
            f"Expected a model with a card, got {name}, which has none; slicegan info "
            f"{SAMPLE}{name} prints what its file says."
        )
    return split_card(card.read_text("utf-8", "replace"))[2].strip()


def _row(model: ReadyModel) -> tuple[str, ...]:
    size = f"{model.file.stat().st_size / 1e6:.1f}"
    facts = model.facts
    if facts is None:
        return (model.name, model.title, "", "", "no card", size, "")
    fractions = " ".join(f"{value:.2f}" for value in facts.phase_fractions.values())
    voxel = facts.voxel_size_nm
    return (
        model.name,
        model.title,
        fractions or facts.makes,
        "" if voxel is None else length_text(voxel),
        facts.verdict,
        size,
        facts.licence,
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
