"""What the plugin adds to the time in which napari starts.

    python benchmarks/start_up.py

starts napari many times, in turns without the plugin, with it disabled, and with it,
and opens its dock in the last case: the modules of the dock are loaded and its panels
built, before there is an image. Each start is a process of its own, with the
settings of a first start. torch must not be loaded by any of them. What counts is the
time on the processor, which other programs hardly change; the time on the clock is
printed too.
Needs a display, such as that of xvfb-run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

PLUGIN, WIDGET = "napari-slicegan", "Volumes from micrographs"
WAYS = ("absent", "disabled", "enabled")
UNITS = ("cpu_s", "clock_s")
LIMIT_S = 0.2
"""Largest cost of the plugin on the processor."""


def main() -> int:
    """Measure, print a table, and fail if the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--start", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        sys.stdout.write(json.dumps(start_napari(options.start)) + "\n")
        return 0
    # The first round only fills the caches of the disk; the order changes by the round.
    rounds = [
        {way: start_of(way) for way in (*WAYS[number % 3 :], *WAYS[: number % 3])}
        for number in range(options.rounds + 1)
    ]
    return report(rounds[1:])


def report(rounds: list[dict[str, dict[str, Any]]]) -> int:
    """Print what starts took and what the plugin adds; the exit status."""
    lines = [f"{len(rounds)} starts of each kind; medians{'':8} CPU    clock"]
    for way in WAYS:
        lines.append(f"start, plugin {way:20} {times(rounds, way, 'start')}")
    lines.append(f"dock opens in{'':21} {times(rounds, 'enabled', 'dock')}")
    # Of pairs that ran one after the other: the machine's mood is the same in both.
    cost, clock = (
        median(
            each["enabled"]["start"][unit] - each["absent"]["start"][unit]
            for each in rounds
        )
        for unit in UNITS
    )
    torch = any(each[way]["has_torch"] for each in rounds for way in WAYS)
    lines.append(
        f"cost of the plugin{'':15} {cost:6.2f} s {clock:6.2f} s (of pairs; limit of "
        f"the CPU time {LIMIT_S:g} s)"
    )
    lines.append(f"torch loaded{'':22} {'yes, and must not' if torch else 'no'}")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(cost > LIMIT_S or torch)


def times(rounds: list[dict[str, dict[str, Any]]], way: str, what: str) -> str:
    """Medians of both units."""
    return " ".join(
        f"{median(each[way][what][unit] for each in rounds):6.2f} s" for unit in UNITS
    )


def start_of(way: str) -> dict[str, Any]:
    """Start napari in a process of its own; what it measured."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NAPARI_CONFIG": str(Path(folder) / "napari.yaml")}
        command = [sys.executable, __file__, "--start", way]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def start_napari(way: str) -> dict[str, Any]:
    """Start napari in this process.

    Returns
    -------
    dict
        ``start`` until the window is there and ``dock`` until the dock is, seconds on
        the processor (user and system) and on the clock; ``has_torch``, whether torch
        was loaded.
    """
    hide_distribution("" if way != "absent" else PLUGIN)
    from npe2 import PluginManager

    if way == "disabled":
        PluginManager.instance().disable(PLUGIN)
    begin = now()
    import napari

    viewer = napari.Viewer(show=False)
    facts: dict[str, Any] = {"start": since(begin)}
    known = {manifest.name for manifest in PluginManager.instance().iter_manifests()}
    if (PLUGIN in known) != (way != "absent"):
        raise RuntimeError(f"The plugin was to be {way}; napari found {known}.")
    if way == "enabled":
        begin = now()
        viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        facts["dock"] = since(begin)
    facts["has_torch"] = "torch" in sys.modules
    viewer.close()
    return facts


def now() -> dict[str, float]:
    """Seconds of this process on the processor and on the clock."""
    return dict(zip(UNITS, (time.process_time(), time.perf_counter()), strict=True))


def since(begin: dict[str, float]) -> dict[str, float]:
    """Seconds since then."""
    return {unit: seconds - begin[unit] for unit, seconds in now().items()}


def hide_distribution(hidden: str) -> None:
    """Let the list of installed packages lack one; the same work for any name."""
    listed = metadata.distributions

    def distributions(**context: Any) -> Iterator[metadata.Distribution]:
        for each in listed(**context):
            if each.metadata["Name"] != hidden:
                yield each

    metadata.distributions = distributions  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(main())
