"""Mutated image files: no crash, no hang, no more than 2 GB of memory.

    python -m benchmarks.fuzz_readers --minutes 10 --out fuzz.csv

Small files of every format are changed at random (bytes, numbers of the header,
lengths, parts cut out, doubled or exchanged) and opened as micrographs in a process of
their own. Allowed are an image and one sentence (`ValueError`). What else happens is
written to the table, and the file kept beside it. `benchmarks/fuzz_runs.py` does the
same to what this program writes.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.volumes.volume import Volume

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SECONDS = 20
MEMORY_MB = 2048
FILES_PER_PROCESS = 500
ALLOWED = ("read", "sentence")


Open = Callable[[Path], Any]


def seeds(folder: Path) -> dict[str, Open]:
    """One or more small files of each format, and how each is opened."""
    y, x = np.mgrid[:48, :64]
    mask = ((np.sin(x / 7) + np.cos(y / 9)) > 0.3).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 12, mask.shape)
    gray = np.clip(60 + 120 * mask + noise, 0, 255).astype(np.uint8)
    stack = np.stack([gray] * 9)
    rgb = np.stack([gray, gray // 2, 255 - gray], axis=-1)
    picture = Image.fromarray(gray)
    palette = Image.fromarray(mask, "P")
    palette.putpalette(bytes([255, 0, 0, 0, 255, 0]))
    writers: dict[str, Callable[[Path], Any]] = {
        "plain.tif": lambda p: tifffile.imwrite(p, gray),
        "deflate.tif": lambda p: tifffile.imwrite(p, stack, compression="zlib"),
        "tiles.tif": lambda p: tifffile.imwrite(p, rgb, tile=(16, 16)),
        "imagej.tif": lambda p: tifffile.imwrite(
            p, stack, imagej=True, resolution=(9, 9), metadata={"unit": "um"}
        ),
        "ome.ome.tif": lambda p: tifffile.imwrite(
            p, stack, metadata={"axes": "ZYX", "PhysicalSizeX": 1.0}
        ),
        "lzw.tif": lambda p: picture.save(p, compression="tiff_lzw"),
        "jpeg.tif": lambda p: picture.save(p, compression="jpeg"),
        "fax.tif": lambda p: picture.convert("1").save(p, compression="group4"),
        "palette.tif": lambda p: palette.save(p),
        "a.npy": lambda p: np.save(p, gray.astype(float)),
        "a.npz": lambda p: np.savez_compressed(p, a=stack, b=mask),
        "a.png": picture.save,
        "palette.png": palette.save,
        "rgb.png": lambda p: Image.fromarray(rgb).save(p),
        "a.jpg": picture.save,
        "a.bmp": picture.save,
        "a.gif": picture.save,
        "a.webp": lambda p: Image.fromarray(rgb).save(p),
        "a.vti": Volume.from_array(stack).save,
        "a.mat": _write_matlab(stack),
        "a.h5": _write_hdf5(stack),
        "a.nrrd": _write_nrrd(stack),
        "a.nii": _write_nifti(stack),
        "a.nii.gz": _write_nifti(stack),
        "a.mrc": _write_mrc(stack),
        "a.csv": lambda p: np.savetxt(p, gray, "%d", ","),
        "a.asc": lambda p: np.savetxt(p, gray / 9, "%.2f", header=ESRI, comments=""),
        "a.ctf": _write_points(gray),
        "a.am": _write_with_head(AMIRA, stack),
        "a.mha": _write_with_head(META, stack),
        "a.gsf": _write_with_head(SIMPLE_FIELD, gray.astype("<f4")),
        "a.xyz": lambda p: np.savetxt(p, np.stack([x, y, gray], -1).reshape(-1, 3)),
        "a.vtk": _write_with_head(LEGACY_VTK, stack),
        "a.raw": lambda p: p.write_bytes(stack.tobytes()),
    }
    for name, write in writers.items():
        write(folder / name)
    raw = MicrographSettings(raw_shape=(9, 48, 64))
    files: dict[str, Open] = dict.fromkeys(writers, Micrograph.open)
    return {**files, "a.raw": lambda path: Micrograph.open(path, raw)}


ESRI = "ncols 64\nnrows 48\ncellsize 10\nNODATA_value -9999"
AMIRA = """# AmiraMesh BINARY-LITTLE-ENDIAN 2.1
define Lattice 64 48 9
Parameters { BoundingBox 0 63 0 47 0 8, CoordType "uniform" }
Lattice { byte Labels } @1
@1
"""
META = """ObjectType = Image
NDims = 3
DimSize = 64 48 9
ElementType = MET_UCHAR
ElementDataFile = LOCAL
"""
SIMPLE_FIELD = "Gwyddion Simple Field 1.0\nXRes = 64\nYRes = 48\n\0\0"
LEGACY_VTK = """# vtk DataFile Version 3.0
title
BINARY
DATASET STRUCTURED_POINTS
DIMENSIONS 64 48 9
POINT_DATA 27648
SCALARS gray unsigned_char 1
LOOKUP_TABLE default
"""


def _write_with_head(head: str, stack: Any) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(head.encode() + stack.tobytes())


def _write_points(gray: Any) -> Callable[[Path], Any]:
    """A map of EBSD as Channel 5 and AZtec write it."""
    head = "Channel Text File\nXStep\t0.5\nPhase\tX\tY\tBands\tBC\n"
    rows = [
        f"{gray[y, x] // 128}\t{x / 2}\t{y / 2}\t8\t{gray[y, x]}"
        for y in range(gray.shape[0])
        for x in range(gray.shape[1])
    ]
    return lambda path: path.write_text(head + "\n".join(rows))


def _write_matlab(stack: Any) -> Callable[[Path], None]:
    from scipy.io import savemat

    return lambda path: savemat(path, {"a": stack, "b": 3.0})


def _write_hdf5(stack: Any) -> Callable[[Path], None]:
    import h5py

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("a/b", data=stack, compression="gzip")
            file["c"] = stack[0]
            # As of DREAM3D-NX.
            file.attrs["_SPACING"] = np.ones(3, np.float32)
            file.attrs["Units"] = np.uint32(6)

    return write


def _write_nrrd(stack: Any) -> Callable[[Path], None]:
    import nrrd

    return lambda path: nrrd.write(str(path), stack, index_order="C")


def _write_nifti(stack: Any) -> Callable[[Path], None]:
    import nibabel

    return lambda path: nibabel.Nifti1Image(stack.T, np.eye(4)).to_filename(path)


def _write_mrc(stack: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        head = np.zeros(256, "<i4")
        z, y, x = stack.shape
        head[:10] = x, y, z, 6, 0, 0, 0, x, y, z
        head[10:16] = np.array([x, y, z, 90, 90, 90], "<f4").view("<i4")
        head[16:19] = 1, 2, 3
        head[52:54] = np.frombuffer(b"MAP DD\0\0", "<i4")
        path.write_bytes(head.tobytes() + stack.astype("<u2").tobytes())

    return write


def mutated(content: bytes, others: list[bytes], random_: random.Random) -> bytes:
    """One to four random changes, most of them near the start."""
    data = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        if not data:
            break
        near = random_.random() < 0.6
        at = random_.randrange(min(len(data), 512) if near else len(data))
        kind = random_.randrange(8)
        if kind == 0:
            data[at] ^= 1 << random_.randrange(8)
        elif kind == 1:
            data[at] = random_.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2:
            number = random_.choice((0, 1, 2**16, 2**31 - 1, 2**32 - 1, 2**24))
            data[at : at + 4] = number.to_bytes(4, random_.choice(("little", "big")))
        elif kind == 3:
            del data[at : at + random_.randint(1, 64)]
        elif kind == 4:
            data[at:at] = data[at : at + random_.randint(1, 64)]
        elif kind == 5:
            data = data[:at]
        elif kind == 6:
            data[at : at + 16] = random_.randbytes(16)
        else:
            other = random_.choice(others)
            start = random_.randrange(len(other))
            data[at : at + 32] = other[start : start + 32]
    return bytes(data)


class Hang(BaseException):
    """Raised by the alarm; no reader catches it."""


def _alarm(*_: object) -> None:
    raise Hang


Change = Callable[[str, bytes, list[bytes], random.Random], bytes]


def read_all(
    files: dict[str, Open],
    contents: dict[str, bytes],
    folder: Path,
    change: Change,
    seed: int,
    answers: Connection,
) -> None:
    """In a process of its own: change, open, report; ends after some files."""
    signal.signal(signal.SIGALRM, _alarm)
    warnings.simplefilter("ignore")
    limit = 3 * MEMORY_MB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (2 * limit, 2 * limit))
    random_ = random.Random(seed)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for _ in range(FILES_PER_PROCESS):
        name = random_.choice([*files])
        data = change(name, contents[name], [*contents.values()], random_)
        path = folder / name
        path.write_bytes(data)
        answers.send((name, "started", data))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        started = time.perf_counter()
        signal.alarm(SECONDS)
        try:
            files[name](path)
            outcome = "read"
        except ValueError as error:
            outcome = "sentence" if "\n" not in str(error) else f"lines: {error}"
        except Hang:
            outcome = f"hang: more than {SECONDS} s"
        except BaseException as error:  # noqa: BLE001 what may not happen
            outcome = f"crash: {type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
            path.write_bytes(contents[name])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if peak > MEMORY_MB and peak > before:
            outcome = f"memory: {peak} MB"
        seconds = time.perf_counter() - started
        answers.send((name, outcome, (seconds, peak)))
        if peak > MEMORY_MB:
            break
    answers.send(("", "end", None))


def arguments_of(doc: str, out: str) -> argparse.Namespace:
    """Parse the command line of a campaign."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(out))
    return parser.parse_args()


def campaign(
    files: dict[str, Open], folder: Path, change: Change, options: argparse.Namespace
) -> int:
    """Run until the time is over; print a table. Returns the number of faults."""
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[tuple[str, str, str]] = []
    slowest, largest = 0.0, 0
    end = time.monotonic() + 60 * options.minutes
    seed = options.seed
    context = multiprocessing.get_context("fork")
    contents = {name: (folder / name).read_bytes() for name in files}
    while time.monotonic() < end:
        here, there = context.Pipe(duplex=False)
        child = context.Process(
            target=read_all, args=(files, contents, folder, change, seed, there)
        )
        child.start()
        there.close()
        name, data = "", b""
        while True:
            try:
                arrived = here.poll(3 * SECONDS)
                answer = here.recv() if arrived else ("", "stuck", None)
            except EOFError:
                answer = ("", "died", None)
            if answer[1] == "started":
                name, data = answer[0], answer[2]
                continue
            if answer[1] == "end":
                break
            outcome = answer[1]
            counts[name, outcome.split(":")[0]] += 1
            if answer[2]:
                slowest = max(slowest, answer[2][0])
                largest = max(largest, answer[2][1])
            if outcome not in ALLOWED:
                kept = options.out.with_name(f"fuzz-{len(bad)}-{Path(name).name}")
                kept.write_bytes(data)
                bad.append((name, outcome.replace("\n", " "), kept.name))
                print(*bad[-1], sep=" | ", flush=True)
            if outcome in ("stuck", "died") or time.monotonic() > end:
                child.kill()
                break
        child.join()
        seed += 1
    with options.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "outcome", "n"])
        table.writerows([*key, n] for key, n in sorted(counts.items()))
        table.writerows(bad)
    total = sum(counts.values())
    good = sum(n for key, n in counts.items() if key[1] in ALLOWED)
    print(f"{total} files, {good} read or refused, {len(bad)} faults; ", end="")
    print(f"slowest {slowest:.1f} s, most memory {largest} MB")
    return len(bad)


def main() -> int:
    """Change images until the time is over."""
    options = arguments_of(__doc__ or "", "fuzz-readers.csv")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        change: Change = lambda _, *rest: mutated(*rest)  # noqa: E731
        return campaign(seeds(folder), folder, change, options)


if __name__ == "__main__":
    sys.exit(int(main() > 0))
