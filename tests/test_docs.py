"""The guides speak of what there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from napari_slicegan.config.presets import PRESETS, VOLUME_PRESETS

ROOT = Path(__file__).resolve().parent.parent
PAPER_AND_CODE = ROOT / "docs" / "paper-and-code.md"
SYSTEMS = ROOT / "docs" / "systems.md"


def named(guide: Path) -> list[tuple[str, str]]:
    """Tests that a guide cites: file and function."""
    found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", guide.read_text("utf-8"))
    return sorted(set(found))


NAMED = named(PAPER_AND_CODE)


@pytest.mark.parametrize(("file", "name"), [*NAMED, *named(SYSTEMS)])
def test_named_tests_exist(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert name in functions


def test_every_answer_names_its_test() -> None:
    """Seven differences and three more, ten defects: each last cell cites a test."""
    lines = PAPER_AND_CODE.read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| **")]
    assert len(rows) == 20
    for row in rows:
        assert "`tests/" in row.rstrip(" |").rsplit(" | ", 1)[1]
    assert len(NAMED) > 30


def test_presets_are_named() -> None:
    volumes = PAPER_AND_CODE.read_text("utf-8")
    systems = SYSTEMS.read_text("utf-8")
    for name in PRESETS:
        assert f"`{name}`" in (volumes if name in VOLUME_PRESETS else systems)
