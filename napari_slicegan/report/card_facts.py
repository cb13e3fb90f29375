"""Facts in the head of a model card, which programs read.

The head is that of model cards elsewhere: lines of ``key: value`` between two lines of
three dashes, the values in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

CARD = ".md"
FENCE = "---"
MOST_BYTES = 2**20


@dataclass(frozen=True)
class CardFacts:
    """What a card says of a generator.

    Attributes
    ----------
    title
        Name of the material.
    makes
        phases, grayscale or colour.
    phase_fractions
        In the real material, by label; empty for gray values and colours.
    voxel_size_nm
        None if it is not known.
    verdict
        agrees, close, differs or unknown.
    licence
        Of the images.
    """

    title: str
    makes: str
    phase_fractions: Mapping[str, float] = field(default_factory=dict)
    voxel_size_nm: float | None = None
    verdict: str = "unknown"
    licence: str = ""


def card_path(generator: Path) -> Path:
    """The card of a generator's file."""
    return generator.with_suffix(CARD)


def head_of_card(facts: CardFacts) -> str:
    """The first lines of a card."""
    lines = [
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in asdict(facts).items()
    ]
    return "\n".join([FENCE, *lines, FENCE, ""])


def card_facts(path: Path) -> CardFacts | None:
    """Facts of a card; None without a card, or of one without a valid head."""
    try:
        with path.open(encoding="utf-8") as file:
            head, _, _ = split_card(file.read(MOST_BYTES))
        values = dict(line.split(": ", 1) for line in head.splitlines())
        known = {one.name for one in fields(CardFacts)}
        facts = CardFacts(
            **{key: json.loads(text) for key, text in values.items() if key in known}
        )
        fractions = {
            str(label): float(fraction)
            for label, fraction in facts.phase_fractions.items()
        }
        size = facts.voxel_size_nm
        return CardFacts(
            str(facts.title),
            str(facts.makes),
            fractions,
            None if size is None else float(size),
            str(facts.verdict),
            str(facts.licence),
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def split_card(text: str) -> tuple[str, str, str]:
    """Head without its fences, the fence, and the Markdown of a card."""
    begin = f"{FENCE}\n"
    if not text.startswith(begin):
        return "", "", text
    return text[len(begin) :].partition(f"\n{FENCE}\n")
