"""Progress and cancellation of long work.

A long function takes ``progress: Progress | None = None`` and calls it with the
finished fraction, from 0 to 1, after each piece. A callback cancels the work by raising
`Cancelled`.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the finished fraction; may raise `Cancelled`."""


class Cancelled(Exception):
    """Raised by a progress callback to end the work that calls it."""


def subrange(
    progress: Progress | None, start: float = 0.0, stop: float = 1.0
) -> Progress:
    """Progress callback for one part of a larger task.

    Parameters
    ----------
    progress
        Callback of the whole task; None reports nothing.
    start, stop
        Fractions of the whole at which the part begins and ends.
    """
    if progress is None:
        return lambda fraction: None
    return lambda fraction: progress(start + (stop - start) * fraction)
