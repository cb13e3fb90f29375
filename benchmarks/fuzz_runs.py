"""Mutated files of runs: no crash, no hang, no code executed, bounded memory.

    python -m benchmarks.fuzz_runs --minutes 10 --out fuzz-runs.csv

As `benchmarks/fuzz_readers.py`, for what this program writes itself: settings,
history, checkpoints, generators, directions, stored images, pixel classifiers and
OME-Zarr. Bytes are changed, and values inside of JSON and of archives, whose checksums
are then right.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.fuzz_readers import Open, arguments_of, campaign, mutated
from benchmarks.kills import settings
from napari_slicegan.config import parse_config
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.pixel_classifier import PixelClassifier
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.directions import fit_directions, load_directions
from napari_slicegan.generation.generate import VolumePlan
from napari_slicegan.generation.streaming import StreamedVolume
from napari_slicegan.metrics.stored_volume import StoredVolume
from napari_slicegan.models.generator_file import load_any_generator, load_generator
from napari_slicegan.training.run_folder import RunFolder, read_config
from napari_slicegan.training.trainer import Trainer
from napari_slicegan.volumes.ome_zarr import open_levels
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    import random

STRANGE: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: -1,
    lambda: 0,
    lambda: 2**63,
    lambda: 10**30,
    lambda: 1e308,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: True,
    lambda: "",
    lambda: "../../etc/passwd",
    lambda: "<script>alert(1)</script>",
    lambda: "x" * 100_000,
    lambda: [],
    lambda: {},
    lambda: [[[[1]]]] * 100,
    lambda: {"a": {"b": []}},
)


def seeds(folder: Path) -> dict[str, Open]:
    """Files of a small run and what is made of it, and how each is opened."""
    y, x = np.mgrid[:40, :48]
    mask = ((np.sin(x / 4) + np.cos(y / 5)) > 0).astype(np.uint8)
    images = TrainingImages.isotropic(Micrograph.from_array(mask, "phases", 5.0, "a"))
    run = folder / "run"
    for _ in Trainer.start(parse_config(settings()), images, run).run():
        pass
    for older in RunFolder(run).checkpoints()[1:]:
        older.unlink()
    (newest,) = RunFolder(run).checkpoints()
    trained = load_any_generator(run)
    found = fit_directions(trained, n_components=2, n_samples=40)
    found.save(folder / "a.safetensors")
    features = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    phases = np.arange(40, dtype=np.uint8) % 2
    PixelClassifier(features, phases, "uint8").save(folder / "a.npz")
    zarr = _stream(run, folder / "a.ome.zarr")
    Volume(mask[None].repeat(3, axis=0), "phases", 5.0).save(folder / "a.tif")
    files: dict[str, Open] = {
        "a.tif": Volume.open,
        "run/config.json": read_config,
        "run/history.csv": lambda path: RunFolder(path.parent).history(),
        f"run/{newest.name}": lambda path: Trainer.resume(path.parent),
        "run/generator.safetensors": load_any_generator,
        "run/micrographs/images.json": lambda path: TrainingImages.load(path.parent),
        "run/micrographs/z-0.tif": lambda path: TrainingImages.load(path.parent),
        "a.safetensors": load_directions,
        "a.npz": PixelClassifier.load,
    }
    first = [next((zarr / level / "c").rglob("0/0/0")) for level in "012"]
    read = _open_zarr(zarr, run)
    return files | {
        str(file.relative_to(folder)): read for file in (*zarr.rglob("*.json"), *first)
    }


def _plan(run: Path) -> VolumePlan:
    """Of several blocks and levels."""
    return VolumePlan(load_generator(run), (20, 33, 24), 3, tile_latents=4)


def _stream(run: Path, path: Path) -> Path:
    """A small OME-Zarr, made in this process's child: zarr's threads do not fork."""

    def write() -> None:
        StreamedVolume.begin(_plan(run), path).write()

    child = multiprocessing.get_context("fork").Process(target=write)
    child.start()
    child.join()
    return path


def _open_zarr(path: Path, run: Path) -> Open:
    def levels() -> None:
        found, _ = open_levels(path)
        found[-1].compute()

    def read(_: Path) -> None:
        refused = []
        for work in (
            lambda: Micrograph.open(path),
            levels,
            lambda: StoredVolume.open(path),
            lambda: StreamedVolume.begin(_plan(run), path),
            lambda: StreamedVolume.at(path),
        ):
            try:
                work()
            except ValueError as error:
                refused.append(error)
        if refused:
            raise max(refused, key=lambda error: str(error).count("\n"))

    return read


def changed(
    name: str, content: bytes, others: list[bytes], random_: random.Random
) -> bytes:
    """Change bytes, or values inside of the format."""
    inner = INNER.get(Path(name).suffix)
    if inner is None or random_.random() < 0.4:
        return mutated(content, others, random_)
    return inner(content, random_)


def _json(content: bytes, random_: random.Random) -> bytes:
    data = json.loads(content)
    if random_.random() < 0.02:
        return b"[" * 100_000
    for _ in range(random_.randint(1, 3)):
        place, key = random_.choice(_places(data))
        kind = random_.random()
        if kind < 0.2 and isinstance(place, dict):
            del place[key]
        else:
            place[key] = random_.choice(STRANGE)()
        if not _places(data):
            break
    return json.dumps(data).encode()


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Each container inside of a nested value, with each of its keys."""
    if isinstance(data, dict):
        keys: list[Any] = [*data]
    else:
        keys = [*range(len(data))] if isinstance(data, list) else []
    found = [(data, key) for key in keys]
    return found + [place for key in keys for place in _places(data[key])]


def _tensors(content: bytes, random_: random.Random) -> bytes:
    """Header of a safetensors file, or the JSON that this program keeps in it."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    if random_.random() < 0.7:
        about = header["__metadata__"]
        about["facts"] = _json(about["facts"].encode(), random_).decode()
        text = json.dumps(header).encode()
    else:
        text = _json(content[8:end], random_)
    return len(text).to_bytes(8, "little") + text + content[end:]


def _checkpoint(content: bytes, random_: random.Random) -> bytes:
    """A value of the state changed, or an entry of the archive."""
    if random_.random() < 0.5:
        return _archive(content, random_)
    state = torch.load(io.BytesIO(content), weights_only=True)
    buffer = io.BytesIO()
    place, key = random_.choice(_places(state))
    place[key] = random_.choice((*STRANGE, lambda: torch.zeros(3)))()
    torch.save(state, buffer)
    return buffer.getvalue()


def _archive(content: bytes, random_: random.Random) -> bytes:
    """One entry of an archive changed, with its checksum."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old:
        names = old.namelist()
        pickles = [name for name in names if name.endswith("data.pkl")]
        name = random_.choice(pickles if pickles and random_.random() < 0.7 else names)
        with zipfile.ZipFile(buffer, "w") as new:
            for each in names:
                data = old.read(each)
                if each == name:
                    data = mutated(data, [data], random_)
                new.writestr(each, data)
    return buffer.getvalue()


INNER: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": _json,
    ".safetensors": _tensors,
    ".pt": _checkpoint,
    ".npz": _archive,
}


def main() -> int:
    """Change files of runs until the time is over."""
    options = arguments_of(__doc__ or "", "fuzz-runs.csv")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        return campaign(seeds(folder), folder, changed, options)


if __name__ == "__main__":
    sys.exit(int(main() > 0))
