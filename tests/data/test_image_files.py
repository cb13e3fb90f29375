"""Files are read as stored."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_slicegan.data.image_files import read_image

RNG = np.random.default_rng(1)
GRAY = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (20, 30, 4), dtype=np.uint8)
STACK = RNG.integers(0, 256, (9, 20, 30), dtype=np.uint8)


def test_gray_values_come_back_from_lossless_formats(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for ending in ["png", "bmp", "tif", "gif", "npy"]:
        with subtests.test(ending):
            path = tmp_path / f"sem.{ending}"
            if ending == "npy":
                np.save(path, GRAY)
            else:
                Image.fromarray(GRAY).save(path)
            file = read_image(str(path))
            values = file.values[..., 0] if file.values.ndim == 3 else file.values
            np.testing.assert_array_equal(values, GRAY)
            assert file.pixel_size_nm is None
            assert file.path == path


def test_colours_come_back_from_lossless_formats(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for ending in ["png", "tif"]:
        with subtests.test(ending):
            path = tmp_path / f"map.{ending}"
            Image.fromarray(RGB).save(path)
            np.testing.assert_array_equal(read_image(path).values, RGB)


def test_jpeg_is_close_to_what_was_saved(tmp_path: Path) -> None:
    # A smooth ramp survives JPEG to within a few gray values.
    ramp = np.linspace(0, 255, 64).astype(np.uint8)[np.newaxis].repeat(64, 0)
    Image.fromarray(ramp).save(tmp_path / "ramp.jpg", quality=95)
    values = read_image(tmp_path / "ramp.jpg").values
    assert values.shape == (64, 64)
    assert abs(values.astype(int) - ramp).max() <= 4


def test_content_decides_and_not_the_ending(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "sem.png", GRAY)
    np.testing.assert_array_equal(read_image(tmp_path / "sem.png").values, GRAY)


DEPTHS: list[tuple[str, Any]] = [
    ("u1", "<"),
    ("u2", ">"),
    ("i4", "<"),
    ("f2", ">"),
    ("f8", "<"),
    ("bool", ">"),
]


def test_tiff_keeps_every_depth(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for dtype, byteorder in DEPTHS:
        with subtests.test(dtype):
            values = (GRAY // 2).astype(dtype)
            tifffile.imwrite(tmp_path / "sem.tif", values, byteorder=byteorder)
            read = read_image(tmp_path / "sem.tif").values
            assert read.dtype.kind == np.dtype(dtype).kind
            assert read.dtype.itemsize == np.dtype(dtype).itemsize
            np.testing.assert_array_equal(read, values)


def test_packed_tiffs(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for compression in ["tiff_lzw", "tiff_adobe_deflate"]:
        with subtests.test(compression):
            pages = [Image.fromarray(page) for page in STACK]
            path = tmp_path / "stack.tif"
            pages[0].save(
                path, save_all=True, append_images=pages[1:], compression=compression
            )
            np.testing.assert_array_equal(read_image(path).values, STACK)


def test_fax_compressed_mask(tmp_path: Path) -> None:
    Image.fromarray(GRAY > 99).save(tmp_path / "mask.tif", compression="group4")
    np.testing.assert_array_equal(read_image(tmp_path / "mask.tif").values, GRAY > 99)


PAGES: list[dict[str, Any]] = [
    {"photometric": "minisblack"},
    {"ome": True, "metadata": {"axes": "ZYX"}, "photometric": "minisblack"},
    {"ome": True, "photometric": "minisblack"},  # tifffile notes the axes CYX
    {"imagej": True, "metadata": {"axes": "ZYX"}},
    {"imagej": True, "metadata": {"axes": "TYX"}},
]


def test_pages_are_a_volume(tmp_path: Path, subtests: pytest.Subtests) -> None:
    for options in PAGES:
        with subtests.test(options=options):
            tifffile.imwrite(tmp_path / "stack.tif", STACK, **options)
            np.testing.assert_array_equal(
                read_image(tmp_path / "stack.tif").values, STACK
            )


def test_single_page_of_a_stack_is_an_image(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "one.tif", STACK[:1], ome=True, metadata={"axes": "ZYX"}
    )
    np.testing.assert_array_equal(read_image(tmp_path / "one.tif").values, STACK[0])


def test_channels_come_last(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    stored: list[tuple[Any, NDArray[Any]]] = [
        ("contig", RGB),
        ("separate", np.moveaxis(RGB, -1, 0)),
    ]
    for order, values in stored:
        tifffile.imwrite(path, values, photometric="rgb", planarconfig=order)
        np.testing.assert_array_equal(read_image(path).values, RGB, err_msg=order)


def test_imagej_channels_are_colours(tmp_path: Path) -> None:
    stack = RNG.integers(0, 999, (5, 3, 20, 30), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    values = read_image(tmp_path / "c.tif").values
    np.testing.assert_array_equal(values, np.moveaxis(stack, 1, -1))


def test_alpha_is_dropped_with_a_note(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for ending in ["png", "npy"]:
        with subtests.test(ending):
            path = tmp_path / f"grains.{ending}"
            if ending == "npy":
                np.save(path, RGBA)
            else:
                Image.fromarray(RGBA).save(path)
            image = read_image(path)
            assert image.notes == ("The alpha channel is dropped.",)
            np.testing.assert_array_equal(image.values, RGBA[..., :3])


def test_alpha_of_a_gray_image_is_dropped(tmp_path: Path) -> None:
    Image.fromarray(RGBA[..., :2]).save(tmp_path / "la.png")
    values = read_image(tmp_path / "la.png").values
    np.testing.assert_array_equal(values, np.stack([RGBA[..., 0]] * 3, -1))


def palette_image(index: NDArray[np.uint8], colours: list[int]) -> Image.Image:
    picture = Image.fromarray(index).convert("P")
    picture.frombytes(index.tobytes())
    picture.putpalette(colours)
    return picture


def test_palette_with_few_colours_holds_labels(tmp_path: Path) -> None:
    index = GRAY % 3
    palette_image(index, [255, 0, 0, 0, 255, 0, 0, 0, 255]).save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png").values, index)


def test_palette_with_many_colours_is_a_colour_image(tmp_path: Path) -> None:
    colours = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    palette_image(GRAY, colours.ravel().tolist()).save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png").values, colours[GRAY])


def test_gray_palette_gives_the_gray_values_seen(tmp_path: Path) -> None:
    # Index 0 is shown white, 1 black: the values are 255 and 0.
    index = GRAY % 2
    palette_image(index, [255, 255, 255, 0, 0, 0]).save(tmp_path / "p.png")
    values = read_image(tmp_path / "p.png").values
    np.testing.assert_array_equal(values[..., 0], 255 * (1 - index))


def test_reading_does_not_run_pickled_code(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "exploded",)

    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"bomb\.npy"):
        read_image(tmp_path / "bomb.npy")
    assert not (tmp_path / "exploded").exists()


def test_damaged_files_raise_nothing_but_value_errors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged"
    tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack")
    whole = path.read_bytes()
    refused = 0
    for _ in range(60):
        content = bytearray(whole)
        for position in rng.integers(8, 400, 3):
            struct.pack_into("B", content, int(position), int(rng.integers(256)))
        path.write_bytes(content)
        try:
            read_image(path)
        except ValueError as error:
            refused += 1
            assert "damaged" in str(error)
    assert refused > 0
