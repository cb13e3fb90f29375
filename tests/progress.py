"""Progress callbacks for tests of long work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_slicegan.runtime.progress import Cancelled, Progress


def cancelled_after(n: int, work: Callable[[Progress], Any]) -> list[float]:
    """Cancel the work at its n-th report; the fractions that were reported."""
    fractions: list[float] = []

    def progress(fraction: float) -> None:
        fractions.append(fraction)
        if len(fractions) == n:
            raise Cancelled

    with pytest.raises(Cancelled):
        work(progress)
    return fractions
