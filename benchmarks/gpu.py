"""What a CUDA GPU reaches: one table and a JSON file within a given time.

    python -m benchmarks.gpu --budget 420 --out gpu.json

needs nothing but the program. Each part has a share of the time and runs in its own
process: neither a part that takes too long nor a GPU in a state of error ends the
others. What did not fit is listed as left out, what failed with its sentence. Without a
GPU the same is measured on the CPU, but for what needs CUDA. `--toy` is a quick look at
whether everything runs.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import itertools
import json
import logging
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from napari_slicegan.sample_data import model_path
from torch.profiler import ProfilerActivity, profile

from benchmarks.machine_peak import EDGE, matmul_peak
from benchmarks.materials import CASES, images_of, settings_of
from benchmarks.time_to_quality import Run, moment, pauses, yardstick
from napari_slicegan.config.presets import DEFAULT_PRESET, preset
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.models import build_generator, volume_spec
from napari_slicegan.models.generator_file import load_generator
from napari_slicegan.runtime import devices
from napari_slicegan.runtime.devices import choose_device, computing_in
from napari_slicegan.runtime.memory import keep_freed_memory
from napari_slicegan.training.captured_step import CapturedStep
from napari_slicegan.training.estimates import step_cost
from napari_slicegan.training.trainer import Trainer

if TYPE_CHECKING:
    from torch import Tensor

    from napari_slicegan.config import RunConfig

Prepare = Callable[[Trainer], None]

MATERIAL = "bentheimer"
FORMATS = ("float32", "TF32", "bfloat16")
VOLUMES = (2, 8, 16)
SEED = 7
TOY = MappingProxyType(
    {
        "patch_size": 16,
        "latent_channels": 4,
        "generator_widths": (6, 6),
        "critic_widths": (6, 6),
        "critic_slices": 3,
        "generator_slices": 3,
        "threads": 1,
    }
)
LEFT_OUT, FAILED = "left out", "failed"
NO_TIME = "no time left in the budget"
NO_GPU = "needs a CUDA GPU"
# What makes the host wait for a GPU, and what it launches, by torch's profiler.
WAITS = ("cudaStreamSynchronize", "cudaEventSynchronize")
LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch")


@dataclass(frozen=True)
class Row:
    """A line of the table: a measurement, or why there is none.

    Attributes
    ----------
    part, name
        What was measured.
    values
        Figures by name, with units; empty if there are none.
    note
        Why there are none.
    seconds
        What the measurement took.
    """

    part: str
    name: str
    values: Mapping[str, float]
    note: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """All fields; null for nan, which JSON lacks."""
        figures = {
            name: None if math.isnan(value) else value
            for name, value in self.values.items()
        }
        return {**asdict(self), "values": figures}

    def line(self) -> str:
        """One line of text."""
        figures = ", ".join(
            f"{name} {value:.4g}" for name, value in self.values.items()
        )
        return f"{self.part:11} {self.name:34} {figures or self.note}\n"


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes
    ----------
    measure
        Returns figures by name.
    needs_s
        Seconds that must be left for it.
    needs_cuda
        Whether it is left out elsewhere.
    """

    name: str
    measure: Callable[[], Mapping[str, float]]
    needs_s: float = 5.0
    needs_cuda: bool = False


@dataclass(frozen=True)
class Bench:
    """Device and sizes of all measurements.

    Attributes
    ----------
    ends
        When the time of the present part is over, as of `time.time`.
    """

    device: torch.device
    is_toy: bool
    ends: float

    def config(self, name: str = DEFAULT_PRESET, **changes: Any) -> RunConfig:
        """Settings of a preset for the benchmark's material."""
        needed = {**settings_of(MATERIAL), **(TOY if self.is_toy else {}), **changes}
        own = {"device": str(self.device), "minutes": None, "patience_minutes": None}
        return preset(name).changed(
            **{"steps": 10**9, "monitor_interval": 10**9, **own, **needed}
        )

    def trainer(self, n: int, name: str) -> Trainer:
        """Trainer of the default preset with `n` volumes in a batch and a format."""
        precision = "bfloat16" if name == "bfloat16" else "float32"
        config = self.config(
            critic_batch_size=n, generator_batch_size=n, precision=precision
        )
        return Trainer(config, images_of(MATERIAL, config.micrograph))

    @property
    def volumes(self) -> Sequence[int]:
        """Numbers of volumes in a batch."""
        return VOLUMES[:1] if self.is_toy else VOLUMES

    def wait(self) -> None:
        """Wait until the device has done its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(
        self, work: Callable[[], object], least: int = 3, enough_s: float = 1.0
    ) -> float:
        """Median duration, at least so many times and for so long; after two more."""
        taken: list[float] = []
        while len(taken) < least + 2 or (sum(taken) < enough_s and not self.is_toy):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            taken.append(time.perf_counter() - started)
        return statistics.median(taken[2:])


@contextlib.contextmanager
def number_format(name: str) -> Iterator[None]:
    """Let float32 be rounded to TF32 where the name says so."""
    before = devices.ALLOW_TF32
    devices.ALLOW_TF32 = name == "TF32"
    torch.backends.cuda.matmul.allow_tf32 = name == "TF32"
    try:
        yield
    finally:
        devices.ALLOW_TF32 = before
        torch.backends.cuda.matmul.allow_tf32 = False


def step_speed(
    bench: Bench, n: int, name: str, prepare: Prepare | None = None
) -> Mapping[str, float]:
    """Steps per second with `n` volumes, and memory beside its estimate."""
    with number_format(name):
        trainer = bench.trainer(n, name)
        if prepare is not None:
            prepare(trainer)
        steps = trainer.run()
        every = trainer.config.objective.penalty_interval
        # Kernels are chosen and graphs captured in the first four steps of each kind.
        take(steps, 1 if bench.is_toy else 4 * every)
        if bench.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(bench.device)
        turn = functools.partial(take, steps, every)
        found = {"steps/s": every / bench.seconds(turn)}
    if bench.device.type == "cuda":
        channels = trainer.transform.channels
        cost = step_cost(trainer.config, channels, "phases", True, bench.device.type)
        found["GB at most"] = torch.cuda.max_memory_allocated(bench.device) / 1e9
        found["estimated GB"] = cost.memory_bytes / 1e9
    return found


def take(steps: Iterator[Any], n: int) -> None:
    """Take so many steps."""
    for _ in range(n):
        next(steps)


def captured(trainer: Trainer) -> None:
    """Replay the steps as CUDA graphs."""
    gan: Any = trainer.gan
    gan.step = CapturedStep(gan).step


def compiled(trainer: Trainer) -> None:
    """Compile the generator; torch.compile has no second derivatives for the critic."""
    generator: Any = trainer.gan.generator
    generator.features = torch.compile(generator.features)


def compiled_and_captured(trainer: Trainer) -> None:
    """Compile the generator and replay the steps as CUDA graphs."""
    compiled(trainer)
    captured(trainer)


def speed_cases(
    bench: Bench, words: str = "", prepare: Prepare | None = None
) -> Iterator[Case]:
    """Steps of the default preset for each number of volumes and format."""
    for n, name in itertools.product(bench.volumes, reversed(FORMATS)):
        needs_cuda = name == "TF32" or prepare is not None
        measure = functools.partial(step_speed, bench, n, name, prepare)
        yield Case(f"{n} volumes, {name}{words}", measure, needs_cuda=needs_cuda)


def step_cases(bench: Bench) -> Iterator[Case]:
    """Steps as the program takes them, and what they wait for."""
    yield Case("matrix product", functools.partial(matrix_products, bench))
    yield from speed_cases(bench)
    yield Case("slicegan-v1", functools.partial(published_step, bench), needs_s=20.0)
    yield Case("host waits", functools.partial(waits, bench), needs_cuda=True)
    spec = volume_spec(bench.config(), 2, "phases")
    generator = build_generator(spec, torch.Generator())
    *hidden, last = (next(block.children()) for block in generator.blocks.children())
    edge = spec.latent_size
    for layer, rule in zip(hidden, generator.rules, strict=False):
        measure = functools.partial(layer_speed, bench, layer, edge, layer)
        yield Case(f"hidden layer, {edge}^3", measure)
        edge = rule.output_size(edge)
    planes = functools.partial(planes_of, bench, last)
    measure = functools.partial(layer_speed, bench, last, edge, planes)
    yield Case(f"last layer, planes, {edge}^3", measure)


def matrix_products(bench: Bench) -> Mapping[str, float]:
    """TFLOP/s of large matrix products, to compare GPUs by."""
    edge = 64 if bench.is_toy else 4 * EDGE if bench.device.type == "cuda" else EDGE
    formats = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    return {
        f"TFLOP/s in {name}": matmul_peak(dtype, bench.device, edge) / 1e12
        for name, dtype in formats.items()
    }


def layer_speed(
    bench: Bench, layer: Any, edge: int, forward: Callable[[Tensor], Tensor]
) -> Mapping[str, float]:
    """Forward and backward pass of a layer of the default generator, two volumes."""
    layer.to(bench.device)
    shape = 2, layer.weight.shape[1], *(edge,) * 3
    x = torch.randn(shape, device=bench.device, requires_grad=True)

    def work(dtype: torch.dtype) -> None:
        with computing_in(dtype, bench.device):
            made = forward(x)
        made.float().square().mean().backward()

    return {
        f"ms {name}": 1000
        * bench.seconds(functools.partial(work, getattr(torch, name)), enough_s=0.3)
        for name in ("float32", "bfloat16")
    }


def planes_of(bench: Bench, layer: Any, x: Tensor) -> Tensor:
    """As many planes of a layer as the critic sees, at even and odd positions."""
    n = bench.config().slices.critic_slices or 1
    size = layer.size_rule.output_size(x.shape[-1])
    place = bench.device if bench.device.type == "cuda" else torch.device("cpu")
    rng = torch.Generator().manual_seed(SEED)
    positions = torch.randperm(size, generator=rng)[:n].to(place)
    return torch.cat(layer.planes(x, [positions] * 3))


def waits(bench: Bench) -> Mapping[str, float]:
    """Waits of the host for the GPU, and launches, in each step."""
    trainer = bench.trainer(2, "bfloat16")
    steps = trainer.run()
    every = trainer.config.objective.penalty_interval
    # The losses are not read in the steps that are profiled.
    trainer.losses.every = 10**6
    take(steps, 2 * every)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        take(steps, every)
    counts = {event.key: event.count for event in profiled.key_averages()}
    return {
        name: sum(n for key, n in counts.items() if key.startswith(calls)) / every
        for name, calls in (("waits a step", WAITS), ("launches a step", LAUNCHES))
    }


def published_step(bench: Bench) -> Mapping[str, float]:
    """Seconds of one step of the original code's settings."""
    changes = (
        {"generator_batch_size": 2, "critic_batch_size": 2} if bench.is_toy else {}
    )
    config = bench.config("slicegan-v1", **changes)
    trainer = Trainer(config, images_of(MATERIAL, config.micrograph))
    step = functools.partial(take, trainer.run(), 1)
    return {"s a step": bench.seconds(step, least=1)}


def graph_cases(bench: Bench) -> Iterator[Case]:
    """Steps replayed as CUDA graphs."""
    return speed_cases(bench, ", CUDA graphs", captured)


def compile_cases(bench: Bench) -> Iterator[Case]:
    """Steps with a compiled generator, in bfloat16; compiling takes a minute."""
    ways = {"compiled": compiled, "compiled, CUDA graphs": compiled_and_captured}
    for n, (words, prepare) in itertools.product(bench.volumes, ways.items()):
        measure = functools.partial(step_speed, bench, n, "bfloat16", prepare)
        yield Case(f"{n} volumes, bfloat16, {words}", measure, 15.0, True)


def volume_cases(bench: Bench) -> Iterator[Case]:
    """Labels beside those of the CPU, and voxels per second."""
    small, edge, large = (32, 32, 32) if bench.is_toy else (128, 256, 512)

    def plan(size: int, name: str, device: torch.device) -> VolumePlan:
        trained = load_generator(model_path(MATERIAL))
        trained.network.to(device)
        dtype = torch.bfloat16 if name == "bfloat16" else torch.float32
        return VolumePlan(trained, (size,) * 3, SEED, precision=dtype)

    def labels(name: str) -> Mapping[str, float]:
        with number_format(name):
            found = plan(small, name, bench.device).generate().values
        expected = plan(small, "float32", torch.device("cpu")).generate().values
        return {"equal": float(np.mean(found == expected))}

    def speed(name: str) -> Mapping[str, float]:
        with number_format(name):
            made = plan(edge, name, bench.device)
            latents = made.latents(*made.tiles()[0].latents)

            def tile() -> None:
                with torch.no_grad(), computing_in(made.precision, bench.device):
                    made.network(latents[None])

            n_voxels = min(made.tile_edges[0], edge) ** 3
            on_device = n_voxels / bench.seconds(tile)
            in_memory = edge**3 / bench.seconds(made.generate, least=1)
        return {"Mvoxel/s on it": on_device / 1e6, "in memory": in_memory / 1e6}

    def written(name: str) -> Mapping[str, float]:
        with tempfile.TemporaryDirectory() as folder, number_format(name):
            volume = StreamedVolume.begin(
                plan(large, name, bench.device), Path(folder) / "volume.ome.zarr"
            )
            started = time.perf_counter()
            volume.write()
            return {"Mvoxel/s": large**3 / (time.perf_counter() - started) / 1e6}

    measures = {
        f"labels of {small}^3 as on the CPU": labels,
        f"{edge}^3": speed,
        f"OME-Zarr, {large}^3": written,
    }
    for title, measure in measures.items():
        for name in FORMATS:
            work = functools.partial(measure, name)
            yield Case(f"{title}, {name}", work, needs_cuda=name == "TF32")


def quality_cases(bench: Bench) -> Iterator[Case]:
    """Seconds of training until the limits of the CPU's five minutes are kept."""
    # The other half is spent on measurements, which stop the clock.
    left_s = bench.ends - time.time()
    train_s = 0.4 if bench.is_toy else max(left_s / 4, 10.0)
    needed = 0.0 if bench.is_toy else train_s + 15
    measure = functools.partial(seconds_to_quality, bench, train_s)
    yield Case("within the limits", measure, needed)
    graphed = functools.partial(measure, captured)
    yield Case("within the limits, CUDA graphs", graphed, needed, True)


def seconds_to_quality(
    bench: Bench, train_s: float, prepare: Prepare | None = None
) -> Mapping[str, float]:
    """Seconds until each quantity stays within its limit; nan if not at the end."""
    size = 32 if bench.is_toy else 128
    run = Run(MATERIAL, DEFAULT_PRESET, "", 0, train_s / 60, size)
    config = bench.config(minutes=run.minutes, seed=run.seed)
    trainer = Trainer(config, images_of(MATERIAL, config.micrograph))
    if prepare is not None:
        prepare(trainer)
    yardstick(MATERIAL, config.micrograph, size)
    limits = CASES[MATERIAL].limits
    wanted = {
        "s2": limits.correlation or math.nan,
        "fraction_error": limits.fraction,
        "face_error": limits.face,
        "percolating_error": limits.percolating,
    }
    since = dict.fromkeys(wanted, math.nan)
    row: dict[str, Any] = {}
    for number, _ in enumerate(pauses(trainer, train_s / 4)):
        row = moment(run, trainer, number, transport=False)
        for name, limit in wanted.items():
            if row[name] > limit:
                since[name] = math.nan
            elif math.isnan(since[name]):
                since[name] = trainer.elapsed_s
    return {
        "steps": trainer.step,
        **{f"s to {name}": seconds for name, seconds in since.items()},
        **{f"{name} at the end": row[name] for name in wanted},
    }


PARTS: Mapping[str, tuple[float, Callable[[Bench], Iterator[Case]]]] = MappingProxyType(
    {
        "steps": (0.27, step_cases),
        "volumes": (0.13, volume_cases),
        "graphs": (0.17, graph_cases),
        "quality": (0.25, quality_cases),
        "compile": (0.18, compile_cases),
    }
)
"""Share of the budget, and measurements, of each part; unused time is passed on."""


def rows_of(part: str, bench: Bench) -> Iterator[Row]:
    """Measure what the time of a part allows."""
    for case in PARTS[part][1](bench):
        started = time.time()
        if case.needs_cuda and bench.device.type != "cuda":
            yield Row(part, case.name, {}, f"{LEFT_OUT}: {NO_GPU}")
            continue
        if started + (0 if bench.is_toy else case.needs_s) > bench.ends:
            yield Row(part, case.name, {}, f"{LEFT_OUT}: {NO_TIME}")
            continue
        values: Mapping[str, float] = {}
        note = ""
        try:
            values = case.measure()
        except Exception as error:  # noqa: BLE001 the others are measured all the same
            first, *_ = str(error).splitlines() or [""]
            note = f"{FAILED}: {type(error).__name__}: {first[:200]}"
        yield Row(part, case.name, values, note, time.time() - started)
        # Captured steps, which refer to each other, hold memory of the GPU. After an
        # error of the GPU each call fails.
        gc.collect()
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


def rows_in_own_process(part: str, ends: float, words: list[str]) -> Iterator[Row]:
    """Rows of a part measured in a process, which is ended when its time is over."""
    asked = [*words, "--part", part, "--ends", str(ends)]
    command = [sys.executable, "-m", "benchmarks.gpu", *asked]
    note = ""
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            timeout=max(ends - time.time(), 0.0),
            check=False,
        )
        output = done.stdout
        if done.returncode:
            note = f"{FAILED}: the process ended with status {done.returncode}"
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        note = f"{LEFT_OUT}: {NO_TIME}"
    for line in output.decode().splitlines():
        if line.startswith("{"):
            yield Row(**json.loads(line))
    if note:
        yield Row(part, "what follows", {}, note)


def machine(device: torch.device) -> dict[str, str]:
    """Names and versions of what was measured."""
    facts = {"device": str(device), "torch": torch.__version__}
    if device.type == "cuda":
        facts |= {
            "name": torch.cuda.get_device_name(device),
            "CUDA": str(torch.version.cuda),
            "cuDNN": str(torch.backends.cudnn.version()),
        }
    return facts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all parts, print the table and write the JSON file."""
    options = parser().parse_args(arguments)
    # As the program does.
    keep_freed_memory()
    logging.basicConfig(level=logging.WARNING)
    device = choose_device(options.device)
    if options.part:
        for row in rows_of(options.part, Bench(device, options.toy, options.ends)):
            sys.stdout.write(json.dumps(asdict(row)) + "\n")
            sys.stdout.flush()
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    ends = started = time.time()
    facts = machine(device)
    sys.stdout.write(", ".join(f"{key} {value}" for key, value in facts.items()) + "\n")
    words = ["--device", options.device, *(["--toy"] if options.toy else [])]
    rows: list[Row] = []
    for part, (share, _) in PARTS.items():
        ends += share * options.budget
        if options.together:
            found = rows_of(part, Bench(device, options.toy, ends))
        else:
            found = rows_in_own_process(part, ends, words)
        for row in found:
            rows.append(row)
            sys.stdout.write(row.line())
            sys.stdout.flush()
        written = {"machine": facts, "rows": [row.as_json() for row in rows]}
        options.out.write_text(json.dumps(written, indent=1), encoding="utf-8")
    total = time.time() - started
    sys.stdout.write(f"{total:.0f} of {options.budget:.0f} s; written: {options.out}\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--budget", type=float, default=420.0, help="seconds in all")
    made.add_argument("--out", type=Path, default=Path("gpu.json"), help="JSON file")
    made.add_argument("--device", default="auto")
    made.add_argument("--toy", action="store_true", help="tiny networks and volumes")
    made.add_argument(
        "--together", action="store_true", help="all parts in this process"
    )
    made.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    made.add_argument("--ends", type=float, help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    sys.exit(main())
