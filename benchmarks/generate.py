"""How fast volumes are generated, against their size.

    python -m benchmarks.generate --presets slicegan-fast slicegan-v1 --sizes 64 128 256

generates volumes with untrained generators, each in a process of its own, and prints
voxels per second, the most memory, and the share of the speed of a matrix product.
`--whole 256` runs the network on all latents at once, in fp32, for sizes up to 256, and
counts how many labels the tiles have in common with that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.machine_peak import EDGE, peaks
from benchmarks.materials import images_of
from benchmarks.own_process import in_own_process, peak_memory
from napari_slicegan.config import MicrographSettings
from napari_slicegan.config.presets import PRESETS, preset
from napari_slicegan.data.transforms import fit_transform
from napari_slicegan.generation.estimates import operations
from napari_slicegan.generation.generate import VolumePlan, generate
from napari_slicegan.models import build_generator, generator_spec
from napari_slicegan.models.generator_file import TrainedGenerator
from napari_slicegan.runtime.memory import keep_freed_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEED = 0
WARM_UP_EDGE = 32
COLUMNS = "{:>6}{:>10}{:>12}{:>11}{:>9}{:>9}{:>11}{:>10}{:>9}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each preset and size, and print the table."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.alone:
        sys.stdout.write(json.dumps(measure(options)) + "\n")
        return 0
    peak = peaks(torch.device("cpu"), options.matrix)
    sys.stdout.write(
        f"{torch.get_num_threads()} threads; matrix product: "
        f"{peak['fp32'] / 1e9:.0f} GFLOP/s in fp32, {peak['bf16'] / 1e9:.0f} in bf16\n"
    )
    head = ("edge", "seconds", "voxels/s", "GFLOP/s", "of fp32", "of bf16", "memory")
    for name in options.presets:
        sys.stdout.write(f"\n{name}\n{COLUMNS.format(*head, 'x whole', 'labels')}\n")
        for size in options.sizes:
            asked = f"--presets {name} --sizes {size} --whole {options.whole}"
            words = [*asked.split(), "--repeats", str(options.repeats)]
            found = in_own_process("benchmarks.generate", words)
            sys.stdout.write(line(size, found, peak))
            sys.stdout.flush()
    return 0


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Time and memory of one volume; where asked for, beside the whole network."""
    [name], [size] = options.presets, options.sizes
    trained = untrained(name)
    generate(trained, (WARM_UP_EDGE,) * 3, SEED)
    before = peak_memory()
    seconds = []
    for _ in range(options.repeats):
        started = time.perf_counter()
        volume = generate(trained, (size,) * 3, SEED)
        seconds.append(time.perf_counter() - started)
    found = {
        "seconds": statistics.median(seconds),
        "memory": peak_memory() - before,
        "operations": operations(VolumePlan(trained, (size,) * 3, SEED)),
    }
    if size <= options.whole:
        labels, found["whole_seconds"] = whole(trained, size, options.repeats)
        found["same"] = float(np.mean(labels == volume.values))
    return found


def untrained(name: str) -> TrainedGenerator:
    """Generator of a preset for two phases, with its first random weights."""
    transform = fit_transform(images_of("bentheimer", MicrographSettings()))
    spec = generator_spec(preset(name), transform.channels, "phases")
    network = build_generator(spec, torch.Generator().manual_seed(SEED))
    return TrainedGenerator(network.eval().requires_grad_(False), transform, None)


def whole(
    trained: TrainedGenerator, size: int, repeats: int
) -> tuple[NDArray[Any], float]:
    """Labels of the network run on all latents at once, and seconds without them."""
    plan = VolumePlan(trained, (size,) * 3, SEED)
    edge = trained.network.size_rule.latent_size(size)
    latents = torch.from_numpy(plan.field.region(*((0, edge),) * 3))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.no_grad():
            made = trained.network(latents[None])[0]
        seconds.append(time.perf_counter() - started)
    values = trained.transform.inverse(made[:, :size, :size, :size], 0)
    return np.asarray(values), statistics.median(seconds)


def line(size: int, found: dict[str, Any], peak: dict[str, float]) -> str:
    """One row of the table."""
    seconds = found["seconds"]
    speed = found["operations"] / seconds
    cells = [
        str(size),
        f"{seconds:.3f}",
        f"{size**3 / seconds:.3g}",
        f"{speed / 1e9:.0f}",
        f"{speed / peak['fp32']:.0%}",
        f"{speed / peak['bf16']:.0%}",
        f"{found['memory'] / 1e6:.0f} MB",
        "-",
        "-",
    ]
    if "same" in found:
        cells[-2:] = [f"{found['whole_seconds'] / seconds:.2f}", f"{found['same']:.3%}"]
    return COLUMNS.format(*cells) + "\n"


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--presets", nargs="+", choices=PRESETS, default=["slicegan-fast"]
    )
    made.add_argument(
        "--sizes", nargs="+", type=int, default=[64, 128, 192, 256, 384, 512]
    )
    made.add_argument("--whole", type=int, default=0, help="largest edge run whole")
    made.add_argument("--repeats", type=int, default=3)
    made.add_argument("--threads", type=int, help="of torch; all cores by default")
    made.add_argument("--matrix", type=int, default=EDGE, help="edge for the peak")
    made.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    sys.exit(main())
