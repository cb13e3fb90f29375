"""Bytes, times, lengths and voxel counts as text; titles within sentences."""

from __future__ import annotations

PERSONS = ("Euler", "Gaussian")


def unbroken(text: str) -> str:
    """Text within which no line ends."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def within_sentence(words: str) -> str:
    """A title or sentence with a small first letter, except of a person's name."""
    if words.startswith(PERSONS):
        return words
    return words[:1].lower() + words[1:]


def bytes_in_words(n: float) -> str:
    """Two digits, such as "0.53 GB"."""
    if n < 99.5e6:
        return f"{n / 1e6:.2g} MB"
    return f"{n / 1e9:.2g} GB" if n < 1e10 else f"{n / 1e9:,.0f} GB"


LONG = "100 years or more"
"""Of runs without an end, which the user will stop."""
LONG_MINUTES = 100 * 365 * 24 * 60


def duration(minutes: float) -> str:
    """Seconds, minutes, hours or days, whichever suits."""
    if minutes > LONG_MINUTES:
        return LONG
    if minutes < 1.5:
        return f"{max(1, round(60 * minutes))} s"
    if minutes < 100:
        return f"{minutes:.0f} min"
    if minutes < 48 * 60:
        return f"{minutes / 60:.0f} h"
    return f"{minutes / 60 / 24:,.0f} days"


def clock_time(seconds: float) -> str:
    """A duration to the second or minute: 48 s, 3:05 min, 2:10 h; long ones in days."""
    if seconds >= 1000 * 3600:
        return duration(seconds / 60)
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def length_text(nm: float) -> str:
    """A length with the unit that keeps the number short."""
    if nm < 1e3:
        return f"{nm:.4g} nm"
    return f"{nm / 1e3:.4g} µm" if nm < 1e6 else f"{nm / 1e6:.4g} mm"


def voxels_in_words(n: int) -> str:
    """Three digits, such as "2.1 million voxels"; fewer than a million as they are."""
    if n < 1e6:
        return f"{n:,} voxels"
    if n < 1e9:
        return f"{n / 1e6:,.3g} million voxels"
    return f"{n / 1e9:,.3g} billion voxels" if n < 1e12 else f"{n:.3g} voxels"
