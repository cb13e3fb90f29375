"""What to say when the memory does not suffice. Loads no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

MEMORY_SETTINGS = (
    "'Generator batch size', 'Critic batch size', 'Generator widths' or 'Patch size'"
)
OUT_OF_MEMORY = (
    f"The memory does not suffice: lower {MEMORY_SETTINGS}, or choose another device."
)
# Of torch on GPUs, on Linux and macOS, and on Windows.
_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def lacks_memory(error: BaseException) -> bool:
    """Whether an exception says that memory could not be had."""
    if isinstance(error, MemoryError):
        return True
    # torch.OutOfMemoryError is a RuntimeError too, and always says so.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _WORDS)


@contextlib.contextmanager
def memory_explained() -> Iterator[None]:
    """Answer a lack of memory with the settings to lower.

    Raises
    ------
    ValueError
        Instead of whatever torch or Python raise when memory cannot be had.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        raise ValueError(OUT_OF_MEMORY) from error
