"""How bad input is refused: one sentence that helps."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# A title, what causes the refusal (in an empty folder), and words of the answer.
Refusal = tuple[str, Callable[[Path], Any], str]


def assert_refused(refusal: Refusal, folder: Path) -> None:
    """Cause it, and judge the answer: expected, got, what to do, in one sentence."""
    _, make, words = refusal
    with pytest.raises(ValueError, match=words) as caught:
        make(folder)
    text = str(caught.value)
    # Not one of the subclasses that other packages raise.
    kind = type(caught.value)
    assert kind is ValueError or kind.__module__.startswith("napari_slicegan.")
    assert text.endswith(".")
    assert "\n" not in text
    # One sentence: no full stop, question or exclamation mark that another follows.
    assert not re.search(r"[.?!]\s+[A-Z]", text)
    # What came, and after the semicolon what to do.
    assert re.search(r"\bgot\b[^;]*; \w+ .{4,}\.$", text)


def assert_all_refused(refusals: list[Refusal], folder: Path) -> None:
    """Each in a folder of its own; the title of the first that fails is noted."""
    for number, refusal in enumerate(refusals):
        empty = folder / str(number)
        empty.mkdir()
        try:
            assert_refused(refusal, empty)
        except BaseException as error:
            error.add_note(f"Case: {refusal[0]}")
            raise
