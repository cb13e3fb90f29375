"""Pictures as people bring them: each case with what it should be read as.

The cases come from public reports about programs of this field, and from looking for
others of the same kind. All show one material, whose bright phase has the fraction
`BRIGHT`, so that a swapped, cropped or misread picture gives another number.
"""

from __future__ import annotations

import io
import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.io import savemat

from napari_slicegan.config import MicrographSettings
from napari_slicegan.data.data_bars import find_data_bar
from napari_slicegan.data.image_files import SourceImage, read_image
from napari_slicegan.data.micrograph import Micrograph
from napari_slicegan.data.training_images import TrainingImages
from napari_slicegan.runtime import limits
from napari_slicegan.volumes.block_tree import BlockTree
from napari_slicegan.volumes.ome_zarr import ImageFacts, create_image
from napari_slicegan.volumes.volume import Volume

Y, X = np.mgrid[:120, :160]
MASK = (np.sin(X / 7) + np.cos(Y / 9)) > 0.3
BRIGHT = MASK.mean()  # 0.39; the same picture inverted: 0.61
M255 = (MASK * 255).astype(np.uint8)
NOISE = np.random.default_rng(0).normal(0, 12, MASK.shape)
GRAY = np.clip(60 + 120 * MASK + NOISE, 0, 255).astype(np.uint8)
THREE = MASK.astype(int) + (X > 100) * 1  # fractions of three phases
FOUR = MASK + 2 * (X > 100)
PALETTE = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
FLAT = PALETTE[THREE]
TINTED = np.stack([GRAY, np.maximum(GRAY, 3) - 3, np.maximum(GRAY, 9) - 9], axis=-1)
BLOCKS = np.kron(np.random.default_rng(1).random((15, 20)) > 0.8, np.ones((8, 8)))
OBJECTS = ndimage.label(BLOCKS)[0]
SEM = np.vstack([np.tile(GRAY, (2, 1)), np.zeros((20, 160), np.uint8)])
FEI = "[Scan]\r\nPixelWidth=3e-9\r\nPixelHeight=3e-9\r\n[Image]\r\nResolutionY=240\r\n"
BELOW = ((0, 40), (0, 0), (0, 0))
FEI_TAGS = [(34682, 2, None, FEI, True)]


@dataclass(frozen=True)
class Case:
    """A file, how it is read, and what it should be."""

    name: str
    write: Callable[[Path], Any]
    kind: str = "phases"
    shape: tuple[int, ...] = MASK.shape
    bright: float | None = BRIGHT
    words: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    size_nm: float | None = None


def pillow(
    values: NDArray[Any] | Image.Image, **options: Any
) -> Callable[[Path], None]:
    picture = values if isinstance(values, Image.Image) else Image.fromarray(values)
    return lambda path: picture.save(path, **options)


def tiff(values: NDArray[Any], **options: Any) -> Callable[[Path], Any]:
    return lambda path: tifffile.imwrite(path, values, **options)


def npy(values: NDArray[Any]) -> Callable[[Path], None]:
    return lambda path: np.save(path, values, allow_pickle=True)


def as_jpeg(values: NDArray[Any], quality: int) -> NDArray[Any]:
    """What lossy compression makes of them."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def exif(orientation: int) -> Image.Exif:
    facts = Image.Exif()
    facts[274] = orientation
    return facts


def pages(*images: NDArray[Any], **options: Any) -> Callable[[Path], None]:
    """Several images in one TIFF, each a page of its own."""

    def write(path: Path) -> None:
        with tifffile.TiffWriter(path) as file:
            for image in images:
                file.write(image, **options)

    return write


def pyramid(path: Path) -> None:
    """Full resolution with reduced images in its subIFDs."""
    with tifffile.TiffWriter(path) as file:
        file.write(GRAY, subifds=2)
        for step in (2, 4):
            file.write(GRAY[::step, ::step], subfiletype=1)


def raw(path: Path) -> None:
    path.write_bytes(b"head" * 8 + (GRAY.astype("<u2") * 256).tobytes())


def folder(path: Path) -> None:
    """Numbered slices beside a file that is none."""
    path.mkdir()
    for number in range(8, 12):
        plane = np.full_like(M255, 0) if number == 8 else M255
        Image.fromarray(plane).save(path / f"slice_{number}.png")
    (path / "notes.txt").write_text("no slice")
    (path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def between(path: Path) -> None:
    """Slices, what systems put beside them, and a folder with the name of one."""
    (path / "slice_9.tif").mkdir(parents=True)
    for number in range(3):
        tifffile.imwrite(path / f"slice_{number}.tif", M255)
    (path / "._slice_0.tif").write_bytes(b"\0\5\x16\7")
    (path / "Thumbs.db").write_bytes(b"\xd0\xcf")


def slices(*images: NDArray[Any]) -> Callable[[Path], None]:
    """A folder of images."""

    def write(path: Path) -> None:
        path.mkdir()
        for number, image in enumerate(images):
            tifffile.imwrite(path / f"{number}.tif", image, photometric="minisblack")

    return write


def fei_slices(path: Path) -> None:
    """Planes of a FIB-SEM, each with a bar."""
    path.mkdir()
    for number in range(4):
        picture = barred(np.roll(GRAY, 9 * number, axis=1))
        tifffile.imwrite(path / f"{number}.tif", picture, extratags=FEI_TAGS)


def image_and_mask_slices(path: Path) -> None:
    path.mkdir()
    for number in range(4):
        for name, values in ((f"{number:03}", GRAY), (f"{number:03}_mask", M255)):
            Image.fromarray(values).save(path / f"{name}.png")


def zarr_store(path: Path) -> None:
    path.mkdir()
    (path / "zarr.json").write_text("{}")


def link(path: Path) -> None:
    tifffile.imwrite(path.with_name("target.tif"), GRAY)
    path.symlink_to(path.with_name("target.tif"))


def shaded(values: NDArray[Any]) -> NDArray[Any]:
    """A palette image of the phases, with the colours of `PALETTE`."""
    picture = Image.fromarray(values.astype(np.uint8), "P")
    picture.putpalette(PALETTE.tobytes())
    return picture  # type: ignore[return-value]


def text(body: str, encoding: str = "utf-8") -> Callable[[Path], Any]:
    return lambda path: path.write_text(body, encoding)


def lines(values: NDArray[Any], delimiter: str, form: str = "%d") -> str:
    """A table as text."""
    return "\n".join(delimiter.join(form % v for v in row) for row in values)


def beside(name: str, body: str, encoding: str = "utf-8") -> Callable[[Path], Any]:
    """A picture with a text file of its microscope in the same folder."""

    def write(path: Path) -> None:
        Image.fromarray(SEM).save(path)
        path.with_name(name).write_text(body, encoding)

    return write


def points(form: str, head: str, step: float) -> Callable[[Path], Any]:
    """A list of points: x, y, phase and gray value."""
    found = [
        form.format(x=x * step, y=y * step, phase=THREE[y, x], gray=GRAY[y, x])
        for y in range(120)
        for x in range(160)
    ]
    return text(head + "\n".join(found) + "\n")


def with_bar(values: NDArray[Any], colour: Any) -> Image.Image:
    """A picture with a scale bar and words burnt in."""
    picture = Image.fromarray(values)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100, 110, 149, 113), fill=colour)
    draw.text((112, 96), "1 um", fill=colour)
    return picture


def barred(values: NDArray[Any]) -> NDArray[Any]:
    """Four times the picture above a bar of 40 lines with words and a scale bar."""
    tiles = (2, 2) + (1,) * (values.ndim - 2)
    picture = Image.fromarray(
        np.pad(np.tile(values, tiles)[:240], BELOW[: values.ndim])
    )
    draw = ImageDraw.Draw(picture)
    white = (255,) * (values.ndim if values.ndim > 2 else 1)
    words = "HV 5.00 kV  WD 4.1 mm  mag 10 000x   5 um"
    draw.text((5, 250), words, fill=white)
    draw.rectangle((230, 268, 310, 272), fill=white)
    return np.asarray(picture)


def meta_image(values: NDArray[Any]) -> Callable[[Path], Any]:
    """A plane of one value or several channels, as ITK writes it."""
    rows, columns = values.shape[:2]
    head = f"NDims = 2\nDimSize = {columns} {rows}\nElementType = MET_UCHAR\n"
    if values.ndim > 2:
        head += f"ElementNumberOfChannels = {values.shape[2]}\n"
    head += "ElementDataFile = LOCAL\n"
    return lambda path: path.write_bytes(head.encode() + values.tobytes())


def amira(values: NDArray[Any]) -> Callable[[Path], Any]:
    """A plane of colours as Avizo writes it."""
    head = "# AmiraMesh BINARY-LITTLE-ENDIAN 2.1\ndefine Lattice 160 120\n"
    head += "Lattice { byte[3] Colors } @1\n\n@1\n"
    return lambda path: path.write_bytes(head.encode() + values.tobytes() + b"\n")


def gwyddion(path: Path) -> None:
    """Gwyddion Simple Field."""
    head = b"Gwyddion Simple Field 1.0\nXRes = 160\nYRes = 120\nXYUnits = m\n"
    head += b"XReal = 1.6e-6\nYReal = 1.2e-6\n"
    head = head.ljust(len(head) // 4 * 4 + 4, b"\0")
    path.write_bytes(head + GRAY.astype("<f4").tobytes())


def hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    with h5py.File(path, "w") as file:
        file["gray"] = GRAY


def polycrystal(path: Path) -> None:
    """One phase, whose grains are numbered, as DREAM.3D stores them."""
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    with h5py.File(path, "w") as file:
        cells = file.create_group("DataContainers/Image/CellData")
        cells["EulerAngles"] = np.random.default_rng(0).random((5, *MASK.shape, 3))
        cells["FeatureIds"] = np.stack([OBJECTS + 1] * 5)[..., None]
        cells["Phases"] = np.ones((5, *MASK.shape, 1), np.int32)


def struct_of_matlab(path: Path) -> None:
    savemat(path, {"scan": {"image": GRAY, "label": "none"}})


def pillow_pages(*images: NDArray[Any]) -> Callable[[Path], Any]:
    """Pages without a description."""
    first, *others = map(Image.fromarray, images)
    return lambda path: first.save(path, save_all=True, append_images=others)


def mixed_types(path: Path) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(GRAY)
        file.write((GRAY / 9).astype(np.float32))


def stack_of_matlab(path: Path) -> None:
    """Rows, columns and planes."""
    savemat(path, {"volume": np.stack([M255] * 5, axis=-1)})


def deep_png(path: Path) -> None:
    """Colours of 16 bits, which Pillow does not write (PNG, section 11.2)."""
    rows = np.dstack([GRAY] * 3).astype(">u2") * 257
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", 160, 120, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(part))
            + name
            + part
            + struct.pack(">I", zlib.crc32(name + part))
            for name, part in parts
        )
    )


def packed(bits: int) -> Callable[[Path], Any]:
    """A plain TIFF of 4 or 12 bits a pixel (TIFF 6.0, section 3)."""
    values = GRAY.astype(np.uint32) << bits >> 8
    first, second = values[:, 0::2], values[:, 1::2]
    if bits == 12:
        parts = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    else:
        parts = [first << 4 | second]
    data = np.stack(parts, axis=-1).astype(np.uint8).tobytes()
    tags = [(256, 160), (257, 120), (258, bits), (259, 1), (262, 1), (273, 8)]
    tags += [(277, 1), (278, 120), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, n) for tag, n in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    table = struct.pack("<H", len(tags)) + entries + bytes(4)
    return lambda path: path.write_bytes(head + data + table)


def lzw_colours(path: Path) -> None:
    """Colours of 16 bits with LZW (TIFF 6.0, section 13), which Pillow does not write.

    The table is cleared before a code gets more than nine bits.
    """
    values = (np.dstack([GRAY] * 3).astype("<u2") * 257).tobytes()
    codes = [
        code for n, v in enumerate(values) for code in ([256] * (n % 200 == 0) + [v])
    ]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    bits += "0" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    tags = [(256, 160), (257, 120), (258, 8 + len(data)), (259, 5), (262, 2)]
    tags += [(273, 8), (277, 3), (278, 120), (279, len(data))]
    entries = b"".join(
        struct.pack("<HHII", tag, 3, 3, n)
        if tag == 258
        else struct.pack("<HHII", tag, 4, 1, n)
        for tag, n in tags
    )
    head = struct.pack("<2sHI", b"II", 42, 14 + len(data))
    depths = struct.pack("<3H", 16, 16, 16)
    table = struct.pack("<H", len(tags)) + entries + bytes(4)
    path.write_bytes(head + data + depths + table)


def tomogram(path: Path) -> None:
    """Slices, overview and log as Bruker's NRecon writes them."""
    path.mkdir()
    for number in range(8, 12):
        Image.fromarray(M255).save(path / f"s1_rec{number:08d}.bmp")
    Image.fromarray(GRAY[::2, ::2]).save(path / "s1_rec_spr.bmp")
    log = "[Acquisition]\nPixel Size (um)=9\n[Reconstruction]\nPixel Size (um)=2.5\n"
    (path / "s1_rec.log").write_text(log)


def coloured_slices(path: Path) -> None:
    """Slices with a palette, of which the first shows one phase only."""
    path.mkdir()
    for number, values in enumerate((np.ones_like(THREE), THREE, THREE)):
        shaded(values).save(path / f"{number}.png")  # type: ignore[attr-defined]


def bare_samples(path: Path) -> None:
    """Two samples without the tag ExtraSamples."""
    tifffile.imwrite(path, TWO[..., ::-1], photometric="minisblack", planarconfig=1)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages.first.tags["ExtraSamples"]
        # A private tag in its place.
        file.filehandle.seek(tag.offset)
        file.filehandle.write(struct.pack("<H", 65000))


def packed_samples(path: Path) -> None:
    """Two samples of LZW, of which Pillow would read the first only."""
    Image.fromarray(TWO).save(path, compression="tiff_lzw")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["ExtraSamples"].overwrite(0)


COUNTS = np.random.default_rng(3).poisson(3 * MASK + 0.3).astype(np.uint8) * 20
TWO = np.dstack([255 - GRAY, GRAY])
OPAQUE = np.dstack([GRAY, np.full_like(GRAY, 255)])
ONE_HOT = np.stack([THREE == n for n in range(3)])
CLASSES = np.stack([MASK, ~MASK]).astype(np.float32)
CIRCLE = (X - 80) ** 2 + (Y - 60) ** 2 < 58**2
ALIGNED = np.where((Y < 8) | (X >= 155), 0, GRAY)
MARGIN = np.pad(GRAY, ((9, 9), (12, 12)), constant_values=255)
STROKES = np.dstack([np.zeros((*MASK.shape, 3), np.uint8), M255])
CUT_OUT = np.dstack([GRAY] * 3 + [np.where(CIRCLE, 255, 0).astype(np.uint8)])
ANG = "# GRID: SqrGrid\n# XSTEP: 0.5\n# NROWS: 120\n#\n"
CTF = "Channel Text File\nXStep\t0.5\nPhases\t1\n2.87;2.87;2.87\t90;90;90\tIron\n"
CTF += "Phase\tX\tY\tBands\tBC\n"
JEOL = "$CM_FULL_SIZE 160 240\n$$SM_MICRON_BAR 50\n$$SM_MICRON_MARKER 1um\n"
HITACHI = "[SemImageFile]\nDataSize=160x240\nPixelSize=9.5\n"
RAMP = np.stack([np.arange(256, dtype=np.uint16) * 257] * 3)
NAN = np.where(Y < 4, np.nan, GRAY).astype(np.float32)
HOUNSFIELD = GRAY.astype(np.int16) * 8 - 1000
THIRD = float((THREE == 2).mean())
GREEN = float((THREE == 1).mean())  # the brightest of the three colours

MEANINGS = [
    Case(
        "nearly gray.png", pillow(TINTED), "grayscale", words="differ by at most 4.1%"
    ),
    Case(
        "kept.png",
        pillow(TINTED),
        "colour",
        (*MASK.shape, 3),
        None,
        "as chosen",
        {"kind": "colour"},
    ),
    Case(
        "otsu.jpg",
        pillow(TINTED, quality=90),
        words="luminance",
        settings={"segmentation": "otsu"},
    ),
    Case(
        "gray.jpg",
        pillow(TINTED, quality=90),
        "grayscale",
        words="luminance",
        settings={"kind": "grayscale"},
    ),
    Case(
        "blue.png",
        pillow(TINTED),
        "grayscale",
        words="'blue' is taken",
        settings={"channel": "blue"},
    ),
    Case("flat.png", pillow(FLAT), bright=GREEN, words="#0000ff"),
    Case(
        "flat as phases.png",
        pillow(FLAT),
        bright=GREEN,
        words="3 phases (as chosen)",
        settings={"kind": "phases"},
    ),
    Case(
        "flat 16.tif",
        tiff(FLAT.astype(np.uint16) * 257, photometric="rgb"),
        bright=GREEN,
        words="flat colours",
    ),
    Case("flat float.npy", npy(FLAT / 255.0), bright=GREEN, words="flat colours"),
    Case("palette.png", pillow(shaded(THREE)), bright=THIRD, words="#00ff00"),
    Case(
        "palette.tif",
        tiff(
            THREE.astype(np.uint8),
            photometric="palette",
            colormap=np.vstack([PALETTE, np.zeros((253, 3), np.uint8)]).T.astype("u2")
            * 257,
        ),
        bright=THIRD,
        words="#00ff00",
    ),
    Case(
        "gray palette.tif",
        tiff(GRAY, photometric="palette", colormap=RAMP),
        "grayscale",
    ),
    Case("mask.jpg", pillow(M255, quality=90), words="blurred by lossy compression"),
    Case("mask 95.jpg", pillow(M255, quality=95), words="2 phases"),
    Case("mask 98.jpg", pillow(M255, quality=98), words="2 phases"),
    Case("mask 95.npy", npy(as_jpeg(M255, 95) / 255), words="2 phases"),
    Case(
        "labels and void.png",
        pillow(np.where(X < 9, 255, FOUR).astype(np.uint8)),
        bright=None,
        words="5 phases",
    ),
    Case("mask 60.jpg", pillow(M255, quality=60), words="near 0, 255"),
    Case(
        "three.jpg",
        pillow((THREE * 120).astype(np.uint8), quality=90),
        bright=THIRD,
        words="phases 0 to 2",
    ),
    Case("mask float.npy", npy(MASK.astype(float)), words="2 distinct values"),
    Case("mask float.tif", tiff(MASK.astype(np.float32))),
    Case("mask half.npy", npy(np.where(MASK, 1.0, 0.5)), words="0.5, 1 are read as"),
    Case("mask float16.npy", npy(MASK.astype(np.float16))),
    Case("mask -1.npy", npy(np.where(MASK, 1, -1))),
    Case("mask signed.tif", tiff((MASK * 65535 - 2**15).astype(np.int16))),
    Case("mask bool.npy", npy(MASK), words="truth values"),
    Case("mask bool.tif", tiff(MASK)),
    Case(
        "levels 16.tif",
        tiff((THREE * 32767).astype(np.uint16)),
        bright=THIRD,
        words="3 distinct values",
    ),
    Case("trailing axis.npy", npy(MASK.astype(np.uint8)[..., None])),
    Case("leading axis.npy", npy(MASK.astype(np.uint8)[None])),
    Case("batch of one.npy", npy(MASK.astype(np.uint8)[None, None])),
    Case(
        "batch of masks.npy",
        npy(np.stack([M255] * 4)[:, None]),
        shape=(4, *MASK.shape),
    ),
    Case(
        "one component.npy",
        npy(np.stack([M255] * 3)[..., None]),
        shape=(3, *MASK.shape),
    ),
    Case(
        "channels first.npy",
        npy(np.moveaxis(FLAT, -1, 0)),
        bright=GREEN,
        words="3 channels of one image",
    ),
    Case("fortran.npy", npy(np.asfortranarray(M255))),
    Case("big-endian.npy", npy((MASK * 7).astype(">i4"))),
    Case(
        "objects.tif",
        tiff(OBJECTS.astype(np.uint16)),
        bright=(OBJECTS > 0).mean(),
        words="objects are read as one phase",
    ),
    Case("objects float.npy", npy(OBJECTS.astype(float)), bright=(OBJECTS > 0).mean()),
    Case(
        "objects kept.tif",
        tiff(OBJECTS.astype(np.uint16)),
        "grayscale",
        bright=None,
        settings={"kind": "grayscale"},
    ),
    Case(
        "few objects.npy",
        npy(np.minimum(OBJECTS, 9)),
        bright=(OBJECTS > 0).mean(),
        words="(as chosen)",
        settings={"kind": "objects"},
    ),
    Case(
        "one-hot.npy", npy(ONE_HOT.astype("f4")), bright=THIRD, words="one-hot classes"
    ),
    Case("one-hot last.npy", npy(np.moveaxis(ONE_HOT, 0, -1)), bright=THIRD),
    Case("one-hot two.npy", npy(CLASSES[::-1]), words="2 channels are one-hot"),
    Case(
        "one-hot volume.npy",
        npy(np.stack([ONE_HOT] * 9, axis=1).astype("u1")),
        shape=(9, *MASK.shape),
        bright=THIRD,
    ),
    Case("one-hot.tif", tiff(CLASSES[::-1], photometric="minisblack")),
    Case(
        "masks two.npy", npy(np.stack([255 - M255, M255])), words="2 channels are one"
    ),
    Case(
        "masks four.npy",
        npy(255 * np.stack([FOUR == n for n in range(4)]).astype(np.uint8)),
        bright=float((FOUR == 3).mean()),
        words="4 channels are one-hot",
    ),
    Case(
        "planes of labels.npy",
        npy(np.stack([FOUR, FOUR[::-1], FOUR]).astype(np.uint8)),
        shape=(3, *MASK.shape),
        bright=float((FOUR == 3).mean()),
        words="planes of labels up to 3",
    ),
    Case(
        "masks overlapping.npy",
        npy(np.stack([M255, 255 - M255, 255 * (X > 100).astype(np.uint8)])),
        bright=None,
        words="Warning: The 3 planes hold only 0 and 255",
    ),
    Case(
        "one of the masks.npy",
        npy(np.stack([M255, 255 - M255, 255 * (X > 100).astype(np.uint8)])),
        settings={"channel": "red"},
    ),
    Case(
        "softmax.npy",
        npy((0.8 * ONE_HOT + 0.2 / 3).astype("f4")),
        bright=THIRD,
        words="3 channels are probabilities",
    ),
    Case(
        "probability.tif",
        tiff((0.1 + 0.8 * ndimage.gaussian_filter(MASK * 1.0, 1)).astype("f4")),
        "grayscale",
    ),
    Case(
        "objects on -1.tif",
        tiff((OBJECTS - 1).astype(np.int16)),
        bright=(OBJECTS > 0).mean(),
        words="which is marked -1",
    ),
    Case(
        "objects on 65535.tif",
        tiff((OBJECTS - 1).astype(np.uint16)),
        bright=(OBJECTS > 0).mean(),
        words="which is marked 65535",
    ),
    Case(
        "objects on -1.npy",
        npy(np.clip(OBJECTS - 1, -1, 5)),
        bright=(OBJECTS > 0).mean(),
        settings={"kind": "objects"},
    ),
    Case(
        "five objects.npy",
        npy(np.where(OBJECTS < 6, OBJECTS, 0)),
        bright=None,
        words="Warning: Each label marks one connected area",
    ),
    Case(
        "grains.tif",
        tiff((1 + (X // 20) + 8 * (Y // 20)).astype(np.uint16)),
        "grayscale",
        bright=None,
        words="Warning: Each whole number marks one connected area",
    ),
    Case(
        "element.png",
        pillow(np.dstack([0 * GRAY, GRAY, GRAY])),
        "grayscale",
        words="All colours have one hue",
    ),
    Case(
        "flat.jpg",
        pillow(FLAT.repeat(3, axis=0).repeat(3, axis=1), quality=90),
        shape=(360, 480),
        bright=GREEN,
        words="flat colours",
    ),
    Case(
        "flat with smooth edges.png",
        pillow(Image.fromarray(FLAT).resize((140, 105), Image.Resampling.BILINEAR)),
        shape=(105, 140),
        bright=GREEN,
        words="flat colours",
    ),
    Case("one column.npy", npy(GRAY[:, :1]), "grayscale", (120, 1), None),
    Case("strokes.png", pillow(STROKES), words="the alpha channel is read"),
    Case(
        "cut out.png",
        pillow(CUT_OUT),
        "grayscale",
        bright=None,
        words="Warning: 45.1% of the pixels are transparent",
    ),
    Case(
        "smooth edges.jpg",
        pillow(
            Image.fromarray(M255).resize((640, 480), Image.Resampling.BICUBIC),
            quality=85,
        ),
        shape=(480, 640),
        words="2 phases",
    ),
    Case(
        "smooth edges.png",
        pillow(Image.fromarray(M255).resize((320, 240), Image.Resampling.BILINEAR)),
        shape=(240, 320),
        words="two flat gray values with smooth edges",
    ),
]
TAGS = [
    Case("white is zero.tif", pillow(M255, tiffinfo={262: 0})),
    Case(
        "white is zero lzw.tif", pillow(M255, tiffinfo={262: 0}, compression="tiff_lzw")
    ),
    Case(
        "imagej inverted.tif",
        tiff(255 - M255, photometric="miniswhite"),
        words="White is stored as 0",
    ),
    Case(
        "white is zero 16.tif",
        tiff(65535 - M255.astype("u2") * 257, photometric="miniswhite"),
    ),
    Case("fax.tif", pillow(Image.fromarray(M255).convert("1"), compression="group4")),
    Case("one bit.png", pillow(Image.fromarray(M255).convert("1"))),
    Case("one bit.bmp", pillow(Image.fromarray(M255).convert("1"))),
    Case(
        "turned.jpg",
        pillow(GRAY, exif=exif(6)),
        "grayscale",
        (160, 120),
        words="turned",
    ),
    Case("upside down.jpg", pillow(GRAY, exif=exif(3)), "grayscale", words="turned"),
    Case(
        "turned.tif",
        tiff(GRAY, extratags=[(274, 3, 1, 8, True)]),
        "grayscale",
        (160, 120),
        words="orientation tag",
    ),
    Case(
        "turned lzw.tif",
        pillow(GRAY, tiffinfo={274: 6}, compression="tiff_lzw"),
        "grayscale",
        (160, 120),
    ),
    Case(
        "thumbnail lzw.tif",
        pillow(
            GRAY,
            save_all=True,
            compression="tiff_lzw",
            append_images=[Image.fromarray(GRAY[::8, ::8])],
        ),
        "grayscale",
        words="The dataset 'image 1' is read (others: image 2)",
    ),
    Case(
        "thumbnail jpeg.tif",
        pillow(
            GRAY,
            save_all=True,
            compression="jpeg",
            append_images=[Image.fromarray(GRAY[::8, ::8])],
        ),
        "grayscale",
    ),
    Case("second series.tif", pages(GRAY, GRAY[::3, ::3]), "grayscale"),
    Case("thumbnail first.tif", pages(GRAY[::3, ::3], GRAY), "grayscale"),
    Case("pyramid.tif", pyramid, "grayscale"),
    Case(
        "planar.tif",
        tiff(np.moveaxis(FLAT, -1, 0), photometric="rgb", planarconfig="separate"),
        bright=GREEN,
    ),
    Case("big tiff.tif", tiff(GRAY, bigtiff=True, byteorder=">"), "grayscale"),
    Case(
        "tiles.tif",
        tiff(GRAY, tile=(64, 64), compression="zlib", predictor=True),
        "grayscale",
    ),
    Case("int8.tif", tiff((GRAY // 2).astype(np.int8)), "grayscale", bright=None),
    Case("hounsfield.tif", tiff(HOUNSFIELD), "grayscale", words="-912 to 768, int16"),
    Case(
        "alpha.png",
        pillow(np.dstack([M255, np.full_like(M255, 255)])),
        words="alpha channel is dropped",
    ),
    Case(
        "rgba.png",
        pillow(np.dstack([FLAT, np.full_like(M255, 255)])),
        bright=GREEN,
        words="alpha channel is dropped",
    ),
    Case(
        "cmyk.jpg",
        pillow(Image.fromarray(np.stack([GRAY] * 3, -1)).convert("CMYK"), quality=95),
        "grayscale",
    ),
    Case(
        "cmyk.tif",
        pillow(Image.fromarray(np.stack([GRAY] * 3, -1)).convert("CMYK")),
        "grayscale",
    ),
    Case(
        "ycbcr.tif",
        tiff(np.stack([GRAY, 0 * GRAY + 128, 0 * GRAY + 128], -1), photometric="ycbcr"),
        "grayscale",
    ),
    Case("progressive.jpg", pillow(GRAY, quality=95, progressive=True), "grayscale"),
    Case(
        "16 bit colours.png",
        deep_png,
        "grayscale",
        words="Warning: Only 8 of the 16 bits per channel are read",
    ),
    Case("16 bit colours.tif", lzw_colours, "grayscale", words="Warning: Only 8 of"),
    Case("16 bit.png", pillow(GRAY.astype(np.uint16) * 256), "grayscale"),
    Case("picture.webp", pillow(np.stack([GRAY] * 3, -1), quality=95), "grayscale"),
    Case(
        "frames.gif",
        pillow(GRAY, save_all=True, append_images=[Image.fromarray(255 - GRAY)]),
        "grayscale",
        words="The first of 2 frames",
    ),
    Case(
        "two channels.tif",
        tiff(np.stack([GRAY, 255 - GRAY]), imagej=True, metadata={"axes": "CYX"}),
        "grayscale",
        words="Channel 1 of 2",
    ),
    Case(
        "second channel.tif",
        tiff(np.stack([255 - GRAY, GRAY]), imagej=True, metadata={"axes": "CYX"}),
        "grayscale",
        words="Channel 2 of 2",
        settings={"channel": "2"},
    ),
    Case(
        "detectors.tif",
        tiff(np.stack([255 - GRAY, GRAY, GRAY]), photometric="minisblack"),
        "grayscale",
        words="Page 2 of 3",
        settings={"channel": "2"},
    ),
    Case(
        "two samples.tif",
        tiff(TWO, photometric="minisblack", planarconfig="contig"),
        "grayscale",
        words="Channel 2 of 2",
        settings={"channel": "2"},
    ),
    Case("two samples bare.tif", bare_samples, "grayscale", words="Channel 1 of 2"),
    Case(
        "four samples.tif",
        tiff(TWO[..., [1, 0, 0, 0]], photometric="minisblack", planarconfig="contig"),
        "grayscale",
        words="Channel 1 of 4",
    ),
    *(
        Case(
            f"{alpha.lower()}.tif",
            tiff(OPAQUE, photometric="minisblack", extrasamples=[alpha]),
            "grayscale",
            words="alpha channel is dropped",
        )
        for alpha in ("ASSOCALPHA", "UNASSALPHA")
    ),
    Case(
        "five channels.tif",
        tiff(np.dstack([GRAY] * 5), photometric="minisblack", planarconfig="contig"),
        "grayscale",
        words="Channel 1 of 5",
    ),
    Case(
        "deflate 16.tif",
        tiff(GRAY.astype("u2") * 99, compression="zlib", predictor=True, bigtiff=True),
        "grayscale",
    ),
    Case("zstandard.tif", pillow(GRAY, compression="zstd"), "grayscale"),
    Case("jpeg 2000.jp2", pillow(GRAY), "grayscale"),
    Case("portable.pgm", pillow(GRAY), "grayscale"),
    Case("12 bit.tif", packed(12), "grayscale", words="uint16"),
    Case(
        "counts.png",
        pillow(np.dstack([COUNTS, 0 * COUNTS, 0 * COUNTS])),
        bright=None,
        words="Warning: Most neighbours of a pixel",
    ),
    Case("4 bit.tif", packed(4), bright=None, words="Warning: Most neighbours of a"),
    Case("12 bit in 16.tif", tiff((MASK * 4095).astype(np.uint16)), words="4095"),
    Case(
        "signed.tif",
        tiff(
            (HOUNSFIELD.astype(np.int32) + 2**15).astype(np.uint16),
            description="ImageJ=1.54\ncf=0\nc0=-32768\nc1=1\nvunit=Gray Value\n",
            metadata=None,
        ),
        "grayscale",
        words="-912 to 768, int16",
    ),
    Case(
        "transparent index.png",
        lambda path: shaded(THREE).save(path, transparency=0),  # type: ignore[attr-defined]
        bright=THIRD,
        words="#ff0000",
    ),
    Case("white is zero noise.tif", pillow(GRAY, tiffinfo={262: 0}), "grayscale"),
    Case(
        "time series.tif",
        tiff(np.stack([GRAY] * 9), imagej=True, metadata={"axes": "TYX"}),
        "grayscale",
        (9, *MASK.shape),
    ),
]
BORDERS = [
    Case(
        "fei.tif",
        tiff(SEM, extratags=FEI_TAGS),
        "grayscale",
        SEM.shape,
        None,
        "Warning: The header states 240 scanned rows",
        size_nm=3,
    ),
    Case(
        "fei cropped.tif",
        tiff(SEM, extratags=FEI_TAGS),
        "grayscale",
        (240, 160),
        words="Only rows 0 to 240",
        settings={"crop": "auto"},
        size_nm=3,
    ),
    Case(
        "bar without header.png",
        pillow(SEM),
        "grayscale",
        SEM.shape,
        None,
        "Warning: There is a border of the one value 0",
    ),
    Case(
        "bar cropped.jpg",
        pillow(SEM, quality=90),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
    ),
    Case(
        "bar in colour.png",
        pillow(np.stack([SEM] * 3, -1)),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
    ),
    Case(
        "nan border.npy",
        npy(NAN),
        "grayscale",
        (116, 160),
        None,
        settings={"crop": "auto"},
        words="border without values",
    ),
    Case(
        "nan cropped.tif",
        tiff(NAN),
        "grayscale",
        (116, 160),
        None,
        settings={"crop": (4, 120, 0, 160)},
    ),
    Case(
        "scale bar.png",
        pillow(with_bar(GRAY, 255)),
        "grayscale",
        bright=None,
        words="Warning: There seems to be a scale bar in rows 10",
    ),
    Case(
        "red scale bar.png",
        pillow(with_bar(np.dstack([GRAY] * 3), (255, 0, 0))),
        "grayscale",
        bright=None,
        words="Warning: There seems to be a scale bar in rows 11",
    ),
    Case(
        "bar and margin.png",
        pillow(np.pad(SEM, 5, constant_values=255)),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
    ),
    Case(
        "margin.png",
        pillow(MARGIN),
        "grayscale",
        settings={"crop": "auto"},
        words="of the one value 255",
    ),
    Case(
        "frame.png",
        pillow(np.pad(GRAY, 1)),
        "grayscale",
        settings={"crop": "auto"},
        words="rows 1 to 121 and columns 1 to 161",
    ),
    Case("frame of labels.png", pillow(np.pad(M255, 1)), settings={"crop": "auto"}),
    Case("layers.png", pillow((Y // 20 % 2 * 255).astype(np.uint8)), bright=0.5),
    Case(
        "aligned.tif",
        tiff(ALIGNED),
        "grayscale",
        (112, 155),
        None,
        settings={"crop": "auto"},
    ),
    Case(
        "rotated.png",
        pillow(Image.fromarray(GRAY).rotate(10, Image.Resampling.BILINEAR)),
        "grayscale",
        bright=None,
        words="Warning: There is a border of the one value 0",
    ),
    Case(
        "circle.tif",
        tiff(np.stack([np.where(CIRCLE, GRAY, 0)] * 9), photometric="minisblack"),
        "grayscale",
        (9, *MASK.shape),
        None,
        "Warning: There is a border of the one value 0",
    ),
    Case(
        "circle cropped.tif",
        tiff(np.stack([np.where(CIRCLE, GRAY, 0)] * 9), photometric="minisblack"),
        "grayscale",
        (9, 83, 83),
        None,
        settings={"crop": "auto"},
    ),
    Case(
        "circle of labels.tif",
        tiff(np.where(CIRCLE, 255 - M255, 0)),
        bright=None,
        words="Warning: There is a border of the one value 0",
    ),
    Case(
        "nan circle.tif",
        tiff(
            np.stack([np.where(CIRCLE, GRAY, np.nan)] * 9).astype("f4"),
            photometric="minisblack",
        ),
        "grayscale",
        (9, 83, 83),
        None,
        settings={"crop": "auto"},
    ),
    Case(
        "marked circle.tif",
        tiff(np.where(CIRCLE, HOUNSFIELD, -32768).astype(np.int16)),
        "grayscale",
        (83, 83),
        None,
        "without values (-32768)",
        settings={"crop": "auto"},
    ),
]
BORDERS += [
    Case(
        "fei slices",
        fei_slices,
        "grayscale",
        (4, 240, 320),
        words="Only rows 0 to 240",
        settings={"crop": "auto"},
        size_nm=3,
    ),
    Case(
        "fei pages.tif",
        pages(barred(GRAY), barred(GRAY), extratags=FEI_TAGS),
        "grayscale",
        (2, 240, 320),
        words="the header states 240",
        settings={"crop": "auto"},
        size_nm=3,
    ),
    Case(
        "bars of a stack.tif",
        tiff(np.stack([barred(np.roll(GRAY, n, 1)) for n in range(5)])),
        "grayscale",
        (5, 240, 320),
        settings={"crop": "auto"},
    ),
    Case(
        "bar of labels.png",
        pillow(barred((BLOCKS * 255).astype(np.uint8))),
        shape=(280, 320),
        bright=None,
        words="Warning: There seems to be a data bar at an edge; crop to rows 0 to 240",
    ),
    Case(
        "bar of labels.tif",
        tiff(np.stack([barred((BLOCKS * 255).astype(np.uint8)) > 99] * 2) * 1),
        shape=(2, 240, 320),
        bright=BLOCKS.mean(),
        settings={"crop": "auto"},
    ),
    Case(
        "bar 75.jpg",
        pillow(barred(GRAY), quality=75),
        "grayscale",
        (240, 320),
        settings={"crop": "auto"},
    ),
    Case(
        "bar of colours.png",
        pillow(barred(np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]]))),
        "colour",
        (240, 320, 3),
        None,
        settings={"crop": "auto"},
    ),
]
SIZES = [
    Case(
        "print.tif",
        tiff(GRAY, imagej=True, resolution=(300, 300), metadata={"unit": "inch"}),
        "grayscale",
    ),
    Case(
        "inch.tif",
        tiff(GRAY, imagej=True, resolution=(2.54e7, 2.54e7), metadata={"unit": "inch"}),
        "grayscale",
        size_nm=1,
    ),
    Case(
        "tescan.tif",
        tiff(
            GRAY,
            extratags=[
                (50431, 7, 34, b"\0\0[MAIN]\nPixelSizeX=2e-08\nA=1\n\n\n\n", True)
            ],
        ),
        "grayscale",
        size_nm=20,
    ),
    Case(
        "not square.tif",
        tiff(GRAY, imagej=True, resolution=(1, 0.5), metadata={"unit": "nm"}),
        "grayscale",
        (240, 160),
        words="resampled",
        size_nm=1,
    ),
    Case(
        "no spacing.tif",
        tiff(
            np.stack([GRAY] * 2),
            imagej=True,
            resolution=(100, 100),
            metadata={"unit": "um", "spacing": 0, "axes": "ZYX"},
        ),
        "grayscale",
        (2, *MASK.shape),
        size_nm=10,
    ),
    Case("screen.png", pillow(GRAY, dpi=(144, 144)), "grayscale"),
    Case("plot.png", pillow(GRAY, dpi=(1200, 1200)), "grayscale"),
    Case("camera.jpg", pillow(GRAY, quality=95, dpi=(60000, 60000)), "grayscale"),
    Case("metre.png", pillow(GRAY, dpi=(254000, 254000)), "grayscale", size_nm=100),
    Case("metre.bmp", pillow(GRAY, dpi=(254000, 254000)), "grayscale", size_nm=100),
    Case(
        "dots per inch.tif",
        tiff(GRAY, resolution=(2.54e6, 2.54e6), resolutionunit="INCH"),
        "grayscale",
        size_nm=10,
    ),
    Case(
        "retina.tif",
        tiff(GRAY, resolution=(144 / 2.54,) * 2, resolutionunit="CENTIMETER"),
        "grayscale",
    ),
    *(
        Case(
            f"{unit}.tif",
            tiff(GRAY, imagej=True, resolution=(5, 5), metadata={"unit": unit}),
            "grayscale",
            size_nm=size,
        )
        for unit, size in (("micrometres", 200), ("nanometers", 0.2), ("pixels", None))
    ),
    Case(
        "gatan.tif",
        tiff(
            GRAY,
            extratags=[
                (65003, 2, None, "nm", True),
                (65004, 2, None, "nm", True),
                (65009, 12, 1, 0.5, True),
                (65010, 12, 1, 0.5, True),
            ],
        ),
        "grayscale",
        size_nm=0.5,
    ),
    Case(
        "jeol.bmp",
        beside("jeol.txt", JEOL),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
        size_nm=20,
    ),
    Case(
        "HITACHI.TIF",
        beside("HITACHI.TXT", HITACHI, "utf-16"),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
        size_nm=9.5,
    ),
    Case(
        "tescan.png",
        beside("tescan-png.hdr", "[MAIN]\nPixelSizeX=2e-8\nImageStripSize=20\n"),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
        size_nm=20,
    ),
]
FILES = [
    Case(
        "values.raw",
        raw,
        "grayscale",
        settings={"raw_shape": (120, 160), "raw_type": "<u2"},
    ),
    Case(
        "slices",
        folder,
        shape=(4, *MASK.shape),
        bright=BRIGHT * 3 / 4,
        words="slice_8.png first",
    ),
    Case(
        "folders between.d",
        between,
        shape=(3, *MASK.shape),
        words="3 slices are read",
    ),
    Case(
        "one by one.tif",
        pages(M255, M255, M255),
        shape=(3, *MASK.shape),
        words="3 images of one size",
    ),
    Case(
        "one of them.tif",
        pages(255 - GRAY, GRAY),
        "grayscale",
        words="Page 2 of 2",
        settings={"channel": "2"},
    ),
    Case(
        "slices and masks",
        image_and_mask_slices,
        "grayscale",
        (8, *MASK.shape),
        bright=None,
        words="Warning: The names are those of 2 series of images (#.png, #_mask.png)",
    ),
    Case(
        "times.ome.tif",
        tiff(
            np.stack([np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]])] * 2),
            ome=True,
            metadata={"axes": "TCYX"},
        ),
        "colour",
        (2, *MASK.shape, 3),
        bright=None,
        words="The 2 times are read as planes",
    ),
    Case(
        "three masks.npy",
        npy(np.stack([MASK, MASK, MASK]).astype(np.uint8)),
        shape=(3, *MASK.shape),
        words="3 planes of 0 and 1 are read as a volume",
    ),
    Case(
        "with its mask.tif",
        pages(GRAY, M255),
        "grayscale",
        words="'image 1' is read (others: image 2)",
    ),
    Case(
        "its mask.tif",
        pillow_pages(GRAY, M255),
        settings={"dataset": "image 2"},
        words="'image 2' is read (others: image 1)",
    ),
    Case(
        "two types.tif",
        mixed_types,
        "grayscale",
        settings={"dataset": "image 2"},
        words="float32",
    ),
    Case(
        "three sizes.tif",
        pages(GRAY[:20], GRAY, GRAY[:40]),
        "grayscale",
        words="'image 2' is read (others: image 1, image 3)",
    ),
    Case(
        "tomogram",
        tomogram,
        shape=(4, *MASK.shape),
        words="1 with other names are left out",
        size_nm=2500,
    ),
    Case(
        "palettes",
        coloured_slices,
        shape=(3, *MASK.shape),
        bright=None,
        words="#ff0000",
    ),
    Case("caps.d", lambda path: slices(M255, M255)(path), shape=(2, *MASK.shape)),
    Case("colours.mha", meta_image(FLAT), bright=GREEN),
    Case("plane.mha", meta_image(GRAY), "grayscale"),
    Case("colours.am", amira(FLAT), bright=GREEN),
    Case("field.gsf", gwyddion, "grayscale", size_nm=10),
    Case("hdf5 without its ending", hdf5, "grayscale"),
    Case(
        "grains.dream3d",
        polycrystal,
        "grayscale",
        (5, *MASK.shape),
        None,
        "Warning: Each whole number marks one connected area",
    ),
    Case("struct.mat", struct_of_matlab, "grayscale"),
    Case(
        "stack.mat",
        stack_of_matlab,
        shape=(5, *MASK.shape),
        words="120 rows, 160 columns and 5 planes",
    ),
    Case(
        "nine channels.mha",
        meta_image(np.dstack([GRAY] + [255 - GRAY] * 8)),
        "grayscale",
        words="Channel 1 of 9",
    ),
]
TEXTS = [
    Case("mask.csv", text(lines(MASK, ","))),
    Case("gray.txt", text(lines(GRAY, "\t")), "grayscale", words="uint8"),
    Case(
        "decimal comma.csv",
        text(lines(GRAY / 9, ";", "%.3f").replace(".", ",")),
        "grayscale",
    ),
    Case("last line.csv", text(lines(MASK, ",").replace("\n", ",,\n"))),
    Case("end of file.csv", text(lines(MASK, ",") + "\r\n\x1a")),
    Case(
        "empty cells.csv",
        text(re.sub(r"^\d+,\d+", ",", lines(GRAY, ","), flags=re.M)),
        "grayscale",
        (120, 158),
        bright=None,
        settings={"crop": "auto"},
        words="border without values",
    ),
    Case("spaces.txt", text(lines(GRAY / 9, " ", "%.4e")), "grayscale"),
    Case("wide.txt", text(lines(MASK, "\t"), "utf-16"), bright=BRIGHT),
    Case("truth.csv", text(lines(MASK, ",", "%s"))),
    Case("digits.txt", text(lines(MASK, ""))),
    Case(
        "pandas.csv",
        text(
            ",".join(["", *map(str, range(160))])
            + "".join(f"\n{n},{lines(row[None], ',')}" for n, row in enumerate(MASK))
        ),
    ),
    Case(
        "numbered columns.csv",
        text(",".join(map(str, range(160))) + "\n" + lines(GRAY, ",")),
        "grayscale",
        words="The first row numbers the columns",
    ),
    Case(
        "quoted.csv",
        text('"' + lines(GRAY, '","').replace("\n", '"\n"') + '"'),
        "grayscale",
    ),
    Case("positions.xyz", points("{x:.4e} {y:.4e} {gray}", "", 1e-7), "grayscale"),
    Case("plane.xyz", points("{x:g} {y:g} 0 {gray}", "", 1), "grayscale"),
    Case("returns.csv", text(lines(GRAY, ",").replace("\n", "\r")), "grayscale"),
    Case(
        "gradient.csv",
        text(lines(X + Y + GRAY % 2 * (Y > 0), ",")),
        "grayscale",
        bright=None,
    ),
    Case(
        "grid.asc",
        text(
            "ncols 160\nnrows 120\ncellsize 10\nNODATA_value -9999\n"
            + lines(np.where(Y < 4, -9999, GRAY.astype(int)), " ")
        ),
        "grayscale",
        (116, 160),
        None,
        settings={"crop": "auto"},
    ),
    Case(
        "gwyddion.txt",
        text("# Width: 1.60 µm\n# Height: 1.20 µm\n" + lines(GRAY / 9, "\t", "%g")),
        "grayscale",
        size_nm=10,
    ),
    Case(
        "points.csv",
        points("{x:g},{y:g},{gray}", "X,Y,Value\n", 1),
        "grayscale",
    ),
    Case(
        "metres.csv",
        points("{x:.3e},{y:.3e},{gray}", "X [m],Y [m],Value\n", 1.23e-9),
        "grayscale",
    ),
    Case(
        "map.ang",
        points("  0.1 0.2 0.3 {x:.4f} {y:.4f} {gray} 0.9 {phase} 1 0.5", ANG, 0.5),
        bright=THIRD,
        words="(others: IQ)",
        size_nm=500,
    ),
    Case(
        "map.ctf",
        points("{phase}\t{x:.4f}\t{y:.4f}\t8\t{gray}", CTF, 0.5),
        "grayscale",
        settings={"dataset": "bc"},
        size_nm=500,
    ),
    Case(
        "bright.dat",
        lambda path: path.write_bytes((MASK * 90 + 60).astype(np.uint8).tobytes()),
        settings={"raw_shape": (120, 160)},
    ),
    Case(
        "list.dat",
        text("\n".join(map(str, np.stack([MASK * 1] * 2).ravel()))),
        shape=(2, *MASK.shape),
        settings={"raw_shape": (2, 120, 160)},
    ),
]
NUMBERS = [
    Case("long double.npy", npy(GRAY.astype(np.longdouble)), "grayscale"),
    Case("counts.npy", npy(GRAY.astype(np.uint64) << np.uint64(55)), "grayscale"),
    Case(
        "no data.tif",
        tiff(np.where(Y < 4, -3.4e38, GRAY).astype(np.float32)),
        "grayscale",
        (116, 160),
        None,
        settings={"crop": "auto"},
        words="border without values",
    ),
    Case(
        "decimal comma.tif",
        tiff(SEM, extratags=[(34682, 2, None, FEI.replace("3e-9", "3,5e-9"), True)]),
        "grayscale",
        (240, 160),
        settings={"crop": "auto"},
        size_nm=3.5,
    ),
    Case(
        "no number.tif",
        tiff(GRAY, extratags=[(34682, 2, None, FEI.replace("3e-9", "3..5"), True)]),
        "grayscale",
    ),
    Case(
        "angstrom.tif",
        tiff(
            GRAY,
            ome=True,
            metadata={
                f"PhysicalSize{axis}{what}": value
                for axis in "XY"
                for what, value in (("", 20), ("Unit", "\N{ANGSTROM SIGN}"))
            },
        ),
        "grayscale",
        size_nm=2,
    ),
    Case(
        "negative size.tif",
        tiff(
            GRAY,
            ome=True,
            metadata={
                f"PhysicalSize{axis}{what}": value
                for axis in "XY"
                for what, value in (("", -2), ("Unit", "nm"))
            },
        ),
        "grayscale",
    ),
    Case("wrong ending.png", tiff(GRAY), "grayscale"),
    Case("(1) #%[a]*\N{CJK UNIFIED IDEOGRAPH-4E2D}.tif", tiff(GRAY), "grayscale"),
    Case("link.tif", link, "grayscale"),
]
SEGMENTED = [
    Case(
        "thresholds.png",
        pillow(GRAY),
        settings={"segmentation": "thresholds", "thresholds": (120,)},
        words="the given thresholds",
    ),
    Case(
        "cleaned.png",
        pillow(
            np.where(
                np.random.default_rng(2).random(MASK.shape) > 0.99, 255 - M255, M255
            )
        ),
        settings={"smallest_object": 9, "smallest_hole": 9},
        words="changed their phase",
    ),
]


CASES = {
    "meanings": MEANINGS,
    "tags": TAGS,
    "borders": BORDERS,
    "sizes": SIZES,
    "files": FILES,
    "texts": TEXTS,
    "numbers": NUMBERS,
    "segmented": SEGMENTED,
}


@pytest.mark.parametrize("section", CASES)
def test_read_as_it_should_be(section: str, tmp_path: Path) -> None:
    """All faults of a section at once."""
    faults = []
    for number, case in enumerate(CASES[section]):
        folder = tmp_path / str(number)
        folder.mkdir()
        faults += [f"{case.name}: {fault}" for fault in _faults(case, folder)]
    assert not faults, "\n".join(faults)


def _faults(case: Case, folder: Path) -> Iterator[str]:
    """What is wrong about the image that is read."""
    path = folder / case.name
    case.write(path)
    try:
        image = Micrograph.open(path, MicrographSettings(**case.settings))
    except ValueError as error:
        yield str(error)
        return
    text = "\n".join(image.summary())
    if image.kind != case.kind or image.values.shape != case.shape:
        yield f"expected {case.kind} of {case.shape}, got\n{text}"
        return
    if case.words not in text:
        yield f"expected '{case.words}' in\n{text}"
    if bool(image.facts.warnings) != ("Warning" in case.words):
        yield f"expected {'no ' * ('Warning' not in case.words)}warnings in\n{text}"
    if image.pixel_size_nm != pytest.approx(case.size_nm):
        yield f"expected {case.size_nm} nm, got {image.pixel_size_nm}"
    if case.bright is None:
        return
    if case.kind == "phases":
        found = image.phase_fractions()[image.labels[-1]]
    else:
        found = float((image.values > np.mean(image.values)).mean())
    if found != pytest.approx(case.bright, abs=0.01):
        yield f"expected a fraction of {case.bright:.3f}, got {found:.3f}\n{text}"


Refusal = tuple[str, Callable[[Path], Any], dict[str, Any], str]
REFUSED: list[Refusal] = [
    (
        "nan.npy",
        npy(NAN),
        {},
        "a border of NaN, infinite or missing ones; crop to rows 4",
    ),
    (
        "gap.npy",
        npy(np.where((X == 80) & (Y == 60), np.nan, GRAY)),
        {"crop": "auto"},
        "got 1 that are NaN",
    ),
    (
        "many.png",
        pillow(np.dstack([GRAY, GRAY[::-1], GRAY[:, ::-1]])),
        {"kind": "phases"},
        "few flat colours, got an RGB image",
    ),
    ("gray.png", pillow(GRAY), {"kind": "phases"}, "or 'objects' for numbered"),
    ("gray.png", pillow(GRAY), {"kind": "colour"}, "three channels, got one value"),
    (
        "full.npy",
        npy(OBJECTS + 1),
        {"kind": "objects"},
        "got none of the background",
    ),
    (
        "two.tif",
        tiff(np.stack([GRAY, GRAY]), imagej=True, metadata={"axes": "CYX"}),
        {"channel": "3"},
        "channel from 1 to 2, got 3",
    ),
    ("flat.png", pillow(FLAT), {"channel": "7"}, "one of 3 channels, got '7'"),
    ("c.npy", npy(GRAY + 1j), {}, "complex"),
    ("two.npy", npy(np.dstack([GRAY, GRAY])), {}, "got 2 channels"),
    ("a.raw", raw, {"raw_shape": (500, 500)}, "expected 250,000 bytes"),
    ("empty.tif", lambda path: path.write_bytes(b""), {}, "empty file"),
    ("text.tif", lambda path: path.write_text("no image"), {}, "another kind"),
    ("slices", lambda path: path.mkdir(), {}, "folder with 0 images"),
    ("one", slices(GRAY), {}, "folder with 1 image;"),
    ("sizes", slices(GRAY, GRAY[:99]), {}, r"one size, got 120 x 160 \(0.tif\)"),
    (
        "types",
        slices(GRAY, GRAY.astype("u2") * 257),
        {},
        r"one number format, got uint8 \(0.tif\) and uint16 \(1.tif\)",
    ),
    ("stacks", slices(*[np.stack([GRAY] * 9)] * 2), {}, "a volume of 9 x 120 x"),
    ("huge.npy", npy(np.where(MASK, 1e300, -1e300) + NOISE), {}, "or beyond 1e"),
    ("inside.npy", npy(np.where(X == 80, -9999, GRAY.astype(int))), {}, "mark -9999"),
    ("a.czi", lambda path: path.write_bytes(b"ZISRAWFILE" + bytes(99)), {}, "CZI file"),
    ("a.lif", lambda path: path.write_bytes(b"\x70\0\0\0" * 9), {}, "a Leica LIF"),
    (
        "a.nd2",
        lambda path: path.write_bytes(b"\xda\xce\xbe\n" * 9),
        {},
        "a Nikon NIS-Elements",
    ),
    ("a.vsi", lambda path: path.write_bytes(b"II*\0" + bytes(99)), {}, "has no pages"),
    ("lzw.tif", packed_samples, {}, "channels without compression, got LZW"),
    ("cfa.tif", tiff(GRAY, photometric="cfa"), {}, "mosaic of a colour sensor"),
    ("ragged.npy", npy(np.array([None, GRAY], object)), {}, "one of Python objects"),
    (
        "planes.mhd",
        text("DimSize = 9 9 2\nElementType = MET_UCHAR\nElementDataFile = LIST\n"),
        {},
        "its values 'LIST' are not in a file",
    ),
    ("a.txm", lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0" * 9), {}, "Zeiss TXM"),
    ("a.dcm", lambda path: path.write_bytes(bytes(128) + b"DICM"), {}, "a DICOM file"),
    ("a.tif", text("<!DOCTYPE html><html>Log in</html>"), {}, "a web page"),
    ("b.tif", text("version https://git-lfs.github.com/spec/v1\n"), {}, "git lfs pull"),
    ("a.zarr", zarr_store, {}, "a Zarr store"),
    ("ragged.csv", text(lines(GRAY, ",") + "\n1,2"), {}, "row 121 of .* holds 2 numb"),
    ("words.csv", text(lines(GRAY, ",") + "\n" + "n/a," * 159 + "1"), {}, "'n/a' in"),
    ("notes.txt", text("Notes of the day\n"), {}, "no table of numbers"),
    ("hexagons.ang", text(ANG.replace("Sqr", "Hex") + "1 2 3"), {}, "hexagonal grid"),
    ("list.dat", text("1\n2\n3\n"), {}, "one number in each line"),
    ("list.txt", text("1\n2\n3"), {"raw_shape": (2, 2)}, "expected 4 numbers"),
    ("number.npy", npy(np.array(3)), {}, r"got 0 dimensions \(a single number\)"),
    ("4d.npy", npy(np.stack([[GRAY] * 9] * 2)), {}, "got 4 dimensions"),
    ("none.npy", npy(np.zeros((0, 50, 50))), {}, "got an empty one"),
    ("loop.tif", lambda path: path.symlink_to(path), {}, "levels of symbolic"),
    ("lost.tif", lambda path: path.symlink_to("no"), {}, "No such file"),
]


if hasattr(os, "mkfifo"):
    REFUSED.append(("pipe.tif", os.mkfifo, {}, "got a pipe or a device"))


def test_refused_with_one_sentence(tmp_path: Path) -> None:
    faults = []
    for number, (name, write, settings, words) in enumerate(REFUSED):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder / name)
        try:
            image = Micrograph.open(folder / name, MicrographSettings(**settings))
        except ValueError as error:
            text = str(error)
            if not re.search(words, text) or ". " in text or "; " not in text:
                faults.append(f"{name}: expected '{words}', got {text}")
        else:
            faults.append(f"{name}: expected '{words}', got {image.summary()}")
    assert not faults, "\n".join(faults)


def test_mosaics_larger_than_the_limit_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are read; a header that announces more than a file can hold is refused."""
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    Image.fromarray(GRAY).save(tmp_path / "a.tif", compression="tiff_lzw")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name in ("a.png", "a.tif"):
        image = Micrograph.open(tmp_path / name)
        np.testing.assert_array_equal(image.values, GRAY)
    assert Image.MAX_IMAGE_PIXELS == 1000
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "b.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"announces 60000 x 60000 x 1 values"):
        read_image(tmp_path / "b.png")


def test_masked_pixels_are_not_taken_for_values() -> None:
    with pytest.raises(ValueError, match=r"got 640 that are masked; crop"):
        Micrograph.from_array(np.ma.masked_array(GRAY, Y < 4))
    whole = Micrograph.from_array(np.ma.masked_array(GRAY, False))
    np.testing.assert_array_equal(whole.values, GRAY)


def test_an_address_is_no_path() -> None:
    with pytest.raises(ValueError, match=r"got an address .*; download the file"):
        read_image("https://example.org/sem.tif")


SAME_MATERIAL: list[tuple[tuple[int, ...], ...]] = [
    ((0, 1), (0, 255), (0, 1)),
    ((0, 255), (0, 1), (0, 255)),
    ((0, 1, 2), (0, 128, 255), (0, 1, 2)),
    ((0, 1), (0, 65535), (0, 1)),
    ((0, 1), (0, 2), (0, 1, 2)),
    ((0, 1, 2), (0, 2), (0, 1, 2)),
]


def test_a_palette_that_a_viewer_has_turned_into_colours(tmp_path: Path) -> None:
    """Has the labels and colours of the file, in any part of it and at any scale."""
    shaded(THREE).save(tmp_path / "a.png")  # type: ignore[attr-defined]
    file = Micrograph.open(tmp_path / "a.png")
    layer = SourceImage(FLAT, "a", (5.0, 5.0), "layer", path=tmp_path / "a.png")
    shown = Micrograph.of(layer.with_header())
    np.testing.assert_array_equal(shown.values, file.values)
    assert shown.facts.colours == file.facts.colours
    assert shown.pixel_size_nm == 5
    part = Micrograph.of(
        layer.with_header(), MicrographSettings(crop=(0, 60, 110, 160))
    )
    np.testing.assert_array_equal(part.values, THREE[:60, 110:])


def test_labels_of_one_material() -> None:
    """0/1 and 0/255 are the same phases; other labels are other phases."""

    def image(values: tuple[int, ...]) -> Micrograph:
        phases = np.asarray(values)[np.minimum(THREE, len(values) - 1)]
        return Micrograph.from_array(phases, "phases", name=str(values))

    for first, second, labels in SAME_MATERIAL:
        images = TrainingImages.isotropic(image(first), image(second))
        assert images.labels == labels, (first, second)
        *_, last = images
        expected = np.bincount(np.minimum(THREE, len(second) - 1).ravel())
        found = list(last.phase_fractions().values())
        np.testing.assert_allclose(found, expected / THREE.size)


SATURATED = np.clip(60 + 400 * MASK + 2 * NOISE, 0, 255).astype(np.uint8)


def test_noisy_pictures_stay_gray() -> None:
    """Also those that are clipped at both ends."""
    for gray in (SATURATED, np.clip(60 + 120 * MASK + NOISE, 70, 170), GRAY):
        assert Micrograph.from_array(gray.astype(np.uint8)).kind == "grayscale"


def test_colours_of_eight_bits_in_another_type() -> None:
    """They are colours as before, and flat ones keep their shade."""
    rng = np.random.default_rng(0)
    for dtype in (np.uint16, np.int64):
        many = rng.integers(0, 256, (64, 64, 3)).astype(dtype)
        assert Micrograph.from_array(many).kind == "colour"
        flat = Micrograph.from_array(FLAT.astype(dtype))
        assert dict(flat.facts.colours) == {0: "#0000ff", 1: "#ff0000", 2: "#00ff00"}
        element_map = rng.poisson(40, (64, 64, 3)).astype(dtype)
        assert Micrograph.from_array(element_map).kind == "colour"


def test_a_volume_of_few_planes_stays_one(tmp_path: Path) -> None:
    """Through segmentation, cleaning, and the run folder."""
    path = tmp_path / "few.tif"
    tifffile.imwrite(path, np.stack([GRAY] * 3), photometric="minisblack")
    settings = MicrographSettings(segmentation="otsu", smallest_object=3)
    image = Micrograph.open(path, settings)
    assert image.values.shape == (3, *MASK.shape)
    TrainingImages.isotropic(image).save(tmp_path / "run")
    (loaded,) = TrainingImages.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.values, image.values)


def test_values_are_of_the_native_byte_order(tmp_path: Path) -> None:
    np.save(tmp_path / "be.npy", GRAY.astype(">u2"))
    assert read_image(tmp_path / "be.npy").values.dtype == np.dtype(np.uint16)


@pytest.mark.parametrize("columns", [3, 7])
def test_a_volume_may_be_few_columns_wide(columns: int, tmp_path: Path) -> None:
    """Where the file names its axes, or a volume is asked for, none are channels."""
    values = np.random.default_rng(0).integers(0, 2, (9, 20, columns)).astype(np.uint8)
    narrow = np.moveaxis(values, 2, 0)  # few planes
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    image = Micrograph.open(tmp_path / "a.tif", MicrographSettings(crop=(4, 9, 0, 2)))
    assert (image.kind, image.values.shape) == ("phases", (9, 5, 2))
    for number, stored in enumerate((values, narrow)):
        np.save(tmp_path / f"{number}.npy", stored)
        volume = Volume.open(tmp_path / f"{number}.npy")
        np.testing.assert_array_equal(volume.values, stored)
    copy = TrainingImages.isotropic(image)
    copy.save(tmp_path / "run")
    again = TrainingImages.load(tmp_path / "run").views["z"][0]
    np.testing.assert_array_equal(again.values, image.values)


def test_a_crop_counts_rows_and_columns_of_the_image(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", M255[..., None])
    settings = MicrographSettings(crop=(0, 32, 0, 40))
    assert Micrograph.open(tmp_path / "a.npy", settings).values.shape == (32, 40)


def test_memory_is_a_small_multiple_of_the_image() -> None:
    """Recognising bars, flat values and objects looks at samples and rows."""
    volume = np.stack([GRAY] * 512)
    tracemalloc.start()
    Micrograph.from_array(volume)
    find_data_bar(np.tile(GRAY, (8, 8)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * volume.nbytes


def test_volumes_larger_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Are refused before they are read: files, folders, and layers that are lazy."""
    h5py = pytest.importorskip("h5py", reason="needs the extra formats")
    pytest.importorskip("zarr", reason="needs the extra scale")
    dask = pytest.importorskip("dask.array", reason="needs the extra scale")
    volume = Volume.from_array(np.stack([MASK * 1] * 8).astype(np.uint8))
    for ending in ("tif", "npy", "vti"):
        volume.save(tmp_path / f"a.{ending}")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = volume.values
    volume.values.tofile(tmp_path / "a.raw")
    tree = BlockTree(volume.values.shape, (8, 64, 64), 1)
    own = {
        "complete": True,
        "kind": "phases",
        "labels": [0, 1],
        "levels": 1,
        "voxel_size_nm": None,
    }
    facts = ImageFacts("a", "phases", volume.values.dtype, None)
    create_image(tmp_path / "a.zarr", tree, facts, own)
    slices(*volume.values)(tmp_path / "slices")
    monkeypatch.setattr(limits, "available_memory", lambda: 150_000)
    for path in sorted(tmp_path.iterdir()):
        shape = (8, *MASK.shape) if path.suffix == ".raw" else ()
        with pytest.raises(ValueError, match=r"available memory of .*; save a part"):
            Micrograph.open(path, MicrographSettings(raw_shape=shape))
    with pytest.raises(ValueError, match=r"a.tif: expected values that fit"):
        Volume.open(tmp_path / "a.tif")
    layer = SourceImage(dask.zeros((9, 400, 400), np.uint8), "layer", axes="ZYX")
    with pytest.raises(ValueError, match=r"got 9 x 400 x 400 values"):
        Micrograph.of(layer)


def test_planes_that_are_further_apart(tmp_path: Path) -> None:
    """Isotropic training takes the planes as they are; cubes are resampled."""
    path = tmp_path / "stack.tif"
    stack = np.stack([M255] * 9 + [255 - M255])
    options = {"unit": "um", "spacing": 0.05, "axes": "ZYX"}
    tifffile.imwrite(path, stack, imagej=True, resolution=(100, 100), metadata=options)
    image = Micrograph.open(path)
    assert image.pixel_size_nm == pytest.approx(10)
    assert image.z_step == pytest.approx(5)
    assert "planes 5 pixels apart" in image.summary()[0]
    cut = TrainingImages.from_volume(image)
    (cube, *_) = cut
    assert cube.values.shape == (50, *MASK.shape)
    np.testing.assert_array_equal(cube.values[44], M255)
    np.testing.assert_array_equal(cube.values[45], 255 - M255)
    typed = Micrograph.open(path, MicrographSettings(pixel_size_nm=20))
    assert typed.pixel_size_nm == 20
    assert typed.z_step == pytest.approx(5)
    given = Micrograph.open(path, MicrographSettings(z_step_nm=10))
    assert given.z_step == pytest.approx(1)
