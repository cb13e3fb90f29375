"""Nanoporous gold: the micrograph without its data bar, with its pixel size."""

from __future__ import annotations

import tifffile

from sample_data.scripts.packages import package_folder
from sample_data.scripts.tiff_output import write_tiff

# The data bar begins with a black line in row 691.
LAST_ROW = 690


def main() -> None:
    """Write nanoporous_gold.tif."""
    folder = package_folder("aquami", "1.1.0")
    with tifffile.TiffFile(folder / "aquami" / "micrographs" / "Sample.tif") as file:
        values = file.asarray()
        header = file.sem_metadata
    if header is None:
        raise RuntimeError("Sample.tif no longer has the header of the microscope.")
    _, size, unit = header["ap_image_pixel_size"]
    if unit != "pm":
        raise RuntimeError(f"Expected the pixel size in pm; got {unit}.")
    write_tiff("nanoporous_gold.tif", values[:LAST_ROW], pixel_size_nm=size / 1000)


if __name__ == "__main__":
    main()
