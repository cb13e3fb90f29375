"""One volume of 1024^3 voxels as OME-Zarr: its time, memory and share of the peak.

    python -m benchmarks.thousand_cubed --out /tmp/thousand.ome.zarr

makes it once, with an untrained generator or that of `--run`, in a process of its own,
and prints what it took beside what was said before the start. The matrix product that
the speed is compared with is measured before and after. `--edge 128` is a quick look.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.generate import untrained
from benchmarks.machine_peak import EDGE, matmul_peak
from benchmarks.own_process import in_own_process, peak_memory
from napari_slicegan.config.presets import VOLUME_PRESETS
from napari_slicegan.generation.estimates import generation_costs, operations
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.runtime.memory import keep_freed_memory

SEED = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the volume and print what it took."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.alone:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
        return 0
    if options.out.exists():
        raise SystemExit(f"{options.out} is there already; delete it first.")
    cpu = torch.device("cpu")
    before = matmul_peak(torch.float32, cpu, options.matrix)
    asked = ["--out", str(options.out), "--edge", str(options.edge)]
    asked += ["--preset", options.preset]
    if options.run:
        asked += ["--run", str(options.run)]
    found = in_own_process("benchmarks.thousand_cubed", asked)
    after = matmul_peak(torch.float32, cpu, options.matrix)
    sys.stdout.write(table(options, found, statistics.mean((before, after))))
    if not options.keep:
        shutil.rmtree(options.out)
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """What was expected, and what it took."""
    trained = load_generator(options.run) if options.run else untrained(options.preset)
    plan = VolumePlan(trained, (options.edge,) * 3, SEED)
    costs = generation_costs(plan, options.out)
    costs.check(options.out)
    volume = StreamedVolume.begin(plan, options.out)
    started = time.perf_counter()

    def show(share: float) -> None:
        sys.stderr.write(f"\r{share:.0%} after {time.perf_counter() - started:.0f} s")

    volume.write(progress=show)
    sys.stderr.write("\n")
    files = [file for file in options.out.rglob("*") if file.is_file()]
    return {
        "seconds": time.perf_counter() - started,
        "memory": peak_memory(),
        "disk": sum(file.stat().st_size for file in files),
        "files": len(files),
        "levels": volume.tree.levels,
        "operations": operations(plan),
        "expected_seconds": costs.seconds,
        "expected_memory": costs.memory_bytes,
        "expected_disk": costs.disk_bytes,
    }


def table(options: argparse.Namespace, found: dict[str, Any], peak: float) -> str:
    """The figures, one in a line."""
    seconds, voxels = found["seconds"], options.edge**3
    speed = found["operations"] / seconds
    lines = {
        "voxels": f"{options.edge}^3, {found['levels']} levels, {found['files']} files",
        "time": f"{seconds:.1f} s, expected {found['expected_seconds']:.1f} s",
        "speed": f"{voxels / seconds:.3g} voxels/s, {speed / 1e9:.0f} GFLOP/s",
        "of the peak": f"{speed / peak:.0%} of {peak / 1e9:.0f} GFLOP/s in fp32, "
        f"{torch.get_num_threads()} threads",
        "most memory": f"{found['memory'] / 1e9:.2f} GB, expected "
        f"{found['expected_memory'] / 1e9:.2f} GB",
        "on the disk": f"{found['disk'] / 1e6:.1f} MB, expected "
        f"{found['expected_disk'] / 1e6:.1f} MB",
    }
    return "".join(f"{title:12} {text}\n" for title, text in lines.items())


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, help="folder to make")
    made.add_argument("--edge", type=int, default=1024)
    made.add_argument("--run", type=Path, help="run folder or generator to use")
    made.add_argument("--preset", choices=VOLUME_PRESETS, default="slicegan-fast")
    made.add_argument("--threads", type=int, help="of torch; all cores by default")
    made.add_argument("--matrix", type=int, default=EDGE, help="edge for the peak")
    made.add_argument("--keep", action="store_true", help="do not delete the volume")
    made.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    sys.exit(main())
